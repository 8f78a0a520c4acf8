package correlation

import (
	"math"
	"slices"
)

// Influence says what one item does to the correlation and the least-squares
// line of y on x. What is not defined is nil.
type Influence struct {
	// Without is Pearson's r of the other items.
	Without *float64
	// Leverage, in [1/n,1], is the item's weight in the line's y at its own x.
	Leverage *float64
	// Studentized is the item's residual over the standard deviation it would have,
	// estimated from the other items.
	Studentized *float64
	// Cook is Cook's distance, the squared move of the line without the item in
	// units of the line's own uncertainty; above 1 is large.
	Cook *float64
}

// Influences returns the influence of each pair, in their order.
func Influences(x, y []float64) ([]Influence, error) {
	line, err := Fit(x, y)
	if err != nil {
		return nil, err
	}
	out := make([]Influence, len(x))
	for i, without := range leaveOneOut(x, y) {
		out[i].Without = defined(without)
		if line == nil {
			continue
		}
		h := line.leverage(x[i])
		e := y[i] - line.At(x[i])
		variance := line.ResidualSD * line.ResidualSD
		df := float64(line.N - 2)
		others := (df*variance - e*e/(1-h)) / (df - 1)
		out[i].Leverage = defined(h)
		if 1-line.R2 <= 1e-12 {
			continue // residuals are rounding
		}
		out[i].Studentized = defined(e / math.Sqrt(others*(1-h)))
		out[i].Cook = defined(e * e / (2 * variance) * h / ((1 - h) * (1 - h)))
	}
	return out, nil
}

// leaveOneOut is r without each of the pairs, NaN where not defined.
func leaveOneOut(x, y []float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = pearson(slices.Concat(x[:i], x[i+1:]), slices.Concat(y[:i], y[i+1:]))
	}
	return out
}
