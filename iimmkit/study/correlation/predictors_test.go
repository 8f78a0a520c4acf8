package correlation

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What Analyse pools of the runs, Compare pools of the same values by hand, and
// adjusts for the predictors that were asked for, in whatever order the tasks come.
func TestComparedPredictorsAreThoseThatAnalysePools(t *testing.T) {
	o := Options{Bootstrap: 200, Seed: 3}
	report := analysed(t, manyRuns([]string{"a", "b"}, []string{"full"}, 12, 0), o)
	want := report.Pooled[0]
	for _, target := range Targets() {
		var groups []Group
		for _, g := range report.Groups {
			bare := Group{Model: g.Model, Method: g.Method}
			for _, task := range g.Tasks {
				bare.Tasks = append(bare.Tasks, Task{Task: task.Task, Domain: task.Domain, Values: task.Values})
			}
			slices.Reverse(bare.Tasks)
			slices.Reverse(bare.Tasks[3:])
			groups = append(groups, bare)
		}
		names := []string{ProbeGain, IIMM, Intra}
		got, err := Compare(groups, names, target, o)
		if err != nil {
			t.Fatal(err)
		}
		if got.Groups != 2 || got.Tests != len(names) || got.Method != "full" || got.Model != "" || len(got.Correlations) != len(names) {
			t.Fatalf("%+v", got)
		}
		var p []float64
		for i, c := range got.Correlations {
			w := *want.Correlation(names[i], target)
			p = append(p, *c.P)
			c.PHolm, c.PBH, w.PHolm, w.PBH = nil, nil, nil, nil
			if !reflect.DeepEqual(c, w) {
				t.Errorf("%s with %s: %+v, Analyse has %+v", names[i], target, c, w)
			}
		}
		holm, err := Holm(p)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range got.Correlations {
			if *c.PHolm != holm[i] {
				t.Errorf("%s: adjusted p %v, want %v", c.Predictor, *c.PHolm, holm[i])
			}
		}
	}
}

func TestComparedValuesMayBeMissing(t *testing.T) {
	group := Group{Model: "a", Method: "full"}
	for i, x := range []float64{1, 2, 3, 4, 5, 6} {
		v := map[string]float64{"score": x, ZeroShotError: x * x, Gain: 2*x + 1}
		if i == 2 {
			delete(v, "score")
		}
		group.Tasks = append(group.Tasks, Task{Task: string(rune('a' + i)), Values: v})
	}
	got, err := Compare([]Group{group}, []string{"score", "absent"}, Gain, Options{Bootstrap: 50})
	if err != nil {
		t.Fatal(err)
	}
	score, absent := got.Correlation("score", Gain), got.Correlation("absent", Gain)
	if score == nil || score.Tasks != 5 || score.R == nil || math.Abs(*score.R-1) > 1e-12 {
		t.Errorf("score %+v", score)
	}
	if absent == nil || absent.R != nil || absent.P != nil || got.Tests != 1 {
		t.Errorf("absent %+v, %d tests", absent, got.Tests)
	}
}

func TestWhatCannotBeComparedIsSaid(t *testing.T) {
	task := func(name string, values map[string]float64) Task { return Task{Task: name, Values: values} }
	fine := map[string]float64{"score": 1, ZeroShotError: .5, Gain: 3}
	for want, groups := range map[string][]Group{
		"nothing to compare": nil,
		"task x twice":       {{Tasks: []Task{task("x", fine), task("x", fine)}}},
		"has no zero_shot":   {{Tasks: []Task{task("x", map[string]float64{"score": 1, Gain: 3})}}},
		"is NaN":             {{Tasks: []Task{task("x", map[string]float64{"score": math.NaN(), ZeroShotError: .5})}}},
	} {
		if _, err := Compare(groups, []string{"score"}, Gain, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
	if _, err := Compare([]Group{{Tasks: []Task{task("x", fine)}}}, nil, Gain, Options{Bootstrap: -1}); err == nil {
		t.Error("a negative number of resamples")
	}
}
