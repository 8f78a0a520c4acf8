//go:build goexperiment.simd && amd64

package picture

import (
	"encoding/binary"
	"simd/archsimd"
)

const firstShift, secondShift = constBits - passBits, constBits + passBits + 3

// transformConstants lie in memory eight times each, see columnSIMD.
var transformConstants = func() (list [16][8]int32) {
	for i, v := range [16]int32{1 << (firstShift - 1), 1<<(secondShift-1) + 128<<secondShift, c0_541196100, -c1_847759065, c0_765366865,
		c1_175875602, -c0_899976223, -c2_562915447, -c1_961570560, -c0_390180644, c0_298631336, c2_053119869, c3_072711026, c1_501321110, 0, 255} {
		for j := range list[i] {
			list[i][j] = v
		}
	}
	return list
}()

// inverseSIMD is the two passes of jpegComponent.inverse, all columns and all
// rows at once, where the processor can do it.
func inverseSIMD(b *[64]int32, to []uint8, stride int) bool {
	if !hasAVX2 {
		return false
	}
	load := func(row int) archsimd.Int32x8 { return archsimd.LoadInt32x8((*[8]int32)(b[8*row:])) }
	r0, r1, r2, r3, r4, r5, r6, r7 := load(0), load(1), load(2), load(3), load(4), load(5), load(6), load(7)
	const first, second = firstShift, secondShift
	constant := func(i int) archsimd.Int32x8 { return archsimd.LoadInt32x8(&transformConstants[i]) }
	bias := constant(0)
	m0541, m1847, m0765, m1175, m0899, m2562 := constant(2), constant(3), constant(4), constant(5), constant(6), constant(7)
	m1961, m0390, m0298, m2053, m3072, m1501 := constant(8), constant(9), constant(10), constant(11), constant(12), constant(13)
	for pass := 0; ; pass++ {
		// As idct8.
		z1 := r2.Add(r6).Mul(m0541)
		t2, t3 := z1.Add(r6.Mul(m1847)), z1.Add(r2.Mul(m0765))
		t0, t1 := r0.Add(r4).ShiftAllLeft(constBits).Add(bias), r0.Sub(r4).ShiftAllLeft(constBits).Add(bias)
		e0, e3, e1, e2 := t0.Add(t3), t0.Sub(t3), t1.Add(t2), t1.Sub(t2)
		s73, s51 := r7.Add(r3), r5.Add(r1)
		z5 := s73.Add(s51).Mul(m1175)
		z1 = r7.Add(r1).Mul(m0899)
		z2 := r5.Add(r3).Mul(m2562)
		z3, z4 := s73.Mul(m1961).Add(z5), s51.Mul(m0390).Add(z5)
		o0, o1 := r7.Mul(m0298).Add(z1).Add(z3), r5.Mul(m2053).Add(z2).Add(z4)
		o2, o3 := r3.Mul(m3072).Add(z2).Add(z3), r1.Mul(m1501).Add(z1).Add(z4)
		r0, r7, r1, r6 = e0.Add(o3), e0.Sub(o3), e1.Add(o2), e1.Sub(o2)
		r2, r5, r3, r4 = e2.Add(o1), e2.Sub(o1), e3.Add(o0), e3.Sub(o0)
		if pass == 1 {
			break
		}
		bias = constant(1)
		r0, r1, r2, r3 = r0.ShiftAllRight(first), r1.ShiftAllRight(first), r2.ShiftAllRight(first), r3.ShiftAllRight(first)
		r4, r5, r6, r7 = r4.ShiftAllRight(first), r5.ShiftAllRight(first), r6.ShiftAllRight(first), r7.ShiftAllRight(first)
		// Transpose: pairs, fours, halves.
		a0, a1 := r0.InterleaveLoGrouped(r1).AsInt64x4(), r0.InterleaveHiGrouped(r1).AsInt64x4()
		a2, a3 := r2.InterleaveLoGrouped(r3).AsInt64x4(), r2.InterleaveHiGrouped(r3).AsInt64x4()
		a4, a5 := r4.InterleaveLoGrouped(r5).AsInt64x4(), r4.InterleaveHiGrouped(r5).AsInt64x4()
		a6, a7 := r6.InterleaveLoGrouped(r7).AsInt64x4(), r6.InterleaveHiGrouped(r7).AsInt64x4()
		b0, b1 := a0.InterleaveLoGrouped(a2), a0.InterleaveHiGrouped(a2)
		b2, b3 := a1.InterleaveLoGrouped(a3), a1.InterleaveHiGrouped(a3)
		b4, b5 := a4.InterleaveLoGrouped(a6), a4.InterleaveHiGrouped(a6)
		b6, b7 := a5.InterleaveLoGrouped(a7), a5.InterleaveHiGrouped(a7)
		r0, r4 = b0.Select128FromPair(0, 2, b4).AsInt32x8(), b0.Select128FromPair(1, 3, b4).AsInt32x8()
		r1, r5 = b1.Select128FromPair(0, 2, b5).AsInt32x8(), b1.Select128FromPair(1, 3, b5).AsInt32x8()
		r2, r6 = b2.Select128FromPair(0, 2, b6).AsInt32x8(), b2.Select128FromPair(1, 3, b6).AsInt32x8()
		r3, r7 = b3.Select128FromPair(0, 2, b7).AsInt32x8(), b3.Select128FromPair(1, 3, b7).AsInt32x8()
	}
	zero, top := constant(14), constant(15)
	s0, s1 := r0.ShiftAllRight(second).Max(zero).Min(top), r1.ShiftAllRight(second).Max(zero).Min(top)
	s2, s3 := r2.ShiftAllRight(second).Max(zero).Min(top), r3.ShiftAllRight(second).Max(zero).Min(top)
	s4, s5 := r4.ShiftAllRight(second).Max(zero).Min(top), r5.ShiftAllRight(second).Max(zero).Min(top)
	s6, s7 := r6.ShiftAllRight(second).Max(zero).Min(top), r7.ShiftAllRight(second).Max(zero).Min(top)
	// Word y of left and right is half a row.
	left := s0.Or(s1.ShiftAllLeft(8)).Or(s2.ShiftAllLeft(16)).Or(s3.ShiftAllLeft(24))
	right := s4.Or(s5.ShiftAllLeft(8)).Or(s6.ShiftAllLeft(16)).Or(s7.ShiftAllLeft(24))
	var rows [16]uint32
	left.InterleaveLoGrouped(right).AsUint32x8().Store((*[8]uint32)(rows[:8])) // rows 0, 1, 4, 5
	left.InterleaveHiGrouped(right).AsUint32x8().Store((*[8]uint32)(rows[8:])) // rows 2, 3, 6, 7
	archsimd.ClearAVXUpperBits()
	for i, y := range [8]int{0, 1, 4, 5, 2, 3, 6, 7} {
		binary.LittleEndian.PutUint64(to[y*stride:], uint64(rows[2*i])|uint64(rows[2*i+1])<<32)
	}
	return true
}
