package forecast

import (
	"strings"
	"testing"
)

func TestDecide(t *testing.T) {
	q := func(v, half float64) *Quantity {
		return &Quantity{Value: v, Interval80: [2]float64{v - half, v + half}, Interval95: [2]float64{v - 2*half, v + 2*half}}
	}
	m := func(name string, gain, gainHalf, forgetting, forgettingHalf float64) Method {
		return Method{Method: name, Gain: q(gain, gainHalf), Forgetting: q(forgetting, forgettingHalf)}
	}
	probe := func(gain, half float64) Method { return Method{Method: "probe", Gain: q(gain, half), Harmless: true} }
	limit := func(points float64) Policy {
		p := DefaultPolicy()
		p.MaxForgetting = &points
		return p
	}
	fragile := m("full", 20, 3, 2, 1)
	fragile.Retained = []RetainedForgetting{{Task: "kept", Forgetting: q(12, 3)}}
	for _, c := range []struct {
		name    string
		methods []Method
		policy  Policy
		verdict string
		method  string
		sure    bool
		reason  string
	}{
		{"nothing forecast", []Method{{Method: "full"}}, DefaultPolicy(), NoForecast, "", false, "too far"},
		{"surely nothing to gain", []Method{m("full", .5, 1, 3, 1), probe(-1, 1)}, DefaultPolicy(), DoNotTune, "", true, "no method is forecast to gain 2 points; full gains most, 0.5 points (80 %: -0.5 to 1.5)"},
		{"perhaps something to gain", []Method{m("full", 1, 4, 3, 1)}, DefaultPolicy(), DoNotTune, "", false, "a trial run"},
		{"a clear gain of all weights", []Method{m("full", 20, 5, 8, 2), m("lora", 15, 5, 4, 2)}, DefaultPolicy(), Full, "full", true, "full is forecast to gain 20.0 points"},
		{"a gain that may be none", []Method{m("full", 4, 5, 8, 2)}, DefaultPolicy(), Full, "full", false, "would be another"},
		{"a smaller method within the margin", []Method{m("full", 20, 5, 8, 2), m("lora", 18.5, 5, 4, 2), m("bitfit", 18.2, 5, 4, 2), probe(10, 1)}, DefaultPolicy(), SmallMethod, "bitfit", true, "full, which changes more of the model, gains 20.0"},
		{"all weights forget too much", []Method{m("full", 20, 5, 8, 2), m("lora", 15, 5, 4, .5)}, limit(5), SmallMethod, "lora", true, "forget 4.0 points"},
		{"forgetting near the limit", []Method{m("lora", 15, 5, 4, 2)}, limit(5), SmallMethod, "lora", false, "would be another"},
		{"all forget too much", []Method{m("full", 20, 5, 8, 2), m("lora", 15, 5, 6, 2)}, limit(5), DoNotTune, "", false, "full gains 20.0"},
		{"one retained task is forgotten", []Method{fragile}, limit(5), DoNotTune, "", false, "interpolate"},
		{"a probe forgets nothing", []Method{m("full", 20, 5, 8, 2), probe(10, 1)}, limit(5), SmallMethod, "probe", true, "probe is forecast"},
		{"forgetting is not known", []Method{{Method: "full", Gain: q(20, 2)}}, limit(5), DoNotTune, "", false, "not forecast"},
		{"forgetting is not known and does not count", []Method{{Method: "full", Gain: q(20, 2)}}, DefaultPolicy(), Full, "full", true, "full is"},
	} {
		d := (&Forecast{Methods: c.methods}).Decide(c.policy)
		if d.Verdict != c.verdict || d.Method != c.method || d.Sure != c.sure || !strings.Contains(strings.Join(d.Reasons, "; "), c.reason) {
			t.Errorf("%s: %+v", c.name, d)
		}
	}
}
