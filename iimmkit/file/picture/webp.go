package picture

import (
	"bytes"
	"encoding/binary"
	"image"

	"golang.org/x/image/webp"
)

// decodeWebP converts lossy pictures as libwebp does: their luma and chroma
// have the narrow range of video (16 to 235), which Go's image.YCbCr has not,
// and chroma is upsampled with weights 9:3:3:1.
func decodeWebP(data []byte, _ image.Config) (*Stored, error) {
	alpha, err := webpBitstream(data)
	if err != nil {
		return nil, err
	}
	m, err := webp.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *image.YCbCr:
		return fromVP8(m), nil
	case *image.NYCbCrA:
		s, colour := newStored(ColorAlpha, m.Rect.Dx(), m.Rect.Dy()), fromVP8(&m.YCbCr).Pix
		for i := range s.Width * s.Height {
			copy(s.Pix[4*i:], colour[3*i:3*i+3])
			s.Pix[4*i+3] = m.A[i/s.Width*m.AStride+i%s.Width]
		}
		return s, nil
	}
	s := fromImage(m)
	if !alpha && s.Mode == ColorAlpha {
		s = s.channels(Color, 0, 1, 2)
	}
	return s, nil
}

// webpBitstream checks the size that the picture's own header states, which
// may exceed that of the canvas, and tells whether a lossless one has alpha.
func webpBitstream(data []byte) (alpha bool, err error) {
	le := binary.LittleEndian
	for at := uint64(12); at+18 <= uint64(len(data)); {
		size, body := uint64(le.Uint32(data[at+4:])), data[at+8:]
		switch string(data[at : at+4]) {
		case "VP8 ":
			return false, checkSize(int(le.Uint16(body[6:])&0x3fff), int(le.Uint16(body[8:])&0x3fff))
		case "VP8L":
			bits := le.Uint32(body[1:])
			return bits>>28&1 != 0, checkSize(int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1)
		}
		at += 8 + size + size&1
	}
	return false, nil
}

func fromVP8(m *image.YCbCr) *Stored {
	p := newStored(Color, m.Rect.Dx(), m.Rect.Dy())
	cw, ch := (p.Width+1)/2, (p.Height+1)/2
	for y := range p.Height {
		near := min(y/2, ch-1)
		next := min(max(near-1+2*(y&1), 0), ch-1)
		for x := range p.Width {
			i := x / 2
			j := min(max(i-1+2*(x&1), 0), cw-1)
			chroma := func(plane []uint8) int {
				at := func(row, column int) int { return int(plane[row*m.CStride+column]) }
				a, b, c, d := at(near, i), at(near, j), at(next, i), at(next, j)
				if i == j { // first and last column: libwebp mixes the two rows only
					return (3*a + c + 2) >> 2
				}
				// libwebp's two-step rounding of (9a + 3b + 3c + d + 8) / 16
				diagonal := (a + b + c + d + 8 + 2*(b+c)) >> 3
				return (diagonal + a) >> 1
			}
			u, v := chroma(m.Cb), chroma(m.Cr)
			l := int(m.Y[y*m.YStride+x]) * 19077 >> 8
			o := p.Pix[3*(y*p.Width+x):]
			o[0] = level((l + v*26149>>8 - 14234) >> 6)
			o[1] = level((l - u*6419>>8 - v*13320>>8 + 8708) >> 6)
			o[2] = level((l + u*33050>>8 - 17685) >> 6)
		}
	}
	return p
}
