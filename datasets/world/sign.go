package world

import "math"

// signKinds are the traffic signs: outline, its colour, the inner colour, the glyph's colour.
var signKinds = [...]struct {
	figure              int
	outer, inner, glyph color
}{
	{triangle, color{.8, .1, .12}, color{.95, .95, .93}, color{.05, .05, .05}},
	{circle, color{.8, .1, .12}, color{.95, .95, .93}, color{.05, .05, .05}},
	{circle, color{.12, .25, .7}, color{.12, .25, .7}, color{.95, .95, .95}},
	{diamond, color{.1, .1, .1}, color{.95, .8, .1}, color{.05, .05, .05}},
	{octagon, color{.9, .9, .9}, color{.75, .08, .1}, color{.95, .95, .95}},
	{square, color{.15, .15, .15}, color{.93, .93, .93}, color{.05, .05, .05}},
}

// Places of signKinds that drawing or captions treat apart.
const (
	redTriangle = iota
	redCircle
	blueCircle
	yellowDiamond
	redOctagon
	whiteSquare
)

// signArrow stands for the arrow where a sign's character is named.
const signArrow = len(characters)

// signScene is a traffic sign.
type signScene struct {
	kind, char int // char is an index in characters, or signArrow
}

// sign draws a traffic sign; kind and char are free or fixed.
func (c *canvas) sign(kind, char int) scene {
	r := &c.rng
	s := signScene{kind: r.pick(len(signKinds), kind), char: char}
	if char == free {
		if s.char = r.anyChar(); r.chance(0.2) {
			s.char = signArrow
		}
	}
	k := &signKinds[s.kind]
	surroundings := [...]color{{.5, .65, .8}, {.3, .4, .25}, {.5, .5, .5}, {.25, .25, .28}}
	c.background(c.jitter(surroundings[r.IntN(len(surroundings))], 0.08), plain)
	c.lowfreq(&c.noise, 6)
	for i := range c.pix {
		c.pix[i] = c.pix[i].times(1 + .5*(c.noise[i]-.5))
	}
	p := placement{x: r.uniform(-.15, .15), y: r.uniform(-.15, .15), scale: r.uniform(.8, .95), rotation: r.uniform(-.075, .075)}
	c.stamp(shapeMasks()[k.figure], p, k.outer)
	inner := p
	inner.scale *= .76
	if s.kind == yellowDiamond {
		inner.scale = p.scale * .85
	}
	c.stamp(shapeMasks()[k.figure], inner, k.inner)
	g := p
	g.scale *= .5
	if s.kind == redTriangle { // a triangle's middle lies low
		g.y += .12
	}
	m := shapeMasks()[arrow]
	if s.char == signArrow {
		g.rotation += float64(r.IntN(4)) * math.Pi / 2
	} else {
		m = glyphMasks()[r.IntN(seenFaces)*len(characters)+s.char]
	}
	c.stamp(m, g, k.glyph)
	light := float32(r.uniform(.6, 1.1))
	for i := range c.pix {
		c.pix[i] = c.pix[i].times(light)
	}
	c.finish(0.03)
	return s
}
