package world

import "math"

// Kinds of land.
const (
	farmland = iota
	forest
	river
	lake
	road
	houses
	desert
	lands
)

// aerialScene is land seen from above.
type aerialScene struct {
	land int
	road bool
}

// aerial draws land of the given kind, or a random one.
func (c *canvas) aerial(land int) scene {
	r := &c.rng
	s := aerialScene{land: r.pick(lands, land)}
	green := c.jitter(color{.33, .5, .25}, 0.04)
	c.lowfreq(&c.noise, 5)
	for i := range c.pix {
		c.pix[i] = green.times(1 + 0.35*(c.noise[i]-0.5+float32(r.normal(0.05))))
	}
	switch s.land {
	case farmland:
		c.farmland()
	case forest:
		dark := c.jitter(color{.12, .28, .12}, 0.04)
		c.lowfreq(&c.noise, 14)
		for i := range c.pix {
			c.pix[i] = dark.times(1 + 0.9*(c.noise[i]-0.5+float32(r.normal(0.15))))
		}
	case river:
		c.river()
	case lake:
		c.lake()
	case houses:
		c.houses()
	case desert:
		c.desert()
	}
	s.road = s.land == road || r.chance(0.2) && s.land != river && s.land != lake
	if s.road {
		for j := range 2 {
			if j > 0 && r.chance(0.65) {
				continue
			}
			x, y := r.uniform(-.5, .5), r.uniform(-.5, .5)
			sin, cos := math.Sincos(r.uniform(0, math.Pi))
			gray := c.jitter(color{.55, .55, .56}, 0.04)
			segment(x-2*cos, y-2*sin, x+2*cos, y+2*sin, r.uniform(.07, .14), func(i int, a float32) { c.pix[i].blend(a, gray) })
		}
	}
	c.finish(0.025)
	return s
}

// turned calls f with each pixel's coordinates along and across a random direction.
func (c *canvas) turned(most float64, f func(pixel int, along, across float64)) {
	sin, cos := math.Sincos(c.rng.uniform(0, most))
	for y := range Size {
		for x := range Size {
			X, Y := at(x), at(y)
			f(y*Size+x, cos*X+sin*Y, cos*Y-sin*X)
		}
	}
}

// cellHash is a fixed scrambling of a grid cell, so that neighbours look unrelated.
func cellHash(p, q float64) uint64 {
	return mix(uint64(int64(p))*31 + uint64(int64(q))*17)
}

func (c *canvas) farmland() {
	r := &c.rng
	crops := [...]color{{.4, .55, .2}, {.6, .5, .25}, {.75, .68, .3}, {.25, .45, .18}, {.5, .38, .22}}
	for i := range crops {
		crops[i] = c.jitter(crops[i], 0.04)
	}
	fp, fq, p0, q0, salt := r.uniform(1, 1.8), r.uniform(1, 1.8), r.Float64(), r.Float64(), r.Uint64()
	c.turned(math.Pi, func(i int, along, across float64) {
		field := mix(cellHash(math.Floor(along*fp+p0), math.Floor(across*fq+q0))^salt) % uint64(len(crops))
		c.pix[i] = crops[field].times(float32(.93 + .07*math.Sin(along*50)))
	})
}

func (c *canvas) river() {
	r := &c.rng
	offset, swing, wave, phase := r.uniform(-.3, .3), r.uniform(.15, .35), r.uniform(2, 4), r.uniform(0, 6)
	width, water := r.uniform(.1, .22), c.jitter(color{.16, .32, .5}, 0.04)
	c.turned(math.Pi, func(i int, along, across float64) {
		d := math.Abs(across - offset - swing*math.Sin(along*wave+phase))
		c.pix[i].blend(clampf((width-d)*14+.5), water)
	})
}

func (c *canvas) lake() {
	r := &c.rng
	x0, y0, radius := r.uniform(-.3, .3), r.uniform(-.3, .3), r.uniform(.4, .7)
	water := c.jitter(color{.14, .3, .48}, 0.04)
	c.lowfreq(&c.noise, 4)
	for y := range Size {
		for x := range Size {
			i := y*Size + x
			d := math.Hypot(at(x)-x0, at(y)-y0) + .5*(float64(c.noise[i])-.5)
			c.pix[i].blend(clampf((radius-d)*12+.5), water)
		}
	}
}

func (c *canvas) houses() {
	r := &c.rng
	roofs := [...]color{{.7, .35, .28}, {.6, .58, .55}, {.8, .78, .75}, {.5, .3, .25}}
	f, p0, q0, salt := r.uniform(2.2, 3.2), r.uniform(0, 2), r.uniform(0, 2), r.Uint64()
	c.turned(math.Pi/2, func(i int, along, across float64) {
		for k, v := range c.pix[i] {
			c.pix[i][k] = v*.8 + .12
		}
		p, q := along*f+p0, across*f+q0
		lot := mix(cellHash(math.Floor(p), math.Floor(q)) ^ salt)
		built := lot%5 > 0
		if built && math.Abs(p-math.Floor(p)-.5) < .32 && math.Abs(q-math.Floor(q)-.5) < .3 {
			c.pix[i] = roofs[lot>>32%uint64(len(roofs))]
		}
	})
}

func (c *canvas) desert() {
	r := &c.rng
	sand := c.jitter(color{.8, .68, .45}, 0.04)
	wave := r.uniform(5, 12)
	c.lowfreq(&c.noise, 4)
	c.lowfreq(&c.gray, 3)
	c.turned(math.Pi, func(i int, along, _ float64) {
		dune := .1 * math.Sin(along*wave+3*float64(c.noise[i]))
		c.pix[i] = sand.times(float32(1 + dune + .1*(float64(c.gray[i])-.5)))
	})
}
