package chart

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// HeatMap shows a matrix, as the mean similarity of images of one class to
// the captions of another. NaN cells are grey; what that means is said by
// Missing.
type HeatMap struct {
	Title, Subtitle, Note string
	Rows, Columns         []string
	RowTitle, ColumnTitle string
	Values                [][]float64 // [len(Rows)][len(Columns)]
	ValueTitle            string
	Missing               string // why a cell has no value; "no value" when empty
	// Diverging colours values on both sides of zero; else viridis.
	Diverging bool
	// Min and Max fix the colours' range when Min < Max; values outside take
	// the end's colour.
	Min, Max float64
	Decimals int     // of the numbers in the cells
	Width    float64 // 0 means 640; the height follows from the rows
}

func (h HeatMap) check() error {
	if len(h.Rows) == 0 || len(h.Columns) == 0 || len(h.Values) != len(h.Rows) {
		return fmt.Errorf("chart: heat map %q has %d row names, %d column names and %d rows of values", clean(h.Title), len(h.Rows), len(h.Columns), len(h.Values))
	}
	if len(h.Rows)*len(h.Columns) > 250000 {
		return fmt.Errorf("chart: heat map of %d x %d cells: show at most 250000", len(h.Rows), len(h.Columns))
	}
	some := false
	for i, row := range h.Values {
		if len(row) != len(h.Columns) {
			return fmt.Errorf("chart: row %d (%s) of the heat map has %d values, want %d", i, clean(h.Rows[i]), len(row), len(h.Columns))
		}
		for j, v := range row {
			if math.IsInf(v, 0) {
				return fmt.Errorf("chart: heat map value at row %s, column %s is infinite", clean(h.Rows[i]), clean(h.Columns[j]))
			}
			some = some || !math.IsNaN(v)
		}
	}
	if !some {
		return fmt.Errorf("chart: heat map %q has no defined value", clean(h.Title))
	}
	if h.Decimals < 0 || h.Decimals > 6 {
		return fmt.Errorf("chart: %d decimals, want 0 to 6", h.Decimals)
	}
	return errors.Join(Axis{Min: h.Min, Max: h.Max}.check("colour"), checkSize(h.Width, 0))
}

// colours returns the colour scale: symmetric around zero when diverging.
func (h HeatMap) colours() (scale, []string) {
	lo, hi := h.Min, h.Max
	if lo >= hi {
		lo, hi = math.Inf(1), math.Inf(-1)
		for _, row := range h.Values {
			for _, v := range row {
				if finite(v) {
					lo, hi = math.Min(lo, v), math.Max(hi, v)
				}
			}
		}
	}
	stops := viridis
	if h.Diverging {
		m := math.Max(math.Abs(lo), math.Abs(hi))
		lo, hi, stops = -m, m, diverging
	}
	if hi-lo < 1e-12 {
		lo, hi = lo-.5, hi+.5
	}
	return scale{lo: lo, hi: hi}, stops
}

func (h HeatMap) missing() string {
	if h.Missing == "" {
		return "no value"
	}
	return h.Missing
}

func (h HeatMap) width() float64 {
	if h.Width == 0 {
		return 640
	}
	return h.Width
}

// SVG implements Chart.
func (h HeatMap) SVG() ([]byte, error) { return drawSVG(h) }

// Alt implements Chart.
func (h HeatMap) Alt() string {
	return clean(sentences(fmt.Sprintf("%s. Heat map of %s, %d rows (%s) by %d columns (%s).", h.Title, h.ValueTitle, len(h.Rows), h.RowTitle, len(h.Columns), h.ColumnTitle), h.Subtitle, h.Note))
}

