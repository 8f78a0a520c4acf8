package picture

import (
	"image"
)

// Resampling says how pictures are resized. The zero value is Pillow 12.3's
// Image.resize with BICUBIC.
type Resampling struct {
	Filter Filter
	// Pillow13 chooses the order of passes of Pillow 13: the vertical one first
	// where that leaves less work for the other. Up to Pillow 12.3 the horizontal
	// one comes first, except for pictures over 100 times as high as wide that
	// get lower. Results differ by rounding, by up to 3 levels.
	Pillow13 bool
}

// Resize is Resampling{}.Resize.
func Resize(p *RGB, width, height int) *RGB { return Resampling{}.Resize(p, width, height) }

// Resize returns p at width x height bit for bit as Pillow gives it: a kernel
// whose support grows with the reduction (antialias), 22-bit fixed-point
// weights, two passes with an 8-bit picture between them. A pass that would
// change nothing is left out. Both sizes must be positive. p is not changed.
func (r Resampling) Resize(p *RGB, width, height int) *RGB {
	return r.Window(p, width, height, image.Rect(0, 0, width, height), 0)
}

// Window returns the part of Resize(p, width, height) in the rectangle, fill
// outside of it, and computes no more than that.
func (r Resampling) Window(p *RGB, width, height int, window image.Rectangle, fill uint8) *RGB {
	out := r.raster(raster{p.Width, p.Height, 3, p.Pix}, width, height, window, fill)
	return &RGB{Width: out.width, Height: out.height, Pix: out.pix}
}

// Stored resizes s in its own mode as Pillow does, and returns the part in the
// window, samples outside being fill: palettes and bilevel pictures by the
// nearest pixel whatever the filter, colours weighted by their alpha, grey of
// 16 and 32 bits in floating point.
func (r Resampling) Stored(s *Stored, width, height int, window image.Rectangle, fill uint8) *Stored {
	out := *s
	out.Width, out.Height = window.Dx(), window.Dy()
	alpha := s.Mode == GrayAlpha || s.Mode == ColorAlpha
	switch {
	case s.Mode == Indexed || s.Mode == Bilevel:
		r.Filter = Nearest
		if s.Mode == Bilevel && fill > 0 {
			fill = 255
		}
	case s.Mode.wide():
		out.Wide = r.wide(s, width, height, window, fill)
		return &out
	}
	p := raster{s.Width, s.Height, s.Mode.Channels(), s.Pix}
	if alpha && r.Filter != Nearest && (width != s.Width || height != s.Height) {
		p.pix = s.premultiply().Pix
		inside := window.Intersect(image.Rect(0, 0, width, height))
		p = r.raster(p, width, height, inside, 0)
		(&Stored{Mode: s.Mode, Pix: p.pix}).divideAlpha()
		out.Pix = p.part(window.Sub(inside.Min), fill).pix // the filling is not weighted
		return &out
	}
	out.Pix = r.raster(p, width, height, window, fill).pix
	return &out
}

func (r Resampling) verticalFirst(fromWidth, fromHeight, width, height int) bool {
	if r.Pillow13 {
		return fromHeight > height && fromHeight-height > 2*(fromWidth-width)
	}
	return fromHeight > 100*fromWidth && height < fromHeight
}

// raster is a picture of interleaved 8-bit channels.
type raster struct {
	width, height, channels int
	pix                     []uint8
}

func newRaster(width, height, channels int) raster {
	return raster{width, height, channels, make([]uint8, width*height*channels)}
}

func (p raster) row(y int) []uint8 {
	n := p.width * p.channels
	return p.pix[y*n : (y+1)*n : (y+1)*n]
}

// part returns the window of p, fill outside of it.
func (p raster) part(window image.Rectangle, fill uint8) raster {
	out := newRaster(window.Dx(), window.Dy(), p.channels)
	if fill != 0 {
		for i := range out.pix {
			out.pix[i] = fill
		}
	}
	inside := window.Intersect(image.Rect(0, 0, p.width, p.height))
	for y := inside.Min.Y; y < inside.Max.Y; y++ {
		copy(out.row(y - window.Min.Y)[(inside.Min.X-window.Min.X)*p.channels:], p.row(y)[inside.Min.X*p.channels:inside.Max.X*p.channels])
	}
	return out
}

