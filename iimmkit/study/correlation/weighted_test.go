package correlation

import (
	"fmt"
	"testing"
)

// Values of scipy 1.17.1, stats.weightedtau with rank True, and None in both orders.
func TestWeightedKendallAgreesWithScipy(t *testing.T) {
	e, w := prototypeError(), wave()
	for _, c := range []struct {
		name                      string
		x, y                      []float64
		both, byFirst, bySwitched float64
	}{
		{"error, gain", e, prototypeGain, 0.602687707012842, 0.558682915197775, 0.646692498827908},
		{"error, forgetting", e, prototypeForgetting, 0.682952765829856, 0.702860941505581, 0.663044590154131},
		{"wave, forgetting", w, prototypeForgetting, 0.39451779463902, 0.441732759523937, 0.347302829754102},
		{"ties", []float64{12, 2, 1, 12, 2}, []float64{1, 4, 7, 1, 0}, -0.56694968153682723, -0.4157652301037516, -0.7181341329699028},
	} {
		for _, k := range []struct {
			name string
			x, y []float64
			by   Importance
			want float64
		}{{"both", c.x, c.y, ByBoth, c.both}, {"first", c.x, c.y, ByFirst, c.byFirst}, {"first, switched", c.y, c.x, ByFirst, c.bySwitched}} {
			got, err := WeightedKendall(k.x, k.y, k.by)
			if err != nil || !near(got.Value, k.want, 1e-14) || got.P != nil {
				t.Errorf("%s, by %s: %v, %v; scipy %v", c.name, k.name, show(got.Value), err, k.want)
			}
		}
	}
	// The third convention on the same data: plain tau, scipy.stats.kendalltau.
	tau, err := Kendall([]float64{12, 2, 1, 12, 2}, []float64{1, 4, 7, 1, 0})
	if err != nil || !near(tau.Value, -0.47140452079103173, 1e-15) {
		t.Errorf("plain tau %v, %v", show(tau.Value), err)
	}
}

func TestWeightedKendallNotDefined(t *testing.T) {
	up := []float64{1, 2, 3}
	for name, c := range map[string][2][]float64{"none": {nil, nil}, "one": {up[:1], up[:1]}, "all tied": {{1, 1, 1}, up}} {
		if got, err := WeightedKendall(c[0], c[1], ByBoth); err != nil || got.Value != nil {
			t.Errorf("%s: %v, %v; want nil", name, show(got.Value), err)
		}
	}
	if _, err := WeightedKendall(up, up[:2], ByBoth); err == nil {
		t.Error("unequal lengths accepted")
	}
	if _, err := WeightedKendall(up, up, 7); err == nil {
		t.Error("an unknown importance accepted")
	}
}

func TestTopKOfSmallLists(t *testing.T) {
	truth := []float64{.9, .8, .7, .6, .5, .4}
	for _, c := range []struct {
		name     string
		forecast []float64
		k        int
		recall   float64
		tau, l1  float64
	}{
		{"the truth", truth, 3, 1, 1, 0},
		{"reversed, all", []float64{.4, .5, .6, .7, .8, .9}, 6, 1, -1, 0},
		{"reversed, none in common", []float64{.4, .5, .6, .7, .8, .9}, 3, 0, 0, .3},
		{"two in common", []float64{.9, .8, .1, .7, .2, .3}, 3, 2. / 3, 0, (.9+.8+.7)/3 - (.9+.8+.6)/3},
		{"too optimistic", []float64{1, .95, .9, .1, .1, .1}, 3, 1, 1, .15},
	} {
		got, err := TopK(truth, c.forecast, c.k)
		if err != nil || !near(&got.Recall, c.recall, 1e-15) || !near(got.Tau, c.tau, 1e-15) || !near(&got.L1, c.l1, 1e-15) {
			t.Errorf("%s: recall %v, tau %v, L1 %v, %v; want %v %v %v", c.name, got.Recall, show(got.Tau), got.L1, err, c.recall, c.tau, c.l1)
		}
	}
	if got, err := TopK(truth, make([]float64, 6), 3); err != nil || got.Tau != nil || got.Recall != 1 {
		t.Errorf("a forecast of ties: tau %v, recall %v, %v; want nil, the order given", show(got.Tau), got.Recall, err)
	}
	for _, k := range []int{0, 7} {
		if _, err := TopK(truth, truth, k); err == nil {
			t.Errorf("the best %d of 6 accepted", k)
		}
	}
}

// A score that finds the best model and swaps the worst two keeps most of tau
// when the best count most.
func ExampleWeightedKendall() {
	accuracy := []float64{.91, .88, .85, .70, .60}
	score := []float64{5, 4, 3, 1, 2}
	plain, _ := Kendall(accuracy, score)
	weighted, _ := WeightedKendall(accuracy, score, ByFirst)
	fmt.Printf("tau %.2f, weighted %.2f\n", *plain.Value, *weighted.Value)
	// Output: tau 0.80, weighted 0.90
}
