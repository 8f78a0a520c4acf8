package png

import (
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
)

// recorder keeps what a chart writes, to compare the room that package
// chart assumes for a text with the font's own advance.
type recorder struct {
	chart.Canvas
	texts []string
	at    []chart.XY
}

func (r *recorder) Begin(float64, float64, string)                       {}
func (r *recorder) Group(string)                                         {}
func (r *recorder) EndGroup()                                            {}
func (r *recorder) Polyline([]chart.XY, chart.Style)                     {}
func (r *recorder) Polygon([]chart.XY, chart.Style)                      {}
func (r *recorder) Rect(float64, float64, float64, float64, chart.Style) {}
func (r *recorder) Circle(chart.XY, float64, chart.Style)                {}
func (r *recorder) Text(at chart.XY, text string, _ chart.TextStyle) {
	r.texts, r.at = append(r.texts, text), append(r.at, at)
}

// Legend entries stand side by side, so their distance shows the width that
// the layout gave to the first one's text.
func TestLayoutKnowsTheFontsAdvances(t *testing.T) {
	for c := ' '; c <= '~'; c++ {
		name := "m" + strings.Repeat(string(c), 20) + "m"
		var r recorder
		err := chart.Lines{Width: 2000, Series: []chart.Line{
			{Name: name, X: []float64{0, 1}, Y: []float64{0, 1}},
			{Name: "second", X: []float64{0, 1}, Y: []float64{0, 1}},
		}}.Draw(&r)
		if err != nil {
			t.Fatal(err)
		}
		var first, second float64
		for i, text := range r.texts {
			switch text {
			case name:
				first = r.at[i].X
			case "second":
				second = r.at[i].X
			}
		}
		assumed := second - first - 36 // symbol and gap
		runs, _, err := shape(name, 12, false)
		if err != nil {
			t.Fatal(err)
		}
		real := 0.0
		for _, run := range runs {
			real += run.width
		}
		// Kerning may make the text shorter ("11"), never longer.
		if assumed < real-1 || assumed > 1.15*real {
			t.Errorf("%q: layout assumes %.1f pixels, the font takes %.1f", c, assumed, real)
		}
	}
}
