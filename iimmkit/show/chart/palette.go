package chart

import (
	"fmt"
	"math"
)

// Greys of everything that is not data.
const (
	white     = "#ffffff"
	ink       = "#222222" // titles
	inkSoft   = "#555555" // axis texts
	axisColor = "#9a9a9a"
	gridColor = "#e9e9e9"
	zeroColor = "#8a8a8a"
	fitColor  = "#444444"
	emptyCell = "#e6e6e6"
	// limitColor is of what is not accepted; no group has it.
	limitColor = "#8c3b00"
)

// palette is Okabe and Ito's colours (Color Universal Design, 2008), which
// people with any colour vision tell apart. Yellow is left out: it cannot be
// seen on white.
var palette = []string{"#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#333333"}

// Color returns the colour of group or series i.
func Color(i int) string { return palette[i%len(palette)] }

// Marker is a point's form, the second sign of its group beside the colour.
type Marker int

// Forms of points. Star is kept for captions in an EmbeddingMap.
const (
	Dot Marker = iota
	Square
	Up
	Diamond
	Down
	Cross
	Star
)

// markerOf changes the form with the colour: with 7 colours and 6 forms the
// pairs repeat after 42 groups.
func markerOf(i int) Marker { return Marker(i % 6) }

// vegaShape is the same form in Vega-Lite.
func (m Marker) vegaShape() string {
	return [...]string{"circle", "square", "triangle-up", "diamond", "triangle-down", "cross", starPath}[m]
}

const starPath = "M0,-1L0.25,-0.34L0.95,-0.31L0.4,0.13L0.59,0.81L0,0.42L-0.59,0.81L-0.4,0.13L-0.95,-0.31L-0.25,-0.34Z"

// drawMarker draws form m with about the area of a circle of radius r.
func drawMarker(c Canvas, m Marker, at XY, r float64, s Style) {
	corners := func(radius float64, turn float64, n int) []XY {
		out := make([]XY, n)
		for i := range out {
			a := turn + 2*math.Pi*float64(i)/float64(n)
			out[i] = XY{at.X + radius*math.Sin(a), at.Y - radius*math.Cos(a)}
		}
		return out
	}
	switch m {
	case Dot:
		c.Circle(at, r, s)
	case Square:
		c.Polygon(corners(1.25*r, math.Pi/4, 4), s)
	case Diamond:
		c.Polygon(corners(1.3*r, 0, 4), s)
	case Up:
		c.Polygon(corners(1.4*r, 0, 3), s)
	case Down:
		c.Polygon(corners(1.4*r, math.Pi, 3), s)
	case Cross:
		const t = .42
		l := 1.2 * r
		var out []XY
		for _, p := range [12]XY{{-t, -1}, {t, -1}, {t, -t}, {1, -t}, {1, t}, {t, t}, {t, 1}, {-t, 1}, {-t, t}, {-1, t}, {-1, -t}, {-t, -t}} {
			out = append(out, XY{at.X + l*p.X, at.Y + l*p.Y})
		}
		c.Polygon(out, s)
	case Star:
		outer, inner := corners(1.5*r, 0, 5), corners(.62*r, math.Pi/5, 5)
		var out []XY
		for i := range outer {
			out = append(out, outer[i], inner[i])
		}
		c.Polygon(out, s)
	}
}

// viridis, sampled (Smith and van der Walt, 2015): even in lightness.
var viridis = []string{"#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725"}

// diverging goes from vermilion over white to blue.
var diverging = []string{"#8c3b00", "#d55e00", "#f2b48a", "#f7f5f2", "#9cc4e2", "#0072b2", "#003f66"}

// ramp returns colour t in [0,1] of stops.
func ramp(stops []string, t float64) string {
	t = math.Max(0, math.Min(1, t)) * float64(len(stops)-1)
	i := min(int(t), len(stops)-2)
	f := t - float64(i)
	a, b := rgb(stops[i]), rgb(stops[i+1])
	var out [3]int
	for k := range out {
		out[k] = int(math.Round(float64(a[k]) + f*float64(b[k]-a[k])))
	}
	return fmt.Sprintf("#%02x%02x%02x", out[0], out[1], out[2])
}

func rgb(hex string) (out [3]int) {
	fmt.Sscanf(hex, "#%02x%02x%02x", &out[0], &out[1], &out[2])
	return out
}

// readableOn returns the text colour with the better contrast on a background.
func readableOn(background string) string {
	c := rgb(background)
	if .299*float64(c[0])+.587*float64(c[1])+.114*float64(c[2]) > 145 {
		return ink
	}
	return white
}
