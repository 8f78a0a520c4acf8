package picture

import (
	"bytes"
	"errors"
	"image"
	"image/gif"
)

// decodeGIF puts the first frame on the logical screen, which is filled with
// the transparent index, or with index 0.
func decodeGIF(data []byte, c image.Config) (*Stored, error) {
	m, err := gif.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	frame, ok := m.(*image.Paletted)
	if !ok {
		return nil, errors.New("a frame without palette")
	}
	// Go's decoder blackens the transparent entry; Pillow keeps its colour.
	palette, transparent := gifPalette(data)
	s := newStored(Indexed, c.Width, c.Height)
	s.Palette = new([256][4]uint8)
	identity := true
	for i := range s.Palette {
		s.Palette[i][3] = 255
		if 3*i+3 <= len(palette) {
			copy(s.Palette[i][:], palette[3*i:3*i+3])
			identity = identity && s.Palette[i] == [4]uint8{uint8(i), uint8(i), uint8(i), 255}
		}
	}
	if transparent > 0 {
		for i := range s.Pix {
			s.Pix[i] = uint8(transparent)
		}
	}
	b := frame.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		o := frame.PixOffset(b.Min.X, y)
		copy(s.Pix[y*c.Width+b.Min.X:], frame.Pix[o:o+b.Dx()])
	}
	switch {
	case identity:
		s.Mode, s.Palette = Gray, nil
		if transparent >= 0 {
			v := uint8(transparent)
			s.Transparent = &[3]uint8{v, v, v}
		}
	case transparent >= 0:
		s.Palette[transparent][3] = 0
	}
	return s, nil
}

// gifPalette returns the colours of the first frame, three bytes each, and its
// transparent index, -1 without. The file has been decoded before.
func gifPalette(data []byte) (palette []byte, transparent int) {
	transparent = -1
	table := func(flags byte, at int) (colours []byte, next int) {
		const present = 0x80
		if flags&present == 0 {
			return nil, at
		}
		next = at + 3<<(flags&7+1)
		return data[at:next], next
	}
	const screen = 6 + 7
	palette, at := table(data[10], screen)
	for at < len(data) {
		const extension, descriptor, control = 0x21, 0x2c, 0xf9
		switch data[at] {
		case extension:
			if data[at+1] == control && data[at+3]&1 != 0 {
				transparent = int(data[at+6])
			}
			for at += 2; data[at] != 0; at += 1 + int(data[at]) {
			}
			at++
		case descriptor:
			if local, _ := table(data[at+9], at+10); local != nil {
				palette = local
			}
			return palette, transparent
		default:
			return palette, transparent
		}
	}
	return palette, transparent
}
