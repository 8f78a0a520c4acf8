//go:build goexperiment.simd && amd64

package matmul

import "simd/archsimd"

func bestKernel() kernel {
	switch {
	case archsimd.X86.AVX512():
		return wide
	case archsimd.X86.AVX2():
		return narrow
	}
	return plain
}

// narrow holds a tile of c in eight vectors of four.
var narrow = kernel{4, 8, func(depth int, a, b, c []float64, stride int) {
	at := func(i int) *[8]float64 { return (*[8]float64)(c[i*stride:]) }
	r0, r1, r2, r3 := at(0), at(1), at(2), at(3)
	c00, c01 := archsimd.LoadFloat64x4((*[4]float64)(r0[:4])), archsimd.LoadFloat64x4((*[4]float64)(r0[4:]))
	c10, c11 := archsimd.LoadFloat64x4((*[4]float64)(r1[:4])), archsimd.LoadFloat64x4((*[4]float64)(r1[4:]))
	c20, c21 := archsimd.LoadFloat64x4((*[4]float64)(r2[:4])), archsimd.LoadFloat64x4((*[4]float64)(r2[4:]))
	c30, c31 := archsimd.LoadFloat64x4((*[4]float64)(r3[:4])), archsimd.LoadFloat64x4((*[4]float64)(r3[4:]))
	for range depth {
		x, y := (*[4]float64)(a), (*[8]float64)(b)
		b0, b1 := archsimd.LoadFloat64x4((*[4]float64)(y[:4])), archsimd.LoadFloat64x4((*[4]float64)(y[4:]))
		v := archsimd.BroadcastFloat64x4(x[0])
		c00, c01 = c00.Add(v.Mul(b0)), c01.Add(v.Mul(b1))
		v = archsimd.BroadcastFloat64x4(x[1])
		c10, c11 = c10.Add(v.Mul(b0)), c11.Add(v.Mul(b1))
		v = archsimd.BroadcastFloat64x4(x[2])
		c20, c21 = c20.Add(v.Mul(b0)), c21.Add(v.Mul(b1))
		v = archsimd.BroadcastFloat64x4(x[3])
		c30, c31 = c30.Add(v.Mul(b0)), c31.Add(v.Mul(b1))
		a, b = a[4:], b[8:]
	}
	c00.Store((*[4]float64)(r0[:4]))
	c01.Store((*[4]float64)(r0[4:]))
	c10.Store((*[4]float64)(r1[:4]))
	c11.Store((*[4]float64)(r1[4:]))
	c20.Store((*[4]float64)(r2[:4]))
	c21.Store((*[4]float64)(r2[4:]))
	c30.Store((*[4]float64)(r3[:4]))
	c31.Store((*[4]float64)(r3[4:]))
	archsimd.ClearAVXUpperBits()
}}

// wide holds a tile of c in eight vectors of eight: the compiler keeps no more
// than sixteen in registers.
var wide = kernel{4, 16, func(depth int, a, b, c []float64, stride int) {
	at := func(i int) *[16]float64 { return (*[16]float64)(c[i*stride:]) }
	r0, r1, r2, r3 := at(0), at(1), at(2), at(3)
	c00, c01 := archsimd.LoadFloat64x8((*[8]float64)(r0[:8])), archsimd.LoadFloat64x8((*[8]float64)(r0[8:]))
	c10, c11 := archsimd.LoadFloat64x8((*[8]float64)(r1[:8])), archsimd.LoadFloat64x8((*[8]float64)(r1[8:]))
	c20, c21 := archsimd.LoadFloat64x8((*[8]float64)(r2[:8])), archsimd.LoadFloat64x8((*[8]float64)(r2[8:]))
	c30, c31 := archsimd.LoadFloat64x8((*[8]float64)(r3[:8])), archsimd.LoadFloat64x8((*[8]float64)(r3[8:]))
	for range depth {
		x, y := (*[4]float64)(a), (*[16]float64)(b)
		b0, b1 := archsimd.LoadFloat64x8((*[8]float64)(y[:8])), archsimd.LoadFloat64x8((*[8]float64)(y[8:]))
		v := archsimd.BroadcastFloat64x8(x[0])
		c00, c01 = c00.Add(v.Mul(b0)), c01.Add(v.Mul(b1))
		v = archsimd.BroadcastFloat64x8(x[1])
		c10, c11 = c10.Add(v.Mul(b0)), c11.Add(v.Mul(b1))
		v = archsimd.BroadcastFloat64x8(x[2])
		c20, c21 = c20.Add(v.Mul(b0)), c21.Add(v.Mul(b1))
		v = archsimd.BroadcastFloat64x8(x[3])
		c30, c31 = c30.Add(v.Mul(b0)), c31.Add(v.Mul(b1))
		a, b = a[4:], b[16:]
	}
	c00.Store((*[8]float64)(r0[:8]))
	c01.Store((*[8]float64)(r0[8:]))
	c10.Store((*[8]float64)(r1[:8]))
	c11.Store((*[8]float64)(r1[8:]))
	c20.Store((*[8]float64)(r2[:8]))
	c21.Store((*[8]float64)(r2[8:]))
	c30.Store((*[8]float64)(r3[:8]))
	c31.Store((*[8]float64)(r3[8:]))
	archsimd.ClearAVXUpperBits()
}}
