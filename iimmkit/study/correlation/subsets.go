package correlation

import (
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/combin"
)

// SubsetSize is the number of data sets behind the published correlations.
const SubsetSize = 9

// Spread tells how a correlation varies over subsets of the tasks: what a study
// of that few tasks would have reported.
type Spread struct {
	Predictor string `json:"predictor"`
	Target    string `json:"target"`
	Size      int    `json:"size"`
	// Subsets is the number of different (Exhaustive) or random subsets.
	Subsets    int  `json:"subsets"`
	Exhaustive bool `json:"exhaustive"`
	// R and Tau are null where no subset has the correlation.
	R   *Quantiles `json:"r"`
	Tau *Quantiles `json:"tau"`
}

// Quantiles of a set of values.
type Quantiles struct {
	Min    float64 `json:"min"`
	P5     float64 `json:"p5"`
	Median float64 `json:"median"`
	P95    float64 `json:"p95"`
	Max    float64 `json:"max"`
}

// Subsets returns subsets of size of 0..n-1: all of them when there are at most
// draws, else draws random ones by seed, each without repetition. It returns nil
// for size >= n.
func Subsets(n, size, draws int, seed uint64) (subsets [][]int, exhaustive bool) {
	if size < 1 || size >= n || draws < 1 {
		return nil, false
	}
	// Binomial coefficients of at most a few thousand tasks and size 9 fit in
	// a float; the integer form would overflow.
	if combin.GeneralizedBinomial(float64(n), float64(size)) <= float64(draws)+.5 {
		return combin.Combinations(n, size), true
	}
	random := rand.New(rand.NewPCG(seed, 0x5b5e7))
	for range draws {
		subset := random.Perm(n)[:size]
		slices.Sort(subset)
		subsets = append(subsets, subset)
	}
	return subsets, false
}

// quantiles leaves undefined values out; it is nil when none is left.
func quantiles(values []float64) *Quantiles {
	values = slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return !isFinite(v) })
	if len(values) == 0 {
		return nil
	}
	slices.Sort(values)
	return &Quantiles{values[0], quantile(values, .05), quantile(values, .5), quantile(values, .95), values[len(values)-1]}
}
