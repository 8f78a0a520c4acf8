// Package drift compares a new batch of image embeddings with a reference, such
// as the images that a model was tuned and measured on, without any label: did
// what the camera sees, or how the model sees it, change?
//
// Five statistics are compared at once, and one verdict is made of them. Under
// the hypothesis that the images of both are drawn alike, every division of them
// all into a reference and a batch of these sizes is as likely as the one that is
// there. The verdict ranks the division that is there among random ones, by the
// smallest of its five p values: the probability of a false alarm, of all tests
// together, is at most the level, for any sizes and any distribution (Westfall
// and Young, Resampling-Based Multiple Testing, 1993).
//
// The hypothesis includes that images are drawn independently. Frames of one
// video are not: compare a sample of frames with a sample of frames.
package drift

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/combin"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// Defaults of Options.
const (
	DefaultLevel        = 0.01
	DefaultPermutations = 999
	DefaultResamples    = 200
	DefaultMaxRows      = 1000
	DefaultTolerance    = 0.01
	// DefaultLogitScale stands in for that of a model that does not tell it: the
	// largest that CLIP's training allows.
	DefaultLogitScale = 100
)

// Options say how sets are compared. The zero value of each but Seed and
// Normalize means its default.
type Options struct {
	// Level is the probability of a false alarm of all tests together.
	Level float64
	// Permutations is the number of random divisions; p values are multiples of
	// 1/(Permutations+1).
	Permutations int
	// Resamples of the reference on which the rate of false alarms is measured;
	// negative: none.
	Resamples int
	// MaxRows of the reference, and of the batch, enter the tests, drawn at random
	// where there are more. The measures are of all rows.
	MaxRows int
	// Tolerance is how far IIMM may move from that of the reference before what was
	// forecast with it should be forecast anew.
	Tolerance float64
	// LogitScale is the factor on cosines before the softmax over captions
	// (default that of the reference, else DefaultLogitScale).
	LogitScale float64
	Seed       uint64
	Normalize  bool              // divide rows by their norms first
	Progress   progress.Reporter // nil: none
}

func (o Options) withDefaults(ref *embedding.Set) (Options, error) {
	if o.Level == 0 {
		o.Level = DefaultLevel
	}
	if o.Permutations == 0 {
		o.Permutations = DefaultPermutations
	}
	if o.Resamples == 0 {
		o.Resamples = DefaultResamples
	}
	if o.MaxRows == 0 {
		o.MaxRows = DefaultMaxRows
	}
	if o.Tolerance == 0 {
		o.Tolerance = DefaultTolerance
	}
	if o.LogitScale == 0 {
		o.LogitScale = DefaultLogitScale
		if ref.Provenance.LogitScale != nil {
			o.LogitScale = *ref.Provenance.LogitScale
		}
	}
	if o.Progress == nil {
		o.Progress = progress.Discard
	}
	return o, o.Check()
}

// Check tells what is wrong with the options.
func (o Options) Check() error {
	finite := func(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }
	level, permutations := o.Level, o.Permutations
	if level == 0 {
		level = DefaultLevel
	}
	if permutations == 0 {
		permutations = DefaultPermutations
	}
	switch {
	case !(level > 0 && level < 1):
		return fmt.Errorf("level %v: want a probability between 0 and 1", level)
	case permutations < 1:
		return fmt.Errorf("%d permutations: want at least 1", permutations)
	case tests/float64(permutations+1) > level:
		// Each of the other tests has one division that is its most extreme.
		return fmt.Errorf("with %d permutations a batch may be as strange as can be and raise no alarm at level %v: want at least %.0f", permutations, level, math.Ceil(tests/level)-1)
	case o.MaxRows < 0 || o.MaxRows == 1:
		return fmt.Errorf("at most %d images of each: want 2 or more", o.MaxRows)
	case !finite(o.Tolerance):
		return fmt.Errorf("tolerance %v: want a positive number", o.Tolerance)
	case !finite(o.LogitScale):
		return fmt.Errorf("logit scale %v: want a positive number", o.LogitScale)
	}
	return nil
}

// Comparison is what is known of a batch beside its reference.
type Comparison struct {
	// Alarm is the verdict: at least one test says that the batch differs.
	Alarm bool `json:"alarm"`
	// P is the p value of all tests together. An alarm is P <= Level.
	P     float64 `json:"p"`
	Level float64 `json:"level"`
	Tests []Test  `json:"tests"`
	// FalseAlarms is null where they were not measured.
	FalseAlarms *FalseAlarms `json:"false_alarms"`
	// Reassess: what was forecast from the reference should be forecast anew. Why
	// says for which reasons, nothing when it need not be.
	Reassess bool     `json:"reassess"`
	Why      []string `json:"why"`
	Measure  Measured `json:"measure"`

	Reference    Sample  `json:"reference"`
	Batch        Sample  `json:"batch"`
	Kernel       Kernel  `json:"kernel"`
	LogitScale   float64 `json:"logit_scale"`
	Tolerance    float64 `json:"tolerance"`
	Permutations int     `json:"permutations"`
	Seed         uint64  `json:"seed"`
}

// Sample says how many images there are, and how many entered the tests.
type Sample struct {
	N    int `json:"n"`
	Used int `json:"used"`
}

// Kernel is what MMD compares images by: exp(-|x-y|²/(2 Bandwidth²)), the
// bandwidth being the median distance of distinct pairs of the images of both
// sets together, those at distance 0 left out.
type Kernel struct {
	Name      string  `json:"name"`
	Bandwidth float64 `json:"bandwidth"`
}

