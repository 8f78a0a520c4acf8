package correlation

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Interval is a 95 % interval [low, high].
type Interval [2]float64

// fewestUnits is the smallest number of units that is resampled: three tasks
// have ten different resamples, whose spread says nothing.
const fewestUnits = 4

// Resamples are draws with replacement of the units of a sample, the same for
// every statistic, so that statistics can be compared draw by draw. A unit is a
// task, or all tasks of a domain.
type Resamples struct {
	units [][]int
	draws [][]int // item indices of each draw
}

// NewResamples makes draws resamples of units, each a list of item indices, by
// seed. It returns nil when there are fewer than four units.
func NewResamples(units [][]int, draws int, seed uint64) *Resamples {
	if len(units) < fewestUnits || draws < 1 {
		return nil
	}
	random := rand.New(rand.NewPCG(seed, 0xb007))
	r := &Resamples{units: units, draws: make([][]int, draws)}
	for b := range r.draws {
		for range units {
			r.draws[b] = append(r.draws[b], units[random.IntN(len(units))]...)
		}
	}
	return r
}

// Singles are units of one item each.
func Singles(n int) [][]int {
	units := make([][]int, n)
	for i := range units {
		units[i] = []int{i}
	}
	return units
}

// Interval returns the bias-corrected and accelerated (BCa) bootstrap interval
// of a statistic of the listed items (Efron, Better Bootstrap Confidence
// Intervals, JASA 1987). The statistic is NaN where it is not defined; such draws
// are left out. Where the correction is not defined (the statistic of the sample
// lies beyond all draws, or cannot do without some unit) the interval is the plain
// percentile one. Over few tasks both are too narrow: of 400 simulated studies of
// 14 tasks with r of 0, .35 and .8 the BCa interval held r in 91 to 93 %, the
// percentile one in 88 to 91 %; with 29 tasks 93 to 95 % and 93 to 94 %.
//
// The interval is nil when the statistic of the whole sample is not defined or
// that of more than half of the draws is not, and for nil resamples.
func (r *Resamples) Interval(statistic func(items []int) float64) *Interval {
	return bca(r.each(statistic))
}

// Percentile returns the interval between the 2.5 % and 97.5 % points of the
// statistic's draws, under the conditions of Interval.
func (r *Resamples) Percentile(statistic func(items []int) float64) *Interval {
	whole, drawn, _ := r.each(statistic)
	return bca(whole, drawn, nil)
}

// each is the statistic of the sample, of each draw and without each unit; NaN
// and nothing for nil resamples.
func (r *Resamples) each(statistic func(items []int) float64) (whole float64, drawn, leaveOut []float64) {
	if r == nil {
		return math.NaN(), nil, nil
	}
	whole = statistic(slices.Concat(r.units...))
	drawn = make([]float64, len(r.draws))
	for b, items := range r.draws {
		drawn[b] = statistic(items)
	}
	for u := range r.units {
		leaveOut = append(leaveOut, statistic(slices.Concat(slices.Concat(r.units[:u]...), slices.Concat(r.units[u+1:]...))))
	}
	return whole, drawn, leaveOut
}

// bca is the interval of a statistic from its value, its draws and its
// leave-one-out values; without the latter it is the percentile interval.
func bca(whole float64, drawn, leaveOut []float64) *Interval {
	values := slices.DeleteFunc(slices.Clone(drawn), func(v float64) bool { return !isFinite(v) })
	if !isFinite(whole) || 2*len(values) < len(drawn) {
		return nil
	}
	slices.Sort(values)
	low, high := .025, .975
	if bias, acceleration, ok := correction(whole, values, leaveOut); ok {
		shift := func(p float64) float64 {
			z := bias + distuv.UnitNormal.Quantile(p)
			return distuv.UnitNormal.CDF(bias + z/(1-acceleration*z))
		}
		low, high = shift(low), shift(high)
	}
	return &Interval{quantile(values, low), quantile(values, high)}
}

func correction(whole float64, sorted, leaveOut []float64) (bias, acceleration float64, ok bool) {
	if len(leaveOut) == 0 {
		return 0, 0, false
	}
	below, same := 0, 0
	for _, v := range sorted {
		if v < whole {
			below++
		} else if v == whole {
			same++
		}
	}
	bias = distuv.UnitNormal.Quantile((float64(below) + float64(same)/2) / float64(len(sorted)))
	m := mean(leaveOut)
	var two, three float64
	for _, v := range leaveOut {
		d := m - v
		two += d * d
		three += d * d * d
	}
	acceleration = three / (6 * math.Pow(two, 1.5))
	return bias, acceleration, isFinite(bias) && isFinite(acceleration)
}

// quantile interpolates linearly between the order statistics, numpy's default.
func quantile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	i := int(at)
	if i >= len(sorted)-1 {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
