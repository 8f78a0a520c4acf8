package chart

import (
	"fmt"
	"math"
	"strings"
)

// Frontier shows what blending weights buys: gain against forgetting for each
// share alpha of the tuned weights, from 0 (the model as it was) to 1 (as it was
// tuned), a curve for each method, with the largest forgetting that is accepted
// and the alpha that is chosen within it (Wortsman et al., 2022: WiSE-FT).
type Frontier struct {
	Title, Subtitle, Note string
	X                     Axis // forgetting, right is worse
	Y                     Axis // gain
	Series                []Blend
	// Limit, when given, is the largest forgetting that is accepted.
	Limit         *float64
	Language      Language
	Width, Height float64 // 0 means 640 x 460
}

// Blend is one method's curve.
type Blend struct {
	Name   string
	Points []BlendPoint // alpha ascending
	// Chosen, when given, is the alpha of the point that is recommended.
	Chosen *float64
}

// BlendPoint is what was measured at one alpha in [0,1]; intervals may be nil.
type BlendPoint struct {
	Alpha, Gain, Forgetting          float64
	GainInterval, ForgettingInterval *[2]float64
}

func (b Blend) check() error {
	if len(b.Points) == 0 {
		return fmt.Errorf("chart: frontier: %q has no points", clean(b.Name))
	}
	chosen := b.Chosen == nil
	for i, p := range b.Points {
		if !(p.Alpha >= 0 && p.Alpha <= 1) || i > 0 && p.Alpha <= b.Points[i-1].Alpha {
			return fmt.Errorf("chart: frontier: %q, point %d: alpha %v, want 0 to 1 and ascending", clean(b.Name), i, p.Alpha)
		}
		if !finite(p.Gain, p.Forgetting) {
			return fmt.Errorf("chart: frontier: %q, alpha %v: gain %v, forgetting %v", clean(b.Name), p.Alpha, p.Gain, p.Forgetting)
		}
		for _, in := range []*[2]float64{p.GainInterval, p.ForgettingInterval} {
			if in != nil && !finite(in[:]...) {
				return fmt.Errorf("chart: frontier: %q, alpha %v: interval %v", clean(b.Name), p.Alpha, *in)
			}
		}
		chosen = chosen || p.Alpha == *b.Chosen
	}
	if !chosen {
		return fmt.Errorf("chart: frontier: %q: the chosen alpha %v is none of its points", clean(b.Name), *b.Chosen)
	}
	return nil
}

// isChosen tells the recommended point.
func (b Blend) isChosen(p BlendPoint) bool { return b.Chosen != nil && p.Alpha == *b.Chosen }

func (f Frontier) scales() (x, y scale, err error) {
	if len(f.Series) == 0 {
		return x, y, fmt.Errorf("chart: frontier %q has no series", clean(f.Title))
	}
	var xs, ys []float64
	for _, s := range f.Series {
		if err := s.check(); err != nil {
			return x, y, err
		}
		for _, p := range s.Points {
			xs, ys = append(xs, p.Forgetting), append(ys, p.Gain)
			if in := p.ForgettingInterval; in != nil {
				xs = append(xs, in[:]...)
			}
			if in := p.GainInterval; in != nil {
				ys = append(ys, in[:]...)
			}
		}
	}
	if f.Limit != nil {
		if !finite(*f.Limit) {
			return x, y, fmt.Errorf("chart: frontier: limit %v", *f.Limit)
		}
		xs = append(xs, *f.Limit)
	}
	for _, e := range []error{f.X.linear("x"), f.Y.linear("y"), checkSize(f.Width, f.Height)} {
		if e != nil {
			return x, y, e
		}
	}
	return newScale(f.X, xs), newScale(f.Y, ys), nil
}

func (f Frontier) size() (width, height float64) {
	width, height = f.Width, f.Height
	if width == 0 {
		width = 640
	}
	if height == 0 {
		height = 460
	}
	return width, height
}

// hover words a point.
func (f Frontier) hover(s Blend, p BlendPoint) string {
	line := func(a Axis, v float64, in *[2]float64) string {
		text := a.Title + ": " + a.value(v)
		if in != nil {
			text += " [" + a.value(in[0]) + ", " + a.value(in[1]) + "]"
		}
		return text
	}
	text := s.Name + ", " + f.Language.phrases().alpha + " = " + short(p.Alpha)
	if s.isChosen(p) {
		text += " (" + f.Language.phrases().chosen + ")"
	}
	return text + "\n" + line(f.Y, p.Gain, p.GainInterval) + "\n" + line(f.X, p.Forgetting, p.ForgettingInterval)
}

