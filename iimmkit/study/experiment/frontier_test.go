package experiment

import (
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
)

// At both ends of the way are the untuned model and the one that the run
// measured; between them, weights are between.
func TestFrontierLeadsFromTheUntunedToTheTunedModel(t *testing.T) {
	for _, method := range finetune.Methods() {
		t.Run(method, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "tuned")
			tuned, err := tune(t, method, dir)
			if err != nil {
				t.Fatal(err)
			}
			f := sweep(t, dir, []float64{0, .5, 1}, nil)
			if f.Method != method || len(f.Points) != 3 {
				t.Fatalf("%+v", f)
			}
			for i, want := range []float64{tuned.Run.ZeroShotAccuracy, math.NaN(), tuned.Run.Accuracy} {
				if got := f.Points[i].Accuracy; !math.IsNaN(want) && math.Abs(got-want) > 1e-12 {
					t.Errorf("alpha %g: accuracy %v, the run says %v", f.Points[i].Alpha, got, want)
				}
			}
			if m, _ := finetune.Describe(method); m.Forgets != (f.Points[2].Forgetting != nil) {
				t.Errorf("forgetting %v", f.Points[2].Forgetting)
			}
			if first, last := f.Points[0], f.Points[2]; first.Gain != 0 || !reflect.DeepEqual(last.OffTarget, tuned.Run.OffTarget) {
				t.Errorf("off target %v, the run says %v", last.OffTarget, tuned.Run.OffTarget)
			}
			if f.Chosen == nil {
				t.Error("none is chosen although there is no limit")
			}
		})
	}
}

func sweep(t *testing.T, dir string, alphas []float64, limit *float64) *Frontier {
	t.Helper()
	kept, err := finetune.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	spec := FrontierSpec{Spec: tinySpec(), Dir: dir, Alphas: alphas, Limit: limit}
	e, tasks := tinyEncoder(t), tinyTasks()
	before, err := e.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	f, err := sweepOn(t.Context(), e, tasks, kept, Protocols()[0], spec, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if after, err := e.Snapshot(); err != nil || !reflect.DeepEqual(before, after) {
		t.Error("the encoder does not have its weights again")
	}
	return f
}

func TestChoosesTheGreatestGainWithinTheLimit(t *testing.T) {
	x := func(v float64) *float64 { return &v }
	points := []Point{{Gain: 0, Forgetting: x(0)}, {Gain: 5, Forgetting: x(1)}, {Gain: 5, Forgetting: x(.5)}, {Gain: 9, Forgetting: x(4)}}
	for _, c := range []struct {
		limit *float64
		want  int
	}{{nil, 3}, {x(4), 3}, {x(3.9), 2}, {x(.2), 0}, {x(-1), -1}} {
		if got := choose(points, c.limit); got != c.want {
			t.Errorf("limit %v: point %d, want %d", c.limit, got, c.want)
		}
	}
	if got := choose([]Point{{Gain: 1}, {Gain: 2}}, x(0)); got != 1 {
		t.Errorf("a probe forgets nothing: point %d", got)
	}
}

func TestFrontierOfAnotherModelIsRefused(t *testing.T) {
	for _, method := range []string{"lora", "full"} {
		t.Run(method, func(t *testing.T) { refusesAnother(t, method) })
	}
}

func refusesAnother(t *testing.T, method string) {
	dir := filepath.Join(t.TempDir(), "tuned")
	if _, err := tune(t, method, dir); err != nil {
		t.Fatal(err)
	}
	e, tasks := tinyEncoder(t), tinyTasks()
	w, err := e.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	w["logit_scale"][0]++
	if err := e.Restore(w); err != nil {
		t.Fatal(err)
	}
	kept, err := finetune.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	spec := FrontierSpec{Spec: tinySpec(), Dir: dir}
	if _, err := sweepOn(t.Context(), e, tasks, kept, Protocols()[0], spec, progress.Discard); err == nil || !strings.Contains(err.Error(), "hash") {
		t.Errorf("error %v", err)
	}
}
