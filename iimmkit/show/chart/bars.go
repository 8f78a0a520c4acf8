package chart

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// Bars shows groups of horizontal bars with whiskers, one group per row, as
// gain and forgetting per task. An undefined value has no bar and is said so
// at its place.
type Bars struct {
	Title, Subtitle, Note string
	X                     Axis
	Series                []string
	Rows                  []BarRow
	Undefined             string // what stands at an undefined value's place, "not defined" when empty
	Language              Language
	Width                 float64 // 0 means 640
	Height                float64 // 0 follows from the rows; else the bars share it
}

// BarRow is one group of bars.
type BarRow struct {
	Name   string
	Values []float64 // one per series, NaN where undefined
	// Intervals holds one whisker per series; nil, or NaN ends, mean none.
	Intervals [][2]float64
	Detail    string // more lines for the hover text
}

func (r BarRow) interval(k int) ([2]float64, bool) {
	if k >= len(r.Intervals) {
		return [2]float64{}, false
	}
	return r.Intervals[k], finite(r.Intervals[k][:]...)
}

func (b Bars) check() error {
	if len(b.Rows) == 0 || len(b.Series) == 0 {
		return fmt.Errorf("chart: bars %q have %d rows and %d series, want at least one of both", clean(b.Title), len(b.Rows), len(b.Series))
	}
	for _, r := range b.Rows {
		if len(r.Values) != len(b.Series) || r.Intervals != nil && len(r.Intervals) != len(b.Series) {
			return fmt.Errorf("chart: row %q has %d values and %d intervals for %d series", clean(r.Name), len(r.Values), len(r.Intervals), len(b.Series))
		}
		for k, v := range r.Values {
			if math.IsInf(v, 0) {
				return fmt.Errorf("chart: row %q, series %q: value is infinite", clean(r.Name), clean(b.Series[k]))
			}
		}
	}
	return errors.Join(b.X.linear("x"), checkSize(b.Width, b.Height))
}

func (b Bars) scale() scale {
	var values []float64
	for _, r := range b.Rows {
		for k, v := range r.Values {
			if finite(v) {
				values = append(values, v)
			}
			if i, ok := r.interval(k); ok {
				values = append(values, i[0], i[1])
			}
		}
	}
	axis := b.X
	axis.Zero = true // bars grow from zero
	return newScale(axis, values)
}

func (b Bars) width() float64 {
	if b.Width == 0 {
		return 640
	}
	return b.Width
}

// Thickness of a bar and room between the groups, in pixels, unless the height
// is given.
const (
	barThick    = 9.0
	barGap      = 8.0
	thinnestBar = 4.0
	thickestBar = 18.0
)

// SVG implements Chart.
func (b Bars) SVG() ([]byte, error) { return drawSVG(b) }

// Alt implements Chart.
func (b Bars) Alt() string {
	return clean(sentences(fmt.Sprintf(b.Language.phrases().barsAlt, b.Title, b.Language.phrases().join(b.Series), len(b.Rows)), b.Subtitle, b.Note))
}

// Draw implements Chart.
func (b Bars) Draw(c Canvas) error {
	if err := b.check(); err != nil {
		return err
	}
	width := b.width()
	var legend []key
	if len(b.Series) > 1 {
		for k, name := range b.Series {
			legend = append(legend, key{name: name, color: Color(k), form: keyBox})
		}
	}
	top, bottom := newHead(b.Title, b.Subtitle, legend, width), newFoot(b.Note, width)
	below := textSize + 10 + bottom.height
	if b.X.Title != "" {
		below += textSize + 8
	}
	thick, gap := barThick, barGap
	if b.Height > 0 {
		step := (b.Height - top.height - below) / float64(len(b.Rows))
		thick = clampTo(step*.7/float64(len(b.Series)), thinnestBar, thickestBar)
		gap = math.Max(step-thick*float64(len(b.Series)), 2)
	}
	step := float64(len(b.Series))*thick + gap
	plot := area{left: edge, top: top.height, right: width - edge - 34}
	plot.bottom = plot.top + step*float64(len(b.Rows))
	height := math.Max(plot.bottom+below, b.Height)
	names := 0.0
	for _, r := range b.Rows {
		names = math.Max(names, textWidth(elide(r.Name, textSize, width*.35), textSize, false))
	}
	plot.left += names + 10
	p := plane{area: plot, x: b.scale().onto(plot.left, plot.right)}

	c.Begin(width, height, b.Alt())
	top.draw(c)
	for _, t := range p.x.ticks(64) {
		at := p.x.pixel(t.value)
		c.Polyline([]XY{{at, p.top}, {at, p.bottom}}, p.x.gridStyle(t.value))
		c.Text(XY{at, p.bottom + textSize + 4}, t.label, TextStyle{Size: textSize, Color: inkSoft, Anchor: Middle})
	}
	p.x.axis.Title = b.X.Title
	p.titles(c)
	for i, r := range b.Rows {
		y := p.top + float64(i)*step + gap/2
		c.Text(XY{p.left - 8, y + float64(len(b.Series))*thick/2 + .36*textSize}, elide(r.Name, textSize, width*.35),
			TextStyle{Size: textSize, Color: ink, Anchor: End})
		for k := range b.Series {
			b.drawBar(c, p, r, k, y+float64(k)*thick, thick)
		}
	}
	zero := p.x.pixel(p.x.clamp(0))
	c.Polyline([]XY{{zero, p.top}, {zero, p.bottom}}, Style{Stroke: zeroColor})
	bottom.draw(c, height)
	return nil
}

