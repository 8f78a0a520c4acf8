package chart

import "math"

// Sizes of texts in pixels.
const (
	titleSize = 16.0
	textSize  = 12.0
	smallSize = 11.0
	edge      = 14.0 // between the picture's border and its content
)

// key is one entry of a legend.
type key struct {
	name   string
	color  string
	marker Marker
	form   keyForm
}

type keyForm int

const (
	keyMarker keyForm = iota
	keyLine
	keyDashed
	keyBand // a line in its confidence band
	keyBox
)

// head is what stands above the plot: title, subtitle, legend.
type head struct {
	title, subtitle []string
	legend          []key
	at              []XY // of the legend's entries
	height          float64
}

func newHead(title, subtitle string, legend []key, width float64) head {
	inner := width - 2*edge
	h := head{title: wrap(title, titleSize*1.07, inner), subtitle: wrap(subtitle, textSize, inner), height: edge}
	h.height += float64(len(h.title))*(titleSize+5) + float64(len(h.subtitle))*(textSize+5)
	if len(legend) > 0 {
		x, y := edge, h.height+textSize+2
		for _, k := range legend {
			k.name = elide(k.name, textSize, inner-30)
			w := 20 + textWidth(k.name, textSize, false) + 16
			if x > edge && x+w-16 > width-edge {
				x, y = edge, y+textSize+6
			}
			h.legend = append(h.legend, k)
			h.at = append(h.at, XY{x, y})
			x += w
		}
		h.height = y + 5
	}
	h.height += 8
	return h
}

func (h head) draw(c Canvas) {
	y := edge
	for _, line := range h.title {
		y += titleSize + 5
		c.Text(XY{edge, y - 6}, line, TextStyle{Size: titleSize, Color: ink, Bold: true})
	}
	for _, line := range h.subtitle {
		y += textSize + 5
		c.Text(XY{edge, y - 5}, line, TextStyle{Size: textSize, Color: inkSoft})
	}
	for i, k := range h.legend {
		p := h.at[i]
		mid := XY{p.X + 8, p.Y - .36*textSize}
		switch k.form {
		case keyMarker:
			drawMarker(c, k.marker, mid, 4.5, Style{Fill: k.color})
		case keyBox:
			c.Rect(mid.X-6, mid.Y-5, 12, 10, Style{Fill: k.color})
		case keyBand:
			c.Rect(mid.X-8, mid.Y-5, 16, 10, Style{Fill: k.color, FillOpacity: .13})
			fallthrough
		case keyLine:
			c.Polyline([]XY{{mid.X - 8, mid.Y}, {mid.X + 8, mid.Y}}, Style{Stroke: k.color, Width: 2})
		case keyDashed:
			c.Polyline([]XY{{mid.X - 8, mid.Y}, {mid.X + 8, mid.Y}}, Style{Stroke: k.color, Width: 1.5, Dash: []float64{4, 3}})
		}
		c.Text(XY{p.X + 20, p.Y}, k.name, TextStyle{Size: textSize, Color: ink})
	}
}

// foot is the small print under the plot.
type foot struct {
	lines  []string
	height float64
}

func newFoot(note string, width float64) foot {
	f := foot{lines: wrap(note, smallSize, width-2*edge)}
	f.height = float64(len(f.lines))*(smallSize+4) + edge
	if len(f.lines) > 0 {
		f.height += 4
	}
	return f
}

func (f foot) draw(c Canvas, height float64) {
	y := height - f.height + 4
	for _, line := range f.lines {
		y += smallSize + 4
		c.Text(XY{edge, y - 4}, line, TextStyle{Size: smallSize, Color: inkSoft})
	}
}

// area is the rectangle of the plot.
type area struct{ left, top, right, bottom float64 }

// plane is an area with a scale in both directions.
type plane struct {
	area
	x, y scale
}

func (p plane) at(x, y float64) XY { return XY{p.x.pixel(x), p.y.pixel(y)} }

