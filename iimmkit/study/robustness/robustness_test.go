package robustness

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/datasets/corrupt"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/encodertest"
	_ "github.com/iimmkit/iimm/iimmkit/model/encoder/micro"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/preprocess"
)

// wide are pictures that are larger than the model's input, and not square.
type wide struct {
	pictures []*picture.RGB
	labels   []int
	breaks   int // picture that cannot be read; -1: none
}

func (w *wide) Len() int        { return len(w.pictures) }
func (w *wide) Label(i int) int { return w.labels[i] }
func (w *wide) ID(int) string   { return "" }
func (w *wide) Image(i int) (*picture.RGB, error) {
	if i == w.breaks {
		return nil, errors.New("broken")
	}
	return w.pictures[i], nil
}

// wideTask is world/shape with n test images, enlarged.
func wideTask(t *testing.T, n int) (*datasets.Task, *wide) {
	t.Helper()
	task, err := datasets.Load("world/shape", datasets.LoadOptions{NTrain: 1, NTest: n})
	if err != nil {
		t.Fatal(err)
	}
	images := &wide{breaks: -1}
	for i := range n {
		p, err := task.Test.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		images.pictures = append(images.pictures, picture.Resize(p, 50, 41))
		images.labels = append(images.labels, task.Test.Label(i))
	}
	task.Test = images
	return task, images
}

