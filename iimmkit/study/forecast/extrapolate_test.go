package forecast

import (
	"fmt"
	"testing"
)

func TestTasksOutsideTheCalibrationAreWidenedOrRefused(t *testing.T) {
	// Tasks with zero-shot accuracies .4 to .6, probes .6 to .8.
	var tasks []Observation
	for k := range 12 {
		z, p := .4+.2*float64(k)/11, .6+.2*float64(k*5%12)/11
		tasks = append(tasks, Observation{Model: "m", Method: "full", Task: fmt.Sprint(k), Seeds: 1, Inputs: Inputs{ZeroShotAccuracy: z, ProbeCVAccuracy: &p, Classes: 10}, Accuracy: expit(logit(p) + .3 + .1*float64(k%3))})
	}
	c := mustNew(t, tasks, nil, Options{})
	ask := func(z, p float64) Method {
		t.Helper()
		f, err := c.Forecast(Query{Model: "m", Inputs: Inputs{ZeroShotAccuracy: z, ProbeCVAccuracy: &p, Classes: 10}})
		if err != nil {
			t.Fatal(err)
		}
		return f.Methods[0]
	}
	in, near, far := ask(.5, .7), ask(.5, .85), ask(.5, .99)
	if in.Basis.Predictor != "over_probe" || in.Basis.Extrapolation.Status != Inside || in.Basis.Extrapolation.Widened != 1 || len(in.Notes) != 1 {
		t.Errorf("inside: %+v %q", in.Basis, in.Notes)
	}
	if e := near.Basis.Extrapolation; e.Status != Near || e.Widened <= 1 || e.Widened > 2 || e.Reason != "probe accuracy 0.85 is outside the calibration's range 0.6..0.8" {
		t.Errorf("near: %+v", e)
	}
	width := func(m Method) float64 { return logit(m.Accuracy.Interval80[1]) - logit(m.Accuracy.Interval80[0]) }
	if ratio := width(near) / width(in); ratio < 1.05 {
		t.Errorf("the interval outside is only %.2f times as wide", ratio)
	}
	if far.Basis.Extrapolation.Status != Outside || far.Gain != nil || far.Accuracy != nil || far.ScaledGain != nil {
		t.Errorf("far: %+v", far.Basis)
	}
	d := (&Forecast{Methods: []Method{far}}).Decide(DefaultPolicy())
	if d.Verdict != NoForecast || d.Sure {
		t.Errorf("of a refused forecast: %+v", d)
	}
}

// Each input is in its range, but no task has both so.
func TestACombinationNeverSeenIsOutside(t *testing.T) {
	var tasks []Observation
	for k := range 14 {
		z := .1 + .8*float64(k)/13
		p := expit(logit(z) + .5 + .02*float64(k%3))
		y := expit(.5*logit(p) + .5*logit(z) + .01*float64(k%2))
		tasks = append(tasks, Observation{Model: "m", Method: "full", Task: fmt.Sprint(k), Seeds: 1, Inputs: Inputs{ZeroShotAccuracy: z, ProbeCVAccuracy: &p}, Accuracy: y})
	}
	s, err := mustNew(t, tasks, nil, Options{}).sample("m", "full", []input{zeroShot, probe}, always)
	if err != nil {
		t.Fatal(err)
	}
	p := s.accuracy()
	both := -1
	for c, candidate := range p.candidates {
		if candidate.name == "probe+zero_shot" {
			both = c
		}
	}
	strange := Inputs{ZeroShotAccuracy: .2, ProbeCVAccuracy: ptr(.85)}
	if e := p.extrapolation(both, strange); e.Status != Outside || e.Reason != "no task of the calibration has such a combination of inputs" {
		t.Errorf("%+v", e)
	}
	for i := range tasks {
		if e := p.extrapolation(both, tasks[i].Inputs); e.Status != Inside {
			t.Errorf("task %d of the calibration itself: %+v", i, e)
		}
	}
}

// In a world whose truth bends just beyond the calibrated range, widened intervals
// hold it more often than those that are not.
func TestWideningHoldsMoreOutside(t *testing.T) {
	widened, plain, n := 0, 0, 0
	for seed := range 40 {
		w := newWorld(900 + uint64(seed))
		var tasks []Observation
		for len(tasks) < 15 {
			if task := w.task(fmt.Sprint(len(tasks))); *task.ProbeCVAccuracy < .8 {
				tasks = append(tasks, task)
			}
		}
		s, err := mustNew(t, tasks, w.retained(), Options{}).sample("m", "full", []input{zeroShot, probe}, always)
		if err != nil {
			t.Fatal(err)
		}
		p := s.accuracy()
		for range 30 {
			task := w.task("new")
			e := p.extrapolation(p.choose(nothing()), task.Inputs)
			if e.Status != Near {
				continue
			}
			n++
			// The truth bends: the lift goes as far as the task is outside.
			truth := expit(logit(task.Accuracy) + 2*e.Distance)
			plain += within(truth, p.interval(task.Inputs, nothing(), 1).Interval80)
			widened += within(truth, p.interval(task.Inputs, nothing(), e.Widened).Interval80)
		}
	}
	t.Logf("80 %% intervals of %d tasks outside: %d plain, %d widened", n, plain, widened)
	if n < 100 || coverage(widened, n).Share < coverage(plain, n).Share+.05 {
		t.Errorf("of %d tasks outside %d are held, %d when widened", n, plain, widened)
	}
}
