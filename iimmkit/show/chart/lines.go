package chart

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Lines shows curves over a common axis, as losses over steps. Undefined
// values leave a gap and are said.
type Lines struct {
	Title, Subtitle, Note string
	X, Y                  Axis
	Series                []Line
	Language              Language
	Width, Height         float64 // 0 means 640 x 400
}

// Line is one curve; X ascends.
type Line struct {
	Name string
	X, Y []float64
	// Low and High, when given, are a band around Y.
	Low, High []float64
	// Points shows what was measured at single places: marks that are not
	// joined, with whiskers in place of the band.
	Points bool
}

func (l Line) check() error {
	if len(l.X) == 0 || len(l.X) != len(l.Y) || len(l.Low) != len(l.High) || len(l.Low) != 0 && len(l.Low) != len(l.X) {
		return fmt.Errorf("chart: line %q has %d positions, %d values, band of %d and %d", clean(l.Name), len(l.X), len(l.Y), len(l.Low), len(l.High))
	}
	for i, x := range l.X {
		if !finite(x) || i > 0 && x <= l.X[i-1] {
			return fmt.Errorf("chart: line %q, position %d: %v does not ascend", clean(l.Name), i, x)
		}
	}
	return nil
}

// runs cuts a line where a value is undefined.
func (l Line) runs() (out [][2]int, undefined int) {
	start := -1
	for i, y := range l.Y {
		ok := finite(y) && (len(l.Low) == 0 || finite(l.Low[i], l.High[i]))
		if ok && start < 0 {
			start = i
		}
		if !ok {
			undefined++
			if start >= 0 {
				out = append(out, [2]int{start, i})
			}
			start = -1
		}
	}
	if start >= 0 {
		out = append(out, [2]int{start, len(l.Y)})
	}
	return out, undefined
}

func (l Lines) scales() (x, y scale, note string, err error) {
	if len(l.Series) == 0 {
		return x, y, "", fmt.Errorf("chart: lines %q have no series", clean(l.Title))
	}
	note = l.Note
	var xs, ys []float64
	for _, s := range l.Series {
		if e := s.check(); e != nil {
			return x, y, "", e
		}
		runs, undefined := s.runs()
		if undefined > 0 {
			note = sentences(note, fmt.Sprintf(l.Language.phrases().undefinedIn, s.Name, undefined, len(s.Y)))
		}
		for _, r := range runs {
			xs, ys = append(xs, s.X[r[0]:r[1]]...), append(ys, s.Y[r[0]:r[1]]...)
			if len(s.Low) > 0 {
				ys = append(append(ys, s.Low[r[0]:r[1]]...), s.High[r[0]:r[1]]...)
			}
		}
	}
	if len(ys) == 0 {
		return x, y, "", fmt.Errorf("chart: lines %q have no defined value", clean(l.Title))
	}
	return newScale(l.X, xs), newScale(l.Y, ys), note, errors.Join(l.X.check("x"), l.Y.check("y"), l.X.checkValues("x", xs), l.Y.checkValues("y", ys), checkSize(l.Width, l.Height))
}

// marked is the most points of a curve that are marked.
const marked = 40

// measured tells whether some series are single points: marks then are theirs.
func (l Lines) measured() bool {
	return slices.ContainsFunc(l.Series, func(s Line) bool { return s.Points })
}

func (l Lines) size() (width, height float64) {
	width, height = l.Width, l.Height
	if width == 0 {
		width = 640
	}
	if height == 0 {
		height = 400
	}
	return width, height
}

// SVG implements Chart.
func (l Lines) SVG() ([]byte, error) { return drawSVG(l) }

// Alt implements Chart.
func (l Lines) Alt() string {
	var names []string
	for _, s := range l.Series {
		names = append(names, s.Name)
	}
	return clean(sentences(fmt.Sprintf(l.Language.phrases().linesAlt, l.Title, l.Y.Title, l.X.Title, l.Language.phrases().join(names)), l.Subtitle, l.Note))
}

// Draw implements Chart.
func (l Lines) Draw(c Canvas) error {
	x, y, note, err := l.scales()
	if err != nil {
		return err
	}
	width, height := l.size()
	var legend []key
	if len(l.Series) > 1 {
		for k, s := range l.Series {
			form := keyLine
			if s.Points {
				form = keyMarker
			}
			legend = append(legend, key{name: s.Name, color: Color(k), marker: markerOf(k), form: form})
		}
	}
	top, bottom := newHead(l.Title, l.Subtitle, legend, width), newFoot(note, width)
	p := newPlane(width, height, top, bottom, x, y)
	c.Begin(width, height, l.Alt())
	top.draw(c)
	p.axes(c)
	for k, s := range l.Series {
		runs, _ := s.runs()
		for _, r := range runs {
			l.drawRun(c, p, k, s, r[0], r[1])
		}
	}
	bottom.draw(c, height)
	return nil
}

