package forecast

import (
	"errors"
	"fmt"
	"math"
)

// BudgetQuery asks how many images of each class to label.
type BudgetQuery struct {
	Query
	Method string
	// Curve is that of the probe.
	Curve *Curve
	// Within is by how many points the forecast may still move; 0: 3.
	Within float64
	// Limit is the largest number of images per class thought of; 0: 1000.
	Limit int
	// CostPerLabel and ValuePerPoint, of a point of gain, in the same money. When both
	// are 0 no balance is drawn.
	CostPerLabel, ValuePerPoint float64
}

// Budget is how many images of each class to label for one method. Intervals
// are 80 % ones over the curves that fit the points as well; what is reached at no number
// up to the limit is nil.
type Budget struct {
	Method string `json:"method"`
	Curve  *Curve `json:"curve"`
	Limit  int    `json:"limit"`
	// GainAtLimit is the forecast gain at the limit, in points.
	GainAtLimit float64    `json:"gain_at_limit"`
	GainBand80  [2]float64 `json:"gain_band80"`
	// Within points of the forecast at the limit, 19 times of 20, is the forecast from
	// PerClass images of each class: what the curve rises after PerClass plus 1.96
	// standard errors of a probe and a zero-shot accuracy measured on these images.
	Within   float64 `json:"within"`
	PerClass *int    `json:"images_per_class"`
	// PerClassBand80 has the limit where a curve has no such number.
	PerClassBand80 [2]int   `json:"images_per_class_band80"`
	Balance        *Balance `json:"balance"`
	Notes          []string `json:"notes"`
}

// Balance weighs labels against gain.
type Balance struct {
	CostPerLabel  float64 `json:"cost_per_label"`
	ValuePerPoint float64 `json:"value_per_point"`
	// Best is the number of images per class of the largest net value, and Net that
	// value; Best is 0 when no number is worth its cost.
	Best       int     `json:"best_images_per_class"`
	BestBand80 [2]int  `json:"best_band80"`
	Net        float64 `json:"net_value"`
	// BreakEven are the smallest and largest numbers of images per class that pay.
	BreakEven *[2]int `json:"break_even"`
}

// Budget forecasts, along the learning curve of the probe, the gain from n images
// of each class: the calibration's forecast with the curve's accuracy as the
// probe's.
func (c *Calibration) Budget(q BudgetQuery) (*Budget, error) {
	if q.Curve == nil {
		return nil, errors.New("label budget: a learning curve is needed")
	}
	if q.Classes < 2 {
		return nil, errors.New("label budget: the number of classes is needed")
	}
	if q.Within == 0 {
		q.Within = 3
	}
	if q.Limit == 0 {
		q.Limit = 1000
	}
	if q.Within < 0 || q.Limit < 1 || q.CostPerLabel < 0 || q.ValuePerPoint < 0 {
		return nil, fmt.Errorf("label budget: within %g points, limit %d, cost %g, value %g: must not be negative", q.Within, q.Limit, q.CostPerLabel, q.ValuePerPoint)
	}
	probed := q.Curve.At(float64(q.Limit))
	q.ProbeCVAccuracy = &probed
	q.Query.Methods, q.Retain = []string{q.Method}, nil
	f, err := c.Forecast(q.Query)
	if err != nil {
		return nil, err
	}
	b := &Budget{Method: q.Method, Curve: q.Curve, Limit: q.Limit, Within: q.Within, Notes: f.Methods[0].Notes}
	if f.Methods[0].Gain == nil {
		return nil, fmt.Errorf("label budget: %s", b.Notes[len(b.Notes)-1])
	}
	s, err := c.sample(q.Model, q.Method, q.inputs(), always)
	if err != nil {
		return nil, err
	}
	p := s.accuracy()
	chosen := p.choose(nothing())
	if !hasInput(p.candidates[chosen], probe) {
		return nil, fmt.Errorf("label budget: for %s %s the calibration forecasts best without the probe (by %s): labels do not enter its forecast", q.Model, q.Method, p.candidates[chosen].name)
	}
	gain := func(accuracy float64) float64 {
		in := q.Inputs
		in.ProbeCVAccuracy = &accuracy
		return 100 * (p.forecastAt(chosen, nothing(), in) - q.ZeroShotAccuracy)
	}
	b.GainAtLimit = gain(probed)
	var gains, counts, bests []float64
	for _, l := range q.Curve.draws {
		gains = append(gains, gain(l.at(float64(q.Limit))))
		counts = append(counts, float64(q.within(l, gain)))
	}
	b.GainBand80 = middle(gains, .8)
	if n := q.within(q.Curve.law(), gain); n <= q.Limit {
		b.PerClass = &n
	}
	b.PerClassBand80 = q.counts(middle(counts, .8))
	if q.CostPerLabel == 0 && q.ValuePerPoint == 0 {
		return b, nil
	}
	balance := &Balance{CostPerLabel: q.CostPerLabel, ValuePerPoint: q.ValuePerPoint}
	balance.Best, balance.Net, balance.BreakEven = q.balance(q.Curve.law(), gain)
	for _, l := range q.Curve.draws {
		best, _, _ := q.balance(l, gain)
		bests = append(bests, float64(best))
	}
	balance.BestBand80 = q.counts(middle(bests, .8))
	b.Balance = balance
	return b, nil
}

