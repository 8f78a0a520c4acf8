package selftest_test

import (
	"bytes"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/micro"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/selftest"
)

// open returns a micro model with its stored vectors.
func open(t *testing.T, name string) (*encoder.Encoder, *selftest.Vectors, map[string]string) {
	t.Helper()
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	e, err := encoder.Open(b, name)
	if err != nil {
		t.Fatal(err)
	}
	files, ok := micro.Files(name)
	if !ok {
		t.Fatalf("%s is registered, but has no files", name)
	}
	data, err := fs.ReadFile(files, selftest.File)
	if err != nil {
		t.Fatalf("%s ships no vectors of the reference (see the package's comment): %v", name, err)
	}
	v, err := selftest.Parse(data, name)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := selftest.Checksums(files)
	if err != nil {
		t.Fatal(err)
	}
	return e, v, sums
}

func difference(t *testing.T, e selftest.Encoder, sums map[string]string, want *selftest.Vectors) selftest.Difference {
	t.Helper()
	got, err := selftest.Compute(e, sums, "test")
	if err != nil {
		t.Fatal(err)
	}
	d, err := selftest.Compare(got, want)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestMicroModelsEqualTheReference(t *testing.T) {
	for _, name := range encoder.Registered() {
		if !strings.HasPrefix(name, "micro-") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			e, want, sums := open(t, name)
			if !want.Reference || want.Source == "" {
				t.Errorf("vectors of %q", want.Source)
			}
			d := difference(t, e, sums, want)
			t.Logf("images %.1e, texts %.1e from %s", d.Images, d.Texts, want.Source)
			if !d.Within(selftest.Tolerance) {
				t.Errorf("%+v", d)
			}
		})
	}
}

// What passes must not have a mistake anywhere on the path.
func TestMistakesAreFound(t *testing.T) {
	e, want, sums := open(t, "micro-clip")
	weights, err := e.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name             string
		images, captions bool // which must differ
		e                selftest.Encoder
	}{
		{"colours in another order", true, false, wrong{e, func(p *picture.RGB) *picture.RGB {
			q := picture.New(p.Width, p.Height)
			for i := range q.Pix {
				q.Pix[i] = p.Pix[i-i%3+2-i%3]
			}
			return q
		}, nil}},
		{"squashed instead of cropped", true, false, wrong{e, func(p *picture.RGB) *picture.RGB { return picture.Resize(p, 32, 32) }, nil}},
		{"a prompt that is cut off", false, true, wrong{e, nil, func(s string) string { return s[:len(s)-1] }}},
	} {
		d := difference(t, c.e, sums, want)
		if (d.Images > selftest.Tolerance) != c.images || (d.Texts > selftest.Tolerance) != c.captions {
			t.Errorf("%s: %+v", c.name, d)
		}
	}
	for _, key := range []string{"visual.transformer.resblocks.2.mlp.c_fc.bias", "transformer.resblocks.0.mlp.c_fc.bias"} {
		weights[key][3] += 1e-2
		if err := e.Restore(weights); err != nil {
			t.Fatal(err)
		}
		weights[key][3] -= 1e-2
		if d := difference(t, e, sums, want); (d.Images > selftest.Tolerance) != strings.HasPrefix(key, "visual.") || (d.Texts > selftest.Tolerance) == strings.HasPrefix(key, "visual.") {
			t.Errorf("%s moved by 0.01: %+v", key, d)
		}
	}
}

// wrong puts a mistake before an encoder.
type wrong struct {
	selftest.Encoder
	picture func(*picture.RGB) *picture.RGB
	caption func(string) string
}

func (w wrong) EncodeImages(pictures []*picture.RGB) ([]float32, error) {
	for i := range pictures {
		if w.picture != nil {
			pictures[i] = w.picture(pictures[i])
		}
	}
	return w.Encoder.EncodeImages(pictures)
}

func (w wrong) EncodeTexts(captions []string) ([]float32, error) {
	for i := range captions {
		if w.caption != nil {
			captions[i] = w.caption(captions[i])
		}
	}
	return w.Encoder.EncodeTexts(captions)
}