func (l Lines) drawRun(c Canvas, p plane, k int, s Line, from, to int) {
	line := make([]XY, 0, to-from)
	for i := from; i < to; i++ {
		line = append(line, p.at(s.X[i], s.Y[i]))
	}
	hover := func(i int) string {
		text := fmt.Sprintf("%s\n%s: %s\n%s: %s", s.Name, axisName(l.X, "x"), l.X.value(s.X[i]), axisName(l.Y, "y"), l.Y.value(s.Y[i]))
		if len(s.Low) > 0 {
			text += " " + l.interval(s, i)
		}
		return text
	}
	if !s.Points {
		if len(s.Low) > 0 {
			var ring []XY
			for i := from; i < to; i++ {
				ring = append(ring, p.at(s.X[i], s.High[i]))
			}
			for i := to - 1; i >= from; i-- {
				ring = append(ring, p.at(s.X[i], s.Low[i]))
			}
			c.Polygon(p.cut(ring), Style{Fill: Color(k), FillOpacity: .15})
		}
		last := to - 1
		c.Group(hover(last))
		p.clipped(c, line, Style{Stroke: Color(k), Width: 1.8})
		if p.x.has(s.X[last]) && p.y.has(s.Y[last]) {
			c.Circle(line[len(line)-1], 2.6, Style{Fill: Color(k)})
		}
		c.EndGroup()
	}
	// Few points are shown each, with their values.
	if s.Points || to-from <= marked && !l.measured() {
		for i := from; i < to; i++ {
			if !p.x.has(s.X[i]) || !p.y.has(s.Y[i]) {
				continue
			}
			c.Group(hover(i))
			if s.Points && len(s.Low) > 0 {
				c.Polyline([]XY{p.at(s.X[i], p.y.clamp(s.Low[i])), p.at(s.X[i], p.y.clamp(s.High[i]))}, Style{Stroke: Color(k), Width: 1.3, Opacity: .6})
			}
			drawMarker(c, markerOf(k), line[i-from], 3.2, Style{Fill: Color(k)})
			c.EndGroup()
		}
	}
}

// interval words the band at a position.
func (l Lines) interval(s Line, i int) string {
	if !finite(s.Low[i], s.High[i]) {
		return ""
	}
	return "[" + l.Y.value(s.Low[i]) + ", " + l.Y.value(s.High[i]) + "]"
}

// VegaLite implements Chart: zoom, tooltips, series picked in the legend.
func (l Lines) VegaLite() (json.RawMessage, error) {
	x, y, note, err := l.scales()
	if err != nil {
		return nil, err
	}
	// Rows of curves and of single points, which are drawn differently.
	var curves, points []object
	var names, colors, shapes []string
	var bands [2]bool
	long := false
	for k, s := range l.Series {
		name := clean(s.Name)
		names, colors, shapes = append(names, name), append(colors, Color(k)), append(shapes, markerOf(k).vegaShape())
		to, kind := &curves, 0
		if s.Points {
			to, kind = &points, 1
		}
		long = long || !s.Points && len(s.X) > marked
		for i := range s.X {
			row := object{"series": name, "x": s.X[i], "y": nullable(s.Y[i])}
			row["interval"] = "" // a tooltip would say undefined
			if len(s.Low) > 0 {
				row["low"], row["high"], row["interval"] = nullable(s.Low[i]), nullable(s.High[i]), l.interval(s, i)
				bands[kind] = true
			}
			*to = append(*to, row)
		}
	}
	legend := object{"orient": "top", "title": nil, "labelLimit": 260}
	color := object{"field": "series", "type": "nominal", "scale": object{"domain": names, "range": colors}, "legend": legend}
	shape := object{"field": "series", "type": "nominal", "scale": object{"domain": names, "range": shapes}, "legend": legend}
	w := l.Language.phrases()
	tooltip := func(band bool) []object {
		lines := []object{{"field": "series", "type": "nominal", "title": w.of}, vegaTooltip("x", l.X, "x"), vegaTooltip("y", l.Y, "y")}
		if band {
			lines = append(lines, object{"field": "interval", "type": "nominal", "title": w.interval})
		}
		return lines
	}
	low := vegaAxis("low", y)
	low["title"] = vegaAxis("y", y)["title"]
	var layers []object
	if bands[0] {
		layers = append(layers, object{"data": object{"values": curves}, "transform": []object{{"filter": "isValid(datum.low)"}}, "mark": object{"type": "area", "opacity": .15, "clip": true},
			"encoding": object{"x": vegaAxis("x", x), "y": vegaStacked(low), "y2": object{"field": "high"}, "color": color}})
	}
	params := []object{zoom(), pick("series")}
	if len(curves) > 0 {
		data, mark := object{"values": curves}, object{"type": "line", "clip": true}
		encoding := object{"x": vegaAxis("x", x), "y": vegaAxis("y", y), "color": color, "opacity": fade(1), "tooltip": tooltip(bands[0])}
		if long || l.measured() {
			// Places are found by hovering only; the fading by the legend would
			// show them if they were points of the line.
			hidden := object{"x": vegaAxis("x", x), "y": vegaAxis("y", y), "tooltip": encoding["tooltip"]}
			layers = append(layers, object{"data": data, "mark": object{"type": "point", "filled": true, "size": 40, "opacity": 0, "clip": true}, "encoding": hidden})
			delete(encoding, "tooltip")
		} else {
			mark["point"] = object{"size": 24}
		}
		layers = append(layers, object{"data": data, "params": params, "mark": mark, "encoding": encoding})
		params = nil
	}
	if len(points) > 0 {
		data := object{"values": points}
		if bands[1] {
			layers = append(layers, object{"data": data, "transform": []object{{"filter": "isValid(datum.low)"}}, "mark": object{"type": "rule", "clip": true},
				"encoding": object{"x": vegaAxis("x", x), "y": low, "y2": object{"field": "high"}, "color": color, "opacity": fade(.6)}})
		}
		layer := object{"data": data, "mark": object{"type": "point", "filled": true, "size": 50, "clip": true},
			"encoding": object{"x": vegaAxis("x", x), "y": vegaAxis("y", y), "color": color, "shape": shape, "opacity": fade(1), "tooltip": tooltip(bands[1])}}
		if params != nil {
			layer["params"] = params
		}
		layers = append(layers, layer)
	}
	width, height := l.size()
	return vegaSpec(l.Title, l.Subtitle, note, width-90, height-120, object{"layer": layers})
}

// nullable is nil for what JSON cannot say.
func nullable(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return v
}
