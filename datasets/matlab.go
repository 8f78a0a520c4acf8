package datasets

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"unicode/utf16"
)

// matrix is a value of a MATLAB file of level 5 (MATLAB 5 to 7.2, and what SciPy
// writes), elements in column-major order.
type matrix struct {
	dims   []int
	class  byte // mxCELL ...
	kind   byte // miINT8 ..., as which data is stored
	data   []byte
	order  binary.ByteOrder
	cells  []*matrix            // of a cell array
	fields map[string][]*matrix // of a structure array, one value an element
}

// Classes of arrays and types of data, as "MAT-File Format" names them.
const (
	mxCELL, mxSTRUCT, mxCHAR = 1, 2, 4

	miINT8, miUINT8, miINT16, miUINT16, miINT32, miUINT32 = 1, 2, 3, 4, 5, 6
	miSINGLE, miDOUBLE, miINT64, miUINT64                 = 7, 9, 12, 13
	miMATRIX, miCOMPRESSED, miUTF8, miUTF16               = 14, 15, 16, 17
)

// maxMatlab bounds what a compressed variable may unpack to.
const maxMatlab = 4 << 30

func readMatlab(path string) (map[string]*matrix, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	variables, err := parseMatlab(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", displayName(path), err)
	}
	return variables, nil
}

// parseMatlab reads the variables of a file. Memory grows with the bytes that
// are there, whatever headers say.
func parseMatlab(b []byte) (map[string]*matrix, error) {
	const header = 128
	if len(b) < header {
		return nil, errors.New("not a MATLAB file")
	}
	m := matParser{}
	switch string(b[126:128]) {
	case "IM":
		m.order = binary.LittleEndian
	case "MI":
		m.order = binary.BigEndian
	default:
		return nil, errors.New("not a MATLAB file of version 5")
	}
	if version := m.order.Uint16(b[124:]); version != 0x0100 {
		return nil, fmt.Errorf("a MATLAB file of version 0x%04x, only 5 to 7.2 are read (in MATLAB: save -v7)", version)
	}
	variables := map[string]*matrix{}
	for b = b[header:]; len(b) > 0; {
		kind, data, rest, err := m.element(b)
		if err != nil {
			return nil, err
		}
		if kind == miCOMPRESSED {
			if data, err = inflate(data); err != nil {
				return nil, err
			}
			if kind, data, _, err = m.element(data); err != nil {
				return nil, err
			}
		}
		if kind == miMATRIX {
			name, v, err := m.matrix(data, 0)
			if err != nil {
				return nil, fmt.Errorf("variable %.40q: %w", name, err)
			}
			if _, ok := variables[name]; !ok {
				variables[name] = v
			}
		}
		b = rest
	}
	return variables, nil
}

func inflate(data []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("a damaged variable: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(z, maxMatlab+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("a damaged variable: %w", err)
	case len(out) > maxMatlab:
		return nil, fmt.Errorf("a variable of more than %d bytes", int64(maxMatlab))
	}
	return out, nil
}

type matParser struct{ order binary.ByteOrder }

// element splits off the first data element: its type, its bytes, and what
// follows its padding.
func (m matParser) element(b []byte) (kind byte, data, rest []byte, err error) {
	if len(b) < 8 {
		return 0, nil, nil, errors.New("cut off")
	}
	tag := m.order.Uint32(b)
	if small := tag >> 16; small != 0 { // up to four bytes within the tag
		if small > 4 {
			return 0, nil, nil, fmt.Errorf("a small element of %d bytes", small)
		}
		return byte(tag), b[4 : 4+small], b[8:], nil
	}
	size := uint64(m.order.Uint32(b[4:]))
	b = b[8:]
	if size > uint64(len(b)) {
		return 0, nil, nil, fmt.Errorf("cut off: %d bytes of %d", len(b), size)
	}
	data, rest = b[:size], b[size:]
	if tag != miCOMPRESSED {
		rest = rest[min(uint64(len(rest)), -size&7):]
	}
	return byte(tag), data, rest, nil
}

