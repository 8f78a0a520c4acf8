package correlation

import (
	"math"
	"slices"
	"testing"
)

// Counted by brute force over all orders (Python's itertools, numpy).
func TestPermutationPIsExactForFewItems(t *testing.T) {
	e := prototypeError()
	for _, c := range []struct {
		name   string
		x, y   []float64
		r, tau float64
	}{
		{"seven", e[10:17], prototypeGain[10:17], 436. / 5040, 686. / 5040},
		{"six with ties", []float64{1, 1, 2, 2, 3, 3}, []float64{2, 1, 4, 3, 7, 5}, 16. / 720, 16. / 720},
		{"six, weak", []float64{1, 1, 2, 2, 3, 3}, []float64{2, 5, 4, 3, 1, 5}, 640. / 720, 704. / 720},
	} {
		p := NewPermutations(len(c.x), 9999, 0)
		if !p.exact {
			t.Fatalf("%s: not all orders", c.name)
		}
		tau := func(order []int) float64 {
			y := make([]float64, len(order))
			for i, j := range order {
				y[i] = c.y[j]
			}
			return kendall(c.x, y)
		}
		if got := p.P(permutedPearson(c.x, c.y)); !near(got, c.r, 0) {
			t.Errorf("%s: p of r %v, counted %v", c.name, show(got), c.r)
		}
		if got := p.P(tau); !near(got, c.tau, 0) {
			t.Errorf("%s: p of tau %v, counted %v", c.name, show(got), c.tau)
		}
	}
}

func TestRandomPermutations(t *testing.T) {
	p := NewPermutations(29, 9999, 1)
	if p.exact || len(p.orders) != 9999 {
		t.Fatalf("%d orders, exact %v", len(p.orders), p.exact)
	}
	// Student's p of wave and forgetting is .0325; random orders come close (the standard error is .0018).
	if got := p.P(permutedPearson(wave(), prototypeForgetting)); got == nil || math.Abs(*got-.0325) > .008 {
		t.Errorf("p %v, Student's .0325", show(got))
	}
	// None of the orders reaches this r: p is not zero but 1/10000.
	if got := p.P(permutedPearson(prototypeError(), prototypeGain)); !near(got, 1e-4, 1e-18) {
		t.Errorf("p %v, want 1/10000", show(got))
	}
	if again := NewPermutations(29, 9999, 1); !slices.Equal(again.orders[7], p.orders[7]) {
		t.Error("the same seed drew other orders")
	}
	if other := NewPermutations(29, 9999, 2); slices.Equal(other.orders[7], p.orders[7]) {
		t.Error("another seed drew the same")
	}
	// Rounding takes a perfect correlation no further than 1, where Fisher's z would fail.
	e := prototypeError()
	for _, y := range [][]float64{e, sum(e, e)} {
		if given, permuted := p.each(permutedPearson(e, y)); given > 1 || slices.Max(permuted) > 1 {
			t.Errorf("r %v, permuted up to %v", given, slices.Max(permuted))
		}
	}
	if got := p.P(permutedPearson(make([]float64, 29), prototypeGain)); got != nil {
		t.Errorf("p %v of what is not defined", *got)
	}
	var none *Permutations
	if NewPermutations(1, 9, 0) != nil || none.P(func([]int) float64 { return 1 }) != nil {
		t.Error("one item has a permutation test")
	}
}

// Values of statsmodels 0.15.0 (OLSInfluence) and numpy.
func TestInfluencesAgreeWithStatsmodels(t *testing.T) {
	got, err := Influences(prototypeError(), prototypeGain)
	if err != nil || len(got) != 29 {
		t.Fatal(len(got), err)
	}
	for _, c := range []struct {
		item                                 int
		without, leverage, cook, studentized float64
	}{
		{0, 0.74813424566762, 0.1319119722248, 0.00422472944553321, 0.231636329970132},
		{8, 0.756013660139944, 0.0545866440124598, 0.0317259227625273, -1.05031077917937},
		{23, 0.755337933600246, 0.0740473691850435, 0.139377356720008, 1.96323444906045},
		{25, 0.76229181278208, 0.0764186840095091, 0.22272761832563, 2.54469461995168},
		{28, 0.782182754257245, 0.10705778488498, 0.127920383218741, -1.49372377855237},
	} {
		g := got[c.item]
		if !near(g.Without, c.without, 1e-12) || !near(g.Leverage, c.leverage, 1e-12) || !near(g.Cook, c.cook, 1e-12) || !near(g.Studentized, c.studentized, 1e-11) {
			t.Errorf("item %d: r without %v, leverage %v, Cook %v, residual %v; want %v", c.item, show(g.Without), show(g.Leverage), show(g.Cook), show(g.Studentized), c)
		}
	}
}

func TestInfluencesNotDefined(t *testing.T) {
	// One item makes the correlation, and is all of the line: without it x is constant.
	got, err := Influences([]float64{1, 1, 1, 2}, []float64{1, 2, 3, 9})
	if err != nil || got[3].Without != nil || got[0].Without == nil || got[3].Cook != nil || !near(got[3].Leverage, 1, 1e-15) {
		t.Errorf("%+v, %v", got, err)
	}
	line, err := Influences([]float64{1, 2, 3, 4}, []float64{2, 4, 6, 8})
	if err != nil || line[0].Cook != nil || line[0].Studentized != nil || !near(line[0].Without, 1, 1e-15) {
		t.Errorf("a perfect line: %+v, %v", line[0], err)
	}
	if two, err := Influences([]float64{1, 2}, []float64{2, 1}); err != nil || two[0].Without != nil || two[1].Leverage != nil {
		t.Errorf("two items: %+v, %v", two, err)
	}
	if _, err := Influences([]float64{1}, nil); err == nil {
		t.Error("unequal lengths accepted")
	}
}

