package forecast

import (
	"fmt"
	"math"
)

// Extrapolation says how far a task is from those of the calibration, in the
// inputs of the predictor that was chosen.
type Extrapolation struct {
	// Status is inside, near (the intervals are widened) or outside (no forecast).
	Status string `json:"status"`
	// Distance is 0 inside. It is the largest of: how far an input is out of the
	// calibration's range, in units of that range; and how much farther than any
	// task of the calibration the inputs taken together are from the center, as a
	// ratio of distances less 1.
	Distance float64 `json:"distance"`
	// Widened is the factor by which intervals were widened, on the scale of the
	// fit: 1 + 2 Distance.
	Widened float64 `json:"widened"`
	Reason  string  `json:"reason,omitempty"`
}

// Statuses of an extrapolation.
const (
	Inside  = "inside"
	Near    = "near"
	Outside = "outside"
)

// Up to tolerated a task counts as inside. Beyond refused it is outside, where an
// input is out of range; a combination, each of whose inputs is in its range, is
// refused at twice the distance of the farthest task.
const tolerated, refused, combinationRefused = .02, .5, 1.

// extrapolation compares a task with the items on which candidate c was fitted.
func (p *problem) extrapolation(c int, in Inputs) Extrapolation {
	e := Extrapolation{Status: Inside, Widened: 1}
	outside := false
	further := func(d, limit float64, reason string) {
		outside = outside || d > limit
		if d > tolerated && d > e.Distance {
			e.Distance, e.Reason = d, reason
		}
	}
	seen := map[input]bool{}
	for _, i := range p.candidates[c].needs() {
		if seen[i] {
			continue
		}
		seen[i] = true
		value, show := inputColumn(i)
		low, high := math.Inf(1), math.Inf(-1)
		lowest, highest := 0, 0
		for k, other := range p.in {
			if v := value(other); v < low {
				low, lowest = v, k
			}
			if v := value(other); v > high {
				high, highest = v, k
			}
		}
		v := value(in)
		d := max(low-v, v-high) / max(high-low, 1e-3)
		further(d, refused, fmt.Sprintf("%s %.3g is outside the calibration's range %.3g..%.3g", inputNames[i], show(in), show(p.in[lowest]), show(p.in[highest])))
	}
	if fit := p.fit(c, nothing()); fit.determined() {
		farthest := 0.0
		for i := range p.in {
			farthest = max(farthest, fit.leverage(p.x[c][i]))
		}
		d := math.Sqrt(fit.leverage(p.candidates[c].x(in))/farthest) - 1
		further(d, combinationRefused, "no task of the calibration has such a combination of inputs")
	}
	switch {
	case outside:
		e.Status = Outside
	case e.Distance > 0:
		e.Status = Near
	}
	e.Widened = 1 + 2*e.Distance
	return e
}

// inputColumn returns an input on the scale on which ranges are compared, and as
// it is shown.
func inputColumn(i input) (value, show func(Inputs) float64) {
	switch i {
	case probe:
		return probeColumn.of, func(in Inputs) float64 { return *in.ProbeCVAccuracy }
	case probe10:
		return probe10Column.of, func(in Inputs) float64 { return *in.Probe10Accuracy }
	case iimm:
		return iimmColumn.of, iimmColumn.of
	case classes:
		return classesColumn.of, func(in Inputs) float64 { return float64(in.Classes) }
	}
	return zeroShotColumn.of, func(in Inputs) float64 { return in.ZeroShotAccuracy }
}
