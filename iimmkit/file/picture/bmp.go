package picture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
)

// bmpHeader is what of a Windows bitmap's headers says how to read the pixels.
type bmpHeader struct {
	width, height int
	bits          int
	compression   uint32
	topDown       bool
	offset        int // of the pixels
	palette       [][]byte
	masks         [4]uint32 // red, green, blue, alpha
}

// Values of bmpHeader.compression.
const (
	bmpRaw = iota
	bmpRLE8
	bmpRLE4
	bmpBitfields
)

func parseBMP(data []byte) (*bmpHeader, error) {
	const fileHeader = 14
	if len(data) < fileHeader+4 {
		return nil, io.ErrUnexpectedEOF
	}
	u16, u32 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32
	size := int(u32(data[fileHeader:]))
	if size < 12 || size > 124 {
		return nil, fmt.Errorf("a header of %d bytes", size)
	}
	if len(data) < fileHeader+size {
		return nil, io.ErrUnexpectedEOF
	}
	b := &bmpHeader{offset: int(u32(data[10:]))}
	head := data[fileHeader : fileHeader+size]
	entry, colours := 4, 0
	switch size {
	case 12:
		b.width, b.height, b.bits = int(u16(head[4:])), int(u16(head[6:])), int(u16(head[10:]))
		entry = 3
	case 40, 52, 56, 64, 108, 124:
		height := int32(u32(head[8:]))
		b.width, b.height, b.topDown = int(int32(u32(head[4:]))), int(height), height < 0
		if b.topDown {
			b.height = -b.height
		}
		b.bits, b.compression, colours = int(u16(head[14:])), u32(head[16:]), int(u32(head[32:]))
	default:
		return nil, fmt.Errorf("a header of %d bytes", size)
	}
	if b.width < 0 {
		return nil, fmt.Errorf("%d pixels across", b.width)
	}
	rest := data[fileHeader+size:]
	if b.compression == bmpBitfields {
		masks := rest
		if size >= 52 {
			masks = head[40:]
		}
		n := 3
		if size >= 56 {
			n = 4
		}
		if len(masks) < 4*n {
			return nil, io.ErrUnexpectedEOF
		}
		for i := range n {
			b.masks[i] = u32(masks[4*i:])
		}
	}
	if b.bits <= 8 {
		if colours == 0 {
			colours = 1 << b.bits
		}
		if colours < 0 || colours > 1<<16 {
			return nil, fmt.Errorf("a palette of %d colours", colours)
		}
		if len(rest) < entry*colours {
			return nil, io.ErrUnexpectedEOF
		}
		for i := range colours {
			b.palette = append(b.palette, rest[entry*i:entry*i+3])
		}
		rest = rest[entry*colours:]
	}
	if b.offset == 0 {
		b.offset = len(data) - len(rest)
	}
	return b, b.check()
}

func (b *bmpHeader) check() error {
	fits := b.compression == bmpRaw
	switch b.bits {
	case 1:
	case 4:
		fits = fits || b.compression == bmpRLE4
	case 8:
		fits = fits || b.compression == bmpRLE8
	case 16, 24, 32:
		fits = fits || b.compression == bmpBitfields
	default:
		return fmt.Errorf("%d bits a pixel", b.bits)
	}
	if !fits {
		return fmt.Errorf("compression %d of %d bits a pixel", b.compression, b.bits)
	}
	return nil
}

func bmpConfig(r io.Reader) (image.Config, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return image.Config{}, err
	}
	b, err := parseBMP(data)
	if err != nil {
		return image.Config{}, err
	}
	return image.Config{Width: b.width, Height: b.height}, nil
}

// decodeBMP reads all depths, run lengths and the usual bit fields.
func decodeBMP(data []byte, _ image.Config) (*Stored, error) {
	b, err := parseBMP(data)
	if err != nil {
		return nil, err
	}
	if b.offset > len(data) {
		return nil, io.ErrUnexpectedEOF
	}
	pixels := data[b.offset:]
	switch {
	case b.compression == bmpRLE4 || b.compression == bmpRLE8:
		s := newStored(Indexed, b.width, b.height)
		b.runs(s.Pix, pixels)
		b.orient(s)
		return b.coloured(s), nil
	case b.bits <= 8:
		s := newStored(Indexed, b.width, b.height)
		err := b.rows(pixels, func(y int, row []byte) {
			to := s.Pix[y*b.width : (y+1)*b.width]
			for x := range to {
				bit := x * b.bits
				to[x] = row[bit/8] << (bit % 8) >> (8 - b.bits)
			}
		})
		return b.coloured(s), err
	}
	return b.colours(pixels)
}

