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

// wide holds a tile of c in sixteen vectors of eight.
var wide = kernel{8, 16, func(depth int, a, b, c []float64, stride int) {
	at := func(i int) *[16]float64 { return (*[16]float64)(c[i*stride:]) }
	r0, r1, r2, r3, r4, r5, r6, r7 := at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7)
	load := func(r *[16]float64) (archsimd.Float64x8, archsimd.Float64x8) {
		return archsimd.LoadFloat64x8((*[8]float64)(r[:8])), archsimd.LoadFloat64x8((*[8]float64)(r[8:]))
	}
	c00, c01 := load(r0)
	c10, c11 := load(r1)
	c20, c21 := load(r2)
	c30, c31 := load(r3)
	c40, c41 := load(r4)
	c50, c51 := load(r5)
	c60, c61 := load(r6)
	c70, c71 := load(r7)
	for range depth {
		x := (*[8]float64)(a)
		b0, b1 := load((*[16]float64)(b))
		v := archsimd.BroadcastFloat64x8(x[0])
		c00, c01 = c00.Add(v.Mul(b0)), c01.Add(v.Mul(b1))
		v = archsimd.BroadcastFloat64x8(x[1])
		c10, c11 = c10.Add(v.Mul(b0)), c11.Add(v.Mul(b1))
		v = archsimd.BroadcastFloat64x8(x[2])
		c20, c21 = c20.Add(v.Mul(b0)), c21.Add(v.Mul(b1))
		v = archsimd.BroadcastFloat64x8(x[3])
		c30, c31 = c30.Add(v.Mul(b0)), c31.Add(v.Mul(b1))
		v = archsimd.BroadcastFloat64x8(x[4])
		c40, c41 = c40.Add(v.Mul(b0)), c41.Add(v.Mul(b1))
		v = archsimd.BroadcastFloat64x8(x[5])
		c50, c51 = c50.Add(v.Mul(b0)), c51.Add(v.Mul(b1))
		v = archsimd.BroadcastFloat64x8(x[6])
		c60, c61 = c60.Add(v.Mul(b0)), c61.Add(v.Mul(b1))
		v = archsimd.BroadcastFloat64x8(x[7])
		c70, c71 = c70.Add(v.Mul(b0)), c71.Add(v.Mul(b1))
		a, b = a[8:], b[16:]
	}
	store := func(r *[16]float64, x, y archsimd.Float64x8) {
		x.Store((*[8]float64)(r[:8]))
		y.Store((*[8]float64)(r[8:]))
	}
	store(r0, c00, c01)
	store(r1, c10, c11)
	store(r2, c20, c21)
	store(r3, c30, c31)
	store(r4, c40, c41)
	store(r5, c50, c51)
	store(r6, c60, c61)
	store(r7, c70, c71)
	archsimd.ClearAVXUpperBits()
}}
