// Package robustness measures what is left of a model's accuracy on a task when
// the pictures are not as good as those it was tuned and tested on: noisy,
// blurred, too dark, compressed. Comparing a model before and after tuning tells
// whether what was gained holds off the beaten track.
package robustness

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/datasets/corrupt"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// Options of Evaluate. The zero value is the default.
type Options struct {
	Kinds      []corrupt.Kind // nil: all
	Severities []int          // nil: all
	Seed       uint64         // of what is drawn; 0 is a seed
	NoCache    bool           // neither keep predictions nor take those kept before
}

// resolve fills in what is nil and checks the rest.
func (o Options) resolve() (Options, error) {
	if o.Kinds == nil {
		o.Kinds = corrupt.Kinds()
	}
	if o.Severities == nil {
		for s := 1; s <= corrupt.Severities; s++ {
			o.Severities = append(o.Severities, s)
		}
	}
	if len(o.Kinds) == 0 || len(o.Severities) == 0 {
		return o, fmt.Errorf("%d corruptions in %d severities: at least one of each is needed", len(o.Kinds), len(o.Severities))
	}
	for i, k := range o.Kinds {
		if slices.Contains(o.Kinds[:i], k) {
			return o, fmt.Errorf("corruption %s is given twice", k)
		}
		for j, s := range o.Severities {
			if slices.Contains(o.Severities[:j], s) {
				return o, fmt.Errorf("severity %d is given twice", s)
			}
			if err := corrupt.Check(k, s); err != nil {
				return o, err
			}
		}
	}
	return o, nil
}

// Check tells what is wrong with the options, nil when nothing is.
func (o Options) Check() error {
	_, err := o.resolve()
	return err
}

// Interval is a 95 % interval [low, high] over images, the corruptions held
// fixed: mean ± 1.96 standard errors. It is nil, null in JSON, where it would
// have no width because all images agree.
type Interval [2]float64

// Result is what a model does on a task's test images, as they are and spoiled.
// Accuracies are in [0,1], drops in points of accuracy below that on the images
// as they are.
type Result struct {
	Model   string `json:"model"`
	Task    string `json:"task"`
	Split   string `json:"split"` // always test
	Backend string `json:"backend"`
	N       int    `json:"n"`
	Classes int    `json:"classes"`
	Seed    uint64 `json:"seed"`

	CleanAccuracy     float64   `json:"clean_accuracy"`
	CleanAccuracyCI95 *Interval `json:"clean_accuracy_ci95"`
	// MeanCorruptionAccuracy is the mean over kinds of the mean over severities.
	MeanCorruptionAccuracy     float64   `json:"mean_corruption_accuracy"`
	MeanCorruptionAccuracyCI95 *Interval `json:"mean_corruption_accuracy_ci95"`
	Drop                       float64   `json:"drop"`
	DropCI95                   *Interval `json:"drop_ci95"`
	// RelativeDrop is the fraction of CleanAccuracy that is lost; nil when that is 0.
	RelativeDrop *float64 `json:"relative_drop"`

	Kinds []Kind `json:"kinds"`
	// Hashes are of model, task, captions and tokenizer, of the pictures as the
	// model sees them, and of an adapter or a probe.
	Hashes map[string]string `json:"hashes"`

	clean   []float64 // [n]: 1 for an image that was recognised, else 0
	spoiled []float64 // [n]: in what fraction of corruptions it was
}

// Kind is a Result's part of one kind of corruption.
type Kind struct {
	Kind         corrupt.Kind `json:"kind"`
	About        string       `json:"about"`
	Accuracy     float64      `json:"accuracy"` // mean over severities
	Drop         float64      `json:"drop"`
	RelativeDrop *float64     `json:"relative_drop"`
	Severities   []Severity   `json:"severities"`
}

// Severity is a Kind's part of one severity.
type Severity struct {
	Severity int     `json:"severity"`
	Strength float64 `json:"strength"` // in the unit that Kind.About says
	Accuracy float64 `json:"accuracy"`
	Drop     float64 `json:"drop"`
}

// Evaluate classifies the test images of a task, as they are and spoiled in all
// kinds and severities, by the captions of its classes or the model's probe. Pictures are spoiled as
// the model sees them, resized and cropped to its input, as ImageNet-C and
// CIFAR-10-C are: the same severity then means the same whatever the size of the
// file.
//
// The result is a function of model, task, options and backend. Predictions of
// each corruption are kept in the cache: stopped and called again, Evaluate goes
// on where it was.
func Evaluate(ctx context.Context, m Model, task *datasets.Task, o Options, report progress.Reporter) (*Result, error) {
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	c, err := newClassifier(ctx, m, task, o, report)
	if err != nil {
		return nil, err
	}
	n := len(c.labels)
	r := &Result{
		Model: m.Name, Task: task.Name, Split: "test", Backend: c.from.Backend, N: n, Classes: len(task.Captions), Seed: o.Seed,
		Hashes: c.from.Hashes, spoiled: make([]float64, n),
	}
	bar := report.Start("classify", n*(1+len(o.Kinds)*len(o.Severities)))
	defer bar.Done()
	if r.clean, err = c.right(ctx, condition{}, bar); err != nil {
		return nil, err
	}
	r.CleanAccuracy = mean(r.clean)
	for _, k := range o.Kinds {
		kind := Kind{Kind: k, About: k.About()}
		for _, s := range o.Severities {
			right, err := c.right(ctx, condition{k, s}, bar)
			if err != nil {
				return nil, err
			}
			strength, err := corrupt.Strength(k, s, m.Encoder.Config().ImageSize)
			if err != nil {
				return nil, err
			}
			a := mean(right)
			kind.Severities = append(kind.Severities, Severity{s, strength, a, 100 * (r.CleanAccuracy - a)})
			kind.Accuracy += a / float64(len(o.Severities))
			for i, v := range right {
				r.spoiled[i] += v / float64(len(o.Kinds)*len(o.Severities))
			}
		}
		kind.Drop, kind.RelativeDrop = drop(r.CleanAccuracy, kind.Accuracy)
		r.MeanCorruptionAccuracy += kind.Accuracy / float64(len(o.Kinds))
		r.Kinds = append(r.Kinds, kind)
	}
	r.Drop, r.RelativeDrop = drop(r.CleanAccuracy, r.MeanCorruptionAccuracy)
	r.CleanAccuracyCI95 = interval(r.clean, 1)
	r.MeanCorruptionAccuracyCI95 = interval(r.spoiled, 1)
	r.DropCI95 = interval(less(r.clean, r.spoiled), 100)
	return r, nil
}

func drop(clean, spoiled float64) (points float64, relative *float64) {
	if clean > 0 {
		lost := (clean - spoiled) / clean
		relative = &lost
	}
	return 100 * (clean - spoiled), relative
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// less is x - y.
func less(x, y []float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = x[i] - y[i]
	}
	return out
}

// interval is that of the mean of x, times scale.
func interval(x []float64, scale float64) *Interval {
	m, squares := mean(x), 0.0
	for _, v := range x {
		squares += (v - m) * (v - m)
	}
	if n := float64(len(x)); n > 1 && squares > 1e-20 {
		half := 1.959963984540054 * math.Sqrt(squares/(n-1)/n)
		return &Interval{scale * (m - half), scale * (m + half)}
	}
	return nil
}
