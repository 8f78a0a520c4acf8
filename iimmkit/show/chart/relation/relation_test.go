package relation

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
)

func points(x, y []float64) chart.Scatter {
	var s chart.Scatter
	for i := range x {
		s.Points = append(s.Points, chart.Point{X: x[i], Y: y[i]})
	}
	return s
}

// Reference: scipy.stats.linregress (r .97528) and kendalltau (.90476) on these
// pairs; the band from scipy.stats.t.ppf(.975, 5) and the usual formula.
func TestScatterTellsWhatSciPyTells(t *testing.T) {
	x := []float64{1, 2, 3, 4, 5, 6, 7}
	y := []float64{2, 6, 7, 11, 10, 14, 16}
	s, err := Scatter(points(x, y), Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := s.Fit
	if f == nil || f.X[0] != 1 || f.X[len(f.X)-1] != 7 {
		t.Fatalf("fit %+v", f)
	}
	for k, want := range map[int][2]float64{0: {2.8928571428571437, 2.045864001386641}, 24: {9.428571428571429, 1.134841163019302}} {
		if math.Abs(f.Y[k]-want[0]) > 1e-9 || math.Abs(f.High[k]-f.Y[k]-want[1]) > 1e-9 || math.Abs(f.Y[k]-f.Low[k]-want[1]) > 1e-9 {
			t.Errorf("at %v: %v from %v to %v, want %v ± %v", f.X[k], f.Y[k], f.Low[k], f.High[k], want[0], want[1])
		}
	}
	if !regexp.MustCompile(`^r = 0\.98 \[0\.\d\d, [01]\.\d\d\], τ = 0\.90, n = 7$`).MatchString(s.Subtitle) {
		t.Error(s.Subtitle)
	}
}

func TestWhatIsNotDefinedIsSaid(t *testing.T) {
	s := points([]float64{1, 1, 1, math.NaN()}, []float64{1, 2, 3, 4})
	s.Subtitle = "micro-clip"
	got, err := Scatter(s, Options{})
	if err != nil || got.Fit != nil || got.Subtitle != "micro-clip; correlation not defined, n = 3" {
		t.Errorf("%q, fit %v, %v", got.Subtitle, got.Fit, err)
	}
	s = points([]float64{1, 2}, []float64{1, 2})
	s.Language = chart.Japanese
	if got, err = Scatter(s, Options{}); err != nil || got.Fit != nil || !strings.HasSuffix(got.Subtitle, "、n = 2") {
		t.Errorf("%q, fit %v, %v", got.Subtitle, got.Fit, err)
	}
	if _, err := Scatter(s, Options{Resamples: -1}); err == nil {
		t.Error("less than no resamples were drawn")
	}
	if _, err := Scatter(points([]float64{math.NaN()}, []float64{1}), Options{}); err == nil {
		t.Error("no point was enough")
	}
}
