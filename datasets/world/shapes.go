package world

// colors are the ten named colours.
var colors = [...]struct {
	name  string
	value color
}{
	{"red", rgb(220, 35, 35)}, {"green", rgb(40, 165, 55)}, {"blue", rgb(40, 75, 215)}, {"yellow", rgb(240, 220, 45)},
	{"orange", rgb(245, 140, 25)}, {"purple", rgb(135, 50, 170)}, {"pink", rgb(245, 140, 185)}, {"brown", rgb(125, 75, 35)},
	{"white", rgb(245, 245, 245)}, {"black", rgb(20, 20, 20)},
}

func rgb(r, g, b uint8) color { return color{float32(r) / 255, float32(g) / 255, float32(b) / 255} }

// Positions of a single object.
var positions = [...]struct{ x, y float64 }{{-.45, 0}, {.45, 0}, {0, -.45}, {0, .45}, {0, 0}}

// slots are the places of two to four objects.
var slots = [...]struct{ x, y float64 }{{-.47, -.47}, {.47, .47}, {.47, -.47}, {-.47, .47}}

// heldPair reports whether a colour and a shape never occur together in pretraining.
func heldPair(color, shape int) bool { return (color*5+shape*7)%6 == 0 }

// shapesOptions fixes what a picture of shapes shows; free leaves it to chance.
type shapesOptions struct {
	shape, color, texture, position int
	count                           int // number of objects less one
	big                             int // 0, 1 or free
	heldPairs                       bool
	heldShapes                      bool // draw the shapes that never occur in pretraining
	outline                         bool
}

func anyShapes() shapesOptions {
	return shapesOptions{shape: free, color: free, texture: free, position: free, count: free, big: free}
}

// shapeScene is one to four equal objects on a background.
type shapeScene struct {
	shape, color, texture         int
	count, position               int // position is free with more than one object
	big                           bool
	background, backgroundTexture int
}

// shapes draws one to four equal objects.
func (c *canvas) shapes(o shapesOptions) scene {
	r := &c.rng
	s := shapeScene{position: free}
	shapes := namedShapes
	if o.heldShapes {
		shapes = heldShapes
	}
	s.shape, s.color = r.pick(shapes, o.shape), r.pick(len(colors), o.color)
	for !o.heldPairs && heldPair(s.color, s.shape) {
		if o.color == free {
			s.color = r.IntN(len(colors))
		} else {
			s.shape = r.IntN(shapes)
		}
	}
	if s.texture = o.texture; s.texture == free {
		s.texture = r.mostly(0.55, textures)
	}
	if s.count = o.count; s.count == free {
		s.count = r.mostly(0.75, len(slots))
	}
	s.background = (s.color + 1 + r.IntN(len(colors)-1)) % len(colors)
	s.backgroundTexture = r.mostly(0.85, textures)
	if s.count == 0 {
		s.position = r.pick(len(positions), o.position)
	}
	if s.big = o.big == 1; o.big == free {
		s.big = r.chance(0.65)
	}

	c.background(c.jitter(colors[s.background].value.times(c.dimming()), 0.06), s.backgroundTexture)
	main := c.jitter(colors[s.color].value, 0.06)
	other := main // the second colour of a texture: darker, or lighter on a dark object
	for k, v := range main {
		if main[0]+main[1]+main[2] > 1.5 {
			other[k] = v * 0.3
		} else {
			other[k] = v + 0.65*(1-v)
		}
	}
	c.fillTexture(s.texture)
	figure := s.shape
	if o.heldShapes {
		figure += namedShapes
	}
	m := shapeMasks()[figure]
	order := r.Perm(len(slots))
	rotation := r.uniform(-.35, .35)
	for k := range s.count + 1 {
		p := c.place(&s, order[k])
		p.rotation = rotation + r.uniform(-.15, .15)
		if o.outline {
			c.outlined(m, p, main, other)
			continue
		}
		c.cover(m, p, func(i int, a float32) {
			q := other
			q.blend(c.texture[i], main)
			c.pix[i].blend(a, q)
		})
	}
	c.finish(0.03)
	return s
}

// place chooses size and place of one object.
func (c *canvas) place(s *shapeScene, slot int) placement {
	r := &c.rng
	var p placement
	switch {
	case s.count == 0 && s.big:
		p.scale = r.uniform(.62, .8)
	case s.count == 0:
		p.scale = r.uniform(.42, .52)
	case s.big:
		p.scale = r.uniform(.36, .44)
	default:
		p.scale = r.uniform(.24, .3)
	}
	if s.count == 0 {
		far := 1.0
		if s.big { // a big object would leave the picture
			far = 0.55
		}
		p.x, p.y = positions[s.position].x*far, positions[s.position].y*far
	} else {
		p.x, p.y = slots[slot].x, slots[slot].y
	}
	p.x += r.uniform(-.1, .1)
	p.y += r.uniform(-.1, .1)
	return p
}

// outlined draws only the rim of a figure: the figure less itself at 72 %.
func (c *canvas) outlined(m *mask, p placement, main, other color) {
	var rim plane
	c.cover(m, p, func(i int, a float32) { rim[i] = a })
	inner := p
	inner.scale *= 0.72
	c.cover(m, inner, func(i int, a float32) { rim[i] = clamp(rim[i] - a) })
	for i, a := range rim {
		if a > 0 {
			q := other
			q.blend(c.texture[i], main)
			c.pix[i].blend(a, q)
		}
	}
}

// onBackground draws a shape on a background of a given colour.
func (c *canvas) onBackground(background int) {
	r := &c.rng
	object := (background + 1 + r.IntN(len(colors)-1)) % len(colors)
	c.background(c.jitter(colors[background].value.times(c.dimming()), 0.06), plain)
	c.stamp(shapeMasks()[r.IntN(namedShapes)], placement{
		x: r.uniform(-.4, .4), y: r.uniform(-.4, .4), scale: r.uniform(.35, .6), rotation: r.uniform(-.3, .3),
	}, c.jitter(colors[object].value, 0.06))
	c.finish(0.03)
}