func hasInput(c candidate, i input) bool {
	for _, need := range c.needs() {
		if need == i {
			return true
		}
	}
	return false
}

func (q BudgetQuery) counts(band [2]float64) [2]int {
	return [2]int{min(q.Limit, int(band[0])), min(q.Limit, int(math.Ceil(band[1])))}
}

// within returns the smallest number of images per class from which the forecast
// is within the points asked for, limit+1 where there is none.
func (q BudgetQuery) within(l law, gain func(float64) float64) int {
	last := gain(l.at(float64(q.Limit)))
	ok := func(n int) bool {
		images := float64(n * q.Classes)
		a := l.at(float64(n))
		// The gain's slope in the probe's accuracy, from inside [0,1].
		const step = .001
		slope := math.Abs(gain(min(1, a+step))-gain(max(0, a-step))) / (min(1, a+step) - max(0, a-step))
		z := q.ZeroShotAccuracy
		// The gain falls by 100 times what zero-shot accuracy is measured too high.
		noise := math.Hypot(slope*math.Sqrt(a*(1-a)/images), 100*math.Sqrt(z*(1-z)/images))
		return math.Abs(last-gain(a))+1.96*noise <= q.Within
	}
	low, high := 1, q.Limit+1 // ok at high, if anywhere; both terms fall with n
	for low < high {
		if n := (low + high) / 2; n <= q.Limit && ok(n) {
			high = n
		} else if n > q.Limit {
			break
		} else {
			low = n + 1
		}
	}
	return low
}

// balance returns the number of images per class of the largest net value, that
// value, and the smallest and largest numbers that pay.
func (q BudgetQuery) balance(l law, gain func(float64) float64) (best int, net float64, even *[2]int) {
	for n := 1; n <= q.Limit; n++ {
		v := q.ValuePerPoint*gain(l.at(float64(n))) - q.CostPerLabel*float64(n*q.Classes)
		if v <= 0 {
			continue
		}
		if v > net {
			best, net = n, v
		}
		if even == nil {
			even = &[2]int{n, n}
		}
		even[1] = n
	}
	return best, net, even
}

// ImagesForIIMM is the number of images at which the half width of IIMM's interval
// is about tolerance, when it is half at n images: it falls with the root of
// their number.
func ImagesForIIMM(n int, half, tolerance float64) (int, error) {
	if n < 2 || !(half >= 0) || !(tolerance > 0) {
		return 0, fmt.Errorf("half width %g at %d images, tolerance %g: must be positive, of two images or more", half, n, tolerance)
	}
	return int(math.Ceil(float64(n)*(half/tolerance)*(half/tolerance) - 1e-9)), nil
}
