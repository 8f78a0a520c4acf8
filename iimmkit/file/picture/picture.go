// Package picture reads image files into 8-bit RGB as the reference
// pipelines (PIL) do, and resizes them bit for bit as they do.
package picture

// RGB is a picture of 8-bit red, green, blue samples, rows from the top,
// Pix[(y*Width+x)*3+channel], without padding.
type RGB struct {
	Width, Height int
	Pix           []uint8

	stored *Stored
}

// New returns a black picture.
func New(width, height int) *RGB {
	return &RGB{Width: width, Height: height, Pix: make([]uint8, 3*width*height)}
}

// Stored returns the picture in the mode of its file where that matters: where
// something was lost by the conversion to RGB (alpha, a transparent colour) or
// where resizing before the conversion gives other pixels than after it. It is
// nil for colour and grey of 8 bits, and for what was not read from a file.
func (p *RGB) Stored() *Stored { return p.stored }
