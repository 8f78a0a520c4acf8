package forecast

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
)

// Quantity is a forecast: the median, and intervals that hold what will be
// measured, averaged over seeds, with probability .8 and .95.
type Quantity struct {
	Value      float64    `json:"value"`
	Interval80 [2]float64 `json:"interval80"`
	Interval95 [2]float64 `json:"interval95"`
	// Kind80 and Kind95 say how the intervals were made: by jackknife+, which needs
	// no law of the errors, or, where there are too few tasks for it, by Student's t.
	Kind80 string `json:"kind80"`
	Kind95 string `json:"kind95"`
}

// Kinds of intervals.
const (
	JackknifePlus = "jackknife+"
	StudentT      = "student"
)

// through maps a quantity by an increasing function.
func (q Quantity) through(f func(float64) float64) Quantity {
	q.Value = f(q.Value)
	q.Interval80 = [2]float64{f(q.Interval80[0]), f(q.Interval80[1])}
	q.Interval95 = [2]float64{f(q.Interval95[0]), f(q.Interval95[1])}
	return q
}

// foldResiduals are the absolute residuals of a fold when it is left out.
type foldResiduals struct {
	out  left
	size []float64
}

// jackknife returns the intervals of jackknife+ (Barber, Candes, Ramdas and
// Tibshirani, Annals of Statistics 49, 2021; with folds of several items, their
// CV+): an end is a quantile of the forecasts at the task made without each fold,
// less or plus that fold's residuals. Of n residuals the quantile at level 1-a
// exists for n+1 >= 1/a; with fewer the interval is Student's t at the root mean
// square residual. All of it is on the scale to; at gives forecasts on the
// target's own.
func jackknife(residuals []foldResiduals, value float64, at func(left) float64, to, from func(float64) float64, widen float64) Quantity {
	var low, high []float64
	squares := 0.0
	for _, r := range residuals {
		center := to(at(r.out))
		for _, size := range r.size {
			squares += size * size
			low = append(low, center-widen*size)
			high = append(high, center+widen*size)
		}
	}
	slices.Sort(low)
	slices.Sort(high)
	n := len(low)
	q := Quantity{Value: value}
	ends := func(level float64) ([2]float64, string) {
		center := to(value)
		// The smallest count of n+1 that is at least the level's share, rounding aside.
		k := int(math.Ceil(level*float64(n+1) - 1e-9))
		if k <= n {
			// The forecast itself is always inside.
			return [2]float64{from(min(low[n-k], center)), from(max(high[k-1], center))}, JackknifePlus
		}
		// Residuals of left-out tasks hold the error of the fit already.
		half := widen * math.Sqrt(squares/float64(n)) * distuv.StudentsT{Sigma: 1, Nu: float64(len(residuals) - 1)}.Quantile((1+level)/2)
		return [2]float64{from(center - half), from(center + half)}, StudentT
	}
	q.Interval80, q.Kind80 = ends(.8)
	q.Interval95, q.Kind95 = ends(.95)
	q.Interval95[0] = min(q.Interval95[0], q.Interval80[0])
	q.Interval95[1] = max(q.Interval95[1], q.Interval80[1])
	return q
}

// Coverage is how many of N intervals held what was measured.
type Coverage struct {
	Inside int     `json:"inside"`
	N      int     `json:"n"`
	Share  float64 `json:"share"`
	// CI95 is evaluate.ExactInterval of the share. It takes the N for independent.
	CI95 [2]float64 `json:"ci95"`
}

func coverage(inside, n int) Coverage {
	return Coverage{Inside: inside, N: n, Share: float64(inside) / float64(n), CI95: evaluate.ExactInterval(inside, n)}
}

func (c Coverage) plus(other Coverage) Coverage { return coverage(c.Inside+other.Inside, c.N+other.N) }
