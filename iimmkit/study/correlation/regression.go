package correlation

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Regression is the least-squares plane y = Intercept + sum of Slope[k] x[k]
// through N items, with what its tests and bands need. Line is the case of one x
// that is written to JSON.
type Regression struct {
	N         int
	Intercept float64
	Slope     []float64
	// InterceptSE and SlopeSE are standard errors, and InterceptP and SlopeP
	// two-sided p values of being zero, under independent normal errors of one variance.
	InterceptSE, InterceptP float64
	SlopeSE, SlopeP         []float64
	// R2 is the share of y's variance that the plane explains; AdjustedR2 takes off
	// what as many variables without meaning would explain on average.
	R2, AdjustedR2 float64
	// F tests that all slopes are zero, with k and N-k-1 degrees of freedom. It is
	// +Inf, and FP 0, when the plane goes through all items.
	F, FP float64
	// ResidualSD is sqrt(sum of squared residuals / (N-k-1)), in the units of y.
	ResidualSD float64

	plane *plane
}

// Regress fits y to the columns x, each as long as y. It returns nil when no
// degree of freedom is left for the errors, when y does not vary, or when the
// columns do not determine the plane because one of them is constant or a linear
// function of others.
func Regress(x [][]float64, y []float64) (*Regression, error) {
	for _, column := range x {
		if err := checkPairs(column, y); err != nil {
			return nil, fmt.Errorf("regression: %w", err)
		}
	}
	n, k := len(y), len(x)
	df := n - k - 1
	if k == 0 || df < 1 || constant(y) {
		return nil, nil
	}
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	p, err := fitPlane(x, y, items)
	if err != nil {
		return nil, fmt.Errorf("regression: %w", err)
	}
	if p.inverse == nil {
		return nil, nil
	}
	r := &Regression{N: n, Slope: p.slope, Intercept: p.height, plane: p}
	var left, all float64
	for i := range y {
		e := y[i] - p.at(x, i)
		left += e * e
		all += (y[i] - p.height) * (y[i] - p.height)
	}
	r.ResidualSD = math.Sqrt(left / float64(df))
	r.R2 = max(0, 1-left/all)
	r.AdjustedR2 = 1 - (left/float64(df))/(all/float64(n-1))
	r.F = (all - left) / float64(k) / (left / float64(df))
	r.FP = mathext.RegIncBeta(float64(df)/2, float64(k)/2, left/all)
	for c := range x {
		r.Intercept -= p.slope[c] * p.center[c]
		se := r.ResidualSD * math.Sqrt(p.inverse.At(c, c))
		r.SlopeSE = append(r.SlopeSE, se)
		r.SlopeP = append(r.SlopeP, studentP(p.slope[c]/se, df))
	}
	r.InterceptSE = r.ResidualSD * math.Sqrt(r.leverage(make([]float64, k)))
	r.InterceptP = studentP(r.Intercept/r.InterceptSE, df)
	return r, nil
}

// studentP is the two-sided p value of Student's t; 0/0, a zero without error, has p 1.
func studentP(t float64, df int) float64 {
	if math.IsNaN(t) {
		return 1
	}
	v := float64(df)
	return mathext.RegIncBeta(v/2, .5, v/(v+t*t))
}

// At returns the plane's y at x, one value for each column of Regress.
func (r *Regression) At(x []float64) float64 {
	y := r.Intercept
	for k, slope := range r.Slope {
		y += slope * x[k]
	}
	return y
}

// Confidence returns the half width, at x, of the interval that holds the
// plane's mean y with probability level, for independent normal errors of one variance.
func (r *Regression) Confidence(x []float64, level float64) float64 {
	return r.half(level) * math.Sqrt(r.leverage(x))
}

// Prediction is Confidence for the y of one more item at x.
func (r *Regression) Prediction(x []float64, level float64) float64 {
	return r.half(level) * math.Sqrt(1+r.leverage(x))
}

func (r *Regression) half(level float64) float64 {
	return distuv.StudentsT{Sigma: 1, Nu: float64(r.N - len(r.Slope) - 1)}.Quantile((1+level)/2) * r.ResidualSD
}

// leverage is the variance of the plane at x over that of the errors.
func (r *Regression) leverage(x []float64) float64 {
	sum := 1 / float64(r.N)
	for i := range r.Slope {
		for j := range r.Slope {
			sum += (x[i] - r.plane.center[i]) * r.plane.inverse.At(i, j) * (x[j] - r.plane.center[j])
		}
	}
	return sum
}
