package picture_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/reference"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
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
	if len(files) < 30 {
		t.Fatalf("manifest names %d files", len(files))
	}
	return folder, files
}

// The expected pixels are Pillow 12.3.0's convert("RGB"), written as PNG.
func TestDecodeGivesPillowsPixels(t *testing.T) {
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
			most, mean := difference(t, got, want)
			t.Logf("max %d mean %.4f", most, mean)
			switch {
			case strings.HasSuffix(name, ".jpg"):
				if most > 3 || mean > 0.05 { // the inverse cosine transforms round differently
					t.Errorf("differs by up to %d levels, %.4f in the mean", most, mean)
				}
			case most > 0:
				t.Errorf("differs by up to %d levels, %.4f in the mean", most, mean)
			}
		})
	}
}

// openCLIP resizes and crops as open_clip's preprocessing: shortest side to
// size, centre crop.
func openCLIP(p *picture.RGB, size int) *picture.RGB {
	w, h := size, size
	if p.Width < p.Height {
		h = int(float64(size) * float64(p.Height) / float64(p.Width))
	} else {
		w = int(float64(size) * float64(p.Width) / float64(p.Height))
	}
	x, y := math.RoundToEven(float64(w-size)/2), math.RoundToEven(float64(h-size)/2)
	return picture.Resize(p, w, h).Crop(int(x), int(y), size, size)
}

// expected.npz holds what Pillow and torchvision made of the decoded pixels.
func TestResizeIsPillowsBitForBit(t *testing.T) {
	folder, files := manifest(t)
	expected, err := tensorfile.ReadNPZ(filepath.Join(folder, "expected.npz"))
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, name := range files {
		p, err := picture.Open(filepath.Join(folder, "decoded", name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range expected {
			parts := strings.Split(key, "|")
			if parts[0] != name || len(parts) != 3 {
				continue
			}
			size, err := strconv.Atoi(parts[2])
			if err != nil {
				t.Fatal(err)
			}
			var got *picture.RGB
			switch parts[1] {
			case "clip":
				got = openCLIP(p, size)
			case "squash":
				got = picture.Resize(p, size, size)
			default:
				continue
			}
			compared++
			if fmt.Sprint(want.Shape) != fmt.Sprint([]int{size, size, 3}) {
				t.Fatalf("%s: shape %v", key, want.Shape)
			}
			for i, v := range want.Data {
				if got.Pix[i] != v {
					t.Errorf("%s: sample %d is %d, want %d", key, i, got.Pix[i], v)
					break
				}
			}
		}
	}
	if compared < 100 {
		t.Errorf("compared only %d pictures", compared)
	}
	t.Logf("%d pictures equal", compared)
}