// rows calls give with every row of pixels, y counted from the top.
func (b *bmpHeader) rows(pixels []byte, give func(y int, row []byte)) error {
	stride := (b.width*b.bits + 31) / 32 * 4
	if len(pixels) < stride*(b.height-1)+(b.width*b.bits+7)/8 {
		return io.ErrUnexpectedEOF
	}
	for i := range b.height {
		y := i
		if !b.topDown {
			y = b.height - 1 - i
		}
		give(y, pixels[i*stride:])
	}
	return nil
}

// coloured gives s its palette; grey palettes make grey pictures.
func (b *bmpHeader) coloured(s *Stored) *Stored {
	grey := true
	for i, c := range b.palette {
		v := uint8(i)
		if len(b.palette) == 2 {
			v *= 255
		}
		grey = grey && i < 256 && c[0] == v && c[1] == v && c[2] == v
	}
	switch {
	case grey && len(b.palette) == 2:
		s.Mode = Bilevel
		for i, v := range s.Pix {
			s.Pix[i] = 255 * min(v, 1)
		}
	case grey && b.bits == 8:
		s.Mode = Gray
	default:
		s.Palette = new([256][4]uint8)
		for i := range s.Palette {
			s.Palette[i][3] = 255
			if i < len(b.palette) {
				c := b.palette[i]
				s.Palette[i] = [4]uint8{c[2], c[1], c[0], 255}
			}
		}
	}
	return s
}

// orient turns rows that were read from the bottom.
func (b *bmpHeader) orient(s *Stored) {
	if b.topDown {
		return
	}
	for y := range s.Height / 2 {
		a, z := s.Pix[y*s.Width:(y+1)*s.Width], s.Pix[(s.Height-1-y)*s.Width:(s.Height-y)*s.Width]
		for i := range a {
			a[i], z[i] = z[i], a[i]
		}
	}
}

// runs expands run lengths into to; what they leave out keeps index 0.
func (b *bmpHeader) runs(to, code []byte) {
	x, y := 0, 0
	put := func(v byte) {
		if x < b.width && y < b.height {
			to[y*b.width+x] = v
			x++
		}
	}
	index := func(packed []byte, i int) byte {
		if b.bits == 8 {
			return packed[i]
		}
		return packed[i/2] << (i % 2 * 4) >> 4
	}
	for len(code) >= 2 && y < b.height {
		n, v := int(code[0]), code[1:2]
		code = code[2:]
		if n > 0 {
			for i := range n {
				if b.bits == 8 {
					put(v[0])
				} else {
					put(index(v, i%2))
				}
			}
			continue
		}
		switch n = int(v[0]); n {
		case 0:
			x, y = 0, y+1
		case 1:
			return
		case 2:
			if len(code) < 2 {
				return
			}
			x, y = x+int(code[0]), y+int(code[1])
			code = code[2:]
		default:
			size := (n*b.bits + 7) / 8
			if len(code) < size {
				return
			}
			for i := range n {
				put(index(code, i))
			}
			code = code[min(size+size%2, len(code)):]
		}
	}
}

// colours reads pixels of 16, 24 and 32 bits.
func (b *bmpHeader) colours(pixels []byte) (*Stored, error) {
	masks, known := b.masks, b.compression == bmpBitfields
	if !known {
		masks = [4]uint32{0xff0000, 0xff00, 0xff, 0}
		if b.bits == 16 {
			masks = [4]uint32{0x7c00, 0x3e0, 0x1f, 0}
		}
	} else if masks == ([4]uint32{}) && b.bits == 32 {
		masks = [4]uint32{0xff0000, 0xff00, 0xff, 0xff000000}
	}
	mode := Color
	if masks[3] != 0 && b.bits == 32 {
		mode = ColorAlpha
	}
	var fields [4]func(uint32) uint8
	for i := range mode.Channels() {
		if fields[i] = bmpField(masks[i]); fields[i] == nil {
			return nil, errors.New("unusual bit fields")
		}
	}
	s := newStored(mode, b.width, b.height)
	n := mode.Channels()
	return s, b.rows(pixels, func(y int, row []byte) {
		for x := range b.width {
			var v uint32
			for i := range b.bits / 8 {
				v |= uint32(row[x*b.bits/8+i]) << (8 * i)
			}
			o := s.Pix[(y*b.width+x)*n:]
			for i := range n {
				o[i] = fields[i](v)
			}
		}
	})
}

// bmpField reads the bits of a mask, brought to 0..255; nil for a mask with
// gaps or over 8 bits.
func bmpField(mask uint32) func(uint32) uint8 {
	if mask == 0 {
		return nil
	}
	shift := 0
	for mask>>shift&1 == 0 {
		shift++
	}
	top := mask >> shift
	if top&(top+1) != 0 || top > math.MaxUint8 {
		return nil
	}
	return func(v uint32) uint8 { return uint8(v >> shift & top * 255 / top) }
}