// SVG implements Chart.
func (f Frontier) SVG() ([]byte, error) { return drawSVG(f) }

// Alt implements Chart.
func (f Frontier) Alt() string {
	w := f.Language.phrases()
	var names []string
	for _, s := range f.Series {
		name := s.Name
		if s.Chosen != nil {
			name += " (" + w.chosen + ": " + w.alpha + " = " + short(*s.Chosen) + ")"
		}
		names = append(names, name)
	}
	return clean(sentences(fmt.Sprintf(w.frontierAlt, f.Title, f.Y.Title, f.X.Title, strings.Join(names, w.list)), f.Subtitle, f.Note))
}

// Draw implements Chart.
func (f Frontier) Draw(c Canvas) error {
	x, y, err := f.scales()
	if err != nil {
		return err
	}
	w := f.Language.phrases()
	width, height := f.size()
	var legend []key
	chosen := false
	for k, s := range f.Series {
		legend = append(legend, key{name: s.Name, color: Color(k), marker: markerOf(k)})
		chosen = chosen || s.Chosen != nil
	}
	if f.Limit != nil {
		legend = append(legend, key{name: fmt.Sprintf(w.limit, f.X.value(*f.Limit)), color: limitColor, form: keyDashed})
	}
	note := sentences(w.blended, f.Note)
	if chosen {
		note = sentences(w.blended, w.ringed, f.Note)
	}
	top, bottom := newHead(f.Title, f.Subtitle, legend, width), newFoot(note, width)
	p := newPlane(width, height, top, bottom, x, y)
	c.Begin(width, height, f.Alt())
	top.draw(c)
	if f.Limit != nil {
		at := p.x.pixel(*f.Limit)
		c.Rect(at, p.top, p.right-at, p.bottom-p.top, Style{Fill: limitColor, FillOpacity: .07})
	}
	p.axes(c)
	if f.Limit != nil {
		at := p.x.pixel(*f.Limit)
		c.Polyline([]XY{{at, p.top}, {at, p.bottom}}, Style{Stroke: limitColor, Width: 1.3, Dash: []float64{5, 4}})
	}
	var spots []spot
	var lines [][]XY
	for k, s := range f.Series {
		var line []XY
		for _, q := range s.Points {
			at := p.at(q.Forgetting, q.Gain)
			line = append(line, at)
			named := spot{at: at, radius: 5}
			if q.Alpha == 0 && k == 0 || q.Alpha == 1 || q.Alpha == .5 || s.isChosen(q) {
				named.text = w.alpha + " = " + short(q.Alpha)
			}
			spots = append(spots, named)
		}
		p.clipped(c, line, Style{Stroke: Color(k), Width: 1.8, Opacity: .8})
		lines = append(lines, line)
	}
	for k, s := range f.Series {
		for _, q := range s.Points {
			c.Group(f.hover(s, q))
			whisker := Style{Stroke: Color(k), Width: 1, Opacity: .45}
			if in := q.GainInterval; in != nil {
				c.Polyline([]XY{p.at(q.Forgetting, p.y.clamp(in[0])), p.at(q.Forgetting, p.y.clamp(in[1]))}, whisker)
			}
			if in := q.ForgettingInterval; in != nil {
				c.Polyline([]XY{p.at(p.x.clamp(in[0]), q.Gain), p.at(p.x.clamp(in[1]), q.Gain)}, whisker)
			}
			at := p.at(q.Forgetting, q.Gain)
			drawMarker(c, markerOf(k), at, 3.8, Style{Fill: Color(k), Stroke: white, Width: .8})
			if s.isChosen(q) {
				c.Circle(at, 9, Style{Stroke: ink, Width: 1.6})
			}
			c.EndGroup()
		}
	}
	drawLabels(c, placeLabels(p.area, spots, lines, smallSize), smallSize)
	bottom.draw(c, height)
	return nil
}

// between are the bounds of the slider's range in which point i is the nearest.
func (b Blend) between(i int) (lo, hi float64) {
	lo, hi = math.Inf(-1), math.Inf(1)
	if i > 0 {
		lo = (b.Points[i-1].Alpha + b.Points[i].Alpha) / 2
	}
	if i < len(b.Points)-1 {
		hi = (b.Points[i].Alpha + b.Points[i+1].Alpha) / 2
	}
	return math.Max(lo, -1), math.Min(hi, 2)
}
