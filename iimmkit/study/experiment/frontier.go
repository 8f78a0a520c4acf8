package experiment

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
)

// Alphas are the parts of the way to a tuned model that a frontier has unless
// others are asked for.
var Alphas = []float64{0, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1}

// Frontier is what a model gains on its task and forgets of others along the
// way from the untuned to the tuned one: of weights (WiSE-FT), of LoRA's scale,
// of an adapter's ratio; of a probe its class log-probabilities are mixed with
// the zero-shot ones, and nothing is forgotten.
type Frontier struct {
	Schema  int     `json:"schema"`
	Dir     string  `json:"dir"`
	Method  string  `json:"method"`
	Model   string  `json:"model"`
	Backend string  `json:"backend"`
	Task    string  `json:"task"`
	NTest   int     `json:"n_test"`
	Points  []Point `json:"points"`
	// Limit is the forgetting, in points, that is allowed; nil: any.
	Limit *float64 `json:"forgetting_limit"`
	// Chosen is the point with the greatest gain within Limit on one half of the
	// test images, measured on the other half, so that the choice does not flatter
	// it; nil when none is within.
	Chosen *Point `json:"chosen"`
}

// Point is a model part of the way to the tuned one.
type Point struct {
	Alpha      float64               `json:"alpha"`
	Accuracy   float64               `json:"accuracy"`
	Gain       float64               `json:"gain"`       // in points over Alpha 0
	Forgetting *float64              `json:"forgetting"` // mean over OffTarget, in points
	OffTarget  map[string][2]float64 `json:"off_target"` // accuracy before and at Alpha
}

// FrontierSpec asks for a frontier. The first of the tasks is the tuned one.
type FrontierSpec struct {
	Spec          // Methods and Seeds do not count; Model may be empty where the folder names it
	Dir    string // of the tuned model
	Alphas []float64
	Limit  *float64
}

// Sweep measures the models along the way to the tuned model in spec.Dir.
func Sweep(ctx context.Context, spec FrontierSpec, report progress.Reporter) (*Frontier, error) {
	kept, err := finetune.Open(spec.Dir)
	if err != nil {
		return nil, err
	}
	if spec.Model == "" {
		spec.Model = kept.Model
	}
	if run, err := ReadRun(spec.Dir); spec.Model == "" && err == nil {
		spec.Model = run.Model
	}
	if spec.Model == "" {
		return nil, fmt.Errorf("%s is a checkpoint that does not say of which model it was tuned", spec.Dir)
	}
	spec.Methods = []string{kept.Method}
	p, err := spec.resolve()
	if err != nil {
		return nil, err
	}
	e, tasks, err := open(ctx, spec.Spec, p, report)
	if err != nil {
		return nil, err
	}
	return sweepOn(ctx, e, tasks, kept, p, spec, report)
}

func sweepOn(ctx context.Context, e *encoder.Encoder, tasks []*datasets.Task, kept *finetune.Kept, p Protocol, spec FrontierSpec, report progress.Reporter) (*Frontier, error) {
	alphas := spec.Alphas
	if len(alphas) == 0 {
		alphas = Alphas
	}
	for _, a := range alphas {
		if math.IsNaN(a) || math.IsInf(a, 0) {
			return nil, fmt.Errorf("alpha %g is not a number", a)
		}
	}
	s, err := newSession(e, p, tasks)
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx, report); err != nil {
		return nil, err
	}
	w := &way{session: s, kept: kept}
	if err := w.open(spec.Dir); err != nil {
		return nil, err
	}
	f := &Frontier{
		Schema: Schema, Dir: spec.Dir, Method: kept.Method, Model: e.Name, Backend: backend.Name(e.Backend()),
		Task: tasks[0].Name, NTest: tasks[0].Test.Len(), Limit: spec.Limit,
	}
	bar := report.Start("mix", len(alphas)+1)
	defer bar.Done()
	before, err := w.at(ctx, 0)
	if err != nil {
		return nil, err
	}
	bar.Add(1)
	halves := s.halves()
	var choosing, reporting []Point
	for _, alpha := range alphas {
		bar.Note(fmt.Sprintf("alpha %g", alpha))
		after, err := w.at(ctx, alpha)
		if err != nil {
			return nil, err
		}
		f.Points = append(f.Points, s.point(alpha, before, after, nil))
		choosing = append(choosing, s.point(alpha, before, after, halves[0]))
		reporting = append(reporting, s.point(alpha, before, after, halves[1]))
		bar.Add(1)
	}
	if best := choose(choosing, spec.Limit); best >= 0 {
		f.Chosen = &reporting[best]
	}
	return f, nil
}

// choose returns the point with the greatest gain within limit, the one that
// forgets least of several; -1 when there is none.
func choose(points []Point, limit *float64) int {
	best := -1
	forgets := func(p Point) float64 {
		if p.Forgetting == nil {
			return 0
		}
		return *p.Forgetting
	}
	for i, p := range points {
		switch {
		case limit != nil && forgets(p) > *limit:
		case best < 0 || p.Gain > points[best].Gain || p.Gain == points[best].Gain && forgets(p) < forgets(points[best]):
			best = i
		}
	}
	return best
}

// way leads from the untuned to a tuned model.
type way struct {
	*session
	kept  *finetune.Kept
	tuned encoder.Weights
}

