package preprocess_test

import (
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

// TestFixturePixels starts from Pillow's decoded pixels and compares the
// squares bit for bit, and the normalised values, with torchvision's.
func TestFixturePixels(t *testing.T) {
	root := reference.Fixtures(t, "preproc")
	expected, err := tensorfile.ReadNPZ(filepath.Join(root, "expected.npz"))
	if err != nil {
		t.Fatal(err)
	}
	compared := map[string]int{}
	for key, want := range expected {
		part := strings.Split(key, "|")
		if len(part) != 3 {
			t.Fatalf("key %q is not file|kind|size", key)
		}
		size, err := strconv.Atoi(part[2])
		if err != nil {
			t.Fatal(err)
		}
		c := openAI
		switch part[1] {
		case "squash", "squash_f32":
			c = half
		case "clip", "clip_f32":
		default: // other conventions: see facts of the reference implementations
			compared["left "+part[1]]++
			continue
		}
		c.Size = size
		t.Run(key, func(t *testing.T) {
			p, err := picture.Open(filepath.Join(root, "decoded", part[0]+".png"), picture.AsStored)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(part[1], "_f32") {
				w, err := want.Float32s()
				if err != nil {
					t.Fatal(err)
				}
				got := c.Pixels([]*picture.RGB{p})
				if len(got) != len(w) {
					t.Fatalf("%d values, want %d", len(got), len(w))
				}
				for i := range got {
					if math.Abs(float64(got[i]-w[i])) > 1e-6 {
						t.Fatalf("value %d is %g, want %g", i, got[i], w[i])
					}
				}
			} else if got := c.Square(p); !slices.Equal(got.Pix, want.Data) {
				t.Errorf("the square differs")
			}
			compared[part[1]]++
		})
	}
	t.Log(compared)
	for _, kind := range []string{"clip", "clip_f32", "squash", "squash_f32"} {
		if compared[kind] == 0 {
			t.Errorf("nothing of kind %s was compared", kind)
		}
	}
}

func TestParseHF(t *testing.T) {
	for _, c := range []struct {
		json string
		want preprocess.Config
	}{
		{`{"size":{"shortest_edge":32},"crop_size":{"height":32,"width":32},"do_center_crop":true}`, preprocess.Config{Size: 32, Mode: preprocess.Shortest, Mean: openAI.Mean, Std: openAI.Std}},
		{`{"size":224,"crop_size":224}`, preprocess.Config{Size: 224, Mode: preprocess.Shortest, Mean: openAI.Mean, Std: openAI.Std}},
		{`{"size":{"height":224,"width":224},"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5]}`, preprocess.Config{Size: 224, Mode: preprocess.Squash, Mean: half.Mean, Std: half.Std}},
	} {
		got, err := preprocess.ParseHF([]byte(c.json))
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", c.json, got, err)
		}
		data, err := got.HF()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := preprocess.ParseHF(data); err != nil || again != got {
			t.Errorf("written and read again: %+v, %v", again, err)
		}
	}
	for _, bad := range []string{`{`, `{}`, `{"size":-1}`, `{"size":{"height":2,"width":3}}`, `{"size":32,"resample":2}`, `{"size":32,"image_std":[0,1,1]}`} {
		if _, err := preprocess.ParseHF([]byte(bad)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}
