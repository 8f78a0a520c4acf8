package chart

import (
	"encoding/json"
	"fmt"
	"image"
)

// Gallery shows small pictures side by side with words under each, such as the
// images that a model got most wrong.
type Gallery struct {
	Title, Subtitle, Note string
	Pictures              []Picture
	Columns               int // 0 means 6
	Language              Language
	Width                 float64 // 0 means 720; the height follows from the pictures
}

// Picture is one of a Gallery.
type Picture struct {
	Image image.Image
	// Words are lines under the picture, such as its class and what it was taken
	// for; the first is bold.
	Words  []string
	Detail string // more lines for the hover text
}

// thumbSize is the side of a thumbnail in pixels.
const thumbSize = 96

func (g Gallery) check() error {
	if len(g.Pictures) == 0 {
		return fmt.Errorf("chart: gallery %q has no pictures", clean(g.Title))
	}
	for i, p := range g.Pictures {
		if p.Image == nil || p.Image.Bounds().Empty() {
			return fmt.Errorf("chart: gallery: picture %d has no pixels", i)
		}
	}
	if g.Columns < 0 || g.Columns > 50 {
		return fmt.Errorf("chart: gallery of %d columns, want 1 to 50", g.Columns)
	}
	return checkSize(g.Width, 0)
}

// place is where one picture and its words go.
type place struct {
	picture       Picture
	cell          XY // upper left corner
	x, y          float64
	width, height float64 // of the picture
	words         []string
}

// layout places the pictures in rows below top; height is that of all rows.
func (g Gallery) layout(width, top float64) (places []place, cell, height float64) {
	columns := g.Columns
	if columns == 0 {
		columns = 6
	}
	columns = min(columns, len(g.Pictures))
	const gap = 10.0
	cell = (width - 2*edge - gap*float64(columns-1)) / float64(columns)
	cell = min(cell, 2*thumbSize)
	lines := 0
	for _, p := range g.Pictures {
		lines = max(lines, len(p.Words))
	}
	step := cell + float64(lines)*(smallSize+4) + 16
	for i, p := range g.Pictures {
		at := XY{edge + float64(i%columns)*(cell+gap), top + float64(i/columns)*step}
		size := p.Image.Bounds().Size()
		longer := float64(max(size.X, size.Y))
		s := place{picture: p, cell: at, width: cell * float64(size.X) / longer, height: cell * float64(size.Y) / longer}
		s.x, s.y = at.X+(cell-s.width)/2, at.Y+(cell-s.height)/2
		for _, w := range p.Words {
			s.words = append(s.words, elide(w, smallSize*1.07, cell))
		}
		places = append(places, s)
	}
	rows := (len(g.Pictures) + columns - 1) / columns
	return places, cell, step * float64(rows)
}

func (g Gallery) width() float64 {
	if g.Width == 0 {
		return 720
	}
	return g.Width
}

// hover are all words of a picture, whole.
func (p Picture) hover() string {
	text := ""
	for _, w := range append(append([]string{}, p.Words...), p.Detail) {
		if w == "" {
			continue
		}
		if text != "" {
			text += "\n"
		}
		text += w
	}
	return text
}

// SVG implements Chart.
func (g Gallery) SVG() ([]byte, error) { return drawSVG(g) }

// Alt implements Chart.
func (g Gallery) Alt() string {
	return clean(sentences(fmt.Sprintf(g.Language.phrases().galleryAlt, g.Title, len(g.Pictures)), g.Subtitle, g.Note))
}

// Draw implements Chart.
func (g Gallery) Draw(c Canvas) error {
	if err := g.check(); err != nil {
		return err
	}
	width := g.width()
	top, bottom := newHead(g.Title, g.Subtitle, nil, width), newFoot(g.Note, width)
	places, cell, rows := g.layout(width, top.height+4)
	height := top.height + 4 + rows + bottom.height
	c.Begin(width, height, g.Alt())
	top.draw(c)
	for _, p := range places {
		c.Group(p.picture.hover())
		if err := c.Image(Thumbnail(p.picture.Image, thumbSize), p.x, p.y, p.width, p.height); err != nil {
			return err
		}
		for k, w := range p.words {
			c.Text(XY{p.cell.X + cell/2, p.cell.Y + cell + float64(k+1)*(smallSize+4)}, w, TextStyle{Size: smallSize, Color: ink, Anchor: Middle, Bold: k == 0})
		}
		c.EndGroup()
	}
	bottom.draw(c, height)
	return nil
}

// VegaLite implements Chart: tooltips with all words. The pictures travel in the
// specification.
func (g Gallery) VegaLite() (json.RawMessage, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	width := g.width()
	places, cell, height := g.layout(width, 0)
	channel := func(field string, size float64, down bool) object {
		domain := []float64{0, size}
		if down {
			domain = []float64{size, 0}
		}
		return object{"field": field, "type": "quantitative", "axis": nil, "scale": object{"domain": domain, "nice": false, "zero": false}}
	}
	var rows, words []object
	for _, p := range places {
		uri, err := DataURI(Thumbnail(p.picture.Image, thumbSize))
		if err != nil {
			return nil, err
		}
		rows = append(rows, object{"picture": uri, "left": p.x, "top": p.y, "width": p.width, "height": p.height, "words": clean(p.picture.hover())})
		for k, w := range p.words {
			words = append(words, object{"x": p.cell.X + cell/2, "y": p.cell.Y + cell + float64(k+1)*(smallSize+4) - 4, "word": w, "first": k == 0})
		}
	}
	layers := []object{{"data": object{"values": rows},
		"mark": object{"type": "image", "align": "left", "baseline": "top", "aspect": false, "width": object{"expr": "datum.width"}, "height": object{"expr": "datum.height"}},
		"encoding": object{"x": channel("left", width, false), "y": channel("top", height, true), "url": object{"field": "picture", "type": "nominal"},
			"tooltip": object{"field": "words", "type": "nominal"}}}}
	if len(words) > 0 {
		layers = append(layers, object{"data": object{"values": words}, "mark": object{"type": "text", "fontSize": smallSize, "color": ink, "fontWeight": object{"expr": "datum.first ? 'bold' : 'normal'"}},
			"encoding": object{"x": channel("x", width, false), "y": channel("y", height, true), "text": object{"field": "word", "type": "nominal"}}})
	}
	return vegaSpec(g.Title, g.Subtitle, g.Note, width, height, object{"layer": layers})
}
