package correlation

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Line is the least-squares line y = Intercept + Slope x through n pairs, with
// what its bands need.
type Line struct {
	N         int     `json:"n"`
	Intercept float64 `json:"intercept"`
	Slope     float64 `json:"slope"`
	// SlopeSE is the standard error of the slope under independent errors of one variance.
	SlopeSE float64 `json:"slope_se"`
	R2      float64 `json:"r2"`
	// ResidualSD is sqrt(sum of squared residuals / (n-2)), in the units of y.
	ResidualSD float64 `json:"residual_sd"`
	MeanX      float64 `json:"mean_x"`
	// SumSquaresX is the sum of (x - MeanX)^2.
	SumSquaresX float64 `json:"sum_squares_x"`
}

// Fit returns the least-squares line through the pairs, nil when there are fewer
// than three or x does not vary.
func Fit(x, y []float64) (*Line, error) {
	if err := checkPairs(x, y); err != nil {
		return nil, err
	}
	n := len(x)
	if n < 3 || constant(x) {
		return nil, nil
	}
	l := &Line{N: n, MeanX: mean(x)}
	my := mean(y)
	var yy, xy float64
	for i := range x {
		a, b := x[i]-l.MeanX, y[i]-my
		l.SumSquaresX += a * a
		yy += b * b
		xy += a * b
	}
	l.Slope = xy / l.SumSquaresX
	l.Intercept = my - l.Slope*l.MeanX
	squares := 0.0
	for i := range x {
		e := y[i] - my - l.Slope*(x[i]-l.MeanX)
		squares += e * e
	}
	l.ResidualSD = math.Sqrt(squares / float64(n-2))
	l.SlopeSE = l.ResidualSD / math.Sqrt(l.SumSquaresX)
	if r := pearson(x, y); isFinite(r) {
		l.R2 = r * r
	}
	return l, nil
}

// At returns the line's y at x.
func (l *Line) At(x float64) float64 { return l.Intercept + l.Slope*x }

// Confidence returns the half width, at x, of the band that holds the line's
// mean y with probability level (0.95, say), pointwise, for independent normal
// errors of one variance.
func (l *Line) Confidence(x, level float64) float64 {
	return l.half(level) * math.Sqrt(l.leverage(x))
}

// Prediction is Confidence for the y of one more pair at x.
func (l *Line) Prediction(x, level float64) float64 {
	return l.half(level) * math.Sqrt(1+l.leverage(x))
}

func (l *Line) half(level float64) float64 {
	return distuv.StudentsT{Sigma: 1, Nu: float64(l.N - 2)}.Quantile((1+level)/2) * l.ResidualSD
}

func (l *Line) leverage(x float64) float64 {
	return 1/float64(l.N) + (x-l.MeanX)*(x-l.MeanX)/l.SumSquaresX
}
