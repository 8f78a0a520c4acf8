// Package picture reads image files into 8-bit RGB as the reference
// pipelines (PIL) do, and resizes them bit for bit as they do.
package picture

// RGB is a picture of 8-bit red, green, blue samples, rows from the top,
// Pix[(y*Width+x)*3+channel], without padding.
type RGB struct {
	Width, Height int
	Pix           []uint8
}

// New returns a black picture.
func New(width, height int) *RGB {
	return &RGB{Width: width, Height: height, Pix: make([]uint8, 3*width*height)}
}
