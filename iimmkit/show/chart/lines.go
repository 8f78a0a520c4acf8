package chart

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// Lines shows curves over a common axis, as losses over steps. Undefined
// values leave a gap and are said.
type Lines struct {
	Title, Subtitle, Note string
	X, Y                  Axis
	Series                []Line
	Width, Height         float64 // 0 means 640 x 400
}

// Line is one curve; X ascends.
type Line struct {
	Name string
	X, Y []float64
	// Low and High, when given, are a band around Y.
	Low, High []float64
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
			note = sentences(note, fmt.Sprintf("%s: %d of %d values undefined, left out.", s.Name, undefined, len(s.Y)))
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
	return newScale(l.X, xs), newScale(l.Y, ys), note, errors.Join(l.X.check("x"), l.Y.check("y"), checkSize(l.Width, l.Height))
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
	return clean(sentences(fmt.Sprintf("%s. Curves of %s over %s: %s.", l.Title, l.Y.Title, l.X.Title, join(names)), l.Subtitle, l.Note))
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
			legend = append(legend, key{name: s.Name, color: Color(k), form: keyLine})
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
	c.Group(fmt.Sprintf("%s\n%s: %s\n%s: %s", s.Name, axisName(l.X, "x"), l.X.value(s.X[last]), axisName(l.Y, "y"), l.Y.value(s.Y[last])))
	p.clipped(c, line, Style{Stroke: Color(k), Width: 1.8})
	if p.x.has(s.X[last]) && p.y.has(s.Y[last]) {
		c.Circle(line[len(line)-1], 2.6, Style{Fill: Color(k)})
	}
	c.EndGroup()
	// Few points are shown each, with their values.
	if to-from <= 40 {
		for i := from; i < to; i++ {
			if at := line[i-from]; p.x.has(s.X[i]) && p.y.has(s.Y[i]) {
				c.Group(fmt.Sprintf("%s\n%s: %s\n%s: %s", s.Name, axisName(l.X, "x"), l.X.value(s.X[i]), axisName(l.Y, "y"), l.Y.value(s.Y[i])))
				drawMarker(c, markerOf(k), at, 3.2, Style{Fill: Color(k)})
				c.EndGroup()
			}
		}
	}
}

// VegaLite implements Chart: zoom, tooltips, series picked in the legend.
func (l Lines) VegaLite() (json.RawMessage, error) {
	x, y, note, err := l.scales()
	if err != nil {
		return nil, err
	}
	var rows []object
	var names, colors []string
	band := false
	for k, s := range l.Series {
		name := clean(s.Name)
		names, colors = append(names, name), append(colors, Color(k))
		for i := range s.X {
			row := object{"series": name, "x": s.X[i], "y": nullable(s.Y[i])}
			if len(s.Low) > 0 {
				row["low"], row["high"] = nullable(s.Low[i]), nullable(s.High[i])
				band = true
			}
			rows = append(rows, row)
		}
	}
	color := object{"field": "series", "type": "nominal", "title": nil, "scale": object{"domain": names, "range": colors}, "legend": object{"orient": "top"}}
	var layers []object
	if band {
		layers = append(layers, object{"transform": []object{{"filter": "isValid(datum.low)"}}, "mark": object{"type": "area", "opacity": .15, "clip": true},
			"encoding": object{"x": vegaAxis("x", x), "y": vegaStacked(vegaAxis("low", y)), "y2": object{"field": "high"}, "color": color}})
	}
	point := any(object{"size": 24})
	for _, s := range l.Series {
		if len(s.X) > 40 { // the same bound as in Draw; hover still finds invisible ones
			point = "transparent"
		}
	}
	layers = append(layers, object{"params": []object{zoom(), pick("series")}, "mark": object{"type": "line", "clip": true, "point": point},
		"encoding": object{"x": vegaAxis("x", x), "y": vegaAxis("y", y), "color": color, "opacity": fade(1),
			"tooltip": []object{{"field": "series", "type": "nominal", "title": "of"}, vegaTooltip("x", l.X, "x"), vegaTooltip("y", l.Y, "y")}}})
	width, height := l.size()
	return vegaSpec(l.Title, l.Subtitle, note, width-90, height-120, object{"data": object{"values": rows}, "layer": layers})
}

// nullable is nil for what JSON cannot say.
func nullable(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return v
}
