package drift

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
)

// byPrediction measures images whose classes are those of the captions most
// similar to them, in one pass.
func byPrediction(t *testing.T, set *embedding.Set, images embedding.Matrix) float64 {
	t.Helper()
	scores, err := evaluate.Cosines(images.Float32s(), set.Texts.Float32s(), images.Cols)
	if err != nil {
		t.Fatal(err)
	}
	a, err := evaluate.FromScores(scores, make([]int, images.Rows), set.Texts.Rows)
	if err != nil {
		t.Fatal(err)
	}
	one := &embedding.Set{Images: images, Texts: set.Texts, Labels: a.Predictions}
	r, err := one.Measure(embedding.MeasureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r.IIMM
}

func TestStateOfBatchesEqualsOnePass(t *testing.T) {
	set := drawnSet(1, 100)
	all := slices.Clone(set.Images.F64)
	var state []byte
	for k := range uint64(4) {
		batch := drawn(rand.New(rand.NewPCG(k, 3)), 30+int(k), 12, .1)
		c, next, err := Compare(t.Context(), set, batch, state, Options{Permutations: 499, Resamples: -1})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, batch.F64...)
		m := c.Measure
		if want := byPrediction(t, set, embedding.Float64(len(all)/12, 12, all)); math.Abs(m.All.IIMM-want) > 1e-12 {
			t.Errorf("batch %d: IIMM %.17g, want %.17g", k, m.All.IIMM, want)
		}
		if want := byPrediction(t, set, batch); math.Abs(m.Batch.IIMM-want) > 1e-12 {
			t.Errorf("batch %d alone: IIMM %.17g, want %.17g", k, m.Batch.IIMM, want)
		}
		if !m.Counted || m.Batches != int(k)+1 || m.All.N != int64(len(all)/12) {
			t.Errorf("%+v", m)
		}
		// The same batch again changes nothing.
		c, again, err := Compare(t.Context(), set, batch, next, Options{Permutations: 499, Resamples: -1})
		if err != nil {
			t.Fatal(err)
		}
		if c.Measure.Counted || c.Measure.Batches != int(k)+1 || c.Measure.All != m.All || !slices.Equal(again, next) {
			t.Errorf("counted twice: %+v", c.Measure)
		}
		state = next
	}
}

func TestSlowDriftOfTheMeasureCallsForReassessment(t *testing.T) {
	set := drawnSet(1, 100)
	batch := drawn(rand.New(rand.NewPCG(1, 3)), 60, 12, 0)
	c := compare(t, set, batch, Options{Tolerance: 1e-9})
	if c.Alarm || !c.Reassess || len(c.Why) != 1 || !strings.Contains(c.Why[0], "IIMM of all images so far moved by") {
		t.Errorf("%v %v %q", c.Alarm, c.Reassess, c.Why)
	}
}

func TestStateOfAnotherReferenceIsRefused(t *testing.T) {
	set, other := drawnSet(1, 100), drawnSet(2, 100)
	batch := drawn(rand.New(rand.NewPCG(1, 3)), 30, 12, 0)
	quick := Options{Permutations: 499, Resamples: -1}
	_, state, err := Compare(t.Context(), set, batch, nil, quick)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Compare(t.Context(), other, batch, state, quick); err == nil || !strings.Contains(err.Error(), "another reference") {
		t.Errorf("%v", err)
	}
	state[50] ^= 1
	if _, _, err := Compare(t.Context(), set, batch, state, quick); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("%v", err)
	}
}
