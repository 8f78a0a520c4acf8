package picture

import "slices"

// Mode is how samples are stored, by Pillow's names.
type Mode string

// The modes that decoding gives.
const (
	Bilevel    Mode = "1"    // one channel, 0 or 255
	Gray       Mode = "L"    // one channel
	GrayAlpha  Mode = "LA"   // two channels
	Indexed    Mode = "P"    // one channel of indices into a palette
	Color      Mode = "RGB"  // three channels
	ColorAlpha Mode = "RGBA" // four channels
	Inks       Mode = "CMYK" // four channels, 255 for full ink
	Gray16     Mode = "I;16" // one channel of 16 bits
	Gray32     Mode = "I"    // one channel of 32 bits
)

// Channels returns the number of samples of a pixel.
func (m Mode) Channels() int {
	switch m {
	case GrayAlpha:
		return 2
	case Color:
		return 3
	case ColorAlpha, Inks:
		return 4
	}
	return 1
}

// wide reports whether samples have more than 8 bits.
func (m Mode) wide() bool { return m == Gray16 || m == Gray32 }

// Stored is a picture with its samples as its file has them.
type Stored struct {
	Mode          Mode
	Width, Height int
	Pix           []uint8 // [Height, Width, Channels]; nil for Gray16 and Gray32
	Wide          []int32 // [Height, Width] for Gray16 and Gray32

	// Palette holds red, green, blue and alpha by index, for Indexed.
	Palette *[256][4]uint8
	// Transparent is the colour (grey thrice) that a PNG or GIF file declares
	// transparent, where there is one and the mode has no alpha of its own.
	Transparent *[3]uint8
}

func newStored(m Mode, width, height int) *Stored {
	s := &Stored{Mode: m, Width: width, Height: height}
	if m.wide() {
		s.Wide = make([]int32, width*height)
	} else {
		s.Pix = make([]uint8, width*height*m.Channels())
	}
	return s
}

// HasAlpha reports whether pixels can be transparent.
func (s *Stored) HasAlpha() bool {
	if s.Mode == Indexed {
		return slices.ContainsFunc(s.Palette[:], func(c [4]uint8) bool { return c[3] != 255 })
	}
	return s.Mode == GrayAlpha || s.Mode == ColorAlpha || s.Transparent != nil
}

// plain reports whether nothing is lost by the conversion to RGB, and whether
// it may as well come before a resize.
func (s *Stored) plain() bool {
	return (s.Mode == Color || s.Mode == Gray) && s.Transparent == nil
}

// rgb is RGB that remembers s where it has to.
func (s *Stored) rgb() *RGB {
	p := s.RGB()
	if !s.plain() {
		p.stored = s
	}
	return p
}

// RGB converts as Pillow's convert("RGB"): alpha is dropped, palettes are
// looked up, grey over 8 bits is clipped at 255. The result shares the samples
// of a picture in mode Color.
func (s *Stored) RGB() *RGB {
	if s.Mode == Color {
		return &RGB{Width: s.Width, Height: s.Height, Pix: s.Pix}
	}
	p := New(s.Width, s.Height)
	to := p.Pix
	switch s.Mode {
	case Bilevel, Gray:
		for _, v := range s.Pix {
			to[0], to[1], to[2] = v, v, v
			to = to[3:]
		}
	case GrayAlpha:
		for i := 0; i < len(s.Pix); i += 2 {
			v := s.Pix[i]
			to[0], to[1], to[2] = v, v, v
			to = to[3:]
		}
	case Indexed:
		for _, i := range s.Pix {
			copy(to[:3], s.Palette[i][:3])
			to = to[3:]
		}
	case ColorAlpha:
		for i := 0; i < len(s.Pix); i += 4 {
			copy(to[:3], s.Pix[i:i+3])
			to = to[3:]
		}
	case Inks:
		for i := 0; i < len(s.Pix); i += 4 {
			c := s.Pix[i : i+4]
			to[0], to[1], to[2] = ink(c[0], c[3]), ink(c[1], c[3]), ink(c[2], c[3])
			to = to[3:]
		}
	default:
		for _, v := range s.Wide {
			c := level(int(v))
			to[0], to[1], to[2] = c, c, c
			to = to[3:]
		}
	}
	return p
}

// OnWhite converts to RGB with what is transparent laid on white, as
// transformers 5 does: Pillow's convert("RGBA"), alpha_composite, convert("RGB").
func (s *Stored) OnWhite() *RGB {
	if !s.HasAlpha() {
		return s.RGB()
	}
	p := s.RGB()
	if s.Mode == Color {
		p.Pix = slices.Clone(p.Pix)
	}
	for i := range s.Width * s.Height {
		c := p.Pix[3*i : 3*i+3]
		alpha := uint8(255)
		switch s.Mode {
		case GrayAlpha:
			alpha = s.Pix[2*i+1]
		case ColorAlpha:
			alpha = s.Pix[4*i+3]
		case Indexed:
			alpha = s.Palette[s.Pix[i]][3]
		default:
			if [3]uint8(c) == *s.Transparent {
				alpha = 0
			}
		}
		for k, v := range c {
			c[k] = overWhite(v, alpha)
		}
	}
	return p
}

// overWhite lays a sample on white in the fixed point of Pillow's
// AlphaComposite.c.
func overWhite(v, alpha uint8) uint8 {
	if alpha == 0 {
		return 255
	}
	const bits = 7
	coefficient := uint32(alpha) << bits // alpha*255*255<<7 / (255*255), exactly
	sum := uint32(v)*coefficient + 255*(255<<bits-coefficient) + 0x80<<bits
	return uint8((sum>>8 + sum) >> 8 >> bits)
}

// ink is what one ink and black leave of the light, as Pillow rounds it.
func ink(c, k uint8) uint8 {
	light := 255 - int(k)
	return uint8(max(light-int(scaled(c, uint8(light))), 0))
}

// scaled is a*b/255, rounded as Pillow's MULDIV255.
func scaled(a, b uint8) uint8 {
	t := int(a)*int(b) + 128
	return uint8((t>>8 + t) >> 8)
}

func level(v int) uint8 { return uint8(min(max(v, 0), 255)) }

// premultiply replaces colours by colours times alpha.
func (s *Stored) premultiply() *Stored {
	out := *s
	out.Pix = slices.Clone(s.Pix)
	n := s.Mode.Channels()
	for i := n - 1; i < len(out.Pix); i += n {
		for j := i - n + 1; j < i; j++ {
			out.Pix[j] = scaled(out.Pix[j], out.Pix[i])
		}
	}
	return &out
}

// divideAlpha undoes premultiply in place as Pillow does: truncating, and
// leaving what is fully transparent or opaque.
func (s *Stored) divideAlpha() {
	n := s.Mode.Channels()
	for i := n - 1; i < len(s.Pix); i += n {
		if a := int(s.Pix[i]); a != 0 && a != 255 {
			for j := i - n + 1; j < i; j++ {
				s.Pix[j] = uint8(min(255*int(s.Pix[j])/a, 255))
			}
		}
	}
}
