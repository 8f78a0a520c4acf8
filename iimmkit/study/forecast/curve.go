package forecast

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// CurvePoint is the accuracy of a probe fitted to some images of each class.
type CurvePoint struct {
	PerClass float64 `json:"images_per_class"`
	Accuracy float64 `json:"accuracy"`
	// Tested is the number of images that the accuracy was measured on; 0: not known.
	Tested int `json:"tested,omitempty"`
}

// Curve is a learning curve, the power law
//
//	accuracy(n) = 1 - Floor - Scale n^-Rate
//
// of n images per class, 0 <= Floor, 0 <= Scale, fitted by least squares with
// weights one over the points' variances.
type Curve struct {
	Floor  float64      `json:"floor"` // error of no end of images
	Scale  float64      `json:"scale"`
	Rate   float64      `json:"rate"`
	SD     float64      `json:"sd"` // root mean square residual
	Points []CurvePoint `json:"points"`
	draws  []law
}

type law struct{ floor, scale, rate float64 }

func (l law) at(n float64) float64 {
	return min(1, max(0, 1-l.floor-l.scale*math.Pow(n, -l.rate)))
}

// Rates beyond these are not told apart by few points.
const lowRate, highRate = .05, 2.0

// curveDraws is the number of resampled curves behind a band.
const curveDraws = 400

// FitCurve fits a learning curve to points at three or more numbers of images.
// The band is a parametric bootstrap with the given seed: accuracies are drawn
// anew, with the standard deviation of the number of tested images or, where it
// is larger, of the residuals, and fitted again.
func FitCurve(points []CurvePoint, seed uint64) (*Curve, error) {
	sizes := map[float64]bool{}
	for i, p := range points {
		if !(p.PerClass >= 1) || math.IsInf(p.PerClass, 1) {
			return nil, fmt.Errorf("learning curve: point %d has %v images per class: must be at least 1", i+1, p.PerClass)
		}
		if err := inRange("accuracy", p.Accuracy, 0, 1); err != nil {
			return nil, fmt.Errorf("learning curve: point %d: %w", i+1, err)
		}
		if p.Tested < 0 {
			return nil, fmt.Errorf("learning curve: point %d was tested on %d images", i+1, p.Tested)
		}
		sizes[p.PerClass] = true
	}
	if len(sizes) < 3 {
		return nil, errors.New("learning curve: accuracies at three or more numbers of images per class are needed")
	}
	points = slices.Clone(points)
	slices.SortStableFunc(points, func(a, b CurvePoint) int { return cmp.Compare(a.PerClass, b.PerClass) })
	y := make([]float64, len(points))
	weight := make([]float64, len(points))
	for i, p := range points {
		y[i], weight[i] = 1-p.Accuracy, 1
		if p.Tested > 0 {
			weight[i] = 1 / binomial(p.Accuracy, p.Tested)
		}
	}
	best := fitLaw(points, y, weight)
	squares := 0.0
	for i, p := range points {
		d := y[i] - (best.floor + best.scale*math.Pow(p.PerClass, -best.rate))
		squares += d * d
	}
	c := &Curve{Floor: best.floor, Scale: best.scale, Rate: best.rate, SD: math.Sqrt(squares / float64(len(points))), Points: points}
	// Of the residuals, with the three parameters taken off where there are more points.
	spread := squares / float64(max(1, len(points)-3))
	random := rand.New(rand.NewPCG(seed, uint64(len(points))))
	for range curveDraws {
		drawn := make([]float64, len(points))
		for i, p := range points {
			variance := spread
			if p.Tested > 0 {
				variance = max(variance, binomial(p.Accuracy, p.Tested))
			}
			drawn[i] = best.floor + best.scale*math.Pow(p.PerClass, -best.rate) + math.Sqrt(variance)*random.NormFloat64()
		}
		c.draws = append(c.draws, fitLaw(points, drawn, weight))
	}
	return c, nil
}

// binomial is the variance of an accuracy, never zero (Jeffreys' prior).
func binomial(p float64, n int) float64 {
	p = (p*float64(n) + .5) / float64(n+1)
	return p * (1 - p) / float64(n)
}

// fitLaw fits errors y at the points: floor and scale follow from the rate, whose
// best is found on a grid and refined by golden section.
func fitLaw(points []CurvePoint, y, weight []float64) law {
	fit := func(rate float64) (law, float64) {
		var w, x, xx, xy, sy float64
		for i, p := range points {
			v := math.Pow(p.PerClass, -rate)
			w += weight[i]
			x += weight[i] * v
			xx += weight[i] * v * v
			xy += weight[i] * v * y[i]
			sy += weight[i] * y[i]
		}
		scale := (w*xy - x*sy) / (w*xx - x*x)
		floor := (sy - scale*x) / w
		switch {
		case scale < 0:
			scale, floor = 0, sy/w
		case floor < 0:
			scale, floor = max(0, xy/xx), 0
		}
		floor = max(0, floor)
		off := 0.0
		for i, p := range points {
			d := y[i] - floor - scale*math.Pow(p.PerClass, -rate)
			off += weight[i] * d * d
		}
		return law{floor, scale, rate}, off
	}
	const steps = 40
	ratio := math.Pow(highRate/lowRate, 1.0/steps)
	best, least, at := law{}, math.Inf(1), 0
	for k := range steps + 1 {
		if l, off := fit(lowRate * math.Pow(ratio, float64(k))); off < least {
			best, least, at = l, off, k
		}
	}
	low := lowRate * math.Pow(ratio, float64(max(0, at-1)))
	high := lowRate * math.Pow(ratio, float64(min(steps, at+1)))
	golden := (math.Sqrt(5) - 1) / 2
	for range 26 {
		a, b := high-golden*(high-low), low+golden*(high-low)
		la, offA := fit(a)
		lb, offB := fit(b)
		if offA < offB {
			high = b
			if offA < least {
				best, least = la, offA
			}
		} else {
			low = a
			if offB < least {
				best, least = lb, offB
			}
		}
	}
	return best
}

func (c *Curve) law() law { return law{c.Floor, c.Scale, c.Rate} }

// At returns the accuracy, in [0,1], at n images per class.
func (c *Curve) At(n float64) float64 { return c.law().at(n) }

// Band returns the interval of At at a level such as .8: quantiles of the curves
// drawn.
func (c *Curve) Band(n, level float64) [2]float64 {
	values := make([]float64, len(c.draws))
	for i, l := range c.draws {
		values[i] = l.at(n)
	}
	return middle(values, level)
}

// middle returns the quantiles between which the level's share of the values is.
// The values are sorted.
func middle(values []float64, level float64) [2]float64 {
	slices.Sort(values)
	at := func(q float64) float64 {
		v := q * float64(len(values)-1)
		i := int(v)
		if i+1 >= len(values) {
			return values[len(values)-1]
		}
		return values[i] + (v-float64(i))*(values[i+1]-values[i])
	}
	return [2]float64{at((1 - level) / 2), at((1 + level) / 2)}
}
