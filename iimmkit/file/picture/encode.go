package picture

import (
	"image"
	"image/color"
	"image/png"
	"io"
)

// EncodePNG writes p as a PNG file.
func (p *RGB) EncodePNG(w io.Writer) error { return png.Encode(w, view{p}) }

// view shows an RGB as the standard library's image.
type view struct{ *RGB }

func (v view) ColorModel() color.Model { return color.RGBAModel }
func (v view) Bounds() image.Rectangle { return image.Rect(0, 0, v.Width, v.Height) }
func (v view) Opaque() bool            { return true }

func (v view) At(x, y int) color.Color {
	o := v.Pix[3*(y*v.Width+x):]
	return color.RGBA{o[0], o[1], o[2], 255}
}

// Image returns p as the standard library's image; it shares the pixels.
func (p *RGB) Image() image.Image { return view{p} }

// Paste copies q into p, its left top corner at (x, y); what falls outside p is
// left out.
func (p *RGB) Paste(q *RGB, x, y int) {
	x0, x1 := max(x, 0), min(x+q.Width, p.Width)
	if x0 >= x1 {
		return
	}
	for row := max(y, 0); row < min(y+q.Height, p.Height); row++ {
		copy(p.Pix[3*(row*p.Width+x0):3*(row*p.Width+x1)], q.Pix[3*((row-y)*q.Width+x0-x):])
	}
}