func micro(t *testing.T) *encoder.Encoder {
	t.Helper()
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	e, err := encoder.Open(b, "micro")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// shake changes the model's weights so that it recognises less.
func shake(t *testing.T, e *encoder.Encoder) {
	t.Helper()
	w, err := e.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for i := range w["visual.proj"] {
		w["visual.proj"][i] *= 1 - float32(i%3)/2
	}
	if err := e.Restore(w); err != nil {
		t.Fatal(err)
	}
}

// some are two kinds, which depend on the seed, in two severities.
var some = Options{Kinds: []corrupt.Kind{corrupt.GaussianNoise, corrupt.Hue}, Severities: []int{1, 4}, Seed: 5}

func do(t *testing.T, e *encoder.Encoder, task *datasets.Task, o Options) *Result {
	t.Helper()
	r, err := Evaluate(t.Context(), Of(e), task, o, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// squares are a task's test pictures at the model's size.
func squares(e *encoder.Encoder, task *datasets.Task) *wide {
	s := &wide{labels: task.Test.(*wide).labels, breaks: -1}
	for i := range task.Test.Len() {
		p, _ := task.Test.Image(i)
		s.pictures = append(s.pictures, e.Config().Preprocess.Square(p))
	}
	return s
}

// The result against the same numbers had step by step from the packages below.
func TestResultHoldsWhatItsPartsGive(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	task, _ := wideTask(t, 64)
	e := micro(t)
	r := do(t, e, task, some)
	texts, err := e.EncodeTexts(task.Captions)
	if err != nil {
		t.Fatal(err)
	}
	accuracy := func(images datasets.Images) (float64, []float64) {
		t.Helper()
		x, err := e.FeaturesOf(t.Context(), images, "", progress.Discard)
		if err != nil {
			t.Fatal(err)
		}
		labels := make([]int, images.Len())
		for i := range labels {
			labels[i] = images.Label(i)
		}
		a, err := evaluate.ZeroShot(x, texts, e.Config().EmbedDim, labels)
		if err != nil {
			t.Fatal(err)
		}
		right := make([]float64, len(labels))
		for i := range labels {
			if a.Predictions[i] == labels[i] {
				right[i] = 1
			}
		}
		return a.Top1, right
	}
	clean, cleanRight := accuracy(task.Test)
	if r.CleanAccuracy != clean || r.N != 64 || r.Classes != len(task.Captions) || r.Seed != 5 || r.Backend != "go" || r.Split != "test" || r.Model != "micro-clip" {
		t.Errorf("%+v; want accuracy %g", r, clean)
	}
	overall := 0.0
	spoiled := make([]float64, r.N)
	different := false
	for k, kind := range some.Kinds {
		both := 0.0
		for s, severity := range some.Severities {
			images, err := datasets.Corrupted(squares(e, task), kind, severity, 5)
			if err != nil {
				t.Fatal(err)
			}
			want, right := accuracy(images)
			got := r.Kinds[k].Severities[s]
			if got.Severity != severity || got.Accuracy != want || math.Abs(got.Drop-100*(clean-want)) > 1e-9 {
				t.Errorf("%s: %+v, want accuracy %g", kind, got, want)
			}
			different = different || want != clean
			both += want / 2
			overall += want / 4
			for i := range right {
				spoiled[i] += right[i] / 4
			}
		}
		if got := r.Kinds[k]; got.Kind != kind || math.Abs(got.Accuracy-both) > 1e-12 || math.Abs(got.Drop-100*(clean-both)) > 1e-9 ||
			math.Abs(*got.RelativeDrop-(clean-both)/clean) > 1e-12 || got.About == "" {
			t.Errorf("%+v, want accuracy %g", got, both)
		}
	}
	if !different {
		t.Fatal("nothing was misrecognised: the test says nothing")
	}
	if math.Abs(r.MeanCorruptionAccuracy-overall) > 1e-12 || math.Abs(r.Drop-100*(clean-overall)) > 1e-9 {
		t.Errorf("mean %g, drop %g; want %g", r.MeanCorruptionAccuracy, r.Drop, overall)
	}
	// Of a sample of differences: mean and 1.96 standard errors.
	var sum, squares float64
	for i := range spoiled {
		d := 100 * (cleanRight[i] - spoiled[i])
		sum += d
		squares += d * d
	}
	m := sum / 64
	half := 1.95996 * math.Sqrt((squares/64-m*m)/63)
	if c := r.DropCI95; c == nil || math.Abs(c[0]-(m-half)) > 1e-3 || math.Abs(c[1]-(m+half)) > 1e-3 {
		t.Errorf("interval of the drop %v, want %g ± %g", c, m, half)
	}
	p := r.CleanAccuracy
	half = 1.95996 * math.Sqrt(p*(1-p)/63)
	if c := r.CleanAccuracyCI95; c == nil || math.Abs(c[0]-(p-half)) > 1e-5 || math.Abs(c[1]-(p+half)) > 1e-5 {
		t.Errorf("interval of the clean accuracy %v, want %g ± %g", c, p, half)
	}
	for _, name := range []string{"model", "task", "captions", "pictures"} {
		if r.Hashes[name] == "" {
			t.Errorf("no hash of %s", name)
		}
	}
}

func TestDefaultIsEveryKindAndSeverity(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	task, _ := wideTask(t, 12)
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	e, err := encodertest.Tiny(b, task.Captions...)
	if err != nil {
		t.Fatal(err)
	}
	r := do(t, e, task, Options{})
	if len(r.Kinds) != len(corrupt.Kinds()) {
		t.Fatalf("%d kinds", len(r.Kinds))
	}
	for i, k := range r.Kinds {
		if k.Kind != corrupt.Kinds()[i] || len(k.Severities) != corrupt.Severities {
			t.Errorf("%s: %d severities", k.Kind, len(k.Severities))
		}
		for s, v := range k.Severities {
			if want, _ := corrupt.Strength(k.Kind, s+1, 16); v.Strength != want || v.Severity != s+1 { // pixels of the model's input
				t.Errorf("%s: %+v, want strength %g", k.Kind, v, want)
			}
		}
	}
}

// counter counts what is classified.
type counter struct{ done int }

func (c *counter) Start(string, int) progress.Bar { return c }
func (c *counter) Add(n int)                      { c.done += n }
func (c *counter) Note(string)                    {}
func (c *counter) Done()                          {}

func TestEvaluateGoesOnFromTheCache(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	task, _ := wideTask(t, 32)
	e := micro(t)
	o := some
	o.NoCache = true
	want := do(t, e, task, o)
	entries := func() []string {
		t.Helper()
		dir, err := store.CacheDir()
		if err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, predictionCache, "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	if len(entries()) != 0 {
		t.Fatal("predictions were kept against the wish")
	}
	// Stopped in the third of five conditions.
	ctx, stop := context.WithCancel(t.Context())
	stopper := stopAt{"gaussian-noise 4", stop}
	if _, err := Evaluate(ctx, Of(e), task, some, stopper); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if n := len(entries()); n != 2 {
		t.Fatalf("%d conditions were kept, want 2", n)
	}
	if got := do(t, e, task, some); !reflect.DeepEqual(got, want) {
		t.Error("another result after an interruption")
	}
	if n := len(entries()); n != 5 {
		t.Fatalf("%d conditions were kept, want 5", n)
	}
	// From the cache alone: the progress is the same.
	c := &counter{}
	got, err := Evaluate(t.Context(), Of(e), task, some, c)
	if err != nil || !reflect.DeepEqual(got, want) || c.done != 32+5*32 {
		t.Errorf("another result from the cache, %v; %d images done", err, c.done)
	}
	for _, f := range entries() {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		data[40] ^= 1
		if err := os.WriteFile(f, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := do(t, e, task, some); !reflect.DeepEqual(got, want) {
		t.Error("another result from a damaged cache")
	}
}

// stopAt stops when a condition begins.
type stopAt struct {
	note string
	stop func()
}

func (s stopAt) Start(string, int) progress.Bar { return s }
func (s stopAt) Add(int)                        {}
func (s stopAt) Done()                          {}
func (s stopAt) Note(text string) {
	if text == s.note {
		s.stop()
	}
}

// A cache must not give the predictions of other weights, pictures, captions or seeds.
func TestCacheKnowsWhatPredictionsDependOn(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	task, images := wideTask(t, 32)
	e := micro(t)
	do(t, e, task, some)
	afresh := func(what string) {
		t.Helper()
		o := some
		o.NoCache = true
		want := do(t, e, task, o)
		if got := do(t, e, task, some); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the result is not that of a new evaluation", what)
		}
	}
	images.pictures[3] = images.pictures[4]
	afresh("another picture")
	slices.Reverse(task.Captions)
	afresh("other captions")
	some := some
	some.Seed++
	afresh("another seed")
	shake(t, e)
	afresh("other weights")
}

func TestPicturesAreSpoiledAsTheModelSeesThem(t *testing.T) {
	task, _ := wideTask(t, 5)
	// Resized to 28, of which 24 are kept: done twice it would crop again.
	config := preprocess.Config{Size: 24, Resize: 28, Mode: preprocess.Shortest, Std: [3]float32{1, 1, 1}}
	want, err := config.PixelsOf(5, task.Test.Image)
	if err != nil {
		t.Fatal(err)
	}
	s, err := look(t.Context(), task.Test, config, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	plain := config
	plain.Mode, plain.Resize = preprocess.CropOnly, 0
	for _, held := range [][]*picture.RGB{s.held, nil} { // few, and too many to be held
		s.held = held
		got, err := plain.PixelsOf(5, s.Image)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("other pixels than the model's own, %v", err)
		}
	}
}

func TestCompareIsPaired(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	task, _ := wideTask(t, 32)
	e := micro(t)
	before := do(t, e, task, some)
	shake(t, e)
	after := do(t, e, task, some)
	c, err := Compare(before, after)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(c.Change.Drop-(c.Change.CleanAccuracy-c.Change.MeanCorruptionAccuracy)) > 1e-9 || len(c.Change.Kinds) != 2 ||
		math.Abs(c.Change.CleanAccuracy-100*(after.CleanAccuracy-before.CleanAccuracy)) > 1e-9 {
		t.Errorf("%+v", c.Change)
	}
	if k := c.Change.Kinds[1]; k.Kind != corrupt.Hue || math.Abs(k.Drop-(c.Change.CleanAccuracy-k.Accuracy)) > 1e-9 {
		t.Errorf("%+v", k)
	}
	// Images on which both agree add nothing to the interval: it is narrower than
	// that of two samples, and its middle is the change.
	if ci := c.Change.DropCI95; ci == nil || math.Abs((ci[0]+ci[1])/2-c.Change.Drop) > 1e-9 || ci[0] >= ci[1] {
		t.Errorf("interval %v of %g", ci, c.Change.Drop)
	}
	// A model against itself has not changed, and no interval pretends to know.
	self, err := Compare(before, before)
	if err != nil || self.Change.Drop != 0 || self.Change.DropCI95 != nil {
		t.Errorf("%+v, %v", self.Change, err)
	}
	data, err := json.Marshal(self)
	if err != nil || !strings.Contains(string(data), `"drop_ci95":null`) || strings.Contains(string(data), "NaN") {
		t.Errorf("%s, %v", data, err)
	}
	alone, err := Compare(before, nil)
	if err != nil || alone.Change != nil || alone.Before != before || alone.Schema != 1 {
		t.Errorf("%+v, %v", alone, err)
	}
	o := some
	o.Seed++
	if _, err := Compare(before, do(t, e, task, o)); err == nil {
		t.Error("other noise was compared")
	}
	var read Result
	if data, err = json.Marshal(after); err != nil || json.Unmarshal(data, &read) != nil {
		t.Fatal(err)
	}
	if _, err := Compare(before, &read); err == nil {
		t.Error("a result without its images was compared")
	}
}

func TestNothingRightHasNoRelativeDrop(t *testing.T) {
	if points, relative := drop(0, 0); points != 0 || relative != nil {
		t.Errorf("%g, %v", points, relative)
	}
	if points, relative := drop(.5, .2); math.Abs(points-30) > 1e-12 || math.Abs(*relative-.6) > 1e-12 {
		t.Errorf("%g, %g", points, *relative)
	}
}

func TestWrongCallsAreRefused(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	task, images := wideTask(t, 3)
	e := micro(t)
	for want, o := range map[string]Options{
		"no corruption \"fog\"":       {Kinds: []corrupt.Kind{"fog"}},
		"severity 6 of jpeg":          {Kinds: []corrupt.Kind{corrupt.JPEG}, Severities: []int{6}},
		"jpeg is given twice":         {Kinds: []corrupt.Kind{corrupt.JPEG, corrupt.JPEG}},
		"severity 2 is given twice":   {Severities: []int{2, 2}},
		"0 corruptions in 5":          {Kinds: []corrupt.Kind{}},
		"9 corruptions in 0 severiti": {Severities: []int{}},
	} {
		if _, err := Evaluate(t.Context(), Of(e), task, o, progress.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if err := o.Check(); err == nil {
			t.Errorf("%q passes Check", want)
		}
	}
	images.breaks = 1
	if _, err := Evaluate(t.Context(), Of(e), task, some, progress.Discard); err == nil || !strings.Contains(err.Error(), "task world/shape: broken") {
		t.Errorf("error %v", err)
	}
	task.Test = nil
	if _, err := Evaluate(t.Context(), Of(e), task, some, progress.Discard); err == nil || !strings.Contains(err.Error(), "no test images") {
		t.Errorf("error %v", err)
	}
}
