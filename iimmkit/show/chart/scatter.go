package chart

import (
	"errors"
	"fmt"
	"strings"
)

// Scatter shows one named point per task, coloured and formed by group, with
// a fitted line and its confidence band. Points with an undefined coordinate
// are left out and named in the note.
type Scatter struct {
	Title, Subtitle string // the subtitle carries r, tau and n
	Note            string
	X, Y            Axis
	Points          []Point
	// Groups fixes the order, and so the colours, of groups; those not in it
	// follow as they appear.
	Groups   []string
	Fit      *Fit
	Identity bool // a dashed line y = x
	Language Language
	// Width and Height in pixels; 0 means 640 x 460.
	Width, Height float64
}

// Point is one mark of a Scatter.
type Point struct {
	Name, Group string
	X, Y        float64
	Interval    *[2]float64 // on Y, drawn as a whisker
	Detail      string      // more lines for the hover text
}

// Fit is a line with a band around it at positions X, ascending. Low and High
// may be nil.
type Fit struct {
	X, Y, Low, High []float64
}

func (f *Fit) check() error {
	if f == nil {
		return nil
	}
	if len(f.X) < 2 || len(f.Y) != len(f.X) || len(f.Low) != len(f.High) || len(f.Low) != 0 && len(f.Low) != len(f.X) {
		return fmt.Errorf("chart: fit with %d positions, %d values, band of %d and %d: want at least 2, all equal", len(f.X), len(f.Y), len(f.Low), len(f.High))
	}
	for i := range f.X {
		if !finite(f.X[i], f.Y[i]) || len(f.Low) > 0 && !finite(f.Low[i], f.High[i]) {
			return fmt.Errorf("chart: fit is undefined at position %d", i)
		}
		if i > 0 && f.X[i] <= f.X[i-1] {
			return fmt.Errorf("chart: positions of the fit do not ascend at %d", i)
		}
	}
	return nil
}

// scatterData is a checked Scatter.
type scatterData struct {
	points []Point
	groups []string
	group  map[string]int
	note   string
	x, y   scale
	width  float64
	height float64
}

func (s Scatter) data() (scatterData, error) {
	d := scatterData{group: map[string]int{}, width: s.Width, height: s.Height}
	if d.width == 0 {
		d.width = 640
	}
	if d.height == 0 {
		d.height = 460
	}
	if err := errors.Join(s.X.check("x"), s.Y.check("y"), s.Fit.check(), checkSize(s.Width, s.Height)); err != nil {
		return d, err
	}
	var gone []string
	var xs, ys []float64
	add := func(group string) {
		if _, ok := d.group[group]; !ok {
			d.group[group] = len(d.groups)
			d.groups = append(d.groups, group)
		}
	}
	present := map[string]bool{}
	for _, p := range s.Points {
		if finite(p.X, p.Y) {
			present[p.Group] = true
		}
	}
	// A group keeps its colour in every chart that names the same Groups.
	for _, g := range s.Groups {
		add(g)
	}
	for _, p := range s.Points {
		if !finite(p.X, p.Y) {
			gone = append(gone, clean(p.Name))
			continue
		}
		add(p.Group)
		if p.Interval != nil && finite(p.Interval[0], p.Interval[1]) {
			ys = append(ys, p.Interval[0], p.Interval[1])
		} else {
			p.Interval = nil
		}
		xs, ys = append(xs, p.X), append(ys, p.Y)
		d.points = append(d.points, p)
	}
	if len(d.points) == 0 {
		return d, fmt.Errorf("chart: scatter %q has no point with both values defined (%d given)", clean(s.Title), len(s.Points))
	}
	var shown []string
	for _, g := range d.groups {
		if present[g] {
			shown = append(shown, g)
		}
	}
	d.groups = shown
	if err := errors.Join(s.X.checkValues("x", xs), s.Y.checkValues("y", ys)); err != nil {
		return d, err
	}
	d.note = sentences(s.Note, s.Language.phrases().without(gone, len(s.Points)))
	d.x, d.y = newScale(s.X, xs), newScale(s.Y, ys)
	return d, nil
}

// SVG implements Chart.
func (s Scatter) SVG() ([]byte, error) { return drawSVG(s) }

// Alt implements Chart.
func (s Scatter) Alt() string {
	d, err := s.data()
	if err != nil {
		return clean(s.Title)
	}
	return clean(sentences(fmt.Sprintf(s.Language.phrases().scatterAlt, s.Title, s.Y.Title, s.X.Title, len(d.points)), s.Subtitle, d.note))
}

