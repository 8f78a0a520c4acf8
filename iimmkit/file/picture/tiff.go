package picture

import (
	"bytes"
	"image"

	"golang.org/x/image/tiff"
)

// decodeTIFF turns pictures upright whatever the options, as Pillow does.
func decodeTIFF(data []byte, _ image.Config) (*Stored, error) {
	m, err := tiff.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	s := fromImage(m)
	const bitsPerSample = 0x102
	if bits, ok := tiffShort(data, bitsPerSample); s.Mode == Gray && (!ok || bits == 1) {
		s.Mode = Bilevel
	}
	return s.upright(orientation(data)), nil
}
