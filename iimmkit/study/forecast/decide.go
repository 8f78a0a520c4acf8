package forecast

import (
	"fmt"
	"slices"
)

// Policy is what a decision weighs. Points are of accuracy (x100).
type Policy struct {
	// MinGain is the gain from which tuning is worth its trouble.
	MinGain float64 `json:"min_gain"`
	// MaxForgetting is how much forgetting, on average and of each retained task that
	// was asked for, is borne; nil: any.
	MaxForgetting *float64 `json:"max_forgetting"`
	// Margin is by how much a smaller method may gain less than the best.
	Margin float64 `json:"margin"`
}

// DefaultPolicy tunes for 2 points and prefers a smaller method that is at most 2
// points worse: about what two seeds or two test sets of a thousand images differ by.
func DefaultPolicy() Policy { return Policy{MinGain: 2, Margin: 2} }

// Verdicts of a decision.
const (
	DoNotTune   = "do_not_tune"
	SmallMethod = "small_method"
	Full        = "full"
	NoForecast  = "no_forecast"
)

// Decision is what follows from forecasts by a policy.
type Decision struct {
	Verdict string `json:"verdict"`
	Method  string `json:"method,omitempty"` // to tune by
	// Sure tells whether the verdict is the same at the unfavourable ends of the 80 %
	// intervals.
	Sure    bool     `json:"sure"`
	Reasons []string `json:"reasons"`
	Policy  Policy   `json:"policy"`
}

// bySize are the methods from the one that changes least of the encoders to the
// one that changes all.
var bySize = []string{"probe", "bitfit", "adapter", "lora", "attention", "full"}

// size is a method's place in bySize; what is not known counts as large.
func size(method string) int {
	if i := slices.Index(bySize, method); i >= 0 {
		return i
	}
	return len(bySize)
}

// Decide applies the policy to the forecasts of methods:
//
//  1. A method is worth it when its forecast gain is at least MinGain, surely so when
//     the lower end of the 80 % interval is, surely not when the upper end is below.
//  2. It is bearable when forgetting, the mean and that of each retained task, is
//     forecast at most MaxForgetting; surely so when the upper ends of the 80 %
//     intervals are. A method that leaves the encoders alone, or without a limit, is.
//     With a limit, a method whose forgetting is refused is not.
//  3. When no method's gain is forecast: NoForecast. When none is worth it:
//     DoNotTune, sure if all are surely not. When those that are worth it are not
//     bearable: DoNotTune, never sure.
//  4. Else the method is the smallest, in the order probe, bitfit, adapter, lora,
//     attention, full, whose gain is within Margin of the largest among those that are
//     worth it and bearable. The verdict is Full for the method full and SmallMethod for
//     others, sure when the method is surely worth it and surely bearable.
func (f *Forecast) Decide(policy Policy) Decision {
	d := Decision{Verdict: DoNotTune, Policy: policy, Reasons: []string{}}
	var able, worth, good []Method
	for _, m := range f.Methods {
		if m.Gain == nil {
			continue
		}
		able = append(able, m)
		if m.Gain.Value >= policy.MinGain {
			worth = append(worth, m)
			if bears, _ := policy.bears(m); bears {
				good = append(good, m)
			}
		}
	}
	switch {
	case able == nil:
		d.Verdict = NoForecast
		d.Reasons = append(d.Reasons, "no method's gain could be forecast: the task is too far from those of the calibration")
	case worth == nil:
		best := mostGain(able)
		d.Sure = !slices.ContainsFunc(able, func(m Method) bool { return m.Gain.Interval80[1] >= policy.MinGain })
		d.Reasons = append(d.Reasons, fmt.Sprintf("no method is forecast to gain %.3g points; %s gains most, %s", policy.MinGain, best.Method, best.Gain.points()))
		if !d.Sure {
			d.Reasons = append(d.Reasons, "an interval reaches higher: a trial run on this task would tell")
		}
	case good == nil:
		d.Reasons = append(d.Reasons, fmt.Sprintf("%s gains %s, but forgetting is forecast above %.3g points or not forecast", mostGain(worth).Method, mostGain(worth).Gain.points(), *policy.MaxForgetting),
			"weights between the untuned and the tuned model forget less: iimm finetune interpolate")
	default:
		best := mostGain(good)
		chosen := best
		for _, m := range good {
			if size(m.Method) < size(chosen.Method) && m.Gain.Value >= best.Gain.Value-policy.Margin {
				chosen = m
			}
		}
		d.Method, d.Verdict = chosen.Method, SmallMethod
		if chosen.Method == "full" {
			d.Verdict = Full
		}
		_, surelyBears := policy.bears(chosen)
		d.Sure = chosen.Gain.Interval80[0] >= policy.MinGain && surelyBears
		d.Reasons = append(d.Reasons, fmt.Sprintf("%s is forecast to gain %s", chosen.Method, chosen.Gain.points()))
		if chosen.Method != best.Method {
			d.Reasons = append(d.Reasons, fmt.Sprintf("%s, which changes more of the model, gains %s: at most %.3g points more", best.Method, best.Gain.points(), policy.Margin))
		}
		if chosen.Forgetting != nil {
			d.Reasons = append(d.Reasons, fmt.Sprintf("it is forecast to forget %s on average", chosen.Forgetting.points()))
		}
		if !d.Sure {
			d.Reasons = append(d.Reasons, "at an end of the 80 % intervals the verdict would be another")
		}
	}
	return d
}

func mostGain(methods []Method) Method {
	return slices.MaxFunc(methods, func(a, b Method) int {
		switch {
		case a.Gain.Value < b.Gain.Value:
			return -1
		case a.Gain.Value > b.Gain.Value:
			return 1
		}
		return size(b.Method) - size(a.Method) // the smaller of equals
	})
}

// bears tells whether forgetting is within the limit, and whether it surely is.
func (p Policy) bears(m Method) (likely, surely bool) {
	switch {
	case p.MaxForgetting == nil:
		return true, true
	case m.Forgetting == nil:
		return m.Harmless, m.Harmless
	}
	likely = m.Forgetting.Value <= *p.MaxForgetting
	surely = m.Forgetting.Interval80[1] <= *p.MaxForgetting
	for _, r := range m.Retained {
		likely = likely && r.Forgetting.Value <= *p.MaxForgetting
		surely = surely && r.Forgetting.Interval80[1] <= *p.MaxForgetting
	}
	return likely, likely && surely
}

// points shows a quantity that is in points.
func (q *Quantity) points() string {
	return fmt.Sprintf("%.1f points (80 %%: %.1f to %.1f)", q.Value, q.Interval80[0], q.Interval80[1])
}
