package world

import (
	"hash/fnv"
	"slices"
	"strings"
	"sync"
)

// Task is a classification task over drawn pictures.
type Task struct {
	Name string // shape, digit-rot, …
	// Group is the distance from the pretraining captions: id (drawn and named
	// as there), rare (seldom named there), composed (known parts, newly put
	// together), shift (pictures changed), held (shapes never seen nor named).
	Group string
	// Domain is the family of pictures: shapes, glyphs, metal, aerial, signs.
	Domain string
	// ClassNames and Captions have one entry per class.
	ClassNames, Captions []string

	draw func(c *canvas, class int)
}

// Split is a part of a task's pictures. Splits never share a picture.
type Split uint64

const (
	Train Split = Split(trainSplit)
	Test  Split = Split(testSplit)
)

// Draw draws the first n pictures of a split, packed as by Pairs, and their
// labels. Picture i does not depend on n, so a smaller draw is the beginning of
// a larger one. Labels come in random blocks that hold every class once.
func (t *Task) Draw(split Split, seed uint64, n int) (images []uint8, labels []int) {
	h := fnv.New64a()
	h.Write([]byte(t.Name))
	seed = h.Sum64() ^ mix(seed)
	classes := len(t.ClassNames)
	labels = make([]int, 0, n+classes)
	r := newRandom()
	for block := uint64(0); len(labels) < n; block++ {
		r.seed(seed, uint64(split)+labelStreams, block)
		labels = append(labels, r.Perm(classes)...)
	}
	labels = slices.Clip(labels[:n])
	images = make([]uint8, n*Bytes)
	parallel(n, func(i int) {
		c := canvases.Get().(*canvas)
		defer canvases.Put(c)
		c.seed(seed, uint64(split), uint64(i))
		t.draw(c, labels[i])
		c.quantise(images[i*Bytes : (i+1)*Bytes])
	})
	return images, labels
}

// labelStreams sets the streams that choose labels apart from those that draw.
const labelStreams = 16

// Tasks returns the tasks in their fixed order. The list was fixed before any
// model was trained on this world. The caller must not change the slices inside.
func Tasks() []Task { return slices.Clone(tasks()) }