// Draw implements Chart.
func (s Scatter) Draw(c Canvas) error {
	d, err := s.data()
	if err != nil {
		return err
	}
	w := s.Language.phrases()
	var legend []key
	if len(d.groups) > 1 || len(d.groups) == 1 && d.groups[0] != "" {
		for _, g := range d.groups {
			i := d.group[g]
			legend = append(legend, key{name: g, color: Color(i), marker: markerOf(i)})
		}
	}
	if s.Fit != nil {
		if len(s.Fit.Low) > 0 {
			legend = append(legend, key{name: w.fitBand, color: fitColor, form: keyBand})
		} else {
			legend = append(legend, key{name: w.fit, color: fitColor, form: keyLine})
		}
	}
	if s.Identity {
		legend = append(legend, key{name: w.equal, color: zeroColor, form: keyDashed})
	}
	top := newHead(s.Title, s.Subtitle, legend, d.width)
	p, labels, bottom := s.layout(d, top, d.note)
	// Labels without room are said, which may take a line of the plot's height.
	if n := unplaced(labels); n > 0 {
		p, labels, bottom = s.layout(d, top, sentences(d.note, fmt.Sprintf(w.noRoom, n)))
	}
	c.Begin(d.width, d.height, s.Alt())
	top.draw(c)
	p.axes(c)
	if s.Fit != nil {
		p.drawFit(c, s.Fit)
	}
	if s.Identity {
		lo, hi := max(p.x.lo, p.y.lo), min(p.x.hi, p.y.hi)
		p.clipped(c, []XY{p.at(lo, lo), p.at(hi, hi)}, Style{Stroke: zeroColor, Width: 1.2, Dash: []float64{5, 4}})
	}
	for _, pt := range d.points {
		i := d.group[pt.Group]
		at := p.at(pt.X, pt.Y)
		c.Group(s.hover(pt))
		if pt.Interval != nil {
			a, b := p.y.clamp(pt.Interval[0]), p.y.clamp(pt.Interval[1])
			c.Polyline([]XY{p.at(pt.X, a), p.at(pt.X, b)}, Style{Stroke: Color(i), Width: 1.2, Opacity: .45})
		}
		drawMarker(c, markerOf(i), at, pointRadius, Style{Fill: Color(i), Stroke: white, Width: .8})
		c.EndGroup()
	}
	drawLabels(c, labels, smallSize)
	bottom.draw(c, d.height)
	return nil
}

const pointRadius = 5.0

// layout finds the plot's area and room for the names.
func (s Scatter) layout(d scatterData, top head, note string) (plane, []placement, foot) {
	bottom := newFoot(note, d.width)
	p := newPlane(d.width, d.height, top, bottom, d.x, d.y)
	spots := make([]spot, len(d.points))
	for i, pt := range d.points {
		spots[i] = spot{at: p.at(pt.X, pt.Y), radius: pointRadius, text: elide(pt.Name, smallSize, 150)}
	}
	var lines [][]XY
	if s.Fit != nil {
		var line []XY
		for i := range s.Fit.X {
			line = append(line, p.at(s.Fit.X[i], s.Fit.Y[i]))
		}
		lines = append(lines, line)
	}
	return p, placeLabels(p.area, spots, lines, smallSize), bottom
}

func unplaced(labels []placement) (n int) {
	for _, l := range labels {
		if !l.placed && l.text != "" {
			n++
		}
	}
	return n
}

func (s Scatter) hover(p Point) string {
	lines := []string{p.Name}
	if p.Group != "" {
		lines[0] += " (" + p.Group + ")"
	}
	lines = append(lines, axisName(s.X, "x")+": "+s.X.value(p.X), axisName(s.Y, "y")+": "+s.Y.value(p.Y))
	if p.Interval != nil {
		lines[len(lines)-1] += " [" + s.Y.value(p.Interval[0]) + ", " + s.Y.value(p.Interval[1]) + "]"
	}
	if p.Detail != "" {
		lines = append(lines, p.Detail)
	}
	return strings.Join(lines, "\n")
}

func axisName(a Axis, fallback string) string {
	if a.Title != "" {
		return a.Title
	}
	return fallback
}

// drawFit draws the band and the line inside the area.
func (p plane) drawFit(c Canvas, f *Fit) {
	if len(f.Low) > 0 {
		var upper, lower []XY
		for i, x := range f.X {
			if p.x.has(x) {
				upper = append(upper, p.at(x, p.y.clamp(f.High[i])))
				lower = append(lower, p.at(x, p.y.clamp(f.Low[i])))
			}
		}
		for i := len(lower) - 1; i >= 0; i-- {
			upper = append(upper, lower[i])
		}
		if len(upper) > 3 {
			c.Polygon(upper, Style{Fill: fitColor, FillOpacity: .1})
		}
	}
	var line []XY
	for i := range f.X {
		line = append(line, p.at(f.X[i], f.Y[i]))
	}
	p.clipped(c, line, Style{Stroke: fitColor, Width: 1.8})
}
