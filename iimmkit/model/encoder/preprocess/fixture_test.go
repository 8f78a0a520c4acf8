package preprocess_test

import (
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/reference"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/preprocess"
)

var (
	openAI = preprocess.Config{Mode: preprocess.Shortest,
		Mean: [3]float32{0.48145466, 0.4578275, 0.40821073}, Std: [3]float32{0.26862954, 0.26130258, 0.27577711}}
	half = preprocess.Config{Mode: preprocess.Squash, Mean: [3]float32{.5, .5, .5}, Std: [3]float32{.5, .5, .5}}
)

// kinds are the conventions of the fixtures' keys, and whether they begin with
// Pillow's conversion to RGB or with the file.
var kinds = map[string]struct {
	config    preprocess.Config
	converted bool
}{
	"clip":          {with(openAI, preprocess.RGBFirst), true},
	"clip_f32":      {with(openAI, preprocess.RGBFirst), true},
	"squash":        {half, true},
	"squash_f32":    {half, true},
	"hfclip":        {openAI, true},
	"hfclip_direct": {openAI, false},
	"clip_direct":   {with(openAI, preprocess.OpenCLIP), false},
}

func with(c preprocess.Config, convention preprocess.Convention) preprocess.Config {
	c.Convention = convention
	return c
}

// TestFixturePixels compares the squares with those of Pillow, torchvision,
// open_clip and transformers bit for bit, and the normalised values, starting
// from Pillow's decoded pixels and from the encoded files.
func TestFixturePixels(t *testing.T) {
	root := reference.Fixtures(t, "preproc")
	expected, err := tensorfile.ReadNPZ(filepath.Join(root, "expected.npz"))
	if err != nil {
		t.Fatal(err)
	}
	compared := map[string]int{}
	for _, key := range slices.Sorted(maps.Keys(expected)) {
		want := expected[key]
		part := strings.Split(key, "|")
		if len(part) != 3 {
			t.Fatalf("key %q is not file|kind|size", key)
		}
		t.Run(key, func(t *testing.T) {
			size, err := strconv.Atoi(part[2])
			if err != nil {
				t.Fatal(err)
			}
			kind, ok := kinds[part[1]]
			if !ok {
				t.Fatalf("kind %q is not known", part[1])
			}
			compared[part[1]]++
			kind.config.Size = size
			paths := []string{filepath.Join(root, "inputs", part[0])}
			if kind.converted {
				paths = append(paths, filepath.Join(root, "decoded", part[0]+".png"))
			}
			for _, path := range paths {
				p, err := picture.Open(path, picture.AsStored)
				if err != nil {
					t.Fatal(err)
				}
				if kind.converted {
					p = p.Crop(0, 0, p.Width, p.Height) // forgets how it was stored
				}
				check(t, kind.config, p, want)
			}
		})
	}
	t.Log(compared)
	for kind := range kinds {
		if strings.HasSuffix(kind, "_direct") || kind == "hfclip" { // only where they differ from the others
			continue
		}
		if compared[kind] == 0 {
			t.Errorf("nothing of kind %s was compared", kind)
		}
	}
}

// check compares with [size, size, 3] bytes or [3, size, size] floats.
func check(t *testing.T, c preprocess.Config, p *picture.RGB, want tensorfile.Tensor) {
	t.Helper()
	if want.Shape[0] != 3 {
		got := c.Square(p)
		if len(got.Pix) != len(want.Data) {
			t.Fatalf("%d samples, want %d", len(got.Pix), len(want.Data))
		}
		for i, v := range got.Pix {
			if v != want.Data[i] {
				t.Fatalf("sample %d of the square is %d, want %d", i, v, want.Data[i])
			}
		}
		return
	}
	w, err := want.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	got := c.Pixels([]*picture.RGB{p})
	if len(got) != len(w) {
		t.Fatalf("%d values, want %d", len(got), len(w))
	}
	for i := range got {
		// Python normalises in float32, in an order of operations that may differ.
		if math.Abs(float64(got[i]-w[i])) > 1e-6 {
			t.Fatalf("value %d is %g, want %g", i, got[i], w[i])
		}
	}
}
