package correlation

import (
	"math"
	"slices"
	"testing"
)

// Values of scipy 1.17.1, stats.bootstrap(paired=True, n_resamples=60000), mean
// of three seeds, which differ among themselves by 0.002 at most.
func TestIntervalsAgreeWithScipy(t *testing.T) {
	e := prototypeError()
	draws := NewResamples(Singles(29), 60000, 7)
	for _, c := range []struct {
		name            string
		x, y            []float64
		bca, percentile Interval
	}{
		{"error, gain", e, prototypeGain, Interval{0.627419921876667, 0.840888735104222}, Interval{0.651490013918219, 0.853174668348784}},
		{"error, forgetting", e, prototypeForgetting, Interval{0.490543655710006, 0.833205920285979}, Interval{0.530053543882047, 0.85027422078025}},
		{"wave, gain", wave(), prototypeGain, Interval{-0.204281844741259, 0.510914659012283}, Interval{-0.196665598163489, 0.516498911857798}},
	} {
		r := newPicker(29).two(pearson, c.x, c.y)
		for name, got := range map[string][2]*Interval{"BCa": {draws.Interval(r), &c.bca}, "percentile": {draws.Percentile(r), &c.percentile}} {
			if got[0] == nil || math.Abs(got[0][0]-got[1][0]) > .008 || math.Abs(got[0][1]-got[1][1]) > .008 {
				t.Errorf("%s: %s interval %v, scipy %v", c.name, name, got[0], got[1])
			}
		}
	}
	tau := newPicker(29).two(kendall, e, prototypeForgetting)
	if got := draws.Interval(tau); got == nil || math.Abs(got[0]-.2916) > .01 || math.Abs(got[1]-.6849) > .01 {
		t.Errorf("tau's interval %v, scipy [.2916, .6849]", got)
	}
}

func TestIntervalOfDegenerateSamples(t *testing.T) {
	if NewResamples(Singles(3), 100, 0) != nil {
		t.Error("three units were resampled")
	}
	var none *Resamples
	if none.Interval(func([]int) float64 { return 1 }) != nil || none.Percentile(func([]int) float64 { return 1 }) != nil {
		t.Error("an interval without resamples")
	}
	draws := NewResamples(Singles(6), 200, 0)
	if got := draws.Interval(func([]int) float64 { return math.NaN() }); got != nil {
		t.Errorf("interval %v of what is not defined", got)
	}
	// Defined for the sample, not for most draws.
	distinct := func(items []int) float64 {
		s := slices.Clone(items)
		slices.Sort(s)
		if len(slices.Compact(s)) < 5 {
			return math.NaN()
		}
		return float64(s[0])
	}
	if got := draws.Interval(distinct); got != nil {
		t.Errorf("interval %v though most draws are not defined", got)
	}
	// A perfect correlation stays perfect in every draw.
	x := []float64{1, 2, 3, 4, 5, 6}
	if got := draws.Interval(newPicker(6).two(pearson, x, x)); got == nil || got[0] < 1-1e-14 || got[1] < 1-1e-14 || got[0] > 1 || got[1] > 1 {
		t.Errorf("interval %v of a perfect correlation, want [1, 1]", got)
	}
}

func TestResamplesOfClustersKeepThemWhole(t *testing.T) {
	units := [][]int{{0, 1, 2}, {3}, {4, 5}, {6}}
	draws := NewResamples(units, 300, 1)
	for _, items := range draws.draws {
		count := make([]int, 7)
		for _, i := range items {
			count[i]++
		}
		if count[0] != count[1] || count[1] != count[2] || count[4] != count[5] {
			t.Fatalf("a cluster was torn: %v", items)
		}
		if count[0]+count[3]+count[4]+count[6] != 4 {
			t.Fatalf("not four units: %v", items)
		}
	}
	again := NewResamples(units, 300, 1)
	other := NewResamples(units, 300, 2)
	same := true
	for b := range draws.draws {
		if !slices.Equal(draws.draws[b], again.draws[b]) {
			t.Fatal("the same seed drew differently")
		}
		same = same && slices.Equal(draws.draws[b], other.draws[b])
	}
	if same {
		t.Error("another seed drew the same")
	}
}

func TestSubsets(t *testing.T) {
	all, exhaustive := Subsets(12, 9, 2000, 0)
	if !exhaustive || len(all) != 220 {
		t.Errorf("%d subsets of 12, exhaustive %v; want all 220", len(all), exhaustive)
	}
	seen := map[[9]int]bool{}
	for _, s := range all {
		seen[[9]int(s)] = true
	}
	if len(seen) != 220 {
		t.Errorf("%d different subsets", len(seen))
	}
	some, exhaustive := Subsets(29, 9, 500, 0)
	if exhaustive || len(some) != 500 {
		t.Errorf("%d subsets of 29, exhaustive %v; want 500 random ones", len(some), exhaustive)
	}
	for _, s := range some {
		if len(slices.Compact(slices.Clone(s))) != 9 || !slices.IsSorted(s) || s[0] < 0 || s[8] > 28 {
			t.Fatalf("subset %v", s)
		}
	}
	if none, _ := Subsets(9, 9, 500, 0); none != nil {
		t.Error("nine of nine is no subset")
	}
}

func TestDrawnRankCorrelationsAreTheirDefinition(t *testing.T) {
	x, y := prototypeError(), prototypeGain // with ties, and a draw has more
	rho, tau := newPicker(29).spearmanDrawn(x, y), kendallDrawn(x, y)
	wantRho := newPicker(29).two(func(x, y []float64) float64 { return pearson(Ranks(x), Ranks(y)) }, x, y)
	wantTau := newPicker(29).two(kendall, x, y)
	draws := NewResamples([][]int{{0, 1, 2, 3}, {4}, {5, 6, 7, 8, 9}, {10, 11}, {12, 13, 14}, {28}}, 300, 0)
	for _, items := range append(draws.draws, []int{3, 3, 3}, []int{4}, nil) {
		if got, want := rho(items), wantRho(items); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("rho of %v: %v, want %v", items, got, want)
		}
		if got, want := tau(items), wantTau(items); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("tau of %v: %v, want %v", items, got, want)
		}
	}
}
