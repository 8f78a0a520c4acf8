package embedding

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
)

// Files of torch.save, written by testdata/make.py.
func TestTensorsOfTorch(t *testing.T) {
	for path, tolerance := range map[string]float64{"testdata/torch/mid.pt": 1e-12, "testdata/torch/half": 2e-4} {
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Measure(MeasureOptions{Normalize: tolerance > 1e-6})
		if err != nil {
			t.Fatal(err)
		}
		wantValues(t, path, r, golden.Mid().Values, tolerance)
		if !slices.Equal(s.Labels, golden.Mid().Labels) {
			t.Errorf("%s: labels changed", path)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTorchFilesThatAreNoSet(t *testing.T) {
	tensor, err := os.ReadFile("testdata/torch/half/images.pt")
	if err != nil {
		t.Fatal(err)
	}
	dict, err := os.ReadFile("testdata/torch/mid.pt")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, b := range map[string][]byte{"alone.pt": tensor, "cut.pt": dict[:len(dict)/2], "in/images.pt": dict, "in/labels.pt": tensor, "in/texts.pt": tensor} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"alone.pt": `no "images" in it`, "cut.pt": "no zip archive", "in": "it holds a dict (images, labels, texts), want one tensor",
	} {
		s, err := Open(filepath.Join(dir, name))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v %v, want %q", name, s, err, want)
		}
	}
}
