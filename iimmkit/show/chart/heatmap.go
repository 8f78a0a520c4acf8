package chart

import (
	"errors"
	"fmt"
	"math"
)

// HeatMap shows a matrix, as the mean similarity of images of one class to
// the captions of another, or several slices of one tensor over the same rows
// and columns: a picture has them below each other, Vega-Lite one at a time, with
// a choice of the slice and of the class that stands out. NaN cells are grey;
// what that means is said by Missing.
type HeatMap struct {
	Title, Subtitle, Note string
	Rows, Columns         []string
	RowTitle, ColumnTitle string
	Values                [][]float64 // [len(Rows)][len(Columns)]; nil when there are Slices
	Slices                []Slice
	ValueTitle            string
	Missing               string // why a cell has no value; "no value" when empty
	// Diverging colours values on both sides of zero; else viridis.
	Diverging bool
	// Min and Max fix the colours' range when Min < Max; values outside take
	// the end's colour.
	Min, Max float64
	Decimals int // of the numbers in the cells
	Language Language
	Width    float64 // 0 means 640; the height follows from the rows
}

// Slice is one matrix of a HeatMap of several.
type Slice struct {
	Name   string
	Values [][]float64 // [len(Rows)][len(Columns)]
	// Details, when given, are more words for each cell's hover text.
	Details [][]string
}

// detail of a cell, "" without.
func (s Slice) detail(i, j int) string {
	if s.Details == nil {
		return ""
	}
	return s.Details[i][j]
}

// slices are the matrices to show, at least one.
func (h HeatMap) slices() []Slice {
	if len(h.Slices) > 0 {
		return h.Slices
	}
	return []Slice{{Values: h.Values}}
}

func (h HeatMap) check() error {
	if h.Values != nil && len(h.Slices) > 0 {
		return fmt.Errorf("chart: heat map %q has both values and slices", clean(h.Title))
	}
	some := false
	for _, s := range h.slices() {
		defined, err := h.checkSlice(s)
		if err != nil {
			return err
		}
		some = some || defined
	}
	if !some {
		return fmt.Errorf("chart: heat map %q has no defined value", clean(h.Title))
	}
	if cells := len(h.slices()) * len(h.Rows) * len(h.Columns); cells > 250000 {
		return fmt.Errorf("chart: heat map of %d slices of %d x %d cells: show at most 250000 cells", len(h.slices()), len(h.Rows), len(h.Columns))
	}
	if h.Decimals < 0 || h.Decimals > 6 {
		return fmt.Errorf("chart: %d decimals, want 0 to 6", h.Decimals)
	}
	return errors.Join(Axis{Min: h.Min, Max: h.Max}.check("colour"), checkSize(h.Width, 0))
}

// checkSlice also tells whether any value is defined.
func (h HeatMap) checkSlice(s Slice) (defined bool, err error) {
	if len(h.Rows) == 0 || len(h.Columns) == 0 || len(s.Values) != len(h.Rows) || s.Details != nil && len(s.Details) != len(h.Rows) {
		return false, fmt.Errorf("chart: heat map %q has %d row names, %d column names, %d rows of values and %d of details", clean(h.Title), len(h.Rows), len(h.Columns), len(s.Values), len(s.Details))
	}
	for i, row := range s.Values {
		if len(row) != len(h.Columns) || s.Details != nil && len(s.Details[i]) != len(h.Columns) {
			return false, fmt.Errorf("chart: row %d (%s) of the heat map has %d values, want %d, as many as details if any", i, clean(h.Rows[i]), len(row), len(h.Columns))
		}
		for j, v := range row {
			if math.IsInf(v, 0) {
				return false, fmt.Errorf("chart: heat map value at row %s, column %s is infinite", clean(h.Rows[i]), clean(h.Columns[j]))
			}
			defined = defined || !math.IsNaN(v)
		}
	}
	return defined, nil
}