// Draw implements Chart.
func (h HeatMap) Draw(c Canvas) error {
	if err := h.check(); err != nil {
		return err
	}
	width := h.width()
	note := h.Note
	for _, row := range h.Values {
		if !finite(row...) {
			note = sentences("Grey: "+h.missing()+".", h.Note)
			break
		}
	}
	top, bottom := newHead(h.Title, h.Subtitle, nil, width), newFoot(note, width)
	const bar = 74.0 // room for the colour bar on the right
	widest := func(names []string) (w float64) {
		for _, n := range names {
			w = math.Max(w, textWidth(elide(n, smallSize, 130), smallSize, false))
		}
		return w
	}
	left := edge + widest(h.Rows) + 8
	if h.RowTitle != "" {
		left += textSize + 8
	}
	right := width - edge - bar
	cellW := (right - left) / float64(len(h.Columns))
	cellH := clampTo(cellW, 14, 30)
	if len(h.Rows) > 60 {
		cellH = math.Max(3, 840/float64(len(h.Rows)))
	}
	// A small matrix need not fill the width.
	if cellW > 64 {
		cellW = 64
		right = left + cellW*float64(len(h.Columns))
	}
	cols := widest(h.Columns)
	turn, colsHeight := 0.0, smallSize+8
	switch {
	case cols <= cellW-4:
	case cellW >= 17:
		turn, colsHeight = -45, (cols+smallSize)*math.Sqrt2/2+8
	default:
		turn, colsHeight = -90, cols+10
	}
	plot := area{left, top.height, right, top.height + cellH*float64(len(h.Rows))}
	height := plot.bottom + colsHeight + bottom.height
	if h.ColumnTitle != "" {
		height += textSize + 6
	}
	c.Begin(width, height, h.Alt())
	top.draw(c)
	h.cells(c, plot, cellW, cellH)
	h.names(c, plot, cellW, cellH, turn)
	if h.ColumnTitle != "" {
		c.Text(XY{(plot.left + plot.right) / 2, plot.bottom + colsHeight + textSize}, elide(h.ColumnTitle, textSize, width), TextStyle{Size: textSize, Color: ink, Anchor: Middle})
	}
	if h.RowTitle != "" {
		c.Text(XY{edge + textSize - 2, (plot.top + plot.bottom) / 2}, elide(h.RowTitle, textSize, math.Max(60, plot.bottom-plot.top)),
			TextStyle{Size: textSize, Color: ink, Anchor: Middle, Rotate: -90})
	}
	h.colourBar(c, plot)
	bottom.draw(c, height)
	return nil
}

func (h HeatMap) cells(c Canvas, plot area, cellW, cellH float64) {
	colours, stops := h.colours()
	numbers := textWidth(minus(fmt.Sprintf("%.*f", h.Decimals, -math.Max(math.Abs(colours.lo), math.Abs(colours.hi)))), 10, false) <= cellW-3 && cellH >= 13
	for i, row := range h.Values {
		for j, v := range row {
			x, y := plot.left+float64(j)*cellW, plot.top+float64(i)*cellH
			fill, text := emptyCell, h.missing()
			if finite(v) {
				fill, text = ramp(stops, (v-colours.lo)/(colours.hi-colours.lo)), short(v)
			}
			c.Group(h.Rows[i] + " → " + h.Columns[j] + "\n" + axisName(Axis{Title: h.ValueTitle}, "value") + ": " + text)
			// A hair's overlap hides seams; a white grid is kept where cells are large.
			if cellW >= 10 && cellH >= 10 {
				c.Rect(x+.5, y+.5, cellW-1, cellH-1, Style{Fill: fill})
			} else {
				c.Rect(x, y, cellW+.3, cellH+.3, Style{Fill: fill})
			}
			if numbers && finite(v) {
				label := minus(fmt.Sprintf("%.*f", h.Decimals, v))
				if math.Abs(v) < .5*math.Pow10(-h.Decimals) {
					label = "0"
				}
				c.Text(XY{x + cellW/2, y + cellH/2 + 3.6}, label, TextStyle{Size: 10, Color: readableOn(fill), Anchor: Middle})
			}
			c.EndGroup()
		}
	}
}

func (h HeatMap) names(c Canvas, plot area, cellW, cellH, turn float64) {
	every := func(cell float64) int { return int(math.Ceil((smallSize + 1) / math.Max(cell, .1))) }
	for i := 0; i < len(h.Rows); i += every(cellH) {
		c.Text(XY{plot.left - 6, plot.top + (float64(i)+.5)*cellH + .36*smallSize}, elide(h.Rows[i], smallSize, 130), TextStyle{Size: smallSize, Color: ink, Anchor: End})
	}
	for j := 0; j < len(h.Columns); j += every(cellW) {
		x := plot.left + (float64(j)+.5)*cellW
		s := TextStyle{Size: smallSize, Color: ink, Anchor: Middle}
		at := XY{x, plot.bottom + smallSize + 3}
		switch turn {
		case -45:
			s.Anchor, s.Rotate, at = End, turn, XY{x + 4, plot.bottom + smallSize}
		case -90:
			s.Anchor, s.Rotate, at = End, turn, XY{x + .36*smallSize, plot.bottom + 6}
		}
		c.Text(at, elide(h.Columns[j], smallSize, 130), s)
	}
}

