package experiment

import (
	"math"
	"testing"
)

func TestDerive(t *testing.T) {
	same := func(got, want *float64) bool {
		return (got == nil) == (want == nil) && (got == nil || math.Abs(*got-*want) < 1e-12)
	}
	for _, c := range []struct {
		name           string
		before, after  float64
		off            map[string][2]float64
		gain           float64
		scaled, points *float64
		relative       *float64
	}{
		{"better here, worse there", .5, .8, map[string][2]float64{"a": {.6, .5}, "b": {.8, .6}}, 30, value(.6), value(15.), value((.1/.6 + .25) / 2)},
		{"a negative forgetting is a better model", .5, .5, map[string][2]float64{"a": {.5, .6}}, 0, value(0.), value(-10.), value(-.2)},
		{"nothing to gain", 1, .9, map[string][2]float64{"a": {.5, .5}}, -10, nil, value(0.), value(0.)},
		{"relative to nothing known", 0, .3, map[string][2]float64{"a": {0, .1}, "b": {.5, .4}}, 30, value(.3), value(0.), value(.2)},
		{"only tasks of which nothing was known", 0, 0, map[string][2]float64{"a": {0, .1}}, 0, value(0.), value(-10.), nil},
		{"no other task", .2, .6, nil, 40, value(.5), nil, nil},
	} {
		r := Run{ZeroShotAccuracy: c.before, Accuracy: c.after, OffTarget: c.off}
		r.derive()
		if math.Abs(r.Gain-c.gain) > 1e-12 || !same(r.ScaledGain, c.scaled) || !same(r.Forgetting, c.points) || !same(r.RelativeForgetting, c.relative) {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}