// newPlane fits axes between a head and a foot. The left margin follows the
// widest tick label.
func newPlane(width, height float64, h head, f foot, x, y scale) plane {
	p := plane{area{left: edge, top: h.height + 4, right: width - edge - 4, bottom: height - f.height - textSize - 10}, x, y}
	if x.axis.Title != "" {
		p.bottom -= textSize + 8
	}
	p.y = y.onto(p.bottom, p.top)
	widest := 0.0
	for _, t := range p.y.ticks(45) {
		widest = math.Max(widest, textWidth(t.label, textSize, false))
	}
	p.left += widest + 8
	if y.axis.Title != "" {
		p.left += textSize + 8
	}
	p.x = x.onto(p.left, p.right)
	return p
}

// axes draws grid, ticks and titles. A plane whose y values carry no meaning
// of their own may have an empty y scale title.
func (p plane) axes(c Canvas) {
	for _, t := range p.x.ticks(64) {
		at := p.x.pixel(t.value)
		c.Polyline([]XY{{at, p.top}, {at, p.bottom}}, p.x.gridStyle(t.value))
		c.Text(XY{at, p.bottom + textSize + 4}, t.label, TextStyle{Size: textSize, Color: inkSoft, Anchor: Middle})
	}
	for _, t := range p.y.ticks(45) {
		at := p.y.pixel(t.value)
		c.Polyline([]XY{{p.left, at}, {p.right, at}}, p.y.gridStyle(t.value))
		c.Text(XY{p.left - 7, at + .36*textSize}, t.label, TextStyle{Size: textSize, Color: inkSoft, Anchor: End})
	}
	c.Polyline([]XY{{p.left, p.top}, {p.left, p.bottom}, {p.right, p.bottom}}, Style{Stroke: axisColor})
	p.titles(c)
}

func (p plane) titles(c Canvas) {
	if title := p.x.axis.Title; title != "" {
		c.Text(XY{(p.left + p.right) / 2, p.bottom + 2*textSize + 12}, elide(title, textSize, p.right-p.left),
			TextStyle{Size: textSize, Color: ink, Anchor: Middle})
	}
	if title := p.y.axis.Title; title != "" {
		c.Text(XY{edge + textSize - 2, (p.top + p.bottom) / 2}, elide(title, textSize, p.bottom-p.top),
			TextStyle{Size: textSize, Color: ink, Anchor: Middle, Rotate: -90})
	}
}

// gridStyle makes the zero line stand out where zero means something.
func (s scale) gridStyle(v float64) Style {
	if s.axis.Zero && v == 0 {
		return Style{Stroke: zeroColor}
	}
	return Style{Stroke: gridColor}
}

// clip cuts a segment at the area's borders (Liang and Barsky, 1984).
func (a area) clip(p, q XY) (XY, XY, bool) {
	t0, t1 := 0.0, 1.0
	dx, dy := q.X-p.X, q.Y-p.Y
	for _, e := range [4][2]float64{{-dx, p.X - a.left}, {dx, a.right - p.X}, {-dy, p.Y - a.top}, {dy, a.bottom - p.Y}} {
		switch {
		case e[0] == 0:
			if e[1] < 0 {
				return p, q, false
			}
		case e[0] < 0:
			t0 = math.Max(t0, e[1]/e[0])
		default:
			t1 = math.Min(t1, e[1]/e[0])
		}
	}
	if t0 > t1 {
		return p, q, false
	}
	return XY{p.X + t0*dx, p.Y + t0*dy}, XY{p.X + t1*dx, p.Y + t1*dy}, true
}

// clipped draws the parts of a line inside the area.
func (a area) clipped(c Canvas, line []XY, s Style) {
	var run []XY
	for i := 1; i < len(line); i++ {
		p, q, ok := a.clip(line[i-1], line[i])
		if !ok {
			continue
		}
		if len(run) > 0 && run[len(run)-1] != p {
			c.Polyline(run, s)
			run = nil
		}
		if len(run) == 0 {
			run = append(run, p)
		}
		run = append(run, q)
	}
	if len(run) > 1 {
		c.Polyline(run, s)
	}
}
