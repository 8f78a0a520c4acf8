package encoder_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/encodertest"
)

// squares are images of one shade each, which stop being readable after some.
type squares struct {
	n      int
	breaks atomic.Int64 // image that cannot be read; -1: none
	shade  uint8
}

func (s *squares) Len() int        { return s.n }
func (s *squares) Label(i int) int { return i % 2 }
func (s *squares) ID(i int) string { return "" }
func (s *squares) Image(i int) (*picture.RGB, error) {
	if int64(i) == s.breaks.Load() {
		return nil, errors.New("broken")
	}
	p := &picture.RGB{Width: 16, Height: 16, Pix: make([]uint8, 3*16*16)}
	for k := range p.Pix {
		p.Pix[k] = uint8(i%251+k%5) + s.shade // 251: not each 256 images alike
	}
	return p, nil
}

func tinyTask(n int) (*datasets.Task, *squares) {
	images := &squares{n: n}
	images.breaks.Store(-1)
	return &datasets.Task{Name: "squares", ClassNames: []string{"even", "odd"}, Captions: []string{"an even one", "an odd one"}, Train: images, Hash: "h"}, images
}

func tinyEncoder(t *testing.T) *encoder.Encoder {
	t.Helper()
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	e, err := encodertest.Tiny(b, "an even one", "an odd one", "some even", "some odd")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// cacheFiles lists the entries in the cache.
func cacheFiles(t *testing.T) []string {
	t.Helper()
	dir, err := store.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "embeddings", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestEmbedGoesOnFromTheCache(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	e := tinyEncoder(t)
	task, images := tinyTask(600) // of 128 at a time: four and a part
	want, err := e.Embed(t.Context(), task, "train", progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if files := cacheFiles(t); len(files) != 0 {
		t.Fatalf("without being asked %d entries were kept", len(files))
	}
	images.breaks.Store(599)
	if _, err := e.Embed(t.Context(), task, "train", progress.Discard, encoder.Cached); err == nil {
		t.Fatal("a broken image was embedded")
	}
	if files := cacheFiles(t); len(files) != 4 {
		t.Fatalf("%d entries were kept of an interrupted embedding, want 4", len(files))
	}
	images.breaks.Store(-1)
	same := func(what string) {
		t.Helper()
		got, err := e.Embed(t.Context(), task, "train", progress.Discard, encoder.Cached)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Images.F32, want.Images.F32) || !slices.Equal(got.Texts.F32, want.Texts.F32) {
			t.Errorf("%s: other embeddings than without a cache", what)
		}
	}
	same("after an interruption")
	files := cacheFiles(t)
	if len(files) != 5 {
		t.Fatalf("%d entries, want 5", len(files))
	}
	same("from the cache")
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		data[50] ^= 0xff
		if err := os.WriteFile(f, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	same("with a damaged cache")
}

// A cache must not give the features of other weights or other pictures.
func TestEmbedCacheKnowsWeightsAndPictures(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	e := tinyEncoder(t)
	task, images := tinyTask(10)
	embed := func() *embedding.Set {
		t.Helper()
		s, err := e.Embed(t.Context(), task, "train", progress.Discard, encoder.Cached)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := embed()
	images.shade = 90
	if other := embed(); slices.Equal(other.Images.F32, first.Images.F32) {
		t.Error("other pictures, the same embeddings")
	}
	images.shade = 0
	weights, err := e.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	weights["visual.proj"][0] += 1
	if err := e.Restore(weights); err != nil {
		t.Fatal(err)
	}
	tuned := embed()
	if slices.Equal(tuned.Images.F32, first.Images.F32) || tuned.Provenance.Hashes["model"] == first.Provenance.Hashes["model"] {
		t.Error("other weights, the same embeddings or hash")
	}
}

func TestEnsembleIsTheMeanOfItsCaptions(t *testing.T) {
	e := tinyEncoder(t)
	task, _ := tinyTask(4)
	task, err := task.WithTemplates([]string{"an {class} one", "some {class}"})
	if err != nil {
		t.Fatal(err)
	}
	set, err := e.Embed(t.Context(), task, "train", progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := e.EncodeTexts([]string{"an even one", "some even", "an odd one", "some odd"})
	if err != nil {
		t.Fatal(err)
	}
	d := e.Config().EmbedDim
	for c := range 2 {
		var mean []float64
		norm := 0.0
		for j := range d {
			m := (float64(rows[2*c*d+j]) + float64(rows[(2*c+1)*d+j])) / 2
			mean = append(mean, m)
			norm += m * m
		}
		for j, m := range mean {
			if got := float64(set.Texts.F32[c*d+j]); math.Abs(got-m/math.Sqrt(norm)) > 1e-6 {
				t.Errorf("class %d, value %d is %g, want %g", c, j, got, m/math.Sqrt(norm))
			}
		}
	}
	if want := []string{"an even one\nsome even", "an odd one\nsome odd"}; !slices.Equal(set.Prompts, want) {
		t.Errorf("prompts %q", set.Prompts)
	}
	if p := set.Provenance; p.LogitScale == nil || math.Abs(*p.LogitScale-1/.07) > 1e-4 || p.Hashes["captions"] != embedding.CaptionHash(set.ClassNames, set.Prompts) {
		t.Errorf("%+v", p)
	}
}

func TestOpenTellsWhichWeightsItDidNotRead(t *testing.T) {
	e := tinyEncoder(t)
	dir := t.TempDir()
	if err := e.Save(dir, encoder.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pytorch_model.bin"), []byte("not looked at"), 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := encoder.Open(e.Backend(), dir)
	if err != nil || !slices.Equal(again.Unread, []string{"pytorch_model.bin"}) {
		t.Errorf("unread %v, %v", again.Unread, err)
	}
}
