package world

import (
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobolditalic"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// characters are the ten digits and the 26 capital letters.
const (
	characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits     = 10
	letters    = 26
)

// faces are the fonts: the first five are seen in pretraining, the others
// only by task digit-rot.
var faces = [][]byte{
	goregular.TTF, gobold.TTF, goitalic.TTF, gomono.TTF, gomedium.TTF,
	gomonobolditalic.TTF, gobolditalic.TTF,
}

const (
	seenFaces = 5
	heldFaces = 2
)

// glyphMasks returns the masks of every character in every face:
// [face*len(characters)+character].
var glyphMasks = sync.OnceValue(func() []*mask {
	var masks []*mask
	for _, ttf := range faces {
		f, err := sfnt.Parse(ttf)
		if err != nil {
			panic("world: font in the binary: " + err.Error()) // cannot happen with fonts of x/image
		}
		for _, ch := range characters {
			masks = append(masks, glyphMask(f, ch))
		}
	}
	return masks
})

// glyphMask draws a character, its em as large as the mask, its box centred.
func glyphMask(f *sfnt.Font, ch rune) *mask {
	var buf sfnt.Buffer
	const em = fixed.Int26_6(cells << 6)
	index, err := f.GlyphIndex(&buf, ch)
	if err != nil || index == 0 {
		panic("world: font without " + string(ch))
	}
	box, _, err := f.GlyphBounds(&buf, index, em, font.HintingNone)
	if err != nil {
		panic("world: " + err.Error())
	}
	segments, err := f.LoadGlyph(&buf, index, em, nil)
	if err != nil {
		panic("world: " + err.Error())
	}
	x0 := (cells - float32(box.Max.X-box.Min.X)/64) / 2
	y0 := (cells - float32(box.Max.Y-box.Min.Y)/64) / 2
	to := func(p fixed.Point26_6) (x, y float32) {
		return x0 + float32(p.X-box.Min.X)/64, y0 + float32(p.Y-box.Min.Y)/64
	}
	var d drawing
	d.fill(false, func(z *vector.Rasterizer) {
		for _, s := range segments {
			ax, ay := to(s.Args[0])
			bx, by := to(s.Args[1])
			cx, cy := to(s.Args[2])
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				z.ClosePath()
				z.MoveTo(ax, ay)
			case sfnt.SegmentOpLineTo:
				z.LineTo(ax, ay)
			case sfnt.SegmentOpQuadTo:
				z.QuadTo(ax, ay, bx, by)
			case sfnt.SegmentOpCubeTo:
				z.CubeTo(ax, ay, bx, by, cx, cy)
			}
		}
		z.ClosePath()
	})
	return d.mask()
}

// glyphOptions fixes what a picture of a character shows.
type glyphOptions struct {
	char        int // index in characters, or free
	face, faces int // the first face and how many
	rotation    float64
}

func anyGlyph() glyphOptions { return glyphOptions{char: free, faces: seenFaces, rotation: 0.12} }

// anyChar is a digit in three pictures of five, else a letter.
func (r *random) anyChar() int {
	if r.chance(0.6) {
		return r.IntN(digits)
	}
	return digits + r.IntN(letters)
}

// glyphScene is one character on a background.
type glyphScene struct {
	char, color, background int
}

// glyph draws one character.
func (c *canvas) glyph(o glyphOptions) scene {
	r := &c.rng
	s := glyphScene{char: o.char}
	if s.char == free {
		s.char = r.anyChar()
	}
	s.color = r.IntN(len(colors))
	s.background = (s.color + 1 + r.IntN(len(colors)-1)) % len(colors)
	face := o.face + r.IntN(o.faces)
	c.background(c.jitter(colors[s.background].value.times(c.dimming()), 0.06), r.mostly(0.9, textures))
	c.stamp(glyphMasks()[face*len(characters)+s.char], placement{
		x: r.uniform(-.09, .09), y: r.uniform(-.09, .09), scale: r.uniform(.7, .95),
		rotation: r.uniform(-o.rotation, o.rotation), shear: r.uniform(-.15, .15),
	}, c.jitter(colors[s.color].value, 0.06))
	c.finish(0.03)
	return s
}
