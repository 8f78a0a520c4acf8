// Package forecast says, before a model is tuned on a task, what tuning will
// gain and forget, with intervals. It learns that from what came of tuning on
// other tasks: a Calibration. How far off its forecasts and how honest its
// intervals are is told by leaving tasks out, Calibration.Evaluate. On forecasts
// rest a Decision (tune or not, and how) and a label Budget.
package forecast

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Observation is what came of tuning one model by one method on one task,
// averaged over seeds. Accuracies are in [0,1], forgetting is in points. What is
// not known is nil.
type Observation struct {
	Model    string `json:"model"`
	Method   string `json:"method"`
	Protocol string `json:"protocol,omitempty"`
	Backend  string `json:"backend,omitempty"`
	Task     string `json:"task"`
	// Domain names the images that tasks share; "": the task's own.
	Domain string `json:"domain,omitempty"`
	Seeds  int    `json:"seeds"`
	Inputs
	Accuracy float64 `json:"accuracy"`
	// Forgetting is the mean over the retained tasks, and Retained that of each
	// of them, by its name.
	Forgetting *float64           `json:"forgetting,omitempty"`
	Retained   map[string]float64 `json:"retained,omitempty"`
}

// Inputs is what is known of a task before tuning.
type Inputs struct {
	ZeroShotAccuracy float64 `json:"zero_shot_accuracy"`
	// ProbeCVAccuracy is that of a linear probe on the frozen embeddings of all
	// training images, on images that it was not fitted to.
	ProbeCVAccuracy *float64 `json:"probe_cv_accuracy,omitempty"`
	// Probe10Accuracy is that of a probe fitted to ten images of each class.
	Probe10Accuracy *float64 `json:"probe_10_accuracy,omitempty"`
	IIMM            *float64 `json:"iimm,omitempty"`
	// Classes is the number of classes; 0 is not known.
	Classes int `json:"classes,omitempty"`
}

// Gain is what tuning gained on the task, in points.
func (o Observation) Gain() float64 { return 100 * (o.Accuracy - o.ZeroShotAccuracy) }

func (o Observation) domain() string { return cmp.Or(o.Domain, o.Task) }

func (o Observation) name() string { return fmt.Sprintf("%s %s on %s", o.Model, o.Method, o.Task) }

func (o Observation) check() error {
	switch {
	case o.Model == "" || o.Method == "" || o.Task == "":
		return fmt.Errorf("%s: model, method and task must be named", o.name())
	case o.Seeds < 1:
		return fmt.Errorf("%s: %d seeds", o.name(), o.Seeds)
	}
	if err := o.Inputs.check(); err != nil {
		return fmt.Errorf("%s: %w", o.name(), err)
	}
	if err := inRange("accuracy", o.Accuracy, 0, 1); err != nil {
		return fmt.Errorf("%s: %w", o.name(), err)
	}
	if o.Forgetting != nil {
		if err := inRange("forgetting", *o.Forgetting, -100, 100); err != nil {
			return fmt.Errorf("%s: %w", o.name(), err)
		}
	}
	for _, task := range slices.Sorted(maps.Keys(o.Retained)) {
		if task == o.Task {
			return fmt.Errorf("%s: the task is among those retained", o.name())
		}
		if err := inRange("forgetting of "+task, o.Retained[task], -100, 100); err != nil {
			return fmt.Errorf("%s: %w", o.name(), err)
		}
	}
	return nil
}

func (in Inputs) check() error {
	if err := inRange("zero_shot_accuracy", in.ZeroShotAccuracy, 0, 1); err != nil {
		return err
	}
	for _, v := range []struct {
		name  string
		value *float64
		low   float64
	}{{"probe_cv_accuracy", in.ProbeCVAccuracy, 0}, {"probe_10_accuracy", in.Probe10Accuracy, 0}, {"iimm", in.IIMM, -1}} {
		if v.value == nil {
			continue
		}
		if err := inRange(v.name, *v.value, v.low, 1); err != nil {
			return err
		}
	}
	if in.Classes < 0 || in.Classes == 1 {
		return fmt.Errorf("%d classes: must be at least 2, or 0 for not known", in.Classes)
	}
	return nil
}

func inRange(name string, v, low, high float64) error {
	if math.IsNaN(v) || v < low || v > high {
		return fmt.Errorf("%s is %v: must be in %g..%g", name, v, low, high)
	}
	return nil
}
