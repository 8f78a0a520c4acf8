package picture

import (
	"image/png"
	"io"
)

// EncodePNG writes p as a PNG file.
func (p *RGB) EncodePNG(w io.Writer) error { return png.Encode(w, p) }

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
