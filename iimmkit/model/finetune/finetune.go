// Package finetune adapts a dual encoder to a classification task, by one of
// six methods that differ in which parameters move.
//
// The objective of the methods that take gradient steps is the paper's: the
// mean cross-entropy of exp(logit_scale)·cos(image, caption) over the captions
// of all classes, which are encoded anew in every step as long as the text tower
// moves. logit_scale itself does not move unless asked for.
package finetune

import (
	"context"
	"fmt"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

// Method describes a way of tuning.
type Method struct {
	Name  string
	About string // one line, for help texts
	// MovesTowers: the encoder's weights change. Else it stays as it is and
	// training reads its features.
	MovesTowers bool
	// Forgets: other tasks are affected, because images and captions of all tasks
	// are embedded otherwise than before.
	Forgets bool
	// Rate is the learning rate where Options name none: for AdamW on the shipped
	// models, the smallest of those tried (1, 3, 10, … e-4) whose mean gain on five
	// tasks of micro-clip, drawn with another seed than the protocols', came within
	// two points of the best. Fewer parameters need longer steps.
	Rate float64

	open func(Method, *encoder.Encoder, Options) (Tuner, error)
	// own takes over the options that only this method has.
	own func(from Options, to *Options)
}

// Settings returns what the method makes of options, ready for JSON: all of
// the hyper-parameters that determine a run, and none that do not.
func (m Method) Settings(o Options) any {
	if m.Rate == 0 {
		return map[string]any{"penalties": Penalties, "validation_folds": validationFolds}
	}
	s := o
	s.LoRA, s.Adapter = LoRAOptions{}, AdapterOptions{}
	if !m.MovesTowers {
		s.Augment, s.FixedText, s.TrainLogitScale = "", false, false
	}
	if m.own != nil {
		m.own(o, &s)
	}
	if s.Rate == 0 && len(s.Rates) == 0 {
		s.Rate = m.Rate
	}
	return s
}

// methods in the order in which they are listed; each has a file.
var methods = []Method{full, bitfit, attention, lora, adapter, probe}

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
	Run(ctx context.Context, d Data, job Job) (*Tuned, error)
}

// Job is one run of a tuner.
type Job struct {
	// Seed determines the order of the images, which of them are validated on, and
	// the initial values of weights that the method adds.
	Seed int
	// Watch, when not nil, is called after every step.
	Watch Watch
	// Resume, when not empty, is a file which holds the state of the run from time
	// to time: a run that finds it goes on from there, with the same outcome to
	// the bit. Finished removes it, once the outcome is kept.
	Resume string
	// Run, when not empty, stands for weights and data in Resume, which then need
	// not be hashed: an identity that differs where these, the options, the seed or
	// the backend do.
	Run string
}

// Watch sees the number of steps done and the loss before the last of them.
type Watch func(done, steps int, loss float64)

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
		total += size(p.Shape)
	}
	return total
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Tuned is the outcome of one run.
type Tuned struct {
	// Losses are the batches' losses before each step; nil for a probe. Of several
	// learning rates, those of the chosen one.
	Losses []float64
	// Rate is the learning rate of the outcome, 0 for a probe.
	Rate float64
	// Checks are what was measured on the validation images, if there were any,
	// and Best is the step of the outcome.
	Checks []Check
	Best   int
	// Moved are the encoder's weights that training moved, as they are after it;
	// the encoder has them too.
	Moved encoder.Weights
	// LoRA holds the update of method lora, which the encoder's weights contain.
	LoRA *LoRA
	// Adapter changes features of method adapter.
	Adapter *Adapter
	// Probe classifies unnormalised image features; nil when the encoder, with an
	// adapter or without, and its captions are the classifier.
	Probe *evaluate.Probe
}

// Check is a look at the validation images during training.
type Check struct {
	Step     int     `json:"step"` // steps done
	Accuracy float64 `json:"accuracy"`
	Loss     float64 `json:"loss"`
}

// better reports whether c is a better outcome than other: more accurate, or
// as accurate at a smaller loss.
func (c Check) better(other Check) bool {
	return c.Accuracy > other.Accuracy || c.Accuracy == other.Accuracy && c.Loss < other.Loss
}
