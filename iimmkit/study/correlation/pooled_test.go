package correlation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

// manyRuns makes runs of several models and methods on the same tasks, the
// models with other predictors, the methods with other gains. The probe has no
// forgetting.
func manyRuns(models, methods []string, tasks int, seeds ...int) []experiment.Run {
	var runs []experiment.Run
	for m, model := range models {
		for k, method := range methods {
			random := rand.New(rand.NewPCG(uint64(m), uint64(k)))
			for _, r := range drawnRuns(method, tasks, seeds...) {
				r.Model, r.RunID = model, model+r.RunID
				r.IIMM = math.Mod(r.IIMM+.37*float64(m)*r.Intra, 1)
				r.Gain += 3 * random.NormFloat64()
				if r.ScaledGain != nil {
					scaled := r.Gain / 100 / (1 - r.ZeroShotAccuracy)
					r.ScaledGain = &scaled
				}
				runs = append(runs, r)
			}
		}
	}
	return runs
}

func analysed(t *testing.T, runs []experiment.Run, o Options) *Report {
	t.Helper()
	report, err := Analyse(runs, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestPoolsOfModelsAndMethods(t *testing.T) {
	sets := func(models, methods []string) string {
		t.Helper()
		var s []string
		for _, p := range analysed(t, manyRuns(models, methods, 6, 0), Options{Bootstrap: 20}).Pooled {
			s = append(s, fmt.Sprintf("%s/%s/%d", p.Model, p.Method, p.Groups))
			if len(p.Correlations) != 36 {
				t.Errorf("%d pooled correlations, want 9 predictors with 4 targets", len(p.Correlations))
			}
		}
		return strings.Join(s, " ")
	}
	for _, c := range []struct {
		models, methods []string
		want            string
	}{
		{[]string{"a"}, []string{"full"}, ""},
		{[]string{"a"}, []string{"full", "lora"}, "a//2"},
		{[]string{"a", "b"}, []string{"full"}, "/full/2"},
		{[]string{"a", "b"}, []string{"full", "lora", "probe"}, "//6 a//3 b//3 /full/2 /lora/2 /probe/2"},
	} {
		if got := sets(c.models, c.methods); got != c.want {
			t.Errorf("%v with %v: pooled %q, want %q", c.models, c.methods, got, c.want)
		}
	}
	long := manyRuns([]string{"a"}, []string{"full", "lora"}, 6, 0)
	for i := range long {
		long[i].Protocol, long[i].RunID = "standard", "long"+long[i].RunID
	}
	report := analysed(t, append(long, manyRuns([]string{"a"}, []string{"full"}, 6, 0)...), Options{Bootstrap: 20})
	if len(report.Pooled) != 1 || report.Pooled[0].Protocol != "standard" || report.Pooled[0].Groups != 2 {
		t.Errorf("protocols were pooled: %d sets", len(report.Pooled))
	}
}

// Groups that say the same come together to just that, interval and p included:
// they count as one study, not as three.
func TestEqualGroupsPoolToOne(t *testing.T) {
	var runs []experiment.Run
	for _, method := range []string{"full", "lora", "bitfit"} {
		runs = append(runs, drawnRuns(method, 14, 0)...)
	}
	report := analysed(t, runs, Options{Bootstrap: 300, Seed: 4})
	for _, target := range Targets() {
		for _, predictor := range Predictors() {
			one, all := report.Groups[0].Correlation(predictor, target), report.Pooled[0].Correlation(predictor, target)
			if all.Groups != 3 || all.Tasks != one.N {
				t.Fatalf("%s with %s: %d groups of %d tasks", predictor, target, all.Groups, all.Tasks)
			}
			same := func(what string, a, b *float64) {
				t.Helper()
				if (a == nil) != (b == nil) || a != nil && math.Abs(*a-*b) > 1e-9 {
					t.Errorf("%s with %s: %s %v, of each group %v", predictor, target, what, show(a), show(b))
				}
			}
			same("r", all.R, one.R)
			same("smallest r", all.RMin, one.R)
			same("largest r", all.RMax, one.R)
			same("partial r", all.PartialR, one.PartialR)
			same("tau", all.Tau, one.Tau)
			if one.N < 14 {
				continue // other tasks are drawn when some have no scaled gain
			}
			same("p", all.P, one.PPermutation)
			interval := func(what string, a, b *Interval) {
				t.Helper()
				if (a == nil) != (b == nil) || a != nil && math.Abs(a[0]-b[0])+math.Abs(a[1]-b[1]) > .02 {
					t.Errorf("%s with %s: %s %v, of each group %v", predictor, target, what, a, b)
				}
			}
			interval("interval", all.CI95, one.CI95)
			interval("interval by domain", all.CI95ByDomain, one.CI95ByDomain)
			interval("partial interval", all.PartialCI95, one.PartialCI95)
			interval("tau's interval", all.TauCI95, one.TauCI95)
		}
	}
}

// The pooled values follow their definition on groups with different tasks.
func TestPooledFollowsItsDefinition(t *testing.T) {
	runs := manyRuns([]string{"a", "b"}, []string{"full", "probe"}, 20, 0, 1)
	runs = slices.DeleteFunc(runs, func(r experiment.Run) bool { // model b lacks tasks, one group has three only
		return r.Model == "b" && (r.Task < "world/task05" || r.Method == "probe" && r.Task < "world/task17")
	})
	report := analysed(t, runs, Options{Bootstrap: 100})
	all := &report.Pooled[0]
	var r []float64
	var n []int
	for i := range report.Groups {
		c := report.Groups[i].Correlation(IIMM, Gain)
		r, n = append(r, *c.R), append(n, c.N)
	}
	if !slices.Equal(n, []int{20, 20, 15, 3}) {
		t.Fatalf("groups of %v tasks", n)
	}
	want, err := PoolIndependent(r, n)
	if err != nil {
		t.Fatal(err)
	}
	c := all.Correlation(IIMM, Gain)
	if !near(c.R, want.R, 1e-14) || c.Groups != 3 || c.Tasks != 20 || !near(c.RMin, slices.Min(r[:3]), 0) || !near(c.RMax, slices.Max(r[:3]), 0) {
		t.Errorf("pooled %s, want %+v", asJSON(t, c), want)
	}
	var z, tau float64
	for i := range 3 {
		g := report.Groups[i].Correlation(IIMM, Gain)
		z += float64(n[i]-4) * math.Atanh(*g.PartialR) / (16 + 16 + 11)
		tau += float64(n[i]) * *g.Tau / 55
	}
	if !near(c.PartialR, math.Tanh(z), 1e-14) || !near(c.Tau, tau, 1e-14) {
		t.Errorf("partial %v, tau %v; want %v, %v", show(c.PartialR), show(c.Tau), math.Tanh(z), tau)
	}
	if trivial := all.Correlation(ZeroShotError, Gain); trivial.PartialR != nil || trivial.PartialCI95 != nil {
		t.Error("zero-shot error given itself is defined")
	}
	// A probe has no forgetting: of that only the full groups have a say.
	if f := all.Correlation(IIMM, Forgetting); f.Groups != 2 || f.Tasks != 20 || f.R == nil {
		t.Errorf("forgetting: %s", asJSON(t, f))
	}
	for _, p := range report.Pooled {
		if f := p.Correlation(IIMM, Forgetting); p.Method == "probe" && (f.Groups != 0 || f.R != nil || f.CI95 != nil || f.P != nil || f.RMin != nil) {
			t.Errorf("a probe's forgetting: %s", asJSON(t, f))
		}
	}
}

func TestPooledOfFewTasksIsNotDefined(t *testing.T) {
	for tasks := 1; tasks <= 5; tasks++ {
		report := analysed(t, manyRuns([]string{"a"}, []string{"full", "lora"}, tasks, 0), Options{Bootstrap: 20})
		asJSON(t, report) // fails on NaN and infinity
		c := report.Pooled[0].Correlation(IIMM, Gain)
		if (c.R != nil) != (tasks > 3) || (c.P != nil) != (tasks > 3) || (c.PartialR != nil) != (tasks > 4) {
			t.Errorf("%d tasks: %s", tasks, asJSON(t, c))
		}
	}
}

func TestAdjustedPCountsAllTestsOfTheReport(t *testing.T) {
	report := analysed(t, manyRuns([]string{"a", "b"}, []string{"full", "probe"}, 12, 0), Options{Bootstrap: 20})
	var p, holm, bh []float64
	for _, g := range report.Groups {
		for _, c := range g.Correlations {
			if (c.P == nil) != (c.PHolm == nil) || (c.P == nil) != (c.PBH == nil) {
				t.Fatalf("p %v, adjusted %v, %v", show(c.P), show(c.PHolm), show(c.PBH))
			}
			if c.P != nil {
				p, holm, bh = append(p, *c.P), append(holm, *c.PHolm), append(bh, *c.PBH)
			}
		}
	}
	// A probe has no forgetting: 9 predictors with 4 targets twice, with 3 targets twice.
	if len(p) != 126 || report.Tests != 126 {
		t.Errorf("%d tests, reported %d; want 126", len(p), report.Tests)
	}
	wantHolm, err := Holm(p)
	if err != nil {
		t.Fatal(err)
	}
	wantBH, err := BenjaminiHochberg(p)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(holm, wantHolm) || !slices.Equal(bh, wantBH) {
		t.Error("adjusted p values are not those of all tests together")
	}
	// A pooled set is a family of its own.
	for _, s := range report.Pooled {
		p, holm = nil, nil
		for _, c := range s.Correlations {
			if c.P != nil {
				p, holm = append(p, *c.P), append(holm, *c.PHolm)
			}
		}
		want := 36
		if s.Method == "probe" {
			want = 27
		}
		if len(p) != want || s.Tests != want {
			t.Errorf("set %q %q: %d tests, reported %d; want %d", s.Model, s.Method, len(p), s.Tests, want)
		}
		if wantHolm, err := Holm(p); err != nil || !slices.Equal(holm, wantHolm) {
			t.Errorf("set %q %q: adjusted p values are not those of its tests, %v", s.Model, s.Method, err)
		}
	}
	for _, want := range []string{"4 groups: 2 models, 2 methods, 12 tasks each.", "126 correlations r were tested, of which chance alone would give 6.3 a p of at most 0.05: ",
		"Pooled over 4 groups of protocol quick, IIMM and gain: r = ", "Pooled over 2 groups of protocol quick, IIMM and forgetting: r = ", "; IIMM given zero-shot error: r = "} {
		if !strings.Contains(report.Statement, want) {
			t.Errorf("the statement lacks %q: %s", want, report.Statement)
		}
	}
}

func TestMostInfluentialTask(t *testing.T) {
	runs := drawnRuns("full", 14, 0)
	for i := range runs {
		runs[i].IIMM, runs[i].Gain = .3+.01*float64(i*5%14), float64(i*3%7)
	}
	runs[6].IIMM, runs[6].Gain = .9, 60 // makes the correlation
	c := analysed(t, runs, Options{Bootstrap: 20}).Groups[0].Correlation(IIMM, Gain)
	if c.MostInfluential == nil || c.MostInfluential.Task != "world/task06" || *c.R < .9 || *c.MostInfluential.RWithout > .5 {
		t.Errorf("r %v, most influential %s", *c.R, asJSON(t, c.MostInfluential))
	}
}

func BenchmarkAnalyseManyGroups(b *testing.B) {
	runs := manyRuns([]string{"a", "b", "c", "d"}, []string{"full", "bitfit", "attention", "lora", "adapter", "probe"}, 14, 0, 1, 2)
	for b.Loop() {
		if _, err := Analyse(runs, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
