// Package correlation says what the runs of an experiment tell: how predictors
// measured before tuning go together with gain, forgetting and final accuracy,
// with intervals, beside the trivial predictor zero-shot error, and how far
// forecasts of tasks that were left out are off.
package correlation

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Coefficient is a correlation in [-1,1] and its two-sided p value. Value is nil
// where it is not defined: fewer than two pairs, or a variable that does not
// vary. P is nil where too few pairs remain for a test.
type Coefficient struct {
	Value, P *float64
}

// Pearson returns the product-moment correlation of x and y. P is the exact one
// for normal variables, from Student's t with n-2 degrees of freedom; nil for n < 3.
func Pearson(x, y []float64) (Coefficient, error) {
	if err := checkPairs(x, y); err != nil {
		return Coefficient{}, err
	}
	r := pearson(x, y)
	return Coefficient{defined(r), tTest(r, len(x)-2)}, nil
}

// Spearman returns the Pearson correlation of the ranks of x and y, equal values
// sharing their mean rank. P is the approximation by Student's t with n-2
// degrees of freedom, as scipy.stats.spearmanr has it; nil for n < 3.
func Spearman(x, y []float64) (Coefficient, error) {
	if err := checkPairs(x, y); err != nil {
		return Coefficient{}, err
	}
	r := pearson(Ranks(x), Ranks(y))
	return Coefficient{defined(r), tTest(r, len(x)-2)}, nil
}

// Kendall returns tau-b of x and y,
//
//	(concordant - discordant) / sqrt((pairs - tied in x)(pairs - tied in y)).
//
// P is exact without ties up to n = 33, else from the normal approximation with
// variance corrected for ties (Kendall, Rank Correlation Methods, 1970), the
// choice of scipy.stats.kendalltau.
func Kendall(x, y []float64) (Coefficient, error) {
	if err := checkPairs(x, y); err != nil {
		return Coefficient{}, err
	}
	tau := kendall(x, y)
	return Coefficient{defined(tau), kendallP(x, y)}, nil
}

func checkPairs(x, y []float64) error {
	if len(x) != len(y) {
		return fmt.Errorf("correlation: %d values against %d: must be pairs", len(x), len(y))
	}
	for i := range x {
		if !isFinite(x[i]) || !isFinite(y[i]) {
			return fmt.Errorf("correlation: pair %d is (%v, %v): must be finite", i, x[i], y[i])
		}
	}
	return nil
}

func isFinite(v float64) bool { return v-v == 0 }

// defined turns NaN, the inner sign of an undefined value, into nil.
func defined(v float64) *float64 {
	if !isFinite(v) {
		return nil
	}
	return &v
}

// constant tells whether x varies by no more than rounding.
func constant(x []float64) bool {
	if len(x) == 0 {
		return true
	}
	low, high := x[0], x[0]
	for _, v := range x {
		if v < low {
			low = v
		} else if v > high {
			high = v
		}
	}
	return high-low <= 1e-12*max(math.Abs(low), math.Abs(high))
}

// pearson is NaN where not defined.
func pearson(x, y []float64) float64 {
	if len(x) < 2 {
		return math.NaN()
	}
	mx, my := mean(x), mean(y)
	var xx, yy, xy float64
	for i := range x {
		a, b := x[i]-mx, y[i]-my
		xx += a * a
		yy += b * b
		xy += a * b
	}
	if small(xx, mx, len(x)) && constant(x) || small(yy, my, len(y)) && constant(y) {
		return math.NaN()
	}
	return clamp(xy / math.Sqrt(xx) / math.Sqrt(yy))
}

// small tells whether n values with this mean and sum of squares about it can be
// constant: it spares pearson, called for every draw, the look at all values. No
// value is larger than |mean| + sqrt(squares), and the range is at least the
// standard deviation.
func small(squares, mean float64, n int) bool {
	return !(math.Sqrt(squares/float64(n)) > 1e-11*(math.Abs(mean)+math.Sqrt(squares)))
}

// clamp removes what rounding adds to a perfect correlation; NaN stays.
func clamp(r float64) float64 {
	if r > 1 {
		return 1
	}
	if r < -1 {
		return -1
	}
	return r
}

