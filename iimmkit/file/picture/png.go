package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/png"
)

// decodePNG gives the mode that Pillow gives to each colour type and depth.
// Go's decoder turns a transparent colour into alpha and small grey into 8
// bits, so both are read from the file again.
func decodePNG(data []byte, _ image.Config) (*Stored, error) {
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	s := fromImage(m)
	const atDepth, atColor = 24, 25 // in IHDR, which png.Decode has checked
	depth, colour := data[atDepth], data[atColor]
	const gray, rgb, palette, grayAlpha = 0, 2, 3, 4
	key := pngChunk(data, "tRNS")
	part := func(i int) uint8 { return uint8(binary.BigEndian.Uint16(key[2*i:])) }
	switch colour {
	case gray:
		switch {
		case s.Mode == ColorAlpha && depth == 16: // with a transparent value
			wide := newStored(Gray16, s.Width, s.Height)
			n := m.(*image.NRGBA64)
			for i := range wide.Wide {
				o := n.PixOffset(i%s.Width, i/s.Width)
				wide.Wide[i] = int32(n.Pix[o])<<8 | int32(n.Pix[o+1])
			}
			s = wide
		case s.Mode == ColorAlpha:
			s = s.channels(Gray, 0)
		}
		if depth == 1 {
			s.Mode = Bilevel
		}
		if len(key) >= 2 {
			// Pillow compares with the stored value even where it has brought 2 and
			// 4 bits to 8.
			v := part(0)
			if depth == 1 {
				v *= 255
			}
			s.Transparent = &[3]uint8{v, v, v}
		}
	case rgb:
		if s.Mode == ColorAlpha {
			s = s.channels(Color, 0, 1, 2)
		}
		if len(key) >= 6 {
			s.Transparent = &[3]uint8{part(0), part(1), part(2)}
		}
	case grayAlpha:
		if depth == 8 {
			s = s.channels(GrayAlpha, 0, 3)
		}
	}
	return s, nil
}

// pngChunk returns the content of the first chunk of a kind, nil without.
func pngChunk(data []byte, kind string) []byte {
	for at := uint64(8); at+8 <= uint64(len(data)); {
		size := uint64(binary.BigEndian.Uint32(data[at:]))
		if at+8+size > uint64(len(data)) {
			return nil
		}
		if string(data[at+4:at+8]) == kind {
			return data[at+8 : at+8+size]
		}
		at += 12 + size
	}
	return nil
}
