package picture

import (
	"image"
	"image/color"
)

// FromImage converts a picture of the standard library to RGB as Decode
// describes.
func FromImage(m image.Image) *RGB { return fromImage(m).rgb() }

// fromImage keeps the samples of a picture that a decoder returned.
func fromImage(m image.Image) *Stored {
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	switch m := m.(type) {
	case *image.Gray:
		return packed(Gray, w, h, m.Pix, m.Stride)
	case *image.Gray16:
		s := newStored(Gray16, w, h)
		for y := range h {
			row := m.Pix[y*m.Stride:]
			for x := range w {
				s.Wide[y*w+x] = int32(row[2*x])<<8 | int32(row[2*x+1])
			}
		}
		return s
	case *image.Paletted:
		s := packed(Indexed, w, h, m.Pix, m.Stride)
		s.Palette = new([256][4]uint8)
		for i := range s.Palette {
			s.Palette[i][3] = 255
		}
		for i, c := range m.Palette[:min(len(m.Palette), 256)] {
			n := color.NRGBAModel.Convert(c).(color.NRGBA)
			s.Palette[i] = [4]uint8{n.R, n.G, n.B, n.A}
		}
		return s
	case *image.NRGBA:
		return packed(ColorAlpha, w, h, m.Pix, m.Stride)
	case *image.NRGBA64:
		return highBytes(w, h, m.Pix, m.Stride)
	case *image.RGBA:
		s := packed(ColorAlpha, w, h, m.Pix, m.Stride)
		if m.Opaque() {
			return s.channels(Color, 0, 1, 2)
		}
		s.divideAlpha()
		return s
	case *image.RGBA64:
		s := highBytes(w, h, m.Pix, m.Stride)
		if m.Opaque() {
			return s.channels(Color, 0, 1, 2)
		}
		s.divideAlpha()
		return s
	case *image.CMYK:
		return packed(Inks, w, h, m.Pix, m.Stride)
	}
	s := newStored(ColorAlpha, w, h)
	for i := range w * h {
		c := color.NRGBAModel.Convert(m.At(b.Min.X+i%w, b.Min.Y+i/w)).(color.NRGBA)
		s.Pix[4*i], s.Pix[4*i+1], s.Pix[4*i+2], s.Pix[4*i+3] = c.R, c.G, c.B, c.A
	}
	return s
}

// packed copies rows of a stride.
func packed(m Mode, width, height int, pix []uint8, stride int) *Stored {
	s := newStored(m, width, height)
	n := width * m.Channels()
	for y := range height {
		copy(s.Pix[y*n:(y+1)*n], pix[y*stride:])
	}
	return s
}

// highBytes keeps the more significant halves of four channels of 16 bits.
func highBytes(width, height int, pix []uint8, stride int) *Stored {
	s := newStored(ColorAlpha, width, height)
	for y := range height {
		row, to := pix[y*stride:], s.Pix[4*y*width:4*(y+1)*width]
		for i := range to {
			to[i] = row[2*i]
		}
	}
	return s
}

// channels returns a picture of some of the channels of s.
func (s *Stored) channels(m Mode, which ...int) *Stored {
	out := newStored(m, s.Width, s.Height)
	n, to := s.Mode.Channels(), out.Pix
	for i := 0; i < len(s.Pix); i += n {
		for k, c := range which {
			to[k] = s.Pix[i+c]
		}
		to = to[len(which):]
	}
	return out
}
