package world

import (
	"image"
	"math"
	"sync"

	"golang.org/x/image/vector"
)

// cells is the resolution of the finest level of a mask.
const cells = 48

// mask is the coverage of a figure in the square -1..1, at three resolutions,
// so that small figures are averaged, not picked apart.
type mask struct {
	levels [3]maskLevel
}

type maskLevel struct {
	cells  int
	values []float32 // (cells+3)^2: one empty cell before, two behind, so that sampling needs no tests
}

// level chooses the resolution for a figure of half size scale, of which a
// picture's pixel then covers at most about 2.4 cells.
func (m *mask) level(scale float64) *maskLevel {
	switch ratio := cells / (Size * scale); {
	case ratio < 2.4:
		return &m.levels[0]
	case ratio < 4.8:
		return &m.levels[1]
	default:
		return &m.levels[2]
	}
}

// sample interpolates at (x,y), 0..cells; outside there is nothing.
func (l *maskLevel) sample(x, y float64) float32 {
	edge := float64(l.cells) + 0.5
	if x <= -0.5 || y <= -0.5 || x >= edge || y >= edge {
		return 0
	}
	x, y = x+0.5, y+0.5
	ix, iy := int(x), int(y)
	fx, fy := float32(x)-float32(ix), float32(y)-float32(iy)
	w := l.cells + 3
	top := l.values[iy*w+ix:]
	bottom := l.values[(iy+1)*w+ix:]
	return (top[0]*(1-fx)+top[1]*fx)*(1-fy) + (bottom[0]*(1-fx)+bottom[1]*fx)*fy
}

// drawing collects the parts of a figure in the square -1..1.
type drawing struct {
	cover [cells * cells]float32
}

func (d *drawing) mask() *mask {
	m := new(mask)
	size := cells
	values := d.cover[:]
	for i := range m.levels {
		w := size + 3
		l := maskLevel{cells: size, values: make([]float32, w*w)}
		for y := range size {
			copy(l.values[(y+1)*w+1:], values[y*size:(y+1)*size])
		}
		m.levels[i] = l
		half := make([]float32, size/2*size/2)
		for y := range size / 2 {
			for x := range size / 2 {
				a := values[2*y*size+2*x:]
				b := values[(2*y+1)*size+2*x:]
				half[y*(size/2)+x] = (a[0] + a[1] + b[0] + b[1]) / 4
			}
		}
		values, size = half, size/2
	}
	return m
}

// fill adds the area that path outlines, or removes it when erase is set.
func (d *drawing) fill(erase bool, path func(z *vector.Rasterizer)) {
	z := vector.NewRasterizer(cells, cells)
	path(z)
	area := image.NewAlpha(image.Rect(0, 0, cells, cells))
	z.Draw(area, area.Bounds(), image.Opaque, image.Point{})
	for i, v := range area.Pix {
		a := float32(v) / 255
		if erase {
			d.cover[i] *= 1 - a
		} else {
			d.cover[i] += (1 - d.cover[i]) * a
		}
	}
}

// toCell maps -1..1 to cells.
func toCell(v float64) float32 { return float32((v + 1) / 2 * cells) }

type point struct{ x, y float64 }

func (d *drawing) polygon(erase bool, points ...point) *drawing {
	d.fill(erase, func(z *vector.Rasterizer) {
		z.MoveTo(toCell(points[0].x), toCell(points[0].y))
		for _, p := range points[1:] {
			z.LineTo(toCell(p.x), toCell(p.y))
		}
		z.ClosePath()
	})
	return d
}

func (d *drawing) box(x0, y0, x1, y1 float64) *drawing {
	return d.polygon(false, point{x0, y0}, point{x1, y0}, point{x1, y1}, point{x0, y1})
}

func (d *drawing) oval(erase bool, x0, y0, x1, y1 float64) *drawing {
	points := make([]point, 96)
	for i := range points {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(len(points)))
		points[i] = point{(x0+x1)/2 + cos*(x1-x0)/2, (y0+y1)/2 + sin*(y1-y0)/2}
	}
	return d.polygon(erase, points...)
}

// around returns n points on a circle, the radius cycling through radii,
// beginning at angle start (-π/2 is up).
func around(n int, start float64, radii ...float64) []point {
	points := make([]point, n)
	for i := range points {
		r := radii[i%len(radii)]
		sin, cos := math.Sincos(start + 2*math.Pi*float64(i)/float64(n))
		points[i] = point{r * cos, r * sin}
	}
	return points
}

