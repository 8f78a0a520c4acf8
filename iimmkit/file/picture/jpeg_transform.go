package picture

// Constants of the transform of Loeffler, Ligtenberg and Moschytz in 13-bit
// fixed point, as in libjpeg's jidctint.c.
const (
	c0_298631336 = 2446
	c0_390180644 = 3196
	c0_541196100 = 4433
	c0_765366865 = 6270
	c0_899976223 = 7373
	c1_175875602 = 9633
	c1_501321110 = 12299
	c1_847759065 = 15137
	c1_961570560 = 16069
	c2_053119869 = 16819
	c2_562915447 = 20995
	c3_072711026 = 25172

	constBits = 13
	passBits  = 2 // fractional bits between the passes
)

// inverse transforms dequantised coefficients, the last of which in zigzag
// order is the given one, to the samples of a block, and clears them.
func (c *jpegComponent) inverse(b *[64]int32, bx, by, last int) {
	stride := 8 * c.blocksAcross
	to := c.samples[8*(by*stride+bx):]
	if last == 0 { // flat
		const shift = passBits + 3
		v := level(int((b[0]<<passBits+1<<(shift-1))>>shift) + 128)
		b[0] = 0
		for y := range 8 {
			row := to[y*stride : y*stride+8 : y*stride+8]
			for x := range row {
				row[x] = v
			}
		}
		return
	}
	if !inverseSIMD(b, to, stride) {
		inverse(b, to, stride)
	}
	*b = [64]int32{}
}

// inverse is the two passes.
func inverse(b *[64]int32, to []uint8, stride int) {
	for x := range 8 {
		col := b[x : x+57 : x+57]
		if col[8]|col[16]|col[24]|col[32]|col[40]|col[48]|col[56] == 0 {
			v := col[0] << passBits
			col[0], col[8], col[16], col[24], col[32], col[40], col[48], col[56] = v, v, v, v, v, v, v, v
			continue
		}
		const shift = constBits - passBits
		s := idct8(col[0], col[8], col[16], col[24], col[32], col[40], col[48], col[56], 1<<(shift-1))
		col[0], col[8], col[16], col[24] = s[0]>>shift, s[1]>>shift, s[2]>>shift, s[3]>>shift
		col[32], col[40], col[48], col[56] = s[4]>>shift, s[5]>>shift, s[6]>>shift, s[7]>>shift
	}
	for y := range 8 {
		const shift = constBits + passBits + 3
		r := b[8*y : 8*y+8 : 8*y+8]
		s := idct8(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], 1<<(shift-1)+128<<shift)
		row := to[y*stride : y*stride+8 : y*stride+8]
		for x := range row {
			row[x] = level(int(s[x] >> shift))
		}
	}
}

// idct8 is the one-dimensional transform, constBits larger than its input, plus bias.
func idct8(i0, i1, i2, i3, i4, i5, i6, i7, bias int32) [8]int32 {
	z1 := (i2 + i6) * c0_541196100
	t2 := z1 - i6*c1_847759065
	t3 := z1 + i2*c0_765366865
	t0 := (i0+i4)<<constBits + bias
	t1 := (i0-i4)<<constBits + bias
	e0, e3, e1, e2 := t0+t3, t0-t3, t1+t2, t1-t2

	z5 := (i7 + i3 + i5 + i1) * c1_175875602
	z1 = (i7 + i1) * -c0_899976223
	z2 := (i5 + i3) * -c2_562915447
	z3 := (i7+i3)*-c1_961570560 + z5
	z4 := (i5+i1)*-c0_390180644 + z5
	o0 := i7*c0_298631336 + z1 + z3
	o1 := i5*c2_053119869 + z2 + z4
	o2 := i3*c3_072711026 + z2 + z3
	o3 := i1*c1_501321110 + z1 + z4
	return [8]int32{e0 + o3, e1 + o2, e2 + o1, e3 + o0, e3 - o0, e2 - o1, e1 - o2, e0 - o3}
}