// Test is one comparison. AdjustedP accounts for there being several tests.
type Test struct {
	Name      string  `json:"name"`
	Statistic float64 `json:"statistic"`
	// Reference and Batch are the values whose difference Statistic is; null for
	// centroid and mmd, which are distances.
	Reference *float64 `json:"reference"`
	Batch     *float64 `json:"batch"`
	P         float64  `json:"p"`
	AdjustedP float64  `json:"adjusted_p"`
	Alarm     bool     `json:"alarm"`
}

// Measured are the measures of the reference, of the batch and of all images so
// far. Without labels the class of an image is the one of its most similar
// caption, on all sides alike: values of the reference differ from those with its
// labels.
type Measured struct {
	Reference measure.Result `json:"reference"`
	Batch     measure.Result `json:"batch"`
	All       measure.Result `json:"all"`
	// Batches are how many batches All holds, this one included.
	Batches int `json:"batches"`
	// Counted is false where this batch was in the state already.
	Counted bool `json:"counted"`
}

// Compare compares a batch, [n,d], with the images and captions of a reference;
// labels are not used. state is what an earlier call returned for the same
// reference, nil for the first batch: the statistics of all images so far, those
// of this batch are added. It fails for images of another width, without norm,
// or, unless they are to be normalised, of a norm that is not one.
func Compare(ctx context.Context, ref *embedding.Set, batch embedding.Matrix, state []byte, opt Options) (c *Comparison, newState []byte, err error) {
	opt, err = opt.withDefaults(ref)
	if err != nil {
		return nil, nil, err
	}
	captions, err := newCaptions(ref, opt)
	if err != nil {
		return nil, nil, err
	}
	looked := opt.Progress.Start("images", ref.Images.Rows+batch.Rows)
	defer looked.Done()
	r, err := captions.view(ctx, "reference", ref.Images, looked)
	if err != nil {
		return nil, nil, err
	}
	b, err := captions.view(ctx, "batch", batch, looked)
	if err != nil {
		return nil, nil, err
	}
	looked.Done()
	usedR, usedB := r.sample(opt.MaxRows, opt.Seed), b.sample(opt.MaxRows, opt.Seed)
	if divisions := combin.GeneralizedBinomial(float64(len(usedR)+len(usedB)), float64(len(usedB))); divisions < 1/opt.Level {
		return nil, nil, fmt.Errorf("%d images of the batch beside %d of the reference: too few for an alarm at level %v ever", len(usedB), len(usedR), opt.Level)
	}
	p, err := newPool(ctx, r.rows(usedR), b.rows(usedB))
	if err != nil {
		return nil, nil, err
	}
	v, err := p.verdict(ctx, opt)
	if err != nil {
		return nil, nil, err
	}
	c = &Comparison{
		Alarm: v.p <= opt.Level, P: v.p, Level: opt.Level, Tests: v.tests, Why: []string{},
		Reference: Sample{ref.Images.Rows, len(usedR)}, Batch: Sample{batch.Rows, len(usedB)},
		Kernel: Kernel{"gaussian", p.bandwidth}, LogitScale: opt.LogitScale, Tolerance: opt.Tolerance,
		Permutations: opt.Permutations, Seed: opt.Seed,
	}
	for i := range c.Tests {
		c.Tests[i].Alarm = c.Tests[i].AdjustedP <= opt.Level
	}
	if opt.Resamples > 0 {
		if c.FalseAlarms, err = falseAlarms(ctx, r, len(usedB), opt); err != nil {
			return nil, nil, err
		}
	}
	if newState, err = c.Measure.update(state, captions.texts, r.stats, b.stats); err != nil {
		return nil, nil, err
	}
	c.reassess()
	return c, newState, nil
}

// reassess judges whether what the reference told still holds.
func (c *Comparison) reassess() {
	for _, t := range c.Tests {
		if t.Alarm {
			c.Why = append(c.Why, fmt.Sprintf("%s differs (p %.3g)", t.Name, t.AdjustedP))
		}
	}
	if moved := c.Measure.All.IIMM - c.Measure.Reference.IIMM; math.Abs(moved) > c.Tolerance {
		c.Why = append(c.Why, fmt.Sprintf("IIMM of all images so far moved by %+.4f, more than %g", moved, c.Tolerance))
	}
	c.Reassess = len(c.Why) > 0
}

// update measures the parts and adds the batch to the state, which it returns.
func (m *Measured) update(state []byte, texts *measure.Texts, ref, batch *measure.Accumulator) (newState []byte, err error) {
	if m.Reference, err = ref.Result(texts); err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	if m.Batch, err = batch.Result(texts); err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	if err := mark(ref, referenceShard); err != nil {
		return nil, err
	}
	if err := mark(batch, batchShard); err != nil {
		return nil, err
	}
	all := &measure.Accumulator{}
	if state == nil {
		all = measure.NewFused(texts)
		if err := all.Merge(ref); err != nil {
			return nil, err
		}
	} else {
		if err := all.UnmarshalBinary(state); err != nil {
			return nil, err
		}
		if !shares(all, ref) {
			return nil, errors.New("the state was begun with another reference, other captions or another --normalize: begin a new one")
		}
	}
	if m.Counted = !shares(all, batch); m.Counted {
		if err := all.Merge(batch); err != nil {
			return nil, fmt.Errorf("state: %w", err)
		}
	}
	m.Batches = len(all.Shards()) - 1
	if m.All, err = all.Result(texts); err != nil {
		return nil, err
	}
	return all.MarshalBinary()
}
