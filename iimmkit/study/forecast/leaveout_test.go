package forecast

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

func mustNew(t *testing.T, observations []Observation, retained map[string]map[string]Known, o Options) *Calibration {
	t.Helper()
	c, err := New("test", "a test", observations, retained, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func scores(t *testing.T, c *Calibration) map[string]Score {
	t.Helper()
	list, err := c.Evaluate(t.Context(), progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Score{}
	for _, s := range list {
		out[s.Target+" "+s.Predictor] = s
	}
	return out
}

// What Evaluate says of left-out tasks is what a user gets from a calibration made
// without them: computed here with a new calibration for each.
func TestEvaluateIsForecastsOfCalibrationsWithoutTheTask(t *testing.T) {
	w := newWorld(3)
	all := w.tasks(11)
	for _, o := range []Options{{}, {ByDomain: true}} {
		got := scores(t, mustNew(t, all, w.retained(), o))
		var gainOff, forgettingOff, pairOff, pairN float64
		inside := map[string]int{}
		for _, task := range all {
			rest := slices.DeleteFunc(slices.Clone(all), func(other Observation) bool {
				return other.Task == task.Task || o.ByDomain && other.Domain == task.Domain
			})
			var retain []Retain
			for name := range maps.Keys(task.Retained) {
				retain = append(retain, Retain{Task: name})
			}
			f, err := mustNew(t, rest, w.retained(), o).Forecast(Query{Model: "m", Inputs: task.Inputs, Retain: retain})
			if err != nil {
				t.Fatal(err)
			}
			m := f.Methods[0]
			// A forecast may be refused or widened; a score is of all as they are.
			if m.Basis.Extrapolation.Status != Inside || m.ForgettingBasis.Extrapolation.Status != Inside {
				p := mustNew(t, rest, w.retained(), o)
				s, err := p.sample("m", "full", Query{Inputs: task.Inputs}.inputs(), always)
				if err != nil {
					t.Fatal(err)
				}
				accuracy := s.accuracy().interval(task.Inputs, nothing(), 1)
				gain := accuracy.through(func(a float64) float64 { return 100 * (a - task.ZeroShotAccuracy) })
				severity := s.forgetting()
				forgetting := severity.interval(task.Inputs, nothing(), 1)
				m.Gain, m.Forgetting, m.Retained = &gain, &forgetting, nil
				pairs := s.pairs(severity, w.retained())
				for _, r := range retain {
					q := pairs.interval(pairs.residuals(nothing()), task.Inputs, slices.Index(pairs.names, r.Task), w.known[r.Task].aboveChance(), nothing(), 1)
					m.Retained = append(m.Retained, RetainedForgetting{Task: r.Task, Forgetting: &q})
				}
			}
			gainOff += math.Abs(m.Gain.Value-task.Gain()) / float64(len(all))
			forgettingOff += math.Abs(m.Forgetting.Value-*task.Forgetting) / float64(len(all))
			inside["gain"] += within(task.Gain(), m.Gain.Interval80)
			inside["forgetting"] += within(*task.Forgetting, m.Forgetting.Interval80)
			for _, r := range m.Retained {
				pairOff += math.Abs(r.Forgetting.Value - task.Retained[r.Task])
				pairN++
				inside["pair"] += within(task.Retained[r.Task], r.Forgetting.Interval80)
			}
		}
		for _, c := range []struct {
			score  string
			off    float64
			inside int
		}{{"gain chosen", gainOff, inside["gain"]}, {"forgetting chosen", forgettingOff, inside["forgetting"]}, {"pair_forgetting chosen", pairOff / pairN, inside["pair"]}} {
			s := got[c.score]
			if math.Abs(s.Error-c.off) > 1e-9 || s.Coverage80.Inside != c.inside {
				t.Errorf("by domain %v, %s: error %v with %d inside, one by one %v with %d", o.ByDomain, c.score, s.Error, s.Coverage80.Inside, c.off, c.inside)
			}
		}
	}
}

// The same of domains that are left out of a calibration of single tasks.
func TestNewDomainsAreForecastsOfCalibrationsWithoutThem(t *testing.T) {
	w := newWorld(6)
	all := w.tasks(12)
	got := scores(t, mustNew(t, all, w.retained(), Options{}))
	var off, forgettingOff float64
	inside := 0
	for _, task := range all {
		rest := slices.DeleteFunc(slices.Clone(all), func(other Observation) bool { return other.Domain == task.Domain })
		s, err := mustNew(t, rest, w.retained(), Options{}).sample("m", "full", Query{Inputs: task.Inputs}.inputs(), always)
		if err != nil {
			t.Fatal(err)
		}
		a, f := s.accuracy().interval(task.Inputs, nothing(), 1), s.forgetting().interval(task.Inputs, nothing(), 1)
		off += 100 * math.Abs(a.Value-task.Accuracy) / 12
		forgettingOff += math.Abs(f.Value-*task.Forgetting) / 12
		inside += within(task.Accuracy, a.Interval80)
	}
	if s := got["gain chosen_new_domain"]; math.Abs(s.Error-off) > 1e-9 || s.Coverage80.Inside != inside {
		t.Errorf("%+v, one by one %v with %d inside", s, off, inside)
	}
	if s := got["forgetting chosen_new_domain"]; math.Abs(s.Error-forgettingOff) > 1e-9 {
		t.Errorf("%+v, one by one %v", s, forgettingOff)
	}
	if _, ok := scores(t, mustNew(t, all, w.retained(), Options{ByDomain: true}))["gain chosen_new_domain"]; ok {
		t.Error("a calibration by domain tells it already")
	}
}

// A task's own results must have no part in its own forecast.
func TestATasksOwnResultIsNotSeen(t *testing.T) {
	w := newWorld(5)
	all := w.tasks(10)
	judge := func(all []Observation) ([]judged, []judged, []judged) {
		s, err := mustNew(t, all, w.retained(), Options{}).sample("m", "full", Query{Inputs: all[0].Inputs}.inputs(), always)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := s.accuracy().judge()
		f, _ := s.forgetting().judge()
		p, _ := s.pairs(s.forgetting(), w.retained()).judge(-1)
		return a, f, p
	}
	a, f, p := judge(all)
	changed := slices.Clone(all)
	changed[4].Accuracy = 1 - changed[4].Accuracy
	changed[4].Forgetting = ptr(50)
	changed[4].Retained = maps.Clone(changed[4].Retained)
	for name := range changed[4].Retained {
		changed[4].Retained[name] += 40
	}
	a2, f2, p2 := judge(changed)
	if a[4].Quantity != a2[4].Quantity || f[4].Quantity != f2[4].Quantity {
		t.Error("a task's result changed its own forecast")
	}
	for k := range 6 {
		if p[4*6+k].Quantity != p2[4*6+k].Quantity {
			t.Error("a pair's result changed its own forecast")
		}
	}
	if a[3].Quantity == a2[3].Quantity || f[3].Quantity == f2[3].Quantity || p[3*6].Quantity == p2[3*6].Quantity {
		t.Error("other tasks' forecasts did not notice")
	}
}

func TestPredictorsOfTheWorldsLawWin(t *testing.T) {
	w := newWorld(1)
	got := scores(t, mustNew(t, w.tasks(16), w.retained(), Options{}))
	for target, c := range map[string]struct {
		law     string
		without []string // what the law needs is missing
	}{
		"gain":            {"over_probe", []string{"mean", "iimm", "zero_shot", "zero_shot+iimm"}},
		"forgetting":      {"zero_shot+classes", []string{"mean", "iimm", "zero_shot", "zero_shot+iimm"}},
		"pair_forgetting": {"mean_forgetting*share", []string{"mean", "mean_forgetting", "known*zero_shot"}},
	} {
		law := got[target+" "+c.law].Error
		for _, name := range c.without {
			if off := got[target+" "+name].Error; off < 1.25*law {
				t.Errorf("%s: %s errs by %.2f, the world's law by %.2f", target, name, off, law)
			}
		}
		if chosen := got[target+" "+Chosen]; chosen.Error > 1.25*law {
			t.Errorf("%s: the chosen errs by %.2f, the world's law by %.2f; picks %v", target, chosen.Error, law, chosen.Picks)
		}
	}
	if r2 := got["pair_forgetting chosen"].R2; *r2 < .8 {
		t.Errorf("R2 of pairs is %.2f in a world of shares", *r2)
	}
}

// New tasks of the world, none of which is in its calibration: the intervals must
// hold what is measured as often as they say. With 240 tasks a share is known to
// about .05 for 80 % and .03 for 95 % (two standard errors).
func TestIntervalsHoldWhatTheySay(t *testing.T) {
	inside := map[string]int{}
	const worlds = 60
	n := 0
	for seed := range worlds {
		w := newWorld(100 + uint64(seed))
		c := mustNew(t, w.tasks(19), w.retained(), Options{})
		s, err := c.sample("m", "full", []input{zeroShot, probe, iimm, classes}, always)
		if err != nil {
			t.Fatal(err)
		}
		accuracy, forgetting := s.accuracy(), s.forgetting()
		for range 4 {
			task := w.task("new")
			n++
			a, f := accuracy.interval(task.Inputs, nothing(), 1), forgetting.interval(task.Inputs, nothing(), 1)
			inside["accuracy 80"] += within(task.Accuracy, a.Interval80)
			inside["accuracy 95"] += within(task.Accuracy, a.Interval95)
			inside["forgetting 80"] += within(*task.Forgetting, f.Interval80)
			inside["forgetting 95"] += within(*task.Forgetting, f.Interval95)
		}
	}
	for name, k := range inside {
		c := coverage(k, n)
		low, high := .74, .90
		if name[len(name)-2:] == "95" {
			low, high = .91, .995
		}
		t.Logf("%s: %.3f of %d, 95 %% interval %.3f", name, c.Share, n, c.CI95)
		if c.Share < low || c.Share > high {
			t.Errorf("%s %% intervals hold %.3f of %d", name, c.Share, n)
		}
	}
}

func TestMethodsWithFewTasksAreNotJudged(t *testing.T) {
	w := newWorld(2)
	all := w.tasks(6)
	for _, o := range w.tasks(4) {
		o.Method = "lora"
		all = append(all, o)
	}
	list, err := mustNew(t, all, w.retained(), Options{}).Evaluate(t.Context(), progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 || slices.ContainsFunc(list, func(s Score) bool { return s.Method != "full" }) {
		t.Errorf("%d scores", len(list))
	}
	if _, err := mustNew(t, all[6:], w.retained(), Options{}).Evaluate(t.Context(), progress.Discard); err == nil || !strings.Contains(err.Error(), "has 4 tasks of m lora: at least 5") {
		t.Error(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := mustNew(t, all, w.retained(), Options{}).Evaluate(stopped, progress.Discard); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