func TestVectorsOfSomethingElseAreNotCompared(t *testing.T) {
	row := []float32{.6, .8}
	v := func() *selftest.Vectors {
		return &selftest.Vectors{Schema: 1, Files: map[string]string{"a": "1"}, Inputs: "x", Images: [][]float32{row}, Texts: [][]float32{row, row}}
	}
	if d, err := selftest.Compare(v(), v()); err != nil || d != (selftest.Difference{}) {
		t.Errorf("%+v, %v", d, err)
	}
	for want, change := range map[string]func(*selftest.Vectors){
		"another checkpoint": func(v *selftest.Vectors) { v.Files = map[string]string{"a": "2"} },
		"another set":        func(v *selftest.Vectors) { v.Inputs = "y" },
		"1 vectors":          func(v *selftest.Vectors) { v.Images = append(v.Images, row) },
		"width":              func(v *selftest.Vectors) { v.Texts[1] = []float32{1} },
	} {
		w := v()
		change(w)
		if _, err := selftest.Compare(v(), w); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	nan := v()
	nan.Images = [][]float32{{float32(math.NaN()), .8}}
	if d, err := selftest.Compare(nan, v()); err == nil {
		t.Errorf("NaN passes: %+v", d)
	}
}

func TestInputsAreTheSameEveryTime(t *testing.T) {
	// Vectors that were recorded must stay comparable.
	const hash = "e3c4df23bfce3b710ea7a2f5b0e4ce7eb498db0a97dc365ca36b88cd31a49bf4"
	if got := selftest.InputsHash(); got != hash {
		t.Errorf("the pictures or prompts changed: %s", got)
	}
	upright, lying := false, false
	for _, p := range selftest.Pictures() {
		upright = upright || p.Height > p.Width
		lying = lying || p.Height < p.Width
	}
	if !upright || !lying {
		t.Error("no upright or no lying picture")
	}
}

func TestVectorsSurviveWriting(t *testing.T) {
	v := &selftest.Vectors{Schema: 1, Source: "x", Files: map[string]string{"a": "1"}, Inputs: "y", Images: [][]float32{{.6, .8}, {1, 0}}, Texts: [][]float32{{0, -1}}}
	data, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := selftest.Parse(data, "x")
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	again, err := back.Encode()
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("%v\n%s", err, again)
	}
}

// The reference itself, where it can be had: IIMM_PYTHON names an interpreter
// with torch and transformers.
func TestReferenceScriptGivesTheStoredVectors(t *testing.T) {
	python := os.Getenv("IIMM_PYTHON")
	if python == "" || exec.Command(python, "-c", "import torch, transformers, tokenizers, PIL").Run() != nil {
		t.Skip("IIMM_PYTHON names no interpreter with torch and transformers")
	}
	dir, err := filepath.Abs("../micro/clip")
	if err != nil {
		t.Fatal(err)
	}
	_, want, sums := open(t, "micro-clip")
	in, err := selftest.Inputs(dir, sums)
	if err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	if err := os.WriteFile(filepath.Join(tmp, "in.json"), in, 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(tmp, "out.json")
	if log, err := exec.Command(python, "reference.py", filepath.Join(tmp, "in.json"), out).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, log)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := selftest.Parse(data, out)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := selftest.Compare(got, want); err != nil || !d.Within(1e-6) {
		t.Errorf("%+v, %v", d, err)
	}
}

func FuzzVectors(f *testing.F) {
	f.Add([]byte(`{"schema":1,"images":[[0.6,0.8]],"texts":[[1,0]]}`))
	f.Add([]byte(`{"schema":1,"images":[[0.6,0.8],[1]],"texts":[[1,0]]}`))
	f.Add([]byte(`{"schema":1,"images":[[]],"texts":[[1e38]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := selftest.Parse(data, "x")
		if err != nil {
			return
		}
		if d, err := selftest.Compare(v, v); err != nil || d != (selftest.Difference{}) {
			t.Errorf("%+v, %v", d, err)
		}
	})
}