// open gets the tuned weights, where weights are mixed.
func (w *way) open(dir string) error {
	if w.kept.Adapter != nil {
		if d := w.e.Config().EmbedDim; w.kept.Adapter.Dim != d {
			return fmt.Errorf("the adapter in %s is for features of width %d, model %s has %d", dir, w.kept.Adapter.Dim, w.e.Name, d)
		}
		return nil
	}
	if w.kept.Probe != nil {
		if d, c := w.e.Config().EmbedDim, len(w.tasks[0].Captions); w.kept.Probe.D != d || w.kept.Probe.Classes != c {
			return fmt.Errorf("the probe in %s is for features of width %d and %d classes, model %s has %d, task %s %d",
				dir, w.kept.Probe.D, w.kept.Probe.Classes, w.e.Name, d, w.tasks[0].Name, c)
		}
		return nil
	}
	if w.kept.Whole {
		if run, err := ReadRun(dir); err == nil && run.Hashes["model"] != w.modelHash {
			return fmt.Errorf("%s was tuned of model %s with hash %s, %s has hash %s", dir, run.Model, run.Hashes["model"], w.e.Name, w.modelHash)
		}
		tuned, err := encoder.Open(w.e.Backend(), dir)
		if err != nil {
			return err
		}
		a, b := tuned.Config(), w.e.Config()
		if a.Preprocess = b.Preprocess; a != b {
			return fmt.Errorf("the models in %s and %s differ in more than weights", dir, w.e.Name)
		}
		w.tuned, err = tuned.Snapshot()
		return err
	}
	if err := w.kept.Apply(w.e, 1); err != nil {
		return err
	}
	var err error
	if w.tuned, err = w.e.Snapshot(); err != nil {
		return err
	}
	return w.e.Restore(w.start)
}

// at tests the model at alpha on all tasks. The encoder has the weights of the
// start afterwards.
func (w *way) at(ctx context.Context, alpha float64) ([]*evaluate.Accuracy, error) {
	switch {
	case w.kept.Adapter != nil:
		f, err := w.adapted(ctx, w.kept.Adapter, alpha)
		if err != nil {
			return nil, err
		}
		return w.classify(f)
	case w.kept.Probe != nil:
		return w.withProbe(ctx, alpha)
	}
	if err := finetune.Interpolate(w.e, w.start, w.tuned, alpha); err != nil {
		return nil, err
	}
	f, err := w.features(ctx, w.all())
	if rerr := w.e.Restore(w.start); err == nil {
		err = rerr
	}
	if err != nil {
		return nil, err
	}
	return w.classify(f)
}

// withProbe tests alpha parts of the probe's log-probabilities and the rest of
// the zero-shot ones, on the task alone.
func (w *way) withProbe(ctx context.Context, alpha float64) ([]*evaluate.Accuracy, error) {
	t, d := w.tasks[0], w.e.Config().EmbedDim
	x, err := w.testFeatures(ctx, t)
	if err != nil {
		return nil, err
	}
	scores, err := w.kept.Probe.Scores(x)
	if err != nil {
		return nil, err
	}
	texts, err := w.texts(t)
	if err != nil {
		return nil, err
	}
	if err := encoder.Normalize(x, d); err != nil {
		return nil, err
	}
	cosines, err := evaluate.Cosines(x, texts, d)
	if err != nil {
		return nil, err
	}
	scale, err := w.e.LogitScale()
	if err != nil {
		return nil, err
	}
	for i := range cosines {
		cosines[i] *= scale
	}
	classes := len(t.Captions)
	logSoftmax(scores, classes)
	logSoftmax(cosines, classes)
	for i, v := range cosines {
		switch {
		case alpha == 0: // a class without training images has the probe's probability 0
			scores[i] = v
		case alpha != 1:
			scores[i] = alpha*scores[i] + (1-alpha)*v
		}
	}
	a, err := evaluate.FromScores(scores, t.testLabels, classes)
	if err != nil {
		return nil, err
	}
	return []*evaluate.Accuracy{a}, nil
}

// logSoftmax turns rows of scores into log-probabilities in place.
func logSoftmax(x []float64, classes int) {
	for i := 0; i < len(x); i += classes {
		row, top, sum := x[i:i+classes], math.Inf(-1), 0.
		for _, v := range row {
			top = max(top, v)
		}
		for _, v := range row {
			sum += math.Exp(v - top)
		}
		for k := range row {
			row[k] -= top + math.Log(sum)
		}
	}
}

// halves deals the test images of every task into two halves.
func (s *session) halves() (halves [2][][]int) {
	random := rand.New(rand.NewPCG(s.protocol.DataSeed, 0x4a1f))
	for _, t := range s.tasks {
		order := random.Perm(t.Test.Len())
		middle := (len(order) + 1) / 2
		halves[0], halves[1] = append(halves[0], order[:middle]), append(halves[1], order[middle:])
	}
	return halves
}

// point compares two tests on the images of part, a list for every task; nil: on all.
func (s *session) point(alpha float64, before, after []*evaluate.Accuracy, part [][]int) Point {
	share := func(a []*evaluate.Accuracy, k int) float64 {
		if part == nil {
			return a[k].Top1
		}
		right := 0
		for _, i := range part[k] {
			if a[k].Predictions[i] == s.tasks[k].testLabels[i] {
				right++
			}
		}
		return float64(right) / float64(max(len(part[k]), 1))
	}
	r := Run{ZeroShotAccuracy: share(before, 0), Accuracy: share(after, 0), OffTarget: map[string][2]float64{}}
	for k := 1; k < len(after); k++ {
		r.OffTarget[s.tasks[k].Name] = [2]float64{share(before, k), share(after, k)}
	}
	r.derive()
	return Point{Alpha: alpha, Accuracy: r.Accuracy, Gain: r.Gain, Forgetting: r.Forgetting, OffTarget: r.OffTarget}
}
