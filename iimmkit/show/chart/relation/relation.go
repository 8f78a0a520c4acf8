// Package relation draws how two measured quantities go together: a scatter of
// named points with the fitted line, its band, and r, tau and n. It is apart
// from package chart, which draws what it is told and computes nothing, because
// the statistics are more to link.
package relation

import (
	"fmt"
	"math"
	"slices"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
	"github.com/iimmkit/iimm/iimmkit/study/correlation"
)

// Options are the choices of Scatter.
type Options struct {
	// Seed of the bootstrap of r; 0 is a seed.
	Seed uint64
	// Resamples of the bootstrap; 0 means 2000.
	Resamples int
}

// Scatter completes a chart whose Points, axes and title are set: with the
// least-squares line and its pointwise 95 % confidence band over the range of the
// points, and a subtitle that tells Pearson's r with its 95 % bootstrap interval
// over points, Kendall's tau-b and the number of points, behind the subtitle that
// is there. Points with an undefined coordinate do not count. What too few or
// equal points leave undefined is not drawn, and said so.
func Scatter(s chart.Scatter, o Options) (chart.Scatter, error) {
	var x, y []float64
	for _, p := range s.Points {
		if v := p.X + p.Y; !math.IsNaN(v) && !math.IsInf(v, 0) {
			x, y = append(x, p.X), append(y, p.Y)
		}
	}
	if len(x) == 0 {
		return s, fmt.Errorf("relation: none of %d points has both values", len(s.Points))
	}
	if o.Resamples == 0 {
		o.Resamples = 2000
	}
	if o.Resamples < 0 {
		return s, fmt.Errorf("relation: %d resamples", o.Resamples)
	}
	words, err := describe(x, y, s.Language, o)
	if err != nil {
		return s, err
	}
	if s.Subtitle != "" {
		words = s.Subtitle + "; " + words
	}
	s.Subtitle = words
	line, err := correlation.Fit(x, y)
	if err != nil {
		return s, err
	}
	s.Fit = Line(line, x)
	return s, nil
}

// Line is a fitted line with its pointwise 95 % confidence band over the range
// of x, for a chart; nil where the line is.
func Line(line *correlation.Line, x []float64) *chart.Fit {
	if line == nil || len(x) == 0 {
		return nil
	}
	lo, hi := slices.Min(x), slices.Max(x)
	if hi <= lo {
		return nil
	}
	f := &chart.Fit{}
	const steps = 48
	for k := range steps + 1 {
		at := lo + (hi-lo)*float64(k)/steps
		y, half := line.At(at), line.Confidence(at, .95)
		f.X, f.Y, f.Low, f.High = append(f.X, at), append(f.Y, y), append(f.Low, y-half), append(f.High, y+half)
	}
	return f
}

func describe(x, y []float64, language chart.Language, o Options) (string, error) {
	undefined, comma := "correlation not defined, n = %d", ", "
	if language == chart.Japanese {
		undefined, comma = "相関は未定義、n = %d", "、"
	}
	r, err := correlation.Pearson(x, y)
	if err != nil {
		return "", err
	}
	tau, err := correlation.Kendall(x, y)
	if err != nil {
		return "", err
	}
	if r.Value == nil {
		return fmt.Sprintf(undefined, len(x)), nil
	}
	text := fmt.Sprintf("r = %.2f", *r.Value)
	interval := correlation.NewResamples(correlation.Singles(len(x)), o.Resamples, o.Seed).Interval(func(items []int) float64 {
		a, b := make([]float64, len(items)), make([]float64, len(items))
		for k, i := range items {
			a[k], b[k] = x[i], y[i]
		}
		if c, err := correlation.Pearson(a, b); err == nil && c.Value != nil {
			return *c.Value
		}
		return math.NaN()
	})
	if interval != nil {
		text += " " + interval.String()
	}
	if tau.Value != nil {
		text += fmt.Sprintf("%sτ = %.2f", comma, *tau.Value)
	}
	return fmt.Sprintf("%s%sn = %d", text, comma, len(x)), nil
}
