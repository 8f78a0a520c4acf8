package correlation

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Pool is what the correlations of several independent samples come to together.
type Pool struct {
	// Groups counts the samples that have a say: those of at least four items.
	Groups int
	R      float64
	CI95   Interval
	// P is two-sided, of R being zero.
	P float64
	// Q is Cochran's, of all samples having one correlation: chi-squared with
	// Groups-1 degrees of freedom, QP its p value (nil for one sample). I2, in [0,1),
	// is the share of the spread among them that is not chance.
	Q, I2 float64
	QP    *float64
}

// PoolIndependent pools correlations r of independent samples of n items: the mean
// of Fisher's z = atanh r with weights n-3, the inverse variances of z for normal
// variables. Correlations over the SAME items, such as one predictor's with the
// gains of several methods, are not independent: of them only R holds, and CI95, P
// and Q claim too much (Analyse resamples the tasks instead). The pool is nil when
// no sample has four items or a correlation is 1 or -1, where z has no value.
func PoolIndependent(r []float64, n []int) (*Pool, error) {
	if len(r) != len(n) {
		return nil, fmt.Errorf("pool: %d correlations of %d samples", len(r), len(n))
	}
	p := &Pool{}
	weights := make([]float64, len(r))
	total := 0.0
	for i := range r {
		if !(math.Abs(r[i]) <= 1) || n[i] < 2 {
			return nil, fmt.Errorf("pool: sample %d has correlation %v of %d items: must be in [-1,1], of at least 2", i, r[i], n[i])
		}
		if n[i] < 4 {
			continue
		}
		if math.Abs(r[i]) == 1 {
			return nil, nil
		}
		p.Groups++
		weights[i] = float64(n[i] - 3)
		total += weights[i]
	}
	if p.Groups == 0 {
		return nil, nil
	}
	z := weightedMean(atanh(r), weights)
	half := distuv.UnitNormal.Quantile(.975) / math.Sqrt(total)
	p.R, p.CI95 = math.Tanh(z), Interval{math.Tanh(z - half), math.Tanh(z + half)}
	p.P = 2 * distuv.UnitNormal.Survival(math.Abs(z)*math.Sqrt(total))
	for i, w := range weights {
		if w > 0 {
			d := math.Atanh(r[i]) - z
			p.Q += w * d * d
		}
	}
	if df := float64(p.Groups - 1); df > 0 {
		p.QP = defined(distuv.ChiSquared{K: df}.Survival(p.Q))
		if p.Q > df {
			p.I2 = 1 - df/p.Q
		}
	}
	return p, nil
}

// atanh is Fisher's z of each correlation, infinite for 1 and -1.
func atanh(r []float64) []float64 {
	z := make([]float64, len(r))
	for i, v := range r {
		z[i] = math.Atanh(v)
	}
	return z
}

// weightedMean leaves out what is NaN or has no weight; of nothing it is NaN.
func weightedMean(values, weights []float64) float64 {
	sum, total := 0.0, 0.0
	for i, v := range values {
		if w := weights[i]; w > 0 && !math.IsNaN(v) {
			sum += w * v
			total += w
		}
	}
	return sum / total
}
