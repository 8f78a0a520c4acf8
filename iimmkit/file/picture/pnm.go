package picture

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
)

// pnmHeader is the beginning of a netpbm file.
type pnmHeader struct {
	kind          byte // '1'..'6'
	width, height int
	maximum       int // 1 for bitmaps
	data          []byte
}

func (h *pnmHeader) plain() bool { return h.kind <= '3' }

func (h *pnmHeader) channels() int {
	if h.kind == '3' || h.kind == '6' {
		return 3
	}
	return 1
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// pnmNumber reads a decimal number after white space and comments.
func pnmNumber(b []byte) (n int, rest []byte, err error) {
	i := 0
	for i < len(b) {
		if b[i] == '#' {
			for i < len(b) && b[i] != '\n' && b[i] != '\r' {
				i++
			}
		} else if isSpace(b[i]) {
			i++
		} else {
			break
		}
	}
	if i == len(b) {
		return 0, nil, io.ErrUnexpectedEOF
	}
	start := i
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		if n = 10*n + int(b[i]-'0'); n > math.MaxInt32 {
			return 0, nil, errors.New("a number is too large")
		}
		i++
	}
	if i == start {
		return 0, nil, fmt.Errorf("%q where a number belongs", b[i])
	}
	return n, b[i:], nil
}

func parsePNM(data []byte) (h pnmHeader, err error) {
	if len(data) < 3 || data[0] != 'P' || data[1] < '1' || data[1] > '6' || !isSpace(data[2]) {
		return h, ErrFormat
	}
	h.kind, h.maximum = data[1], 1
	fields := []*int{&h.width, &h.height, &h.maximum}
	if h.kind == '1' || h.kind == '4' {
		fields = fields[:2]
	}
	rest := data[2:]
	for _, f := range fields {
		if *f, rest, err = pnmNumber(rest); err != nil {
			return h, err
		}
	}
	if h.maximum < 1 || h.maximum > 65535 {
		return h, fmt.Errorf("largest value %d", h.maximum)
	}
	if !h.plain() { // one white space ends the header
		if len(rest) == 0 {
			return h, io.ErrUnexpectedEOF
		}
		rest = rest[1:]
	}
	h.data = rest
	return h, nil
}

func pnmConfig(r io.Reader) (image.Config, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return image.Config{}, err
	}
	h, err := parsePNM(data)
	return image.Config{ColorModel: color.RGBAModel, Width: h.width, Height: h.height}, err
}

// mode is Pillow's: grey over 8 bits is a picture of 32 bits.
func (h *pnmHeader) mode() Mode {
	switch {
	case h.kind == '1' || h.kind == '4':
		return Bilevel
	case h.channels() == 3:
		return Color
	case h.maximum > 255:
		return Gray32
	}
	return Gray
}

// decodePNM reads P1 to P6: bitmaps, grey and colour, plain and raw. Values are
// scaled to 255 as Pillow does, except grey over 8 bits, which Pillow scales
// to 65535.
func decodePNM(data []byte, _ image.Config) (*Stored, error) {
	h, err := parsePNM(data)
	if err != nil {
		return nil, err
	}
	if err := checkSize(h.width, h.height); err != nil {
		return nil, err
	}
	n := h.width * h.height * h.channels()
	// The smallest file of this size, so that a short file costs no memory.
	least := n
	switch {
	case h.kind == '1':
	case h.plain():
		least = 2*n - 1
	case h.kind == '4':
		least = (h.width + 7) / 8 * h.height
	case h.maximum > 255:
		least = 2 * n
	}
	if len(h.data) < least {
		return nil, io.ErrUnexpectedEOF
	}
	s := newStored(h.mode(), h.width, h.height)
	if h.maximum == 255 && (h.kind == '5' || h.kind == '6') {
		copy(s.Pix, h.data)
		return s, nil
	}
	next := h.reader()
	for i := range n {
		v, err := next()
		if err != nil {
			return nil, err
		}
		if s.Wide != nil {
			s.Wide[i] = v
		} else {
			s.Pix[i] = uint8(v)
		}
	}
	return s, nil
}

// reader returns a function that gives the samples one by one, scaled.
func (h *pnmHeader) reader() func() (int32, error) {
	data := h.data
	at := 0
	switch {
	case h.kind == '1':
		return func() (int32, error) { // digits may follow each other without space
			for at < len(data) && isSpace(data[at]) {
				at++
			}
			if at == len(data) {
				return 0, io.ErrUnexpectedEOF
			}
			at++
			switch data[at-1] {
			case '0':
				return 255, nil
			case '1':
				return 0, nil
			}
			return 0, fmt.Errorf("%q in a bitmap", data[at-1])
		}
	case h.kind == '4':
		x := 0
		return func() (int32, error) {
			bit := data[at+x/8] >> (7 - x%8) & 1
			if x++; x == h.width {
				x, at = 0, at+(h.width+7)/8
			}
			return 255 * (1 - int32(bit)), nil
		}
	case h.plain():
		return func() (int32, error) {
			v, rest, err := pnmNumber(data)
			if err != nil {
				return 0, err
			}
			data = rest
			if v > h.maximum {
				return 0, fmt.Errorf("value %d, the largest is %d", v, h.maximum)
			}
			return h.scale(v), nil
		}
	case h.maximum > 255:
		return func() (int32, error) {
			v := int(data[at])<<8 | int(data[at+1])
			at += 2
			return h.scale(v), nil
		}
	default:
		return func() (int32, error) {
			at++
			return h.scale(int(data[at-1])), nil
		}
	}
}

// scale brings a value to 0..255, grey over 8 bits to 0..65535.
func (h *pnmHeader) scale(v int) int32 {
	top := 255.0
	if h.mode() == Gray32 {
		top = 65535
	}
	return int32(min(math.RoundToEven(float64(v)/float64(h.maximum)*top), top))
}
