// Package png renders charts as PNG, the picture for viewers that show
// neither SVG nor Vega-Lite. It is apart from package chart because
// gonum/plot and its fonts are heavy to link.
package png

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	stdpng "image/png"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
)

// Scale is the number of image pixels per chart pixel, chosen for sharp texts
// on today's screens.
const Scale = 2

// Render draws a chart at Scale.
func Render(c chart.Chart) ([]byte, error) { return RenderScaled(c, Scale) }

// RenderScaled draws a chart with scale image pixels per chart pixel (1 to 8).
// Characters that no font on this machine has are drawn as empty boxes; see
// Missing.
func RenderScaled(c chart.Chart, scale int) ([]byte, error) {
	if scale < 1 || scale > 8 {
		return nil, fmt.Errorf("chart/png: scale %d, want 1 to 8", scale)
	}
	p := &canvas{scale: scale, dots: 72 * scale}
	if err := c.Draw(p); err != nil {
		return nil, err
	}
	if p.err != nil {
		return nil, p.err
	}
	var b bytes.Buffer
	encoder := stdpng.Encoder{CompressionLevel: stdpng.DefaultCompression}
	if err := encoder.Encode(&b, p.img.Image()); err != nil {
		return nil, fmt.Errorf("chart/png: %w", err)
	}
	return b.Bytes(), nil
}

// canvas draws on a gonum image. One vg point is one chart pixel: the
// resolution is 72 dots per inch times the scale.
type canvas struct {
	scale, dots   int
	width, height float64
	img           *vgimg.Canvas
	missing       []rune
	err           error
}

func (p *canvas) Begin(width, height float64, _ string) {
	p.width, p.height = width, height
	p.img = vgimg.NewWith(vgimg.UseWH(vg.Length(width), vg.Length(height)), vgimg.UseDPI(p.dots))
}

// Group and EndGroup only matter to pictures that can be hovered over.
func (p *canvas) Group(string) {}
func (p *canvas) EndGroup()    {}

func (p *canvas) point(at chart.XY) vg.Point {
	return vg.Point{X: vg.Length(at.X), Y: vg.Length(p.height - at.Y)}
}

func (p *canvas) path(points []chart.XY, closed bool) vg.Path {
	var path vg.Path
	for i, at := range points {
		if i == 0 {
			path.Move(p.point(at))
		} else {
			path.Line(p.point(at))
		}
	}
	if closed {
		path.Close()
	}
	return path
}

func (p *canvas) paint(path vg.Path, s chart.Style) {
	if s.Fill != "" {
		p.img.SetColor(colour(s.Fill, s.FillOpacity))
		p.img.Fill(path)
	}
	if s.Stroke != "" {
		width := s.Width
		if width == 0 {
			width = 1
		}
		dash := make([]vg.Length, len(s.Dash))
		for i, d := range s.Dash {
			dash[i] = vg.Length(d)
		}
		p.img.SetColor(colour(s.Stroke, s.Opacity))
		p.img.SetLineWidth(vg.Length(width))
		p.img.SetLineDash(dash, 0)
		p.img.Stroke(path)
	}
}

func (p *canvas) Polyline(points []chart.XY, s chart.Style) {
	s.Fill = ""
	p.paint(p.path(points, false), s)
}

func (p *canvas) Polygon(points []chart.XY, s chart.Style) { p.paint(p.path(points, true), s) }

func (p *canvas) Rect(x, y, width, height float64, s chart.Style) {
	p.Polygon([]chart.XY{{X: x, Y: y}, {X: x + width, Y: y}, {X: x + width, Y: y + height}, {X: x, Y: y + height}}, s)
}

func (p *canvas) Circle(at chart.XY, radius float64, s chart.Style) {
	var path vg.Path
	centre := p.point(at)
	path.Move(vg.Point{X: centre.X + vg.Length(radius), Y: centre.Y})
	path.Arc(centre, vg.Length(radius), 0, 2*math.Pi)
	path.Close()
	p.paint(path, s)
}

func (p *canvas) Image(m image.Image, x, y, width, height float64) error {
	p.img.DrawImage(vg.Rectangle{Min: p.point(chart.XY{X: x, Y: y + height}), Max: p.point(chart.XY{X: x + width, Y: y})}, m)
	return nil
}

func (p *canvas) Text(at chart.XY, text string, s chart.TextStyle) {
	runs, missing, err := shape(text, s.Size, s.Bold)
	if err != nil {
		p.err = err
		return
	}
	p.missing = append(p.missing, missing...)
	width := 0.0
	for _, r := range runs {
		width += r.width
	}
	shift := 0.0
	switch s.Anchor {
	case chart.Middle:
		shift = -width / 2
	case chart.End:
		shift = -width
	}
	p.img.Push()
	defer p.img.Pop()
	p.img.Translate(p.point(at))
	if s.Rotate != 0 {
		p.img.Rotate(-s.Rotate * math.Pi / 180)
	}
	if s.Halo {
		const rim, directions = 1.4, 12
		for d := range directions {
			a := 2 * math.Pi * float64(d) / directions
			p.runs(runs, shift+rim*math.Cos(a), rim*math.Sin(a), "#ffffff")
		}
	}
	p.runs(runs, shift, 0, s.Color)
}

// runs draws shaped text with its start at x, y from the current origin.
func (p *canvas) runs(runs []run, x, y float64, hex string) {
	p.img.SetColor(colour(hex, 1))
	for _, r := range runs {
		if r.missing {
			p.img.SetLineWidth(.8)
			p.img.SetLineDash(nil, 0)
			var box vg.Path
			w, h := r.width*.76, r.width*.9
			x0, y0 := x+r.width*.12, y-r.width*.06
			box.Move(vg.Point{X: vg.Length(x0), Y: vg.Length(y0)})
			box.Line(vg.Point{X: vg.Length(x0 + w), Y: vg.Length(y0)})
			box.Line(vg.Point{X: vg.Length(x0 + w), Y: vg.Length(y0 + h)})
			box.Line(vg.Point{X: vg.Length(x0), Y: vg.Length(y0 + h)})
			box.Close()
			p.img.Stroke(box)
		} else {
			p.img.FillString(r.face, vg.Point{X: vg.Length(x), Y: vg.Length(y)}, r.text)
		}
		x += r.width
	}
}

// colour reads #rrggbb; opacity 0 means 1, as in chart.Style.
func colour(hex string, opacity float64) color.Color {
	var r, g, b uint8
	fmt.Sscanf(hex, "#%02x%02x%02x", &r, &g, &b)
	if opacity == 0 {
		opacity = 1
	}
	return color.NRGBA{r, g, b, uint8(math.Round(255 * opacity))}
}