// raster returns the window of p resized to width x height.
func (r Resampling) raster(p raster, width, height int, window image.Rectangle, fill uint8) raster {
	inside := window.Intersect(image.Rect(0, 0, width, height))
	if inside.Empty() || width == p.width && height == p.height {
		return p.part(window, fill)
	}
	var out raster
	if r.Filter == Nearest {
		out = p.nearest(width, height, inside)
	} else {
		out = r.passes(p, width, height, inside)
	}
	if inside != window {
		out = out.part(window.Sub(inside.Min), fill)
	}
	return out
}

// passes resamples; the window lies inside width x height.
func (r Resampling) passes(p raster, width, height int, window image.Rectangle) raster {
	across := r.Filter.weights(p.width, width, window.Min.X, window.Max.X)
	down := r.Filter.weights(p.height, height, window.Min.Y, window.Max.Y)
	if width == p.width {
		across = nil
	}
	if height == p.height {
		down = nil
	}
	columns := image.Rect(window.Min.X, 0, window.Max.X, p.height)
	switch {
	case across == nil:
		return p.part(columns, 0).vertical(down, 0)
	case down == nil:
		return p.horizontal(across, window.Min.Y, window.Max.Y)
	case r.verticalFirst(p.width, p.height, width, height):
		return p.vertical(down, 0).horizontal(across, 0, window.Dy())
	}
	first, last := down.reach()
	return p.horizontal(across, first, last).vertical(down, first)
}

// horizontal resamples rows first..last-1.
func (p raster) horizontal(w *weights, first, last int) raster {
	out := newRaster(w.len(), last-first, p.channels)
	var packed *fours
	if p.channels == 3 {
		packed = w.fours()
	}
	for y := first; y < last; y++ {
		to, row := out.row(y-first), p.row(y)
		if p.channels == 3 {
			w.rowOf3(to, row, rowOf3SIMD(w, packed, to, row))
		} else {
			w.rowOf(to, row, p.channels)
		}
	}
	return out
}

// vertical resamples columns; row 0 of p is row first of what w was made for.
func (p raster) vertical(w *weights, first int) raster {
	out := newRaster(p.width, w.len(), p.channels)
	var spread [][8]int32
	sums := make([]int32, p.width*p.channels)
	for y := range w.len() {
		to, from, values := out.row(y), w.start[y]-first, w.of(y)
		if done := columnSIMD(to, p, from, values, &spread); done < len(to) {
			w.column(to[done:], sums[done:], p, from, values, done)
		}
	}
	return out
}

// nearest picks the pixel whose area holds the centre of the new one; positions
// are summed up as Pillow does, with its rounding.
func (p raster) nearest(width, height int, window image.Rectangle) raster {
	xs := nearestPositions(p.width, width)[window.Min.X:window.Max.X]
	ys := nearestPositions(p.height, height)[window.Min.Y:window.Max.Y]
	out := newRaster(len(xs), len(ys), p.channels)
	for y, from := range ys {
		source, to := p.row(from), out.row(y)
		for x, i := range xs {
			copy(to[x*p.channels:(x+1)*p.channels], source[i*p.channels:])
		}
	}
	return out
}

func nearestPositions(in, out int) []int {
	list := make([]int, out)
	step := float64(in) / float64(out)
	at := step * 0.5
	for i := range list {
		list[i] = min(int(at), in-1)
		at += step
	}
	return list
}

// Crop returns the part of p of the given size whose left top corner is at
// (x, y). What lies outside p is black.
func (p *RGB) Crop(x, y, width, height int) *RGB {
	out := raster{p.Width, p.Height, 3, p.Pix}.part(image.Rect(x, y, x+width, y+height), 0)
	return &RGB{Width: width, Height: height, Pix: out.pix}
}
