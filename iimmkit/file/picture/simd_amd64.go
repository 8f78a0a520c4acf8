//go:build goexperiment.simd && amd64

package picture

import "simd/archsimd"

var hasAVX2 = archsimd.X86.AVX2()

// toWords[j] brings the bytes 4i+j of a vector to words i.
var toWords = func() (masks [4][32]int8) {
	for j := range masks {
		for i := range masks[j] {
			masks[j][i] = -1
			if i%4 == 0 {
				masks[j][i] = int8(i%16 + j)
			}
		}
	}
	return masks
}()

// columnSIMD does the work of weights.column for the first samples of a row, 32
// at a time, and returns for how many. The arithmetic is the same. spread is
// scratch.
func columnSIMD(to []uint8, p raster, first int, values []int32, spread *[][8]int32) int {
	if !hasAVX2 {
		return 0
	}
	// Weights are spread in memory: to do it in the loop would mix in
	// instructions of another vector width, which stalls.
	*spread = (*spread)[:0]
	for _, k := range values {
		*spread = append(*spread, [8]int32{k, k, k, k, k, k, k, k})
	}
	stride := p.width * p.channels
	top, zero, start := archsimd.BroadcastInt32x8(255), archsimd.BroadcastInt32x8(0), archsimd.BroadcastInt32x8(half)
	w0, w1 := archsimd.LoadInt8x32(&toWords[0]), archsimd.LoadInt8x32(&toWords[1])
	w2, w3 := archsimd.LoadInt8x32(&toWords[2]), archsimd.LoadInt8x32(&toWords[3])
	done := 0
	for ; done+32 <= len(to); done += 32 {
		a, b, c, d := start, start, start, start
		at := first*stride + done
		for i := range *spread {
			weight := archsimd.LoadInt32x8(&(*spread)[i])
			samples := archsimd.LoadUint8x32((*[32]uint8)(p.pix[at:]))
			a = a.Add(samples.PermuteOrZeroGrouped(w0).AsInt32x8().Mul(weight))
			b = b.Add(samples.PermuteOrZeroGrouped(w1).AsInt32x8().Mul(weight))
			c = c.Add(samples.PermuteOrZeroGrouped(w2).AsInt32x8().Mul(weight))
			d = d.Add(samples.PermuteOrZeroGrouped(w3).AsInt32x8().Mul(weight))
			at += stride
		}
		a = a.ShiftAllRight(precision).Max(zero).Min(top)
		b = b.ShiftAllRight(precision).Max(zero).Min(top)
		c = c.ShiftAllRight(precision).Max(zero).Min(top)
		d = d.ShiftAllRight(precision).Max(zero).Min(top)
		word := a.Or(b.ShiftAllLeft(8)).Or(c.ShiftAllLeft(16)).Or(d.ShiftAllLeft(24))
		word.AsUint8x32().Store((*[32]uint8)(to[done:]))
	}
	archsimd.ClearAVXUpperBits()
	return done
}

// fours are the weights of a pass over pixels of three channels in the order
// in which rowOf3SIMD multiplies them: for each output pixel, groups of four
// weights k0..k3 as k0 k1 k0 k1 k0 k1 k0 k1 k2 k3 k2 k3 k2 k3 k2 k3. Each is
// split into its 15 low bits and the rest, which fit 16-bit multipliers.
type fours struct {
	low, high [][16]int16
	groups    []int // of each output pixel
}

const lowBits = 15

func (w *weights) fours() *fours {
	if !hasAVX2 {
		return nil
	}
	f := new(fours)
	for x := range w.len() {
		values := w.of(x)
		for i := 0; i < len(values); i += 4 {
			var low, high [16]int16
			for j, k := range values[i:min(i+4, len(values))] {
				for c := range 4 {
					at := j/2*8 + 2*c + j%2
					low[at], high[at] = int16(k&(1<<lowBits-1)), int16(k>>lowBits)
				}
			}
			f.low, f.high = append(f.low, low), append(f.high, high)
		}
		f.groups = append(f.groups, (len(values)+3)/4)
	}
	return f
}

// toPairs brings four pixels of three bytes, in both halves of a vector, to
// 16-bit pairs r0 r1 g0 g1 b0 b1 - - r2 r3 g2 g3 b2 b3 - -.
var toPairs = [32]int8{
	0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,
	6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1,
}

// rowOf3SIMD does the work of weights.rowOf3 for the first output pixels and
// returns for how many: it reads behind the pixels that it needs, which the
// end of the row may not allow.
func rowOf3SIMD(w *weights, f *fours, to, row []uint8) int {
	if f == nil {
		return 0
	}
	pairs := archsimd.LoadInt8x32(&toPairs)
	zero4, top4, half4 := archsimd.BroadcastInt32x4(0), archsimd.BroadcastInt32x4(255), archsimd.BroadcastInt32x4(half)
	group, x := 0, 0
	for ; x < len(w.start); x++ {
		at, n := 3*w.start[x], f.groups[x]
		if at+12*n+4 > len(row) {
			break
		}
		low := archsimd.BroadcastInt32x8(0)
		high := low
		for range n {
			pixels := archsimd.LoadUint8x16((*[16]uint8)(row[at:]))
			var both archsimd.Uint8x32
			samples := both.SetLo(pixels).SetHi(pixels).PermuteOrZeroGrouped(pairs).AsInt16x16()
			low = low.Add(samples.DotProductPairs(archsimd.LoadInt16x16(&f.low[group])))
			high = high.Add(samples.DotProductPairs(archsimd.LoadInt16x16(&f.high[group])))
			at += 12
			group++
		}
		sum := low.Add(high.ShiftAllLeft(lowBits))
		pixel := sum.GetLo().Add(sum.GetHi()).Add(half4).ShiftAllRight(precision).Max(zero4).Min(top4)
		d := to[3*x : 3*x+3 : 3*x+3]
		d[0], d[1], d[2] = uint8(pixel.GetElem(0)), uint8(pixel.GetElem(1)), uint8(pixel.GetElem(2))
	}
	archsimd.ClearAVXUpperBits()
	return x
}
