// Package finetune adapts a dual encoder to a classification task, by one of
// several methods that differ in which parameters move.
//
// The objective of the methods that move the towers is the paper's: the mean
// cross-entropy of exp(logit_scale)·cos(image, caption) over the captions of
// all classes, which are encoded anew in every step. logit_scale itself does
// not move unless asked for.
package finetune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/train"
)

// Method describes a way of tuning.
type Method struct {
	Name  string
	About string // one line, for help texts
	// MovesTowers: the encoder's weights change, so that other tasks are
	// affected. Else the encoder stays as it is and nothing is forgotten.
	MovesTowers bool

	open func(Method, *encoder.Encoder, Options) (Tuner, error)
}

// Settings returns what the method makes of options, ready for JSON: all of
// the hyper-parameters that determine a run, and none that do not.
func (m Method) Settings(o Options) any {
	if m.MovesTowers {
		return o
	}
	return map[string]any{"penalties": Penalties, "validation_folds": validationFolds}
}

// methods in the order in which they are listed; each has a file.
var methods = []Method{full, bitfit, probe}

// Methods returns the names of all methods.
func Methods() []string {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = m.Name
	}
	return names
}

// Describe returns the method of a name.
func Describe(name string) (Method, error) {
	for _, m := range methods {
		if m.Name == name {
			return m, nil
		}
	}
	return Method{}, fmt.Errorf("no tuning method %q: there are %s", name, strings.Join(Methods(), ", "))
}

// Tuner tunes one encoder on one task after another. Its graphs are compiled
// once. It is not safe for concurrent use.
type Tuner interface {
	Method() Method
	// Parameters lists what moves, for a task of so many classes.
	Parameters(classes int) []Parameter
	// Run tunes the encoder as it is now. A method that moves the towers leaves
	// the tuned weights in the encoder: take a Snapshot before and Restore it
	// after. The outcome is a function of weights, data, seed and backend.
	// watch, when not nil, is called after every step.
	Run(ctx context.Context, d Data, seed int, watch Watch) (*Tuned, error)
}

