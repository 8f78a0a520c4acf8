package correlation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

// drawnRuns makes tasks runs of a method and seeds with made-up predictors and
// the prototype's accuracies. Every third task shares its domain with the next.
func drawnRuns(method string, tasks int, seeds ...int) []experiment.Run {
	random := rand.New(rand.NewPCG(5, 5))
	var runs []experiment.Run
	for k := range tasks {
		predictors := [6]float64{}
		for i := range predictors {
			predictors[i] = random.Float64()
		}
		for _, seed := range seeds {
			zeroShot := prototypeZeroShot[k] / 100
			gain := prototypeGain[k] + float64(seed)
			r := experiment.Run{
				Schema: 1, RunID: fmt.Sprintf("%s-%d-%d", method, k, seed), Protocol: "quick", Model: "micro", Method: method,
				Task: fmt.Sprintf("world/task%02d", k), Group: "drawn", Domain: fmt.Sprint("domain", k-k%3/2), Seed: seed,
				ZeroShotAccuracy: zeroShot, Accuracy: min(1, zeroShot+gain/100), Gain: gain,
				IIMM: predictors[0], Inter: predictors[1], Intra: predictors[2], Alignment: predictors[3],
				IntraText: predictors[4], ModalityGap: predictors[5],
				ProbeCVAccuracy: min(1, zeroShot+gain/200), Backend: "go", Hashes: map[string]string{"model": "m", "config": "c"},
			}
			if zeroShot < 1 {
				scaled := gain / 100 / (1 - zeroShot)
				r.ScaledGain = &scaled
			}
			if method != "probe" {
				forgetting := prototypeForgetting[k] - float64(seed)
				r.Forgetting = &forgetting
			}
			runs = append(runs, r)
		}
	}
	return runs
}

func TestAnalyseGroupsAveragesAndCorrelates(t *testing.T) {
	runs := append(drawnRuns("full", 29, 0, 2), drawnRuns("probe", 20, 0)...)
	report, err := Analyse(runs, Options{Bootstrap: 200})
	if err != nil {
		t.Fatal(err)
	}
	if report.Runs != 78 || report.Failed != 0 || len(report.Groups) != 2 {
		t.Fatalf("%d runs, %d failed, %d groups", report.Runs, report.Failed, len(report.Groups))
	}
	g := &report.Groups[0]
	if g.Method != "full" || g.N != 29 || g.Domains != 20 || !slices.Equal(g.Seeds, []int{0, 2}) {
		t.Errorf("group %s: %d tasks, %d domains, seeds %v", g.Method, g.N, g.Domains, g.Seeds)
	}
	// Seeds 0 and 2 put the gains 2 points apart: mean +1, standard deviation sqrt 2.
	if got := g.Tasks[4].Values[Gain]; got != prototypeGain[4]+1 {
		t.Errorf("gain of a task %v, want the mean over seeds %v", got, prototypeGain[4]+1)
	}
	if !near(g.SeedSD.Gain, math.Sqrt2, 1e-12) || !near(g.SeedSD.Forgetting, math.Sqrt2, 1e-12) {
		t.Errorf("between seeds %v, %v; want sqrt 2", show(g.SeedSD.Gain), show(g.SeedSD.Forgetting))
	}
	if len(g.Correlations) != 36 {
		t.Fatalf("%d correlations, want 9 predictors with 4 targets", len(g.Correlations))
	}
	// A shift of all gains changes no correlation: these are the prototype's, of scipy (see coefficient_test.go).
	c := g.Correlation(ZeroShotError, Gain)
	if !near(c.R, 0.760894971983681, 1e-12) || !near(c.P, 1.65555029853628e-06, 1e-15) ||
		!near(c.Rho, 0.825400840222634, 1e-12) || !near(c.Tau, 0.642594770988866, 1e-12) || c.N != 29 {
		t.Errorf("zero-shot error and gain: %s", asJSON(t, c))
	}
	if c.PartialR != nil || c.PartialCI95 != nil || c.Excess != nil {
		t.Error("zero-shot error given itself is defined")
	}
	if c.CI95 == nil || c.CI95[0] >= *c.R || c.CI95[1] <= *c.R || c.CI95ByDomain == nil || c.RhoCI95 == nil || c.TauCI95 == nil {
		t.Errorf("intervals: %s", asJSON(t, c))
	}
	if c.Line == nil || math.Abs(c.Line.Slope-53.41205194286) > 1e-9 {
		t.Errorf("line: %s", asJSON(t, c.Line))
	}
	if c := g.Correlation(IIMM, ScaledGain); c.N != 27 {
		t.Errorf("scaled gain over %d tasks, want the 27 below accuracy 1", c.N)
	}
	_, x, y := g.Pairs(Inter, Forgetting)
	_, z, _ := g.Pairs(ZeroShotError, Forgetting)
	want, err := Partial(x, y, z)
	if err != nil {
		t.Fatal(err)
	}
	if c := g.Correlation(Inter, Forgetting); !near(c.PartialR, *want.Value, 0) || c.PartialCI95 == nil || c.ExcessCI95 == nil {
		t.Errorf("partial of Inter: %s", asJSON(t, c))
	}
	if got := g.leftOut(t, []string{ZeroShotError}, Gain); !near(got.Error, 12.2588982046539, 1e-9) || got.ErrorByDomain == nil {
		t.Errorf("leave-one-out by zero-shot error %s, scikit-learn 12.2589", asJSON(t, got))
	}
	mean := g.leftOut(t, []string{}, Gain)
	if !near(mean.Error, 17.9753694581281, 1e-9) || mean.Reduction != nil {
		t.Errorf("leave-one-out by the mean %s, scikit-learn 17.9754", asJSON(t, mean))
	}
	// The accuracy of a task left out is in points too.
	if got := g.leftOut(t, []string{ZeroShotError}, Accuracy); *got.Error < 5 || *got.Error > 20 {
		t.Errorf("leave-one-out of accuracy %v: not in points", *got.Error)
	}
	if s := g.Subset(IIMM, Gain); s == nil || s.Size != 9 || s.Subsets != 2000 || s.Exhaustive || s.R.P5 >= s.R.P95 || s.R.Min < -1 || s.Tau == nil {
		t.Errorf("subsets: %s", asJSON(t, s))
	}

	probe := &report.Groups[1]
	if c := probe.Correlation(IIMM, Forgetting); c.N != 0 || c.R != nil || c.CI95 != nil || c.Line != nil {
		t.Errorf("forgetting of a probe: %s", asJSON(t, c))
	}
	if f := probe.leftOut(t, []string{ZeroShotError}, Forgetting); f.Error != nil {
		t.Errorf("forecast forgetting of a probe: %s", asJSON(t, f))
	}
	if probe.Subset(IIMM, Forgetting) != nil || probe.SeedSD.Gain != nil {
		t.Error("a probe of one seed has forgetting or a spread of seeds")
	}
	if !slices.ContainsFunc(probe.Notes, func(n string) bool { return strings.Contains(n, "forgetting is not defined") }) {
		t.Errorf("notes %q", probe.Notes)
	}
}