// figures are the shapes by name. The first twelve are named in pretraining,
// the next eight never occur there; the octagon is only a sign's.
var figures = []struct {
	name string
	draw func(d *drawing)
}{
	{"circle", func(d *drawing) { d.oval(false, -.9, -.9, .9, .9) }},
	{"square", func(d *drawing) { d.box(-.78, -.78, .78, .78) }},
	{"triangle", func(d *drawing) { d.polygon(false, around(3, -math.Pi/2, .95)...) }},
	{"star", func(d *drawing) { d.polygon(false, around(10, -math.Pi/2, .97, .4)...) }},
	{"cross", func(d *drawing) { d.box(-.9, -.3, .9, .3).box(-.3, -.9, .3, .9) }},
	{"heart", heart},
	{"ring", func(d *drawing) { d.oval(false, -.92, -.92, .92, .92).oval(true, -.52, -.52, .52, .52) }},
	{"diamond", func(d *drawing) { d.polygon(false, point{0, -.97}, point{.62, 0}, point{0, .97}, point{-.62, 0}) }},
	{"hexagon", func(d *drawing) { d.polygon(false, around(6, -math.Pi/2, .95)...) }},
	{"crescent", func(d *drawing) { d.oval(false, -.92, -.92, .92, .92).oval(true, -.35, -.85, 1.25, .85) }},
	{"arrow", func(d *drawing) {
		d.polygon(false, point{0, -.95}, point{.75, -.1}, point{.28, -.1}, point{.28, .95}, point{-.28, .95}, point{-.28, -.1}, point{-.75, -.1})
	}},
	{"ellipse", func(d *drawing) { d.oval(false, -.95, -.5, .95, .5) }},
	{"spiral", spiral},
	{"gear", gear},
	{"house", func(d *drawing) {
		d.polygon(false, point{0, -.9}, point{.9, -.1}, point{.6, -.1}, point{.6, .85}, point{.2, .85}, point{.2, .3},
			point{-.2, .3}, point{-.2, .85}, point{-.6, .85}, point{-.6, -.1}, point{-.9, -.1})
	}},
	{"tree", func(d *drawing) {
		d.polygon(false, point{0, -.95}, point{.5, -.3}, point{.25, -.3}, point{.7, .4}, point{.15, .4}, point{.15, .95},
			point{-.15, .95}, point{-.15, .4}, point{-.7, .4}, point{-.25, -.3}, point{-.5, -.3})
	}},
	{"cup", func(d *drawing) {
		d.oval(false, .1, -.45, .95, .4).oval(true, .28, -.27, .77, .22).box(-.75, -.7, .45, .75)
	}},
	{"fish", func(d *drawing) {
		d.oval(false, -.95, -.45, .5, .45).polygon(false, point{.3, 0}, point{.95, -.5}, point{.95, .5}).oval(true, -.7, -.2, -.5, 0)
	}},
	{"key", func(d *drawing) {
		d.oval(false, -.95, -.45, -.05, .45).oval(true, -.7, -.2, -.3, .2).box(-.1, -.13, .95, .13).box(.6, 0, .8, .5).box(.25, 0, .45, .4)
	}},
	{"bolt", func(d *drawing) {
		d.polygon(false, point{.2, -.95}, point{-.55, .15}, point{-.05, .15}, point{-.25, .95}, point{.55, -.25}, point{.05, -.25})
	}},
	{"octagon", func(d *drawing) { d.polygon(false, around(8, math.Pi/8, .95)...) }},
}

// Figures by their place in the list.
const (
	circle, square, triangle = 0, 1, 2
	diamond, arrow           = 7, 10
	namedShapes              = 12 // how many are named in pretraining
	heldShapes               = 8  // how many follow that never occur there
	octagon                  = namedShapes + heldShapes
)

func heart(d *drawing) {
	points := make([]point, 60)
	for i := range points {
		t := 2 * math.Pi * float64(i) / float64(len(points))
		points[i] = point{
			.058 * 16 * math.Pow(math.Sin(t), 3),
			-.058 * (13*math.Cos(t) - 5*math.Cos(2*t) - 2*math.Cos(3*t) - math.Cos(4*t)),
		}
	}
	d.polygon(false, points...)
}

func spiral(d *drawing) {
	const steps, half = 120, 1.0 / 12
	var outer, inner []point
	for i := range steps {
		t := 30 * float64(i) / (steps - 1)
		r := .1 + .028*t
		sin, cos := math.Sincos(t / 2)
		outer = append(outer, point{(r + half) * cos, (r + half) * sin})
		inner = append(inner, point{(r - half) * cos, (r - half) * sin})
	}
	// Quadrilaterals one by one: the turns of one outline would wind around each other.
	for i := 1; i < steps; i++ {
		d.polygon(false, outer[i-1], outer[i], inner[i], inner[i-1])
	}
}

func gear(d *drawing) {
	points := make([]point, 0, 32)
	for i := range 32 {
		r := .68
		if i/2%2 == 0 {
			r = .95
		}
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / 32)
		points = append(points, point{r * cos, r * sin})
	}
	d.polygon(false, points...).oval(true, -.28, -.28, .28, .28)
}

// shapeMasks returns the masks of figures, in order.
var shapeMasks = sync.OnceValue(func() []*mask {
	masks := make([]*mask, len(figures))
	for i, f := range figures {
		var d drawing
		f.draw(&d)
		masks[i] = d.mask()
	}
	return masks
})