// tTest returns the two-sided p value of a correlation with df degrees of freedom.
func tTest(r float64, df int) *float64 {
	if !isFinite(r) || df < 1 {
		return nil
	}
	// P(|T| > t) with t^2 = df r^2/(1-r^2) is the incomplete beta function at df/(df+t^2) = 1-r^2.
	return defined(mathext.RegIncBeta(float64(df)/2, .5, 1-r*r))
}

// Ranks returns the ranks 1..n of x, equal values sharing their mean rank.
func Ranks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case x[a] < x[b]:
			return -1
		case x[a] > x[b]:
			return 1
		}
		return 0
	})
	ranks := make([]float64, len(x))
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && x[order[to]] == x[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			ranks[i] = float64(from+to+1) / 2
		}
		from = to
	}
	return ranks
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// kendall is tau-b, NaN where not defined.
func kendall(x, y []float64) float64 {
	balance, tiedX, tiedY := concordance(x, y)
	return tauB(balance, tiedX, tiedY, len(x)*(len(x)-1)/2)
}

// tauB is NaN where all pairs, or no pairs, are tied in x or in y.
func tauB(balance, tiedX, tiedY, pairs int) float64 {
	if pairs == tiedX || pairs == tiedY {
		return math.NaN()
	}
	return clamp(float64(balance) / math.Sqrt(float64(pairs-tiedX)) / math.Sqrt(float64(pairs-tiedY)))
}

// concordance counts concordant minus discordant pairs, and the pairs tied in x and in y.
func concordance(x, y []float64) (balance, tiedX, tiedY int) {
	for i := range x {
		for j := range i {
			dx, dy := x[i]-x[j], y[i]-y[j]
			if dx == 0 {
				tiedX++
			}
			if dy == 0 {
				tiedY++
			}
			switch {
			case dx == 0 || dy == 0:
			case dx > 0 == (dy > 0):
				balance++
			default:
				balance--
			}
		}
	}
	return balance, tiedX, tiedY
}

// exactKendall is the largest n without ties for which p comes from the exact distribution.
const exactKendall = 33

func kendallP(x, y []float64) *float64 {
	n := len(x)
	balance, tiedX, tiedY := concordance(x, y)
	pairs := n * (n - 1) / 2
	if n < 2 || pairs == tiedX || pairs == tiedY {
		return nil
	}
	if tiedX == 0 && tiedY == 0 {
		discordant := (pairs - balance) / 2
		if fewer := min(discordant, pairs-discordant); n <= exactKendall || fewer <= 1 {
			return defined(inversionsP(n, fewer))
		}
	}
	if n < 3 {
		return nil
	}
	x2, x3, x5 := tieSums(x)
	y2, y3, y5 := tieSums(y)
	m := float64(n) * float64(n-1)
	variance := (m*float64(2*n+5)-x5-y5)/18 + 2*x2*y2/m + x3*y3/(9*m*float64(n-2))
	return defined(2 * distuv.UnitNormal.Survival(math.Abs(float64(balance))/math.Sqrt(variance)))
}

// inversionsP returns the two-sided probability that a random order of n items
// has at most fewer inversions, or as many inversions too many.
func inversionsP(n, fewer int) float64 {
	if 2*fewer == n*(n-1)/2 {
		return 1
	}
	// p[k] is the probability of k inversions among j items: the last item adds 0..j-1 equally likely.
	p := make([]float64, fewer+1)
	p[0] = 1
	for j := 2; j <= n; j++ {
		next := make([]float64, fewer+1)
		window := 0.0
		for k := range next {
			window += p[k]
			if k >= j {
				window -= p[k-j]
			}
			next[k] = window / float64(j)
		}
		p = next
	}
	sum := 0.0
	for _, v := range p {
		sum += v
	}
	return min(1, 2*sum)
}

// tieSums returns the sums over groups of t equal values of t(t-1)/2,
// t(t-1)(t-2) and t(t-1)(2t+5).
func tieSums(x []float64) (pairs, triples, fives float64) {
	sorted := slices.Clone(x)
	slices.Sort(sorted)
	for from := 0; from < len(sorted); {
		to := from
		for to < len(sorted) && sorted[to] == sorted[from] {
			to++
		}
		t := float64(to - from)
		pairs += t * (t - 1) / 2
		triples += t * (t - 1) * (t - 2)
		fives += t * (t - 1) * (2*t + 5)
		from = to
	}
	return pairs, triples, fives
}