// matrix reads an array from the inside of its element.
func (m matParser) matrix(b []byte, depth int) (name string, v *matrix, err error) {
	const deepest = 16
	if depth > deepest {
		return "", nil, fmt.Errorf("nested more than %d deep", deepest)
	}
	v = &matrix{order: m.order}
	if len(b) == 0 { // an empty matrix within a cell
		return "", v, nil
	}
	_, flags, b, err := m.element(b)
	if err != nil || len(flags) < 4 {
		return "", nil, errors.Join(err, errors.New("an array without flags"))
	}
	v.class = byte(m.order.Uint32(flags))
	kind, dims, b, err := m.element(b)
	if err != nil {
		return "", nil, err
	}
	sizes, err := (&matrix{kind: kind, data: dims, order: m.order}).ints()
	if err != nil {
		return "", nil, err
	}
	n := 1
	for _, d := range sizes {
		if d < 0 || d > 0 && n > maxMatlab/d {
			return "", nil, fmt.Errorf("an array of shape %v", sizes)
		}
		n *= d
	}
	v.dims = sizes
	_, text, b, err := m.element(b)
	if err != nil {
		return "", nil, err
	}
	name = string(text)
	switch v.class {
	case mxCELL:
		for range n {
			var c *matrix
			if c, b, err = m.inner(b, depth); err != nil {
				return name, nil, err
			}
			v.cells = append(v.cells, c)
		}
	case mxSTRUCT:
		err = m.structure(v, b, n, depth)
	default:
		if len(b) > 0 {
			v.kind, v.data, _, err = m.element(b)
		}
	}
	return name, v, err
}

// inner reads an array within another.
func (m matParser) inner(b []byte, depth int) (*matrix, []byte, error) {
	kind, data, rest, err := m.element(b)
	if err != nil {
		return nil, nil, err
	}
	if kind != miMATRIX {
		return nil, nil, fmt.Errorf("a value of type %d where an array belongs", kind)
	}
	_, v, err := m.matrix(data, depth+1)
	return v, rest, err
}

func (m matParser) structure(v *matrix, b []byte, n, depth int) error {
	kind, length, b, err := m.element(b)
	if err != nil {
		return err
	}
	lengths, err := (&matrix{kind: kind, data: length, order: m.order}).ints()
	if err != nil || len(lengths) != 1 || lengths[0] < 1 {
		return errors.New("a structure without the length of its names")
	}
	_, names, b, err := m.element(b)
	if err != nil {
		return err
	}
	var fields []string
	v.fields = map[string][]*matrix{}
	for ; len(names) >= lengths[0]; names = names[lengths[0]:] {
		name, _, _ := bytes.Cut(names[:lengths[0]], []byte{0})
		fields = append(fields, string(name))
	}
	if len(fields) == 0 {
		return nil // n elements of nothing
	}
	for range n {
		for _, f := range fields {
			var x *matrix
			if x, b, err = m.inner(b, depth); err != nil {
				return err
			}
			v.fields[f] = append(v.fields[f], x)
		}
	}
	return nil
}

// bytes returns the elements of an array that is stored as unsigned bytes.
func (v *matrix) bytes() ([]byte, bool) { return v.data, v.kind == miUINT8 }

// ints returns the elements of an array of whole numbers.
func (v *matrix) ints() ([]int, error) {
	var out []int
	width := map[byte]int{miINT8: 1, miUINT8: 1, miUTF8: 1, miINT16: 2, miUINT16: 2, miUTF16: 2, miINT32: 4, miUINT32: 4, miSINGLE: 4, miDOUBLE: 8, miINT64: 8, miUINT64: 8}[v.kind]
	if width == 0 && len(v.data) > 0 {
		return nil, fmt.Errorf("data of type %d are no numbers", v.kind)
	}
	for b := v.data; len(b) >= width && len(b) > 0; b = b[width:] {
		var x float64
		switch v.kind {
		case miINT8:
			x = float64(int8(b[0]))
		case miUINT8, miUTF8:
			x = float64(b[0])
		case miINT16:
			x = float64(int16(v.order.Uint16(b)))
		case miUINT16, miUTF16:
			x = float64(v.order.Uint16(b))
		case miINT32:
			x = float64(int32(v.order.Uint32(b)))
		case miUINT32:
			x = float64(v.order.Uint32(b))
		case miSINGLE:
			x = float64(math.Float32frombits(v.order.Uint32(b)))
		case miDOUBLE:
			x = math.Float64frombits(v.order.Uint64(b))
		case miINT64:
			x = float64(int64(v.order.Uint64(b)))
		case miUINT64:
			x = float64(v.order.Uint64(b))
		}
		if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
			return nil, fmt.Errorf("%v is no whole number", x)
		}
		out = append(out, int(x))
	}
	return out, nil
}

// text returns the characters of a text.
func (v *matrix) text() (string, error) {
	if v.class != mxCHAR && len(v.data) > 0 {
		return "", fmt.Errorf("an array of class %d is no text", v.class)
	}
	if v.kind == miUTF8 || v.kind == miINT8 || v.kind == miUINT8 {
		return string(v.data), nil
	}
	units, err := v.ints()
	if err != nil {
		return "", err
	}
	code := make([]uint16, len(units))
	for i, u := range units {
		code[i] = uint16(u)
	}
	return string(utf16.Decode(code)), nil
}
