package chart

import (
	"errors"
	"fmt"
	"math"
)

// EmbeddingMap shows a flat projection of both modalities: images as points
// coloured by class, captions as stars with their names, an ellipse around
// each modality and an arrow from the mean image to the mean caption.
type EmbeddingMap struct {
	Title, Subtitle, Note string
	X, Y                  Axis // titles such as "first principal axis (34 %)"
	Classes               []string
	Images                []MapPoint
	Captions              []MapPoint
	// ClassEllipses draws one ellipse per class in place of one for all images.
	ClassEllipses bool
	// Neighbours tells that the coordinates are those of a neighbour embedding
	// such as t-SNE: the picture then has neither numbers on its axes nor the arrow,
	// which would say something about distances, and says what it does not show.
	Neighbours bool
	// Gap is written at the arrow, as "modality gap 0.83": the projection
	// shortens the true distance. Empty draws the arrow alone.
	Gap           string
	Language      Language
	Width, Height float64 // 0 means 720 x 560
}

// NewEmbeddingMap is the map of coordinates that package projection gives for
// the rows of N images, labels of them in 0..C-1, and of C captions behind
// them: coords [N+C, axes], axes at least 2, of which the first two are drawn.
// names [N] of the images may be nil. Without captions coords has N rows.
func NewEmbeddingMap(coords []float64, axes int, labels []int, classes, names []string) (EmbeddingMap, error) {
	n, c := len(labels), len(classes)
	if axes < 2 || len(coords) != n*axes && len(coords) != (n+c)*axes || names != nil && len(names) != n {
		return EmbeddingMap{}, fmt.Errorf("chart: embedding map: %d coordinates on %d axes and %d names do not fit %d images and %d classes", len(coords), axes, len(names), n, c)
	}
	m := EmbeddingMap{Classes: classes}
	for i := range len(coords) / axes {
		p := MapPoint{X: coords[i*axes], Y: coords[i*axes+1]}
		if i >= n {
			p.Class = i - n
			m.Captions = append(m.Captions, p)
			continue
		}
		p.Class = labels[i]
		if names != nil {
			p.Name = names[i]
		}
		m.Images = append(m.Images, p)
	}
	return m, m.check()
}

// MapPoint is one projected embedding.
type MapPoint struct {
	X, Y  float64
	Class int // index into Classes
	Name  string
}

// mapLimit is the most image points one SVG or PNG shows: more cannot be told
// apart and make the file heavy. Vega-Lite gets up to mapLimitVega.
const (
	mapLimit     = 3000
	mapLimitVega = 20000
)

func (m EmbeddingMap) check() error {
	if len(m.Images) == 0 && len(m.Captions) == 0 {
		return fmt.Errorf("chart: embedding map %q has neither images nor captions", clean(m.Title))
	}
	for kind, points := range [][]MapPoint{m.Images, m.Captions} {
		for i, p := range points {
			what := [...]string{"image", "caption"}[kind]
			if !finite(p.X, p.Y) {
				return fmt.Errorf("chart: embedding map: coordinates of %s %d are undefined", what, i)
			}
			if p.Class < 0 || p.Class >= len(m.Classes) {
				return fmt.Errorf("chart: embedding map: class %d of %s %d is not in 0..%d", p.Class, what, i, len(m.Classes)-1)
			}
		}
	}
	return errors.Join(m.X.linear("x"), m.Y.linear("y"), checkSize(m.Width, m.Height))
}

func (m EmbeddingMap) size() (width, height float64) {
	width, height = m.Width, m.Height
	if width == 0 {
		width = 720
	}
	if height == 0 {
		height = 560
	}
	return width, height
}

func (m EmbeddingMap) scales() (x, y scale) {
	var xs, ys []float64
	for _, points := range [][]MapPoint{m.Images, m.Captions} {
		for _, p := range points {
			xs, ys = append(xs, p.X), append(ys, p.Y)
		}
	}
	for _, c := range m.clouds() {
		for _, q := range c.ellipse {
			xs, ys = append(xs, q.X), append(ys, q.Y)
		}
	}
	return newScale(m.X, xs), newScale(m.Y, ys)
}

