package picture_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/reference"
)

// difference returns the largest and the mean absolute difference of two
// pictures, in levels.
func difference(t *testing.T, a, b *picture.RGB) (most int, mean float64) {
	t.Helper()
	if a.Width != b.Width || a.Height != b.Height {
		t.Fatalf("sizes %dx%d and %dx%d", a.Width, a.Height, b.Width, b.Height)
	}
	for i := range a.Pix {
		d := int(a.Pix[i]) - int(b.Pix[i])
		d = max(d, -d)
		most = max(most, d)
		mean += float64(d)
	}
	return most, mean / float64(len(a.Pix))
}

func manifest(t *testing.T) (folder string, files []string) {
	t.Helper()
	folder = reference.Fixtures(t, "preproc")
	b, err := os.ReadFile(filepath.Join(folder, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct{ Files []struct{ File string } }
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Files {
		files = append(files, f.File)
	}
	if len(files) == 0 {
		t.Fatal("manifest.json names no files")
	}
	return folder, files
}

// The expected pixels are Pillow 12.3.0's convert("RGB"), written as PNG. They
// are equal for JPEG too. That resizing is equal is tested in package preprocess.
func TestFixtureDecodeGivesPillowsPixels(t *testing.T) {
	folder, files := manifest(t)
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			got, err := picture.Open(filepath.Join(folder, "inputs", name), picture.AsStored)
			if err != nil {
				t.Fatal(err)
			}
			want, err := picture.Open(filepath.Join(folder, "decoded", name+".png"))
			if err != nil {
				t.Fatal(err)
			}
			if most, mean := difference(t, got, want); most > 0 {
				t.Errorf("differs by up to %d levels, %.4f in the mean", most, mean)
			}
		})
	}
}
