package forecast

import (
	"math"
	"strings"
	"testing"
)

// Thresholds are where Decide changes its mind.
func TestThresholdsAreThoseOfDecide(t *testing.T) {
	w := newWorld(8)
	c := mustNew(t, w.tasks(14), w.retained(), Options{})
	list, err := c.Thresholds("m", "full", []float64{.5, .7}, 5)
	if err != nil {
		t.Fatal(err)
	}
	decide := func(z, p float64) Decision {
		t.Helper()
		f, err := c.Forecast(Query{Model: "m", Inputs: Inputs{ZeroShotAccuracy: z, ProbeCVAccuracy: &p}})
		if err != nil {
			t.Fatal(err)
		}
		return f.Decide(Policy{MinGain: 5})
	}
	for _, k := range list {
		z := k.ZeroShotAccuracy
		if k.Likely == nil || k.Sure == nil || k.Hopeless == nil {
			t.Fatalf("%+v", k)
		}
		if !(*k.Hopeless <= *k.Likely && *k.Likely <= *k.Sure) {
			t.Errorf("at %v: %v, %v, %v", z, *k.Hopeless, *k.Likely, *k.Sure)
		}
		for _, at := range []struct {
			probe   float64
			verdict string
			sure    bool
		}{{*k.Hopeless - .01, DoNotTune, true}, {*k.Hopeless, DoNotTune, false}, {*k.Likely - .01, DoNotTune, false}, {*k.Likely, Full, false}, {*k.Sure - .01, Full, false}, {*k.Sure, Full, true}} {
			if d := decide(z, math.Round(100*at.probe)/100); d.Verdict != at.verdict || d.Sure != at.sure {
				t.Errorf("zero-shot %v, probe %.2f: %+v, want %s, sure %v", z, at.probe, d, at.verdict, at.sure)
			}
		}
	}
	bare := w.tasks(8)
	for i := range bare {
		bare[i].ProbeCVAccuracy = nil
	}
	if _, err := mustNew(t, bare, w.retained(), Options{}).Thresholds("m", "full", []float64{.5}, 2); err == nil || !strings.Contains(err.Error(), "too few tasks of m full with a probe") {
		t.Error(err)
	}
}
