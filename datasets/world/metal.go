package world

import "math"

// Defects of a metal surface.
const (
	clean = iota
	scratches
	pits
	cracks
	stain
	defects
)

// metalScene is a metal surface.
type metalScene struct{ defect int }

// metal draws a metal surface with the given defect, or a random one.
func (c *canvas) metal(defect int) scene {
	r := &c.rng
	s := metalScene{r.pick(defects, defect)}
	g := &c.gray
	base := float32(r.uniform(.35, .75))
	c.lowfreq(&c.noise, 3)
	for i := range g {
		g[i] = base + 0.12*(c.noise[i]-0.5) + float32(r.normal(0.05))
	}
	if r.chance(0.6) { // brushed: a brightness for each row
		for y := range Size {
			d := float32(r.normal(0.05))
			for x := range Size {
				g[y*Size+x] += d
			}
		}
	}
	toward := func(v float32) func(int, float32) {
		return func(i int, a float32) { g[i] += a * (v - g[i]) }
	}
	switch s.defect {
	case scratches:
		for j := range 4 {
			if j > 0 && r.chance(0.5) {
				continue
			}
			x, y, long := r.uniform(-.7, .7), r.uniform(-.7, .7), r.uniform(.4, 1.2)
			sin, cos := math.Sincos(r.uniform(0, math.Pi))
			width := r.uniform(.02, .05)
			v := float32(.1)
			if r.chance(0.7) {
				v = .95
			}
			segment(x-cos*long, y-sin*long, x+cos*long, y+sin*long, width, toward(v))
		}
	case pits:
		for range 18 {
			if r.chance(0.75) {
				x, y := r.uniform(-1, 1), r.uniform(-1, 1)
				segment(x, y, x+.01, y, r.uniform(.04, .11), toward(.12))
			}
		}
	case cracks:
		for b := range 3 {
			if b > 0 && r.chance(0.45) {
				continue
			}
			x, y, angle := r.uniform(-.8, .8), r.uniform(-.8, .8), r.uniform(0, 2*math.Pi)
			for range 6 {
				angle += r.uniform(-.9, .9)
				sin, cos := math.Sincos(angle)
				x2, y2 := x+.28*cos, y+.28*sin
				segment(x, y, x2, y2, r.uniform(.03, .05), toward(.08))
				x, y = x2, y2
			}
		}
	case stain:
		c.lowfreq(&c.noise, 4)
		edge := float32(r.uniform(.5, .62))
		v := float32(.18)
		if r.chance(0.75) {
			v = -.22
		}
		for i := range g {
			g[i] += clamp((c.noise[i]-edge)*8) * v
		}
	}
	var tint color
	for k := range tint {
		tint[k] = 1 + float32(r.normal(0.03))
	}
	for i := range c.pix {
		c.pix[i] = tint.times(g[i])
	}
	c.finish(0.015)
	return s
}
