package picture

import (
	"image"
	"image/color"
)

// FromImage converts a decoded picture to RGB as Decode describes.
func FromImage(m image.Image) *RGB {
	b := m.Bounds()
	p := New(b.Dx(), b.Dy())
	switch m := m.(type) {
	case *image.YCbCr:
		p.fromJPEG(m)
	case *image.Gray:
		p.each(b, func(x, y int) (r, g, b uint8) { v := m.GrayAt(x, y).Y; return v, v, v })
	case *image.Gray16:
		p.each(b, func(x, y int) (r, g, b uint8) { v := uint8(min(m.Gray16At(x, y).Y, 255)); return v, v, v })
	case *image.Paletted:
		var table [256][3]uint8
		for i, c := range m.Palette {
			n := color.NRGBAModel.Convert(c).(color.NRGBA)
			table[i] = [3]uint8{n.R, n.G, n.B}
		}
		p.each(b, func(x, y int) (r, g, b uint8) { t := table[m.ColorIndexAt(x, y)]; return t[0], t[1], t[2] })
	case *image.NRGBA:
		p.each(b, func(x, y int) (r, g, b uint8) { c := m.NRGBAAt(x, y); return c.R, c.G, c.B })
	case *image.NRGBA64:
		p.each(b, func(x, y int) (r, g, b uint8) {
			c := m.NRGBA64At(x, y)
			return uint8(c.R >> 8), uint8(c.G >> 8), uint8(c.B >> 8)
		})
	case *image.CMYK:
		p.each(b, func(x, y int) (r, g, b uint8) {
			c := m.CMYKAt(x, y)
			return ink(c.C, c.K), ink(c.M, c.K), ink(c.Y, c.K)
		})
	default:
		p.each(b, func(x, y int) (r, g, b uint8) {
			c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
			return c.R, c.G, c.B
		})
	}
	return p
}

func (p *RGB) each(b image.Rectangle, at func(x, y int) (r, g, b uint8)) {
	i := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			p.Pix[i], p.Pix[i+1], p.Pix[i+2] = at(x, y)
			i += 3
		}
	}
}

// ink is what one ink and black leave of the light, as Pillow rounds it.
func ink(c, k uint8) uint8 {
	light := 255 - int(k)
	t := int(c)*light + 128
	return uint8(max(light-(t>>8+t)>>8, 0))
}

// fromJPEG converts luma and chroma with libjpeg's fixed-point arithmetic.
func (p *RGB) fromJPEG(m *image.YCbCr) {
	rx, ry := 1, 1
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		rx = 2
	case image.YCbCrSubsampleRatio420:
		rx, ry = 2, 2
	case image.YCbCrSubsampleRatio440:
		ry = 2
	case image.YCbCrSubsampleRatio411:
		rx = 4
	case image.YCbCrSubsampleRatio410:
		rx, ry = 4, 2
	}
	cb := upsample(m.Cb, m.CStride, p.Width, p.Height, rx, ry)
	cr := upsample(m.Cr, m.CStride, p.Width, p.Height, rx, ry)
	for y := range p.Height {
		luma := m.Y[y*m.YStride:]
		for x := range p.Width {
			i := y*p.Width + x
			l, b, r := int(luma[x]), int(cb[i])-128, int(cr[i])-128
			p.Pix[3*i] = level(l + (91881*r+32768)>>16)
			p.Pix[3*i+1] = level(l + (-22554*b-46802*r+32768)>>16)
			p.Pix[3*i+2] = level(l + (116130*b+32768)>>16)
		}
	}
}

func level(v int) uint8 { return uint8(min(max(v, 0), 255)) }

// upsample brings a chroma plane, reduced rx times across and ry times down, to
// width x height as libjpeg's "fancy upsampling" does: halves are weighted 3:1
// between the nearest and the next sample (h2v1, h1v2 and h2v2 of jdsample.c),
// other reductions and planes up to two samples wide are repeated.
func upsample(plane []uint8, stride, width, height, rx, ry int) []uint8 {
	cw, ch := (width+rx-1)/rx, (height+ry-1)/ry
	out := make([]uint8, width*height)
	row := make([]int, cw) // a line of chroma, 1 or 4 times as large
	for y := range height {
		near := plane[y/ry*stride:]
		weight := 1
		if ry == 2 && rx <= 2 && !(rx == 2 && cw <= 2) {
			next := plane[min(max(y/2-1+2*(y&1), 0), ch-1)*stride:]
			weight = 4
			for x := range row {
				row[x] = 3*int(near[x]) + int(next[x])
			}
		} else {
			for x := range row {
				row[x] = int(near[x])
			}
		}
		to := out[y*width : (y+1)*width]
		switch {
		case rx == 1 && weight == 4:
			for x := range to {
				to[x] = uint8((row[x] + 1 + y&1) >> 2)
			}
		case rx == 2 && cw > 2:
			fancyRow(to, row, weight)
		default:
			for x := range to {
				to[x] = uint8(row[x/rx])
			}
		}
	}
	return out
}

// fancyRow doubles a line of chroma whose values are weight (1 or 4) times as large.
func fancyRow(to []uint8, row []int, weight int) {
	for x := range to {
		i := x / 2
		next := i - 1 + 2*(x&1)
		edge := next < 0 || next >= len(row)
		switch {
		case weight == 1 && edge:
			to[x] = uint8(row[i])
		case weight == 1:
			to[x] = uint8((3*row[i] + row[next] + 1 + x&1) >> 2)
		case edge:
			to[x] = uint8((4*row[i] + 8 - x&1) >> 4)
		default:
			to[x] = uint8((3*row[i] + row[next] + 8 - x&1) >> 4)
		}
	}
}