// leftOut finds the forecast by exactly these predictors.
func (g *Group) leftOut(t *testing.T, predictors []string, target string) Forecast {
	t.Helper()
	for _, f := range g.LeaveOneOut {
		if f.Target == target && slices.Equal(f.Predictors, predictors) {
			return f
		}
	}
	t.Fatalf("no forecast of %s by %v", target, predictors)
	return Forecast{}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAnalyseDoesNotDependOnOrder(t *testing.T) {
	runs := append(drawnRuns("full", 14, 0, 1, 2), drawnRuns("probe", 14, 0)...)
	first, err := Analyse(runs, Options{Bootstrap: 100, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 1))
	for range 3 {
		random.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
		again, err := Analyse(runs, Options{Bootstrap: 100, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := asJSON(t, first), asJSON(t, again); a != b {
			t.Fatal("the order of the runs changed the report")
		}
	}
	other, err := Analyse(runs, Options{Bootstrap: 100, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	if reflect.DeepEqual(first.Groups[0].Correlations[0].CI95, other.Groups[0].Correlations[0].CI95) {
		t.Error("another seed drew the same interval")
	}
}

func TestReportIsValidJSONForAnyNumberOfTasks(t *testing.T) {
	for n := 1; n <= 11; n++ {
		report, err := Analyse(drawnRuns("full", n, 0), Options{Bootstrap: 50})
		if err != nil {
			t.Fatal(n, err)
		}
		b := asJSON(t, report) // fails on NaN and infinity
		g := &report.Groups[0]
		for _, c := range g.Correlations {
			if n < 4 && (c.CI95 != nil || c.RhoCI95 != nil || c.TauCI95 != nil || c.PartialCI95 != nil || c.CI95ByDomain != nil) {
				t.Errorf("%d tasks: %s with %s has an interval", n, c.Predictor, c.Target)
			}
		}
		if (n <= 9) != (len(g.Subsets) == 0) {
			t.Errorf("%d tasks: %d spreads over subsets", n, len(g.Subsets))
		}
		if g.Statement == "" || strings.Contains(g.Statement, "NaN") || strings.Contains(b, "NaN") {
			t.Errorf("%d tasks: statement %q", n, g.Statement)
		}
		var back Report
		if err := json.Unmarshal([]byte(b), &back); err != nil {
			t.Fatal(err)
		}
		if again := asJSON(t, &back); again != b {
			t.Errorf("%d tasks: the report changes when read and written", n)
		}
	}
}

func TestReportKeys(t *testing.T) {
	report, err := Analyse(drawnRuns("full", 12, 0), Options{Bootstrap: 50})
	if err != nil {
		t.Fatal(err)
	}
	var plain struct {
		Schema int
		Groups []struct {
			Correlations []map[string]any
			LeaveOneOut  []map[string]any `json:"leave_one_out"`
			Tasks        []struct{ Values map[string]any }
		}
	}
	if err := json.Unmarshal([]byte(asJSON(t, report)), &plain); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"predictor", "target", "n", "r", "p", "ci95", "ci95_by_domain", "rho", "rho_p", "rho_ci95", "tau", "tau_p", "tau_ci95", "partial_r", "partial_p", "partial_ci95", "line"} {
		if _, ok := plain.Groups[0].Correlations[0][key]; !ok {
			t.Errorf("a correlation lacks %q", key)
		}
	}
	for _, key := range []string{"predictors", "target", "n", "mean_absolute_error", "ci95"} {
		if _, ok := plain.Groups[0].LeaveOneOut[0][key]; !ok {
			t.Errorf("a forecast lacks %q", key)
		}
	}
	// The first prototype task has zero-shot accuracy 1: its scaled gain is null, not absent.
	if v, ok := plain.Groups[0].Tasks[0].Values[ScaledGain]; v != nil || !ok {
		t.Errorf("scaled gain at zero-shot 1: %v, present %v", v, ok)
	}
	if plain.Schema != 1 {
		t.Errorf("schema %d", plain.Schema)
	}
}

func TestAnalyseSortsRunsOut(t *testing.T) {
	runs := drawnRuns("full", 6, 0)
	failed := runs[0]
	failed.RunID, failed.Error, failed.Gain = "failed", "out of memory", math.NaN()
	report, err := Analyse(append(slices.Clone(runs), failed, runs[3]), Options{Bootstrap: 20})
	if err != nil {
		t.Fatal(err)
	}
	if report.Runs != 6 || report.Failed != 1 || report.Repeated != 1 {
		t.Errorf("%d runs, %d failed, %d repeated; want 6, 1, 1", report.Runs, report.Failed, report.Repeated)
	}
	plain, err := Analyse(runs, Options{Bootstrap: 20})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(plain.Groups, report.Groups) {
		t.Error("a failed or repeated run changed the result")
	}
	// Protocols are never pooled.
	long := drawnRuns("full", 6, 0)
	for i := range long {
		long[i].Protocol, long[i].RunID = "standard", "long"+long[i].RunID
	}
	report, err = Analyse(append(long, runs...), Options{Bootstrap: 20})
	if err != nil || len(report.Groups) != 2 || report.Groups[0].Protocol != "quick" || report.Groups[0].N != 6 {
		t.Errorf("two protocols: %v, %v", report, err)
	}
}

func TestAnalyseRefusesBadRuns(t *testing.T) {
	change := func(f func(*experiment.Run)) []experiment.Run {
		runs := drawnRuns("full", 5, 0)
		extra := runs[2]
		extra.RunID = "extra"
		f(&extra)
		return append(runs, extra)
	}
	one := math.Inf(1)
	for _, c := range []struct {
		name string
		runs []experiment.Run
		want string
	}{
		{"none", nil, "no runs"},
		{"failed", []experiment.Run{{Error: "x"}}, "all 1 runs failed"},
		{"other settings", change(func(r *experiment.Run) { r.Hashes = map[string]string{"model": "m", "config": "d"} }), `runs "full-2-0" and "extra" are both micro full on world/task02 with seed 0 (they differ in config)`},
		{"other weights", change(func(r *experiment.Run) {
			r.Task = "x"
			r.Hashes = map[string]string{"model": "w"}
		}), "other weights"},
		{"percent", change(func(r *experiment.Run) { r.Task, r.Accuracy = "x", 93 }), "accuracy is 93: must be a fraction"},
		{"NaN", change(func(r *experiment.Run) { r.Task, r.IIMM = "x", math.NaN() }), `run "extra" (micro full on x, seed 0): iimm is NaN`},
		{"infinite", change(func(r *experiment.Run) { r.Task, r.Forgetting = "x", &one }), "forgetting is +Inf"},
		{"no name", change(func(r *experiment.Run) { r.Task = "" }), "must be named"},
	} {
		if _, err := Analyse(c.runs, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := Analyse(drawnRuns("full", 5, 0), Options{Bootstrap: -1}); err == nil {
		t.Error("negative resamples accepted")
	}
}

// The statement must follow the numbers, whichever way they go.
func TestStatementFollowsTheNumbers(t *testing.T) {
	runs := drawnRuns("full", 20, 0)
	say := func(iimm func(i int, r experiment.Run) float64) (*Group, string) {
		t.Helper()
		set := slices.Clone(runs)
		for i := range set {
			set[i].IIMM = iimm(i, set[i])
		}
		report, err := Analyse(set, Options{Bootstrap: 500})
		if err != nil {
			t.Fatal(err)
		}
		return &report.Groups[0], report.Groups[0].Statement
	}
	_, strong := say(func(i int, r experiment.Run) float64 { return r.Gain/200 + .01*float64(i%3) })
	for _, want := range []string{"which excludes 0", "smaller than IIMM's", "forecast best by IIMM", "partly arithmetic"} {
		if !strings.Contains(strong, want) {
			t.Errorf("with IIMM close to gain the statement lacks %q: %s", want, strong)
		}
	}
	_, weak := say(func(i int, r experiment.Run) float64 { return float64(i * 7 % 20) })
	for _, want := range []string{"which includes 0", "larger than IIMM's", "forecast best by zero-shot error"} {
		if !strings.Contains(weak, want) {
			t.Errorf("with IIMM at random the statement lacks %q: %s", want, weak)
		}
	}
	g, constant := say(func(int, experiment.Run) float64 { return .25 })
	if !strings.Contains(constant, "no correlation is defined") {
		t.Errorf("with constant IIMM: %s", constant)
	}
	if !slices.ContainsFunc(g.Notes, func(n string) bool { return strings.Contains(n, "IIMM is the same for all tasks") }) {
		t.Errorf("notes with constant IIMM: %q", g.Notes)
	}
	if bytes.ContainsAny([]byte(constant), "\n") {
		t.Error("a statement is one paragraph")
	}
}

func BenchmarkAnalyse(b *testing.B) {
	runs := append(drawnRuns("full", 29, 0, 1), drawnRuns("probe", 29, 0, 1)...)
	for b.Loop() {
		if _, err := Analyse(runs, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleAnalyse() {
	var runs []experiment.Run
	for i, zeroShot := range []float64{.9, .8, .6, .5, .3, .2} {
		accuracy := []float64{.95, .90, .85, .70, .75, .70}[i]
		runs = append(runs, experiment.Run{
			RunID: fmt.Sprint(i), Model: "micro", Method: "probe", Task: fmt.Sprint("task", i),
			ZeroShotAccuracy: zeroShot, Accuracy: accuracy, Gain: 100 * (accuracy - zeroShot),
			IIMM: []float64{.3, .4, .2, .5, .4, .3}[i], ProbeCVAccuracy: accuracy - []float64{.02, .03, .05, .01, .02, .04}[i],
		})
	}
	report, err := Analyse(runs, Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	g := report.Groups[0]
	fmt.Printf("r(IIMM, gain) %.2f, r(zero-shot error, gain) %.2f\n", *g.Correlation(IIMM, Gain).R, *g.Correlation(ZeroShotError, Gain).R)
	best, base := g.BestForecast(Accuracy)
	fmt.Printf("final accuracy: %s, %.1f points off; %s, %.1f\n", best.Label(), *best.Error, base.Label(), *base.Error)
	// Output:
	// r(IIMM, gain) -0.08, r(zero-shot error, gain) 0.97
	// final accuracy: cross-validated probe accuracy, 1.8 points off; mean of the other tasks, 11.0
}

func TestNotesOfNoiseAndMixedTasks(t *testing.T) {
	runs := drawnRuns("full", 5, 0, 2)
	has := func(want string) bool {
		t.Helper()
		report, err := Analyse(runs, Options{Bootstrap: 20})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(report.Groups[0].Notes, func(n string) bool { return strings.Contains(n, want) })
	}
	// Gains of the first tasks are 0, 0, -1, 0, 1 plus seed, with mean 1 more and sd 1.41: four are within noise, and -1+1 = 0 too.
	if !has("on 4 of 5 tasks the gain is smaller than its standard deviation") {
		t.Error("gains within the noise of seeds are not noted")
	}
	all := []string{"world/task00", "world/task01", "world/task02", "world/task03", "world/task04", "mnist"}
	for i := range runs {
		runs[i].OffTarget = map[string][2]float64{}
		for _, task := range all {
			if task != runs[i].Task {
				runs[i].OffTarget[task] = [2]float64{.5, .4}
			}
		}
	}
	if has("different sets") {
		t.Error("every run measured all tasks but its own: one set")
	}
	delete(runs[3].OffTarget, "mnist")
	if !has("2 different sets of tasks") {
		t.Error("a run that measured fewer tasks is not noted")
	}
}
