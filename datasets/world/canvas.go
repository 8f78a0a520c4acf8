package world

import (
	"math"
	"sync"
)

// pixels is the number of pixels of a picture.
const pixels = Size * Size

// color is red, green, blue in 0..1.
type color [3]float32

// plane holds one value a pixel.
type plane [pixels]float32

// canvas is a picture being drawn. Its coordinates run from -1 (left, top) to
// 1 (right, bottom); values may leave 0..1 until clamp.
type canvas struct {
	rng random
	pix [pixels]color
	// scratch planes, so that drawing does not allocate
	noise, texture, gray plane
}

var canvases = sync.Pool{New: func() any { return &canvas{rng: newRandom()} }}

func (c *canvas) seed(seed, stream, index uint64) { c.rng.seed(seed, stream, index) }

// at is the coordinate of pixel column or row i.
func at(i int) float64 { return (float64(i)+0.5)/Size*2 - 1 }

// span returns the columns or rows lo..hi-1 whose centres lie within r of v.
func span(v, r float64) (lo, hi int) {
	lo = int(math.Ceil((v-r+1)/2*Size - 0.5))
	hi = int(math.Floor((v+r+1)/2*Size-0.5)) + 1
	return min(max(lo, 0), Size), min(max(hi, 0), Size)
}

func clamp(v float32) float32 { return min(max(v, 0), 1) }

func clampf(v float64) float32 { return float32(min(max(v, 0), 1)) }

func (p *color) blend(a float32, q color) {
	for k := range p {
		p[k] += a * (q[k] - p[k])
	}
}

func (p color) times(f float32) color { return color{p[0] * f, p[1] * f, p[2] * f} }

// jitter moves a colour a little, within 0..1.
func (c *canvas) jitter(p color, sigma float64) color {
	for k := range p {
		p[k] = clampf(float64(p[k]) + c.rng.normal(sigma))
	}
	return p
}

// lowfreq fills dst with smooth noise in 0..1: a grid of g x g random values,
// interpolated with a smooth step.
func (c *canvas) lowfreq(dst *plane, g int) {
	var grid [14 * 14]float32
	for i := range g * g {
		grid[i] = c.rng.Float32()
	}
	var index [Size]int
	var frac [Size]float32
	for i := range Size {
		p := float64(i) * (float64(g) - 1.001) / (Size - 1)
		index[i] = int(p)
		f := float32(p) - float32(index[i])
		frac[i] = f * f * (3 - 2*f)
	}
	for y := range Size {
		top := grid[index[y]*g:]
		bottom := grid[min(index[y]+1, g-1)*g:]
		fy := frac[y]
		for x := range Size {
			i, j, fx := index[x], min(index[x]+1, g-1), frac[x]
			l := top[i]*(1-fy) + bottom[i]*fy
			r := top[j]*(1-fy) + bottom[j]*fy
			dst[y*Size+x] = l*(1-fx) + r*fx
		}
	}
}

// Textures of objects and backgrounds.
const (
	plain = iota
	striped
	dotted
	checkered
	speckled
	gradient
	textures
)

// fillTexture fills c.texture with 0..1, 1 where the main colour shows.
func (c *canvas) fillTexture(kind int) {
	t := &c.texture
	if kind == plain {
		for i := range t {
			t[i] = 1
		}
		return
	}
	r := &c.rng
	sin, cos := math.Sincos(r.uniform(0, math.Pi))
	per := r.uniform(3.5, 6)
	p0, q0 := r.Float64(), r.Float64()
	for y := range Size {
		for x := range Size {
			X, Y := at(x), at(y)
			along, across := cos*X+sin*Y, -sin*X+cos*Y
			p, q := along*16/per+p0, across*16/per+q0
			var v float64
			switch kind {
			case striped:
				v = 0.5 + 1.6*math.Sin(2*math.Pi*p)
			case dotted:
				dp, dq := p-math.Floor(p)-0.5, q-math.Floor(q)-0.5
				v = (dp*dp+dq*dq-0.085)*14 + 0.5
			case checkered:
				v = 0.5 + 2*math.Sin(math.Pi*p)*math.Sin(math.Pi*q)
			case speckled:
				v = (r.Float64()-0.5)*3 + 0.5
			case gradient:
				v = along*0.5 + 0.5
			}
			t[y*Size+x] = clampf(v)
		}
	}
}