// New returns a tuner of an encoder by a method of Methods.
func New(e *encoder.Encoder, method string, o Options) (Tuner, error) {
	m, err := Describe(method)
	if err != nil {
		return nil, err
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	return m.open(m, e, o)
}

// Parameter is a trainable tensor.
type Parameter struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

// Count returns the number of values in parameters.
func Count(parameters []Parameter) int {
	total := 0
	for _, p := range parameters {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		total += n
	}
	return total
}

// Watch sees the number of steps done and the loss before the last of them.
type Watch func(done, steps int, loss float64)

// Options are the hyper-parameters of the methods that take gradient steps.
// The probe, which is fitted to convergence, has none.
type Options struct {
	Optimizer   string  `json:"optimizer"`     // adamw, or sgd with momentum .9
	Rate        float64 `json:"learning_rate"` // at the peak of the schedule
	WeightDecay float64 `json:"weight_decay"`
	Steps       int     `json:"steps"`
	Batch       int     `json:"batch"`
	Warmup      int     `json:"warmup_steps"` // of a linear rise, then half a cosine down to 0
	ClipNorm    float64 `json:"clip_norm"`    // greatest length of the gradient; 0: any
	// Captions is the step in which the number of captions is rounded up, by
	// filling in captions that cannot be chosen: tasks of different numbers of
	// classes then share one compiled graph.
	Captions int `json:"caption_padding"`
	// FixedText leaves the text tower alone: captions are encoded once.
	FixedText bool `json:"fixed_text"`
	// TrainLogitScale lets the factor on cosines move too.
	TrainLogitScale bool `json:"train_logit_scale"`
}

// Defaults returns AdamW at 3e-4 for 60 steps of 32 images.
func Defaults() Options {
	return Options{
		Optimizer: "adamw", Rate: 3e-4, WeightDecay: 1e-4,
		Steps: 60, Batch: 32, Warmup: 10, ClipNorm: 1, Captions: 16,
	}
}

// Check tells what is wrong with the options, nil when nothing is.
func (o Options) Check() error {
	switch {
	case !(o.Rate > 0) || math.IsInf(o.Rate, 0):
		return fmt.Errorf("learning rate %g is not a positive number", o.Rate)
	case !(o.WeightDecay >= 0) || math.IsInf(o.WeightDecay, 0):
		return fmt.Errorf("weight decay %g is not 0 or a positive number", o.WeightDecay)
	case !(o.ClipNorm >= 0) || math.IsInf(o.ClipNorm, 0):
		return fmt.Errorf("gradient clip %g is not 0 or a positive number", o.ClipNorm)
	case o.Steps < 1:
		return fmt.Errorf("%d steps: at least 1 is needed", o.Steps)
	case o.Batch < 1:
		return fmt.Errorf("batch of %d images: at least 1 is needed", o.Batch)
	case o.Warmup < 0:
		return fmt.Errorf("warm-up of %d steps is negative", o.Warmup)
	case o.Captions < 1:
		return fmt.Errorf("captions filled up to multiples of %d: at least 1 is needed", o.Captions)
	}
	_, err := o.optimizer()
	return err
}

func (o Options) optimizer() (train.Optimizer, error) {
	switch o.Optimizer {
	case "adamw":
		return train.NewAdamW(o.WeightDecay), nil
	case "sgd":
		return train.SGD{Momentum: .9, WeightDecay: o.WeightDecay}, nil
	}
	return nil, fmt.Errorf("no optimizer %q: there are adamw, sgd", o.Optimizer)
}

// Data is the training part of a task.
type Data struct {
	Pixels []float32 // [n, 3, size, size], as Encoder.Preprocess returns them
	Labels []int     // [n], in 0..classes-1
	Tokens []int32   // [classes, context], as Encoder.Tokenize returns them
	// Features are the encoder's unnormalised image features [n, d] of Pixels,
	// for methods that do not move the towers. nil: they are computed.
	Features []float32
}

// classes checks the data and returns the number of classes.
func (d Data) classes(c encoder.Config) (int, error) {
	n, width := len(d.Labels), 3*c.ImageSize*c.ImageSize
	classes := len(d.Tokens) / c.ContextLength
	switch {
	case n == 0:
		return 0, errors.New("no training images")
	case len(d.Pixels) != n*width && !(d.Pixels == nil && d.Features != nil):
		return 0, fmt.Errorf("%d pixel values are not those of %d images of 3x%dx%d", len(d.Pixels), n, c.ImageSize, c.ImageSize)
	case d.Features != nil && len(d.Features) != n*c.EmbedDim:
		return 0, fmt.Errorf("%d feature values are not those of %d images of width %d", len(d.Features), n, c.EmbedDim)
	case len(d.Tokens) != classes*c.ContextLength:
		return 0, fmt.Errorf("%d token ids are not rows of %d", len(d.Tokens), c.ContextLength)
	case classes < 2:
		return 0, fmt.Errorf("%d class: tuning needs at least 2", classes)
	}
	for i, y := range d.Labels {
		if y < 0 || y >= classes {
			return 0, fmt.Errorf("training image %d has class %d: must be in 0..%d", i, y, classes-1)
		}
	}
	for i, id := range d.Tokens {
		if id < 0 || int(id) >= c.VocabSize {
			return 0, fmt.Errorf("token id %d of caption %d is not in the vocabulary of %d", id, i/c.ContextLength, c.VocabSize)
		}
	}
	return classes, nil
}

// Tuned is the outcome of one run.
type Tuned struct {
	// Losses are the batches' losses before each step; nil for a probe.
	Losses []float64
	// Probe classifies unnormalised image features; nil when the towers moved:
	// then the encoder with its captions is the classifier.
	Probe *evaluate.Probe
}
