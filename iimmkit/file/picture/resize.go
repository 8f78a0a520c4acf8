package picture

import "math"

// Resize returns p at width x height as Pillow 12.3's Image.resize with
// BICUBIC gives it, bit for bit: cubic convolution with a = -1/2 whose support
// grows with the reduction (antialias), 22-bit fixed-point weights, two passes
// with an 8-bit picture between them, the horizontal pass first except for
// pictures over 100 times as high as wide that get lower. A pass that would
// change nothing is left out. Both sizes must be positive. p is not changed.
func Resize(p *RGB, width, height int) *RGB {
	return resize(p, width, height, p.Height > 100*p.Width && height < p.Height)
}

// ResizePillow13 is Resize as Pillow 13.0 does it: vertical pass first where
// that leaves less work for the second.
func ResizePillow13(p *RGB, width, height int) *RGB {
	return resize(p, width, height, p.Height > height && p.Height-height > 2*(p.Width-width))
}

func resize(p *RGB, width, height int, verticalFirst bool) *RGB {
	source := p
	if verticalFirst {
		p = vertical(p, height)
	}
	if width != p.Width {
		p = horizontal(p, width)
	}
	if height != p.Height {
		p = vertical(p, height)
	}
	if p == source {
		p = p.clone()
	}
	return p
}

func (p *RGB) clone() *RGB {
	c := New(p.Width, p.Height)
	copy(c.Pix, p.Pix)
	return c
}

// precision is the number of fractional bits of a weight: 8 bits for the
// sample, 2 because cubic weights leave 0..1.
const precision = 32 - 8 - 2

// cubic is the cubic convolution kernel with a = -1/2 (Keys 1981), in the
// order of operations that Pillow rounds in.
func cubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	if x < 1 {
		return ((a+2)*x-(a+3))*x*x + 1
	}
	if x < 2 {
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

// window is the weights of one output sample and where they begin in the input.
type window struct {
	start   int
	weights []int32
}

// windows returns the weights that take in samples to out samples.
func windows(in, out int) []window {
	scale := float64(in) / float64(out)
	widening := max(scale, 1)
	support := 2 * widening
	inverse := 1 / widening
	list := make([]window, out)
	for i := range list {
		center := (float64(i) + 0.5) * scale
		lo := max(int(center-support+0.5), 0) // int truncates as C does
		hi := min(int(center+support+0.5), in)
		w := make([]float64, hi-lo)
		sum := 0.0
		for x := range w {
			w[x] = cubic((float64(x+lo) - center + 0.5) * inverse)
			sum += w[x]
		}
		weights := make([]int32, len(w))
		for x, v := range w {
			if sum != 0 {
				v /= sum
			}
			v *= 1 << precision
			if v < 0 {
				weights[x] = int32(v - 0.5)
			} else {
				weights[x] = int32(v + 0.5)
			}
		}
		list[i] = window{lo, weights}
	}
	return list
}

// toByte drops the fraction, the half having been added before.
func toByte(v int32) uint8 { return uint8(min(max(v>>precision, 0), 255)) }

const half = int32(1) << (precision - 1)

func horizontal(p *RGB, width int) *RGB {
	list := windows(p.Width, width)
	out := New(width, p.Height)
	for y := range p.Height {
		row := p.Pix[3*y*p.Width : 3*(y+1)*p.Width]
		to := out.Pix[3*y*width : 3*(y+1)*width]
		for x, win := range list {
			r, g, b := half, half, half
			from := row[3*win.start:]
			from = from[:3*len(win.weights)]
			for i, k := range win.weights {
				r += int32(from[3*i]) * k
				g += int32(from[3*i+1]) * k
				b += int32(from[3*i+2]) * k
			}
			to[3*x], to[3*x+1], to[3*x+2] = toByte(r), toByte(g), toByte(b)
		}
	}
	return out
}

func vertical(p *RGB, height int) *RGB {
	out := New(p.Width, height)
	sums := make([]int32, 3*p.Width)
	for y, win := range windows(p.Height, height) {
		for i := range sums {
			sums[i] = half
		}
		for j, k := range win.weights {
			row := p.Pix[3*(win.start+j)*p.Width:]
			row = row[:len(sums)]
			for i, v := range row {
				sums[i] += int32(v) * k
			}
		}
		to := out.Pix[3*y*p.Width:]
		to = to[:len(sums)]
		for i, s := range sums {
			to[i] = toByte(s)
		}
	}
	return out
}

// Crop returns the part of p of the given size whose left top corner is at
// (x, y). What lies outside p is black.
func (p *RGB) Crop(x, y, width, height int) *RGB {
	out := New(width, height)
	x0, x1 := max(x, 0), min(x+width, p.Width)
	if x0 >= x1 {
		return out
	}
	for row := max(y, 0); row < min(y+height, p.Height); row++ {
		copy(out.Pix[3*((row-y)*width+x0-x):], p.Pix[3*(row*p.Width+x0):3*(row*p.Width+x1)])
	}
	return out
}
