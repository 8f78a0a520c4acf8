package picture

// picture brings all channels to full size and converts them as libjpeg does.
func (d *jpegDecoder) picture() (*Stored, error) {
	n := len(d.components)
	if n == 1 {
		c := &d.components[0]
		return packed(Gray, d.width, d.height, c.samples, 8*c.blocksAcross), nil
	}
	mode := Color
	if n == 4 {
		mode = Inks
	}
	out := newStored(mode, d.width, d.height)
	rows := make([][]uint8, n)
	up := make([]upsampler, n)
	for i := range up {
		up[i] = newUpsampler(&d.components[i], d.hMax, d.vMax, d.width)
	}
	ycc := d.hasChroma()
	for y := range d.height {
		for i := range up {
			rows[i] = up[i].row(y)
		}
		to := out.Pix[y*d.width*n : (y+1)*d.width*n]
		if ycc {
			yccRow(to, n, rows[0], rows[1], rows[2])
		} else {
			for i := range 3 {
				for x, v := range rows[i][:d.width] {
					to[x*n+i] = v
				}
			}
		}
		if n == 4 {
			d.inkRow(to, rows[3], ycc)
		}
	}
	return out, nil
}

// hasChroma applies libjpeg's rules for what the channels mean.
func (d *jpegDecoder) hasChroma() bool {
	if len(d.components) == 4 {
		return d.adobe >= 0 && d.adobe != 0
	}
	switch {
	case d.jfif:
		return true
	case d.adobe >= 0:
		return d.adobe != 0
	}
	c := d.components
	return !(c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B')
}

// inkRow completes a row of four channels: Pillow takes the samples for
// inverted inks, as Adobe writes them. Luma and chroma make what the inks leave.
func (d *jpegDecoder) inkRow(to, black []uint8, ycc bool) {
	for x, k := range black[:d.width] {
		p := to[4*x : 4*x+4]
		if !ycc {
			p[0], p[1], p[2] = 255-p[0], 255-p[1], 255-p[2]
		}
		p[3] = 255 - k
	}
}

// yccRow converts luma and chroma to red, green and blue, n bytes apart, in
// libjpeg's 16-bit fixed point.
func yccRow(to []uint8, n int, luma, cb, cr []uint8) {
	cb, cr = cb[:len(luma)], cr[:len(luma)]
	for x, l := range luma {
		if len(to) < 3 {
			return
		}
		y, b, r := int32(l), int32(cb[x])-128, int32(cr[x])-128
		red := y + (91881*r+32768)>>16
		green := y + (-22554*b-46802*r+32768)>>16
		blue := y + (116130*b+32768)>>16
		if uint32(red|green|blue) > 255 { // one of them negative or too large
			red, green, blue = min(max(red, 0), 255), min(max(green, 0), 255), min(max(blue, 0), 255)
		}
		to[0], to[1], to[2] = uint8(red), uint8(green), uint8(blue)
		if n > len(to) {
			return
		}
		to = to[n:]
	}
}

// upsampler gives the rows of a channel at the size of the picture, as
// libjpeg's jdsample.c does: halves are weighted 3:1 between the nearest and
// the next sample ("fancy"), other reductions and channels up to two samples
// wide are repeated.
type upsampler struct {
	c      *jpegComponent
	rx, ry int
	width  int
	sums   []int32 // a line of the channel, 4 times as large where two are mixed
	out    []uint8
}

func newUpsampler(c *jpegComponent, hMax, vMax, width int) upsampler {
	u := upsampler{c: c, rx: hMax / c.h, ry: vMax / c.v, width: width}
	if u.rx > 1 || u.ry > 1 {
		u.sums = make([]int32, c.width)
		u.out = make([]uint8, 2*width+2)
	}
	return u
}

func (u *upsampler) line(y int) []uint8 {
	o := y * 8 * u.c.blocksAcross
	return u.c.samples[o : o+u.c.width]
}

// row returns row y; it is valid until the next call.
func (u *upsampler) row(y int) []uint8 {
	near := u.line(y / u.ry)
	fancyX := u.rx == 2 && u.c.width > 2 && u.ry <= 2
	fancyY := u.ry == 2 && (u.rx == 1 || fancyX)
	if u.rx == 1 && u.ry == 1 {
		return near[:u.width]
	}
	if fancyY {
		next := u.line(min(max(y/2-1+2*(y&1), 0), u.c.height-1))
		for x, v := range near {
			u.sums[x] = 3*int32(v) + int32(next[x])
		}
	}
	switch {
	case fancyY && u.rx == 1:
		bias := int32(1 + y&1)
		for x, v := range u.sums {
			u.out[x] = uint8((v + bias) >> 2)
		}
	case fancyY:
		fancyRow(u.out, u.sums, 4)
	case fancyX:
		for x, v := range near {
			u.sums[x] = int32(v)
		}
		fancyRow(u.out, u.sums, 1)
	default:
		for x := range u.width {
			u.out[x] = near[x/u.rx]
		}
	}
	return u.out[:u.width]
}

// fancyRow doubles a line of values that are weight (1 or 4) times as large.
func fancyRow(to []uint8, row []int32, weight int32) {
	left, right, shift := int32(1), int32(2), 2 // what is added before the shift
	if weight == 4 {
		left, right, shift = 8, 7, 4
	}
	n := len(row)
	to = to[:2*n]
	to[0] = edgeSample(row[0], left, weight)
	to[2*n-1] = edgeSample(row[n-1], right, weight)
	previous := row[0]
	for i, next := range row[1:] {
		pair := to[2*i+1 : 2*i+3 : 2*i+3]
		pair[0] = uint8((3*previous + next + right) >> shift)
		pair[1] = uint8((3*next + previous + left) >> shift)
		previous = next
	}
}

// edgeSample is the first or last sample, which has no neighbour.
func edgeSample(v, bias, weight int32) uint8 {
	if weight == 1 {
		return uint8(v)
	}
	return uint8((4*v + bias) >> 4)
}