func (h HeatMap) colourBar(c Canvas, plot area) {
	colours, stops := h.colours()
	x, length := plot.right+16, clampTo(plot.bottom-plot.top, 60, 220)
	const steps = 48
	for k := range steps {
		c.Rect(x, plot.top+length*float64(k)/steps, 12, length/steps+.4, Style{Fill: ramp(stops, 1-(float64(k)+.5)/steps)})
	}
	s := colours.onto(plot.top+length, plot.top)
	widest := 0.0
	for _, t := range s.ticks(32) {
		widest = math.Max(widest, textWidth(t.label, smallSize, false))
		y := s.pixel(t.value)
		c.Polyline([]XY{{x + 12, y}, {x + 15, y}}, Style{Stroke: axisColor})
		c.Text(XY{x + 18, y + .36*smallSize}, t.label, TextStyle{Size: smallSize, Color: inkSoft})
	}
	if h.ValueTitle != "" {
		c.Text(XY{x + 18 + widest + 10, plot.top + length/2}, elide(h.ValueTitle, smallSize, math.Max(length, plot.bottom-plot.top)), TextStyle{Size: smallSize, Color: ink, Anchor: Middle, Rotate: 90})
	}
}

// VegaLite implements Chart: tooltips.
func (h HeatMap) VegaLite() (json.RawMessage, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	colours, stops := h.colours()
	// Names may repeat; positions do not.
	rows := make([]object, 0, len(h.Rows)*len(h.Columns))
	for i, row := range h.Values {
		for j, v := range row {
			cell := object{"row": i, "column": j, "rowName": clean(h.Rows[i]), "columnName": clean(h.Columns[j])}
			if finite(v) {
				cell["value"] = v
			} else {
				cell["value"] = nil
			}
			rows = append(rows, cell)
		}
	}
	names := func(list []string) string {
		labels := make([]string, len(list))
		for i, n := range list {
			labels[i] = clean(n)
		}
		b, _ := json.Marshal(labels) // strings cannot fail
		return string(b) + "[datum.value]"
	}
	index := func(n int) []int {
		out := make([]int, n)
		for i := range out {
			out[i] = i
		}
		return out
	}
	titled := func(t string) any {
		if t == "" {
			return nil
		}
		return t
	}
	cellW := clampTo((h.width()-200)/float64(len(h.Columns)), 3, 64)
	cellH := clampTo(cellW, 3, 30)
	return vegaSpec(h.Title, h.Subtitle, h.Note, 0, 0, object{
		"width": cellW * float64(len(h.Columns)), "height": cellH * float64(len(h.Rows)),
		"data": object{"values": rows},
		"mark": object{"type": "rect", "invalid": nil},
		"encoding": object{
			"x": object{"field": "column", "type": "ordinal", "title": titled(h.ColumnTitle), "scale": object{"domain": index(len(h.Columns))}, "axis": object{"labelExpr": names(h.Columns), "labelAngle": -45, "labelLimit": 130}},
			"y": object{"field": "row", "type": "ordinal", "title": titled(h.RowTitle), "scale": object{"domain": index(len(h.Rows))}, "axis": object{"labelExpr": names(h.Rows), "labelLimit": 130}},
			"color": object{"condition": object{"test": "!isValid(datum.value)", "value": emptyCell}, "field": "value", "type": "quantitative", "title": titled(h.ValueTitle),
				"scale": object{"domain": []float64{colours.lo, colours.hi}, "range": stops, "clamp": true}},
			"tooltip": []object{{"field": "rowName", "type": "nominal", "title": axisName(Axis{Title: h.RowTitle}, "row")}, {"field": "columnName", "type": "nominal", "title": axisName(Axis{Title: h.ColumnTitle}, "column")},
				{"field": "value", "type": "quantitative", "title": axisName(Axis{Title: h.ValueTitle}, "value"), "format": ".4~g"}},
		}})
}