// background fills the picture with one colour, slightly uneven, faintly
// textured when texture is not plain.
func (c *canvas) background(p color, texture int) {
	c.lowfreq(&c.noise, 3)
	if texture != plain {
		c.fillTexture(texture)
	}
	for i := range c.pix {
		f := 1 + 0.22*(c.noise[i]-0.5)
		if texture != plain {
			f *= 1 - 0.22*(1-c.texture[i])
		}
		c.pix[i] = p.times(f)
	}
}

// dimming darkens most backgrounds, so that objects stand out.
func (c *canvas) dimming() float32 {
	if c.rng.chance(0.85) {
		return 0.3
	}
	return 1
}

// placement says where a mask is drawn: centre, half size, rotation in radians, shear.
type placement struct {
	x, y, scale, rotation, shear float64
}

// cover calls paint with every pixel that mask m touches when placed at p, and
// its coverage in 0..1.
func (c *canvas) cover(m *mask, p placement, paint func(pixel int, a float32)) {
	sin, cos := math.Sincos(p.rotation)
	reach := p.scale * math.Sqrt2
	x0, x1 := span(p.x, reach*(1+math.Abs(p.shear)))
	y0, y1 := span(p.y, reach)
	level := m.level(p.scale)
	half := float64(level.cells) / 2
	for y := y0; y < y1; y++ {
		dy := at(y) - p.y
		for x := x0; x < x1; x++ {
			dx := at(x) - p.x + p.shear*dy
			u, v := (cos*dx+sin*dy)/p.scale, (cos*dy-sin*dx)/p.scale
			if a := level.sample((u+1)*half, (v+1)*half); a > 0 {
				paint(y*Size+x, a)
			}
		}
	}
}

// stamp paints mask m in one colour.
func (c *canvas) stamp(m *mask, p placement, q color) {
	c.cover(m, p, func(i int, a float32) { c.pix[i].blend(a, q) })
}

// segment calls paint with the pixels of a line from (x0,y0) to (x1,y1) of
// half width w, with soft edges.
func segment(x0, y0, x1, y1, w float64, paint func(pixel int, a float32)) {
	reach := w + 0.5/16
	cx0, cx1 := span((x0+x1)/2, math.Abs(x1-x0)/2+reach)
	cy0, cy1 := span((y0+y1)/2, math.Abs(y1-y0)/2+reach)
	dx, dy := x1-x0, y1-y0
	norm := dx*dx + dy*dy + 1e-6
	for y := cy0; y < cy1; y++ {
		for x := cx0; x < cx1; x++ {
			px, py := at(x)-x0, at(y)-y0
			t := min(max((px*dx+py*dy)/norm, 0), 1)
			d := math.Hypot(px-t*dx, py-t*dy)
			if a := clampf((w-d)*16 + 0.5); a > 0 {
				paint(y*Size+x, a)
			}
		}
	}
}

// finish adds the sensor's noise and clamps.
func (c *canvas) finish(sigma float64) {
	for i := range c.pix {
		for k := range c.pix[i] {
			c.pix[i][k] = clamp(c.pix[i][k] + float32(c.rng.normal(sigma)))
		}
	}
}

// quantise writes the picture as 8-bit RGB.
func (c *canvas) quantise(pix []uint8) {
	for i, p := range c.pix {
		for k, v := range p {
			pix[3*i+k] = uint8(clamp(v)*255 + 0.5)
		}
	}
}