func (b Bars) drawBar(c Canvas, p plane, r BarRow, k int, y, thick float64) {
	v := r.Values[k]
	zero := p.x.pixel(p.x.clamp(0))
	mid := y + thick/2
	if math.IsNaN(v) {
		c.Text(XY{zero + 5, mid + 3.4}, b.undefined(), TextStyle{Size: 9.5, Color: zeroColor})
		return
	}
	c.Group(b.hover(r, k))
	at := p.x.pixel(p.x.clamp(v))
	left, right := math.Min(zero, at), math.Max(zero, at)
	c.Rect(left, y+.5, right-left, thick-1, Style{Fill: Color(k)})
	if i, ok := r.interval(k); ok {
		lo, hi := p.x.pixel(p.x.clamp(i[0])), p.x.pixel(p.x.clamp(i[1]))
		s := Style{Stroke: ink, Width: 1, Opacity: .75}
		c.Polyline([]XY{{lo, mid}, {hi, mid}}, s)
		c.Polyline([]XY{{lo, mid - 2.5}, {lo, mid + 2.5}}, s)
		c.Polyline([]XY{{hi, mid - 2.5}, {hi, mid + 2.5}}, s)
		left, right = math.Min(left, lo), math.Max(right, hi)
	}
	if thick < 7 { // numbers of neighbouring bars would overlap; hover has them
		c.EndGroup()
		return
	}
	label := b.label(v)
	style := TextStyle{Size: 9.5, Color: inkSoft}
	pos := XY{right + 4, mid + 3.4}
	if v < 0 {
		style.Anchor, pos.X = End, left-4
		if pos.X-textWidth(label, style.Size, false) < p.left-4 { // would run into the names
			style.Anchor, pos.X = Start, right+4
		}
	}
	c.Text(pos, label, style)
	c.EndGroup()
}

func (b Bars) undefined() string {
	if b.Undefined == "" {
		return b.Language.phrases().notDefined
	}
	return clean(b.Undefined)
}

// label is the number at a bar's end: a hundredth of the axis is enough.
func (b Bars) label(v float64) string {
	decimals, x := 1, b.scale()
	if b.X.Percent {
		v *= 100
	} else if x.hi-x.lo < 10 {
		decimals = 2
	}
	if math.Abs(v) < .5*math.Pow10(-decimals) {
		return "0"
	}
	return minus(fmt.Sprintf("%.*f", decimals, v))
}

// interval words a whisker, "" without.
func (b Bars) interval(r BarRow, k int) string {
	i, ok := r.interval(k)
	if !ok {
		return ""
	}
	return "[" + b.X.value(i[0]) + ", " + b.X.value(i[1]) + "]"
}

func (b Bars) hover(r BarRow, k int) string {
	text := r.Name + "\n" + b.Series[k] + ": " + b.X.value(r.Values[k])
	if words := b.interval(r, k); words != "" {
		text += " " + words
	}
	if r.Detail != "" {
		text += "\n" + r.Detail
	}
	return text
}

// VegaLite implements Chart: tooltips, series picked in the legend.
func (b Bars) VegaLite() (json.RawMessage, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	w := b.Language.phrases()
	x := b.scale()
	var names, colors []string
	for k, s := range b.Series {
		names, colors = append(names, clean(s)), append(colors, Color(k))
	}
	var rows []object
	var order []string
	seen := map[string]int{}
	whiskers := false
	for _, r := range b.Rows {
		// Two rows of one name would be drawn over each other.
		name := clean(r.Name)
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s (%d)", name, seen[name])
		}
		order = append(order, name)
		for k, v := range r.Values {
			if math.IsNaN(v) {
				continue
			}
			row := object{"name": name, "series": names[k], "value": v, "interval": b.interval(r, k), "detail": clean(r.Detail)}
			if i, ok := r.interval(k); ok {
				row["low"], row["high"] = i[0], i[1]
				whiskers = true
			}
			rows = append(rows, row)
		}
	}
	y := object{"field": "name", "type": "nominal", "sort": order, "title": nil, "scale": object{"domain": order}, "axis": object{"labelLimit": 260}}
	offset := object{"field": "series", "type": "nominal", "sort": names, "scale": object{"domain": names}}
	color := object{"field": "series", "type": "nominal", "title": nil, "scale": object{"domain": names, "range": colors}, "legend": object{"orient": "top"}}
	layers := []object{{
		"params": []object{pick("series")},
		"mark":   object{"type": "bar"},
		"encoding": object{"y": y, "yOffset": offset, "x": vegaAxis("value", x), "color": color, "opacity": fade(1),
			"tooltip": []object{{"field": "name", "type": "nominal", "title": w.name}, {"field": "series", "type": "nominal", "title": w.of}, vegaTooltip("value", b.X, w.value), {"field": "interval", "type": "nominal", "title": w.interval}, {"field": "detail", "type": "nominal", "title": w.detail}}},
	}}
	axis := layers[0]["encoding"].(object)["x"].(object)
	if b.X.Title != "" {
		axis["title"] = b.X.Title
	}
	if whiskers {
		low := vegaAxis("low", x)
		low["title"] = axis["title"]
		layers = append(layers, object{"transform": []object{{"filter": "isValid(datum.low)"}}, "mark": object{"type": "rule", "color": ink, "opacity": .75},
			"encoding": object{"y": y, "yOffset": offset, "x": low, "x2": object{"field": "high"}}})
	}
	step := float64(len(b.Series))*barThick + barGap
	return vegaSpec(b.Title, b.Subtitle, b.Note, 0, 0, object{
		"width": b.width() - 160, "height": step * float64(len(b.Rows)),
		"data": object{"values": rows}, "layer": layers})
}