// sameUnit widens one scale so that a unit has the same length on both axes:
// distances and angles in a projection mean nothing otherwise.
func (p plane) sameUnit() plane {
	perX, perY := (p.x.hi-p.x.lo)/(p.right-p.left), (p.y.hi-p.y.lo)/(p.bottom-p.top)
	widen := func(s scale, by float64) scale {
		half := (s.hi - s.lo) / 2 * (by - 1)
		s.lo, s.hi = s.lo-half, s.hi+half
		return s
	}
	if perX < perY {
		p.x = widen(p.x, perY/perX)
	} else {
		p.y = widen(p.y, perX/perY)
	}
	return p
}

// thin returns every k-th of n indices so that at most limit remain.
func thin(n, limit int) []int {
	count := min(n, limit)
	out := make([]int, count)
	for i := range out {
		out[i] = int(int64(i) * int64(n) / int64(count))
	}
	return out
}

// cloud is a set of points that gets an ellipse.
type cloud struct {
	name    string
	class   bool // name is that of a class
	color   string
	dash    []float64
	ellipse []XY // in data units
}

func (m EmbeddingMap) clouds() []cloud {
	var out []cloud
	w := m.Language.phrases()
	add := func(name string, class bool, color string, dash []float64, points []MapPoint) {
		if e := ellipse(points); e != nil {
			out = append(out, cloud{name, class, color, dash, e})
		}
	}
	if m.ClassEllipses {
		for c, name := range m.Classes {
			var of []MapPoint
			for _, p := range m.Images {
				if p.Class == c {
					of = append(of, p)
				}
			}
			add(name, true, Color(c), nil, of)
		}
	} else {
		add(w.images, false, zeroColor, nil, m.Images)
	}
	add(w.captions, false, ink, []float64{5, 3}, m.Captions)
	return out
}

// ellipse is the contour of the normal law with the points' mean and
// covariance that would hold 95 % of them; nil for fewer than three points.
func ellipse(points []MapPoint) []XY {
	n := float64(len(points))
	if n < 3 {
		return nil
	}
	mean := centre(points)
	var xx, xy, yy float64
	for _, p := range points {
		dx, dy := p.X-mean.X, p.Y-mean.Y
		xx, xy, yy = xx+dx*dx/(n-1), xy+dx*dy/(n-1), yy+dy*dy/(n-1)
	}
	// Eigenvalues of the 2 x 2 covariance, and the angle of the first axis.
	half, diff := (xx+yy)/2, math.Hypot((xx-yy)/2, xy)
	const radius = 2.4477468306808166 // square root of the chi-squared quantile .95 with two degrees of freedom
	a, b := radius*math.Sqrt(half+diff), radius*math.Sqrt(math.Max(0, half-diff))
	turn := .5 * math.Atan2(2*xy, xx-yy)
	const corners = 64
	out := make([]XY, corners+1)
	for i := range out {
		t := 2 * math.Pi * float64(i%corners) / corners
		u, v := a*math.Cos(t), b*math.Sin(t)
		out[i] = XY{mean.X + u*math.Cos(turn) - v*math.Sin(turn), mean.Y + u*math.Sin(turn) + v*math.Cos(turn)}
	}
	return out
}

func centre(points []MapPoint) (mean XY) {
	for _, p := range points {
		mean.X += p.X / float64(len(points))
		mean.Y += p.Y / float64(len(points))
	}
	return mean
}

// SVG implements Chart.
func (m EmbeddingMap) SVG() ([]byte, error) { return drawSVG(m) }

// Alt implements Chart.
func (m EmbeddingMap) Alt() string {
	return clean(sentences(fmt.Sprintf(m.Language.phrases().mapAlt, m.Title, len(m.Images), len(m.Captions), len(m.Classes)), m.Subtitle, m.gapSentence(), m.Note))
}

// shown are the images that a picture of at most limit shows, and the note under
// it.
func (m EmbeddingMap) shown(limit int) (images []int, note string) {
	w := m.Language.phrases()
	images = thin(len(m.Images), limit)
	note = m.Note
	if len(images) < len(m.Images) {
		note = sentences(note, fmt.Sprintf(w.shown, len(images), len(m.Images)))
	}
	if len(m.clouds()) > 0 {
		note = sentences(w.ellipses, note)
	}
	if m.Neighbours {
		note = sentences(w.neighbours, note)
	}
	return images, note
}

// hasArrow tells whether there are two means that an arrow can join.
func (m EmbeddingMap) hasArrow() bool {
	return len(m.Images) > 0 && len(m.Captions) > 0 && !m.Neighbours
}