var tasks = sync.OnceValue(func() []Task {
	colorNames := make([]string, len(colors))
	for i, c := range colors {
		colorNames[i] = c.name
	}
	var shapeNames, heldNames []string
	for _, f := range figures[:namedShapes] {
		shapeNames = append(shapeNames, f.name)
	}
	for _, f := range figures[namedShapes:octagon] {
		heldNames = append(heldNames, f.name)
	}
	numerals := strings.Split(characters[:digits], "")
	alphabet := strings.Split(strings.ToLower(characters[digits:]), "")
	var pairs [][2]int
	var pairNames []string
	for color := range colors {
		for shape := range namedShapes {
			if heldPair(color, shape) {
				pairs = append(pairs, [2]int{color, shape})
				pairNames = append(pairNames, colorNames[color]+" "+shapeNames[shape])
			}
		}
	}

	photos := captionsOf(shapeNames, "a photo of ", "")
	objects := captionsOf(colorNames, "", " object")
	numbers := func(before string) []string {
		var captions []string
		for _, w := range numberWords {
			captions = append(captions, before+w)
		}
		return captions
	}
	defectNames := []string{"clean", "scratches", "pits", "cracks", "stain"}
	defectCaptions := []string{"a metal surface without defects", "a metal surface with scratches", "a metal surface with pits",
		"a metal surface with cracks", "a metal surface with a stain"}
	landNames := []string{"farmland", "forest", "river", "lake", "road", "houses", "desert"}
	var landCaptions []string
	for _, w := range landWords {
		landCaptions = append(landCaptions, "a satellite photo of "+w[0])
	}

	// one draws shapes with the options that set fixes for a class.
	one := func(set func(o *shapesOptions, class int)) func(*canvas, int) {
		return func(c *canvas, class int) {
			o := anyShapes()
			set(&o, class)
			c.shapes(o)
		}
	}
	anyShape := one(func(o *shapesOptions, class int) { o.shape = class })
	anyColor := one(func(o *shapesOptions, class int) { o.color = class })
	metal := func(c *canvas, class int) { c.metal(class) }
	aerial := func(c *canvas, class int) { c.aerial(class) }
	then := func(draw func(*canvas, int), change func(*canvas)) func(*canvas, int) {
		return func(c *canvas, class int) { draw(c, class); change(c) }
	}

	return []Task{
		{"colour", "id", "shapes", colorNames, objects, anyColor},
		{"shape", "id", "shapes", shapeNames, photos, anyShape},
		{"texture", "id", "shapes", []string{"plain", "striped", "dotted", "checkered", "speckled", "gradient"},
			[]string{"a plain object", "a striped object", "a dotted object", "a checkered object", "a speckled object", "a shaded object"},
			one(func(o *shapesOptions, class int) { o.texture, o.big = class, 1 })},
		{"count", "id", "shapes", []string{"one", "two", "three", "four"},
			[]string{"a photo of one object", "a photo of two objects", "a photo of three objects", "a photo of four objects"},
			one(func(o *shapesOptions, class int) { o.count = class })},
		{"position", "id", "shapes", []string{"left", "right", "top", "bottom", "center"},
			[]string{"an object on the left", "an object on the right", "an object at the top", "an object at the bottom", "an object in the center"},
			one(func(o *shapesOptions, class int) { o.count, o.position = 0, class })},
		{"digit", "id", "glyphs", numerals, numbers("the digit "),
			func(c *canvas, class int) { o := anyGlyph(); o.char = class; c.glyph(o) }},
		{"letter", "rare", "glyphs", alphabet, prefixed("the letter ", alphabet),
			func(c *canvas, class int) { o := anyGlyph(); o.char = digits + class; c.glyph(o) }},
		{"defect", "id", "metal", defectNames, defectCaptions, metal},
		{"aerial", "id", "aerial", landNames, landCaptions, aerial},
		{"signkind", "id", "signs", []string{"red triangle", "red circle", "blue circle", "yellow diamond", "red octagon", "white square"},
			[]string{"a triangular red traffic sign", "a round red traffic sign", "a round blue traffic sign", "a yellow diamond traffic sign",
				"a red octagon traffic sign", "a white square traffic sign"},
			func(c *canvas, class int) { c.sign(class, free) }},
		{"shape-invert", "shift", "shapes", shapeNames, photos,
			then(one(func(o *shapesOptions, class int) { o.shape, o.count = class, 0 }), (*canvas).invert)},
		{"shape-big", "id", "shapes", shapeNames, photos,
			one(func(o *shapesOptions, class int) { o.shape, o.count, o.big, o.texture = class, 0, 1, plain })},
		{"heldpairs", "composed", "shapes", pairNames, captionsOf(pairNames, "", ""),
			one(func(o *shapesOptions, class int) {
				o.color, o.shape, o.heldPairs = pairs[class][0], pairs[class][1], true
			})},
		{"signdigit", "composed", "signs", numerals, numbers("a sign with the number "),
			func(c *canvas, class int) { c.sign(free, class) }},
		{"bgcolour", "composed", "shapes", colorNames, captionsOf(colorNames, "an object on ", " background"), (*canvas).onBackground},
		{"shape-noise", "shift", "shapes", shapeNames, photos, then(anyShape, func(c *canvas) { c.grain(0.28) })},
		{"shape-outline", "shift", "shapes", shapeNames, photos,
			one(func(o *shapesOptions, class int) { o.shape, o.count, o.outline = class, 0, true })},
		{"shape-gray", "shift", "shapes", shapeNames, photos, then(anyShape, func(c *canvas) { c.desaturate(); c.blur() })},
		{"colour-cast", "shift", "shapes", colorNames, objects, then(anyColor, (*canvas).cast)},
		{"digit-rot", "shift", "glyphs", numerals, numbers("the digit "),
			then(func(c *canvas, class int) {
				c.glyph(glyphOptions{char: class, face: seenFaces, faces: heldFaces, rotation: 1.2})
			}, func(c *canvas) { c.grain(0.12) })},
		{"defect-blur", "shift", "metal", defectNames, defectCaptions, then(metal, func(c *canvas) { c.blur(); c.fade() })},
		{"aerial-gray", "shift", "aerial", landNames, landCaptions, then(aerial, (*canvas).desaturate)},
		{"newshapes", "held", "shapes", heldNames, captionsOf(heldNames, "a photo of ", ""),
			one(func(o *shapesOptions, class int) { o.shape, o.heldShapes, o.heldPairs = class, true, true })},
	}
})

// captionsOf wraps names with their article into captions.
func captionsOf(names []string, before, after string) []string {
	captions := make([]string, len(names))
	for i, n := range names {
		captions[i] = before + withArticle(n) + after
	}
	return captions
}

func prefixed(before string, names []string) []string {
	captions := make([]string, len(names))
	for i, n := range names {
		captions[i] = before + n
	}
	return captions
}
