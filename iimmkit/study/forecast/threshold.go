package forecast

import (
	"fmt"
	"slices"
)

// Threshold says, for a method and a zero-shot accuracy, from which accuracy of the
// probe tuning is worth it: rule 1 of Decide in numbers.
type Threshold struct {
	Method           string  `json:"method"`
	ZeroShotAccuracy float64 `json:"zero_shot_accuracy"`
	// Likely is the smallest probe accuracy, to .01, at which the forecast gain is at
	// least the policy's, and Sure that at which the lower end of its 80 % interval is;
	// below Hopeless not even the upper end is. Nil: there is none among those that
	// are not refused as extrapolation, or, of Hopeless, none is hopeless.
	Likely   *float64 `json:"likely"`
	Sure     *float64 `json:"sure"`
	Hopeless *float64 `json:"hopeless_below"`
}

// Thresholds returns the thresholds of a model's method at some zero-shot
// accuracies, other inputs unknown. The error tells when the calibration has no probes or
// forecasts better without.
func (c *Calibration) Thresholds(model, method string, zeroShots []float64, minGain float64) ([]Threshold, error) {
	if !slices.Contains(c.Models, model) {
		return nil, fmt.Errorf("calibration %s is not of model %q", c.Name, model)
	}
	s, err := c.sample(model, method, []input{zeroShot, probe}, always)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(s.inputs, probe) {
		return nil, fmt.Errorf("calibration %s has too few tasks of %s %s with a probe", c.Name, model, method)
	}
	p := s.accuracy()
	chosen := p.choose(nothing())
	if !hasInput(p.candidates[chosen], probe) {
		return nil, fmt.Errorf("calibration %s forecasts %s %s better without the probe, by %s", c.Name, model, method, p.candidates[chosen].name)
	}
	var list []Threshold
	for _, z := range zeroShots {
		t := Threshold{Method: method, ZeroShotAccuracy: z}
		for percent := range 101 {
			accuracy := float64(percent) / 100
			in := Inputs{ZeroShotAccuracy: z, ProbeCVAccuracy: &accuracy}
			e := p.extrapolation(chosen, in)
			if e.Status == Outside {
				continue
			}
			q := p.interval(in, nothing(), e.Widened)
			gain := func(a float64) float64 { return 100 * (a - z) }
			if t.Likely == nil && gain(q.Value) >= minGain {
				t.Likely = &accuracy
			}
			if t.Sure == nil && gain(q.Interval80[0]) >= minGain {
				t.Sure = &accuracy
			}
			if gain(q.Interval80[1]) < minGain {
				above := float64(percent+1) / 100
				t.Hopeless = &above
			}
		}
		list = append(list, t)
	}
	return list, nil
}