// gapHover is what the arrow says.
func (m EmbeddingMap) gapHover() string {
	if m.Gap == "" {
		return m.Language.phrases().centres
	}
	return m.Gap + "\n" + m.Language.phrases().centres
}

func (m EmbeddingMap) gapSentence() string {
	if m.Gap == "" || !m.hasArrow() {
		return ""
	}
	return fmt.Sprintf(m.Language.phrases().arrow, m.Gap)
}

// classNamed names a point for hover texts.
func (m EmbeddingMap) classNamed(p MapPoint, what string) string {
	text := fmt.Sprintf(what, m.Classes[p.Class])
	if p.Name != "" {
		text += "\n" + p.Name
	}
	return text
}

// Draw implements Chart.
func (m EmbeddingMap) Draw(c Canvas) error {
	if err := m.check(); err != nil {
		return err
	}
	width, height := m.size()
	w := m.Language.phrases()
	shown, note := m.shown(mapLimit)
	legend := []key{}
	if len(m.Images) > 0 {
		legend = append(legend, key{name: w.image, color: Color(0), marker: Dot})
	}
	if len(m.Captions) > 0 {
		legend = append(legend, key{name: w.caption, color: Color(0), marker: Star})
	}
	top, bottom := newHead(m.Title, m.Subtitle, legend, width), newFoot(note, width)
	x, y := m.scales()
	p := newPlane(width, height, top, bottom, x, y).sameUnit()

	c.Begin(width, height, m.Alt())
	top.draw(c)
	if m.Neighbours {
		c.Rect(p.left, p.top, p.right-p.left, p.bottom-p.top, Style{Stroke: gridColor})
		p.titles(c)
	} else {
		p.axes(c)
	}
	for _, i := range shown {
		pt := m.Images[i]
		c.Group(m.classNamed(pt, w.imageOf))
		drawMarker(c, markerOf(pt.Class), p.at(pt.X, pt.Y), 2.6, Style{Fill: Color(pt.Class), FillOpacity: .55})
		c.EndGroup()
	}
	var lines [][]XY
	for _, cl := range m.clouds() {
		line := make([]XY, len(cl.ellipse))
		for i, q := range cl.ellipse {
			line[i] = p.at(q.X, q.Y)
		}
		p.clipped(c, line, Style{Stroke: cl.color, Width: 1.3, Dash: cl.dash, Opacity: .8})
	}
	var spots []spot
	if m.hasArrow() {
		from, to := centre(m.Images), centre(m.Captions)
		a, b := p.at(from.X, from.Y), p.at(to.X, to.Y)
		c.Group(m.gapHover())
		arrow(c, a, b)
		c.EndGroup()
		lines = append(lines, []XY{a, b})
		if m.Gap != "" {
			spots = append(spots, spot{at: XY{(a.X + b.X) / 2, (a.Y + b.Y) / 2}, radius: 3, text: elide(m.Gap, smallSize, 200)})
		}
	}
	for _, pt := range m.Captions {
		c.Group(m.classNamed(pt, w.captionOf))
		drawMarker(c, Star, p.at(pt.X, pt.Y), 5.5, Style{Fill: Color(pt.Class), Stroke: ink, Width: .8})
		c.EndGroup()
		spots = append(spots, spot{at: p.at(pt.X, pt.Y), radius: 6, text: elide(m.Classes[pt.Class], smallSize, 140)})
	}
	drawLabels(c, placeLabels(p.area, spots, lines, smallSize), smallSize)
	bottom.draw(c, height)
	return nil
}

// arrow draws a line with a head at its end.
func arrow(c Canvas, from, to XY) {
	length := math.Hypot(to.X-from.X, to.Y-from.Y)
	if length < 2 {
		return
	}
	ux, uy := (to.X-from.X)/length, (to.Y-from.Y)/length
	head := math.Min(10, length/2)
	base := XY{to.X - head*ux, to.Y - head*uy}
	for _, s := range []Style{{Stroke: white, Width: 5, Opacity: .8}, {Stroke: ink, Width: 2}} {
		c.Polyline([]XY{from, base}, s)
	}
	c.Polygon([]XY{to, {base.X - uy*head*.5, base.Y + ux*head*.5}, {base.X + uy*head*.5, base.Y - ux*head*.5}}, Style{Fill: ink})
}
