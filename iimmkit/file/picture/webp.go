package picture

import (
	"bytes"
	"image"

	"golang.org/x/image/webp"
)

// decodeWebP converts lossy pictures as libwebp does: their luma and chroma
// have the narrow range of video (16 to 235), which Go's image.YCbCr has not,
// and chroma is upsampled with weights 9:3:3:1.
func decodeWebP(data []byte, _ image.Config) (*RGB, error) {
	m, err := webp.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *image.YCbCr:
		return fromVP8(m), nil
	case *image.NYCbCrA:
		return fromVP8(&m.YCbCr), nil
	}
	return FromImage(m), nil
}

func fromVP8(m *image.YCbCr) *RGB {
	p := New(m.Rect.Dx(), m.Rect.Dy())
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
