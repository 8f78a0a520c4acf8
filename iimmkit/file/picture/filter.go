package picture

import (
	"fmt"
	"math"
)

// Filter is a kernel of resampling.
type Filter uint8

// Pillow's filters; Bicubic is the zero value.
const (
	Bicubic  Filter = iota // cubic convolution with a = -1/2 (Keys 1981)
	Nearest                // the nearest pixel, no antialias
	Lanczos                // windowed sinc over three lobes
	Bilinear               // triangle
	Box                    // mean
	Hamming                // sinc in a Hamming window
)

var filterNames = []string{"bicubic", "nearest", "lanczos", "bilinear", "box", "hamming"}

// String returns the filter's name.
func (f Filter) String() string {
	if int(f) < len(filterNames) {
		return filterNames[f]
	}
	return fmt.Sprintf("filter %d", uint8(f))
}

// MarshalText writes the filter's name.
func (f Filter) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads a filter's name.
func (f *Filter) UnmarshalText(text []byte) error {
	for i, name := range filterNames {
		if name == string(text) {
			*f = Filter(i)
			return nil
		}
	}
	return fmt.Errorf("there is no filter %q", text)
}

// kernel returns the filter's function and half its support.
func (f Filter) kernel() (at func(float64) float64, support float64) {
	switch f {
	case Bilinear:
		return func(x float64) float64 { return max(1-math.Abs(x), 0) }, 1
	case Box:
		return func(x float64) float64 {
			if x > -0.5 && x <= 0.5 {
				return 1
			}
			return 0
		}, 0.5
	case Hamming:
		return func(x float64) float64 {
			x = math.Abs(x)
			switch {
			case x == 0:
				return 1
			case x >= 1:
				return 0
			}
			x *= math.Pi
			return math.Sin(x) / x * (0.54 + 0.46*math.Cos(x))
		}, 1
	case Lanczos:
		return func(x float64) float64 {
			if x >= -3 && x < 3 {
				return sinc(x) * sinc(x/3)
			}
			return 0
		}, 3
	}
	return cubic, 2
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

// cubic is written in the order of operations that Pillow rounds in.
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

// spread calls give with the first input sample and the weights, which sum up
// to 1, of each of the output samples lo..hi-1.
func (f Filter) spread(in, out, lo, hi int, give func(start int, weights []float64)) {
	kernel, support := f.kernel()
	scale := float64(in) / float64(out)
	widening := max(scale, 1)
	support *= widening
	inverse := 1 / widening
	var w []float64
	for i := lo; i < hi; i++ {
		center := (float64(i) + 0.5) * scale
		first := max(int(center-support+0.5), 0) // int truncates as C does
		last := min(int(center+support+0.5), in)
		w = w[:0]
		sum := 0.0
		for x := first; x < last; x++ {
			v := kernel((float64(x) - center + 0.5) * inverse)
			w = append(w, v)
			sum += v
		}
		if sum != 0 {
			for x := range w {
				w[x] /= sum
			}
		}
		give(first, w)
	}
}

// precision is the number of fractional bits of a weight: 8 bits for the
// sample, 2 because weights leave 0..1.
const precision = 32 - 8 - 2

const half = int32(1) << (precision - 1)

// toByte drops the fraction, the half having been added before.
func toByte(v int32) uint8 { return uint8(min(max(v>>precision, 0), 255)) }

// weights are the fixed-point weights of a pass.
type weights struct {
	start  []int   // first input sample of each output sample
	end    []int32 // where its weights end in values
	values []int32
}

func (w *weights) len() int { return len(w.start) }

func (w *weights) of(i int) []int32 {
	if i == 0 {
		return w.values[:w.end[0]]
	}
	return w.values[w.end[i-1]:w.end[i]]
}

// reach returns the range of input samples that the weights touch.
func (w *weights) reach() (first, last int) {
	first = w.start[0]
	for i, s := range w.start {
		first, last = min(first, s), max(last, s+len(w.of(i)))
	}
	return first, last
}

func (f Filter) weights(in, out, lo, hi int) *weights {
	w := &weights{start: make([]int, 0, hi-lo), end: make([]int32, 0, hi-lo)}
	f.spread(in, out, lo, hi, func(start int, list []float64) {
		for _, v := range list {
			v *= 1 << precision
			if v < 0 {
				v -= 0.5
			} else {
				v += 0.5
			}
			w.values = append(w.values, int32(v))
		}
		w.start = append(w.start, start)
		w.end = append(w.end, int32(len(w.values)))
	})
	return w
}

// rowOf3 resamples a row of three channels, from output pixel x on.
func (w *weights) rowOf3(to, row []uint8, x int) {
	for ; x < len(w.start); x++ {
		values := w.of(x)
		r, g, b := half, half, half
		from := row[3*w.start[x]:]
		from = from[:3*len(values)]
		for _, k := range values {
			r += int32(from[0]) * k
			g += int32(from[1]) * k
			b += int32(from[2]) * k
			from = from[3:]
		}
		d := to[3*x : 3*x+3 : 3*x+3]
		d[0], d[1], d[2] = toByte(r), toByte(g), toByte(b)
	}
}

// rowOf resamples a row of any number of channels.
func (w *weights) rowOf(to, row []uint8, channels int) {
	for x, start := range w.start {
		values := w.of(x)
		for c := range channels {
			sum := half
			for i, k := range values {
				sum += int32(row[(start+i)*channels+c]) * k
			}
			to[x*channels+c] = toByte(sum)
		}
	}
}

// column makes the part of an output row that begins at sample x of the rows
// of p from first on. sums is scratch of the part's length.
func (w *weights) column(to []uint8, sums []int32, p raster, first int, values []int32, x int) {
	row := func(y int) []uint8 { return p.row(y)[x:][:len(sums)] }
	for i := range sums {
		sums[i] = half
	}
	// Four rows at a time, so that sums are loaded and stored a quarter as often.
	for len(values) >= 4 {
		k0, k1, k2, k3 := values[0], values[1], values[2], values[3]
		a, b, c, d := row(first), row(first+1), row(first+2), row(first+3)
		for i := range sums {
			sums[i] += int32(a[i])*k0 + int32(b[i])*k1 + int32(c[i])*k2 + int32(d[i])*k3
		}
		values, first = values[4:], first+4
	}
	for _, k := range values {
		for i, v := range row(first) {
			sums[i] += int32(v) * k
		}
		first++
	}
	to = to[:len(sums)]
	for i, s := range sums {
		to[i] = toByte(s)
	}
}