// Values of statsmodels 0.15.0, multipletests.
func TestAdjustedPAgreesWithStatsmodels(t *testing.T) {
	p := []float64{.01, .02, .03, .04, .05, .001, .2, .2, .9, .0004}
	given := slices.Clone(p)
	for _, c := range []struct {
		name string
		f    func([]float64) ([]float64, error)
		want []float64
	}{
		{"Holm", Holm, []float64{.08, .14, .18, .2, .2, .009, .6, .6, .9, .004}},
		{"Benjamini-Hochberg", BenjaminiHochberg, []float64{1. / 30, .05, .06, 2. / 30, .5 / 7, .005, 2. / 9, 2. / 9, .9, .004}},
	} {
		got, err := c.f(p)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if math.Abs(got[i]-c.want[i]) > 1e-15 {
				t.Errorf("%s: p %v becomes %v, statsmodels %v", c.name, p[i], got[i], c.want[i])
			}
		}
		if !slices.Equal(p, given) {
			t.Errorf("%s changed its input", c.name)
		}
		if none, err := c.f(nil); len(none) != 0 || err != nil {
			t.Errorf("%s of no tests: %v, %v", c.name, none, err)
		}
		for _, bad := range []float64{-.1, 1.1, math.NaN()} {
			if _, err := c.f([]float64{.5, bad}); err == nil {
				t.Errorf("%s accepted p = %v", c.name, bad)
			}
		}
	}
}

// Values of statsmodels 0.15.0, combine_effects of atanh r with variance 1/(n-3), fixed effect.
func TestPoolAgreesWithStatsmodels(t *testing.T) {
	for _, c := range []struct {
		r             []float64
		n             []int
		groups        int
		mean, low, up float64
		p, q, qP, i2  float64
	}{
		{[]float64{.7, .3, -.1, .5}, []int{12, 20, 9, 29}, 4, 0.431032058986808, 0.201031886136393, 0.615991363457914, 0.000444552355892195, 3.96913838215424, 0.264815968639353, 0.244168453917255},
		{[]float64{.92, .89, .92, .92}, []int{9, 9, 9, 9}, 4, 0.913330883279276, 0.81681627906283, 0.96011097919349, 3.45677199331529e-14, 0.125652415141673, 0.988590597440273, 0},
		// Three items have no variance of z: they have no say.
		{[]float64{.7, .3, -.1, .5, .99}, []int{12, 20, 9, 29, 3}, 4, 0.431032058986808, 0.201031886136393, 0.615991363457914, 0.000444552355892195, 3.96913838215424, 0.264815968639353, 0.244168453917255},
	} {
		got, err := PoolIndependent(c.r, c.n)
		if err != nil || got == nil {
			t.Fatal(got, err)
		}
		for _, k := range []struct {
			name      string
			got, want float64
		}{{"r", got.R, c.mean}, {"low", got.CI95[0], c.low}, {"high", got.CI95[1], c.up}, {"p", got.P, c.p}, {"Q", got.Q, c.q}, {"Q's p", *got.QP, c.qP}, {"I2", got.I2, c.i2}} {
			if math.Abs(k.got-k.want) > 1e-11*max(k.want, 1e-3) {
				t.Errorf("%v: %s %v, statsmodels %v", c.r, k.name, k.got, k.want)
			}
		}
		if got.Groups != c.groups {
			t.Errorf("%d groups, want %d", got.Groups, c.groups)
		}
	}
	one, err := PoolIndependent([]float64{.6}, []int{10})
	if err != nil || math.Abs(one.R-.6) > 1e-15 || one.QP != nil {
		t.Errorf("one sample: %+v, %v", one, err)
	}
	// The paper's R^2 of .92 and .81 over nine data sets: intervals [.66, .98] and [.34, .96].
	for _, c := range [][3]float64{{.92, .66, .98}, {.81, .34, .96}} {
		got, err := PoolIndependent([]float64{math.Sqrt(c[0])}, []int{9})
		if err != nil || math.Abs(got.CI95[0]*got.CI95[0]-c[1]) > .005 || math.Abs(got.CI95[1]*got.CI95[1]-c[2]) > .005 {
			t.Errorf("R2 %v: interval of r %v, %v; of R2 want [%v, %v]", c[0], got.CI95, err, c[1], c[2])
		}
	}
	for name, c := range map[string]struct {
		r []float64
		n []int
	}{"too few": {[]float64{.5}, []int{3}}, "perfect": {[]float64{1, .5}, []int{9, 9}}, "none": {}} {
		if got, err := PoolIndependent(c.r, c.n); got != nil || err != nil {
			t.Errorf("%s: %+v, %v; want nil", name, got, err)
		}
	}
	for name, c := range map[string]struct {
		r []float64
		n []int
	}{"lengths": {[]float64{.5}, nil}, "r": {[]float64{1.2}, []int{9}}, "NaN": {[]float64{math.NaN()}, []int{9}}, "n": {[]float64{.5}, []int{1}}} {
		if _, err := PoolIndependent(c.r, c.n); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
