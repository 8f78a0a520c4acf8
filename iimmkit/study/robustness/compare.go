package robustness

import (
	"errors"
	"slices"

	"github.com/iimmkit/iimm/datasets/corrupt"
)

// Schema is the version of Comparison's JSON form.
const Schema = 1

// Comparison is a model's result and, where there are two, that of another
// model, such as the same one tuned.
type Comparison struct {
	Schema int     `json:"schema"`
	Before *Result `json:"before"`
	After  *Result `json:"after"` // nil without another model, as Change
	Change *Change `json:"change"`
}

// Change is after less before, in points, over the same images with the same
// noise. Intervals are over images, as those of Result.
type Change struct {
	CleanAccuracy              float64   `json:"clean_accuracy"`
	CleanAccuracyCI95          *Interval `json:"clean_accuracy_ci95"`
	MeanCorruptionAccuracy     float64   `json:"mean_corruption_accuracy"`
	MeanCorruptionAccuracyCI95 *Interval `json:"mean_corruption_accuracy_ci95"`
	// Drop is positive where the second model loses more of its accuracy.
	Drop     float64      `json:"drop"`
	DropCI95 *Interval    `json:"drop_ci95"`
	Kinds    []KindChange `json:"kinds"`
}

// KindChange is a Change's part of one kind of corruption.
type KindChange struct {
	Kind     corrupt.Kind `json:"kind"`
	Accuracy float64      `json:"accuracy"`
	Drop     float64      `json:"drop"`
}

// Compare puts two results of Evaluate on the same task with the same options
// side by side. after may be nil.
func Compare(before, after *Result) (*Comparison, error) {
	c := &Comparison{Schema: Schema, Before: before, After: after}
	if after == nil {
		return c, nil
	}
	same := func(a, b Kind) bool {
		return a.Kind == b.Kind && slices.EqualFunc(a.Severities, b.Severities, func(a, b Severity) bool { return a.Severity == b.Severity })
	}
	if before.Task != after.Task || before.N != after.N || before.Seed != after.Seed || before.Hashes["task"] != after.Hashes["task"] ||
		!slices.EqualFunc(before.Kinds, after.Kinds, same) {
		return nil, errors.New("results of other images or other corruptions cannot be compared")
	}
	if len(before.clean) != before.N || len(after.clean) != after.N {
		return nil, errors.New("results must be those of Evaluate: intervals need every image")
	}
	clean, spoiled := less(after.clean, before.clean), less(after.spoiled, before.spoiled)
	c.Change = &Change{
		CleanAccuracy: 100 * (after.CleanAccuracy - before.CleanAccuracy), CleanAccuracyCI95: interval(clean, 100),
		MeanCorruptionAccuracy:     100 * (after.MeanCorruptionAccuracy - before.MeanCorruptionAccuracy),
		MeanCorruptionAccuracyCI95: interval(spoiled, 100),
		Drop:                       after.Drop - before.Drop, DropCI95: interval(less(clean, spoiled), 100),
	}
	for i, k := range before.Kinds {
		c.Change.Kinds = append(c.Change.Kinds, KindChange{k.Kind, 100 * (after.Kinds[i].Accuracy - k.Accuracy), after.Kinds[i].Drop - k.Drop})
	}
	return c, nil
}
