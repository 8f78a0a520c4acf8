package picture

import (
	"image"
	"math"
)

// wide resizes one channel of 16 or 32 bits as Pillow does: weights and sums in
// float64, rounded after each pass.
func (r Resampling) wide(s *Stored, width, height int, window image.Rectangle, fill uint8) []int32 {
	pix, w, h := s.Wide, s.Width, s.Height
	across := func() {
		if width != w {
			pix = r.wideRows(s.Mode, pix, w, h, width)
			w = width
		}
	}
	down := func() {
		if height != h { // the vertical pass is the horizontal one of the transpose
			pix = transpose(r.wideRows(s.Mode, transpose(pix, w, h), h, w, height), height, w)
			h = height
		}
	}
	switch {
	case width == w && height == h:
	case r.Filter == Nearest:
		xs, ys := nearestPositions(w, width), nearestPositions(h, height)
		out := make([]int32, 0, width*height)
		for _, y := range ys {
			for _, x := range xs {
				out = append(out, pix[y*w+x])
			}
		}
		pix, w, h = out, width, height
	case r.verticalFirst(w, h, width, height):
		down()
		across()
	default:
		across()
		down()
	}
	out := make([]int32, window.Dx()*window.Dy())
	for y := window.Min.Y; y < window.Max.Y; y++ {
		for x := window.Min.X; x < window.Max.X; x++ {
			v := int32(fill)
			if (image.Point{X: x, Y: y}).In(image.Rect(0, 0, w, h)) {
				v = pix[y*w+x]
			}
			out[(y-window.Min.Y)*window.Dx()+x-window.Min.X] = v
		}
	}
	return out
}

func (r Resampling) wideRows(m Mode, pix []int32, width, height, to int) []int32 {
	out := make([]int32, to*height)
	x := 0
	r.Filter.spread(width, to, 0, to, func(start int, weights []float64) {
		for y := range height {
			row := pix[y*width+start:]
			sum := 0.0
			for i, k := range weights {
				sum += float64(row[i]) * k
			}
			out[y*to+x] = roundWide(m, sum)
		}
		x++
	})
	return out
}

// roundWide rounds halves away from zero and clips 16 bits.
func roundWide(m Mode, v float64) int32 {
	v = math.Copysign(math.Floor(math.Abs(v)+0.5), v)
	if m == Gray16 {
		v = min(max(v, 0), math.MaxUint16)
	}
	return int32(v)
}

func transpose(pix []int32, width, height int) []int32 {
	out := make([]int32, len(pix))
	for y := range height {
		for x := range width {
			out[x*height+y] = pix[y*width+x]
		}
	}
	return out
}