// colours returns the colour scale: symmetric around zero when diverging.
func (h HeatMap) colours() (scale, []string) {
	lo, hi := h.Min, h.Max
	if lo >= hi {
		lo, hi = math.Inf(1), math.Inf(-1)
		for _, s := range h.slices() {
			for _, row := range s.Values {
				for _, v := range row {
					if finite(v) {
						lo, hi = math.Min(lo, v), math.Max(hi, v)
					}
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
		return h.Language.phrases().noValue
	}
	return h.Missing
}

// note adds what grey cells mean, where there are any.
func (h HeatMap) note() string {
	for _, s := range h.slices() {
		for _, row := range s.Values {
			if !finite(row...) {
				return sentences(fmt.Sprintf(h.Language.phrases().grey, h.missing()), h.Note)
			}
		}
	}
	return h.Note
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
	return clean(sentences(fmt.Sprintf(h.Language.phrases().heatAlt, h.Title, h.ValueTitle, len(h.Rows), h.RowTitle, len(h.Columns), h.ColumnTitle), h.sliceNames(), h.Subtitle, h.Note))
}

func (h HeatMap) sliceNames() string {
	var names []string
	for _, s := range h.Slices {
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		return ""
	}
	return h.Language.phrases().join(names) + "."
}

// Draw implements Chart.
func (h HeatMap) Draw(c Canvas) error {
	if err := h.check(); err != nil {
		return err
	}
	width := h.width()
	top, bottom := newHead(h.Title, h.Subtitle, nil, width), newFoot(h.note(), width)
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
	below := colsHeight
	if h.ColumnTitle != "" {
		below += textSize + 6
	}
	heading := 0.0 // room for the names of slices
	if len(h.Slices) > 0 {
		heading = textSize + 10
	}
	// Small slices stand side by side.
	stepX, stepY := right-edge+24, heading+cellH*float64(len(h.Rows))+below
	abreast := min(len(h.slices()), max(1, int((width-2*edge-bar+24)/stepX)))
	bands := (len(h.slices()) + abreast - 1) / abreast
	height := top.height + stepY*float64(bands) + bottom.height
	c.Begin(width, height, h.Alt())
	top.draw(c)
	for k, s := range h.slices() {
		aside, from := stepX*float64(k%abreast), top.height+stepY*float64(k/abreast)+heading
		plot := area{left + aside, from, right + aside, from + cellH*float64(len(h.Rows))}
		if heading > 0 {
			c.Text(XY{plot.left, from - 6}, elide(s.Name, textSize*1.07, math.Max(60, plot.right-plot.left)), TextStyle{Size: textSize, Color: ink, Bold: true})
		}
		h.cells(c, s, plot, cellW, cellH)
		h.names(c, plot, cellW, cellH, turn)
		if h.ColumnTitle != "" {
			c.Text(XY{(plot.left + plot.right) / 2, plot.bottom + colsHeight + textSize}, elide(h.ColumnTitle, textSize, width), TextStyle{Size: textSize, Color: ink, Anchor: Middle})
		}
		if h.RowTitle != "" {
			c.Text(XY{aside + edge + textSize - 2, (plot.top + plot.bottom) / 2}, elide(h.RowTitle, textSize, math.Max(60, plot.bottom-plot.top)),
				TextStyle{Size: textSize, Color: ink, Anchor: Middle, Rotate: -90})
		}
		if k == abreast-1 {
			h.colourBar(c, plot)
		}
	}
	bottom.draw(c, height)
	return nil
}

// numbersFit tells whether cells have room for their numbers.
func (h HeatMap) numbersFit(cellW, cellH float64) bool {
	colours, _ := h.colours()
	return textWidth(minus(fmt.Sprintf("%.*f", h.Decimals, -math.Max(math.Abs(colours.lo), math.Abs(colours.hi)))), 10, false) <= cellW-3 && cellH >= 13
}

// number is what stands in a cell.
func (h HeatMap) number(v float64) string {
	if math.Abs(v) < .5*math.Pow10(-h.Decimals) {
		return "0"
	}
	return minus(fmt.Sprintf("%.*f", h.Decimals, v))
}

// paint is the colour of a value.
func (h HeatMap) paint(v float64) string {
	colours, stops := h.colours()
	return ramp(stops, (v-colours.lo)/(colours.hi-colours.lo))
}

func (h HeatMap) cells(c Canvas, s Slice, plot area, cellW, cellH float64) {
	colours, stops := h.colours()
	numbers := h.numbersFit(cellW, cellH)
	for i, row := range s.Values {
		for j, v := range row {
			x, y := plot.left+float64(j)*cellW, plot.top+float64(i)*cellH
			fill, text := emptyCell, h.missing()
			if finite(v) {
				fill, text = ramp(stops, (v-colours.lo)/(colours.hi-colours.lo)), short(v)
			}
			hover := h.Rows[i] + " → " + h.Columns[j] + "\n" + axisName(Axis{Title: h.ValueTitle}, h.Language.phrases().value) + ": " + text
			if d := s.detail(i, j); d != "" {
				hover += "\n" + d
			}
			c.Group(hover)
			// A hair's overlap hides seams; a white grid is kept where cells are large.
			if cellW >= 10 && cellH >= 10 {
				c.Rect(x+.5, y+.5, cellW-1, cellH-1, Style{Fill: fill})
			} else {
				c.Rect(x, y, cellW+.3, cellH+.3, Style{Fill: fill})
			}
			if numbers && finite(v) {
				c.Text(XY{x + cellW/2, y + cellH/2 + 3.6}, h.number(v), TextStyle{Size: 10, Color: readableOn(fill), Anchor: Middle})
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
