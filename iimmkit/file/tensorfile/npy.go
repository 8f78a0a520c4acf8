package tensorfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// npyMagic starts every npy file
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
const npyMagic = "\x93NUMPY"

// maxNPYHeader bounds the text of an npy header; NumPy itself reads 10,000.
const maxNPYHeader = 1 << 16

// npyLayout is what an npy header says about the bytes behind it.
type npyLayout struct {
	dtype     DType
	width     int  // bytes of one element
	bigEndian bool // elements, or the characters of Unicode
	fortran   bool
	shape     []int
	start     int // where the elements begin
}

func (l npyLayout) size() int {
	n, _ := elements(l.shape)
	return n * l.width
}

// ReadNPY reads an npy file into memory. Big-endian and Fortran-ordered
// arrays are converted; pickled objects, structures, complex numbers and
// dates are refused. The tensor has no name.
func ReadNPY(path string) (Tensor, error) {
	f, err := os.Open(path)
	if err != nil {
		return Tensor{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Tensor{}, err
	}
	t, err := decodeNPY(f, info.Size())
	if err != nil {
		return Tensor{}, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// MapNPY is ReadNPY by memory map: the tensor aliases the file until unmap is
// called, unless its bytes had to be converted.
func MapNPY(path string) (t Tensor, unmap func() error, err error) {
	data, unmap, err := mapFile(path)
	if err != nil {
		return Tensor{}, nil, err
	}
	l, err := npyHeader(data)
	if err == nil && len(data)-l.start != l.size() {
		err = fmt.Errorf("not a whole npy array: %d bytes of data, shape %v needs %d", len(data)-l.start, l.shape, l.size())
	}
	if err != nil {
		unmap()
		return Tensor{}, nil, fmt.Errorf("%s: %w", path, err)
	}
	body := data[l.start:]
	if l.bigEndian || l.fortran {
		body = bytes.Clone(body)
	}
	return l.tensor(body), unmap, nil
}

// ParseNPY reads the bytes of an npy file, which the tensor may alias.
func ParseNPY(b []byte) (Tensor, error) {
	l, err := npyHeader(b)
	if err != nil {
		return Tensor{}, err
	}
	if len(b)-l.start != l.size() {
		return Tensor{}, fmt.Errorf("not a whole npy array: %d bytes of data, shape %v needs %d", len(b)-l.start, l.shape, l.size())
	}
	body := b[l.start:]
	if l.bigEndian || l.fortran {
		body = bytes.Clone(body)
	}
	return l.tensor(body), nil
}

// decodeNPY reads an array of at most limit bytes, header included, into
// memory aligned for any element type.
func decodeNPY(r io.Reader, limit int64) (Tensor, error) {
	head := make([]byte, 12)
	if _, err := io.ReadFull(r, head); err != nil {
		return Tensor{}, errors.New("not an npy file: shorter than its header")
	}
	start, err := npyStart(head)
	if err != nil {
		return Tensor{}, err
	}
	head = append(head, make([]byte, start-len(head))...)
	if _, err := io.ReadFull(r, head[12:]); err != nil {
		return Tensor{}, errors.New("not an npy file: shorter than its header")
	}
	l, err := npyHeader(head)
	if err != nil {
		return Tensor{}, err
	}
	if have := limit - int64(l.start); have != int64(l.size()) {
		return Tensor{}, fmt.Errorf("not a whole npy array: %d bytes of data, shape %v needs %d", have, l.shape, l.size())
	}
	body := littleEndian(make([]uint64, (l.size()+7)/8))[:l.size()]
	if _, err := io.ReadFull(r, body); err != nil {
		return Tensor{}, fmt.Errorf("npy array is cut off or damaged: %w", err)
	}
	return l.tensor(body), nil
}

// tensor takes the elements, which it may rearrange in place.
func (l npyLayout) tensor(body []byte) Tensor {
	if l.bigEndian {
		if l.dtype == Unicode {
			swapBytes(body, 4)
		} else {
			swapBytes(body, l.width)
		}
	}
	if l.fortran {
		body = fromFortran(body, l.shape, l.width)
	}
	return Tensor{DType: l.dtype, Shape: l.shape, Data: body}
}

// fromFortran rearranges column-major elements to C order.
func fromFortran(in []byte, shape []int, width int) []byte {
	out := littleEndian(make([]uint64, (len(in)+7)/8))[:len(in)]
	index := make([]int, len(shape))
	for at := 0; at < len(in); at += width {
		// index counts in Fortran order: first dimension fastest.
		to := 0
		for k, i := range index {
			to = to*shape[k] + i
		}
		copy(out[to*width:(to+1)*width], in[at:at+width])
		for k := range index {
			if index[k]++; index[k] < shape[k] {
				break
			}
			index[k] = 0
		}
	}
	return out
}

// npyStart returns where the elements begin, from the first 12 bytes.
func npyStart(b []byte) (int, error) {
	if len(b) < 12 || string(b[:6]) != npyMagic {
		return 0, errors.New("not an npy file")
	}
	n, at := int64(0), int64(0)
	switch b[6] {
	case 1:
		n, at = int64(binary.LittleEndian.Uint16(b[8:])), 10
	case 2, 3:
		n, at = int64(binary.LittleEndian.Uint32(b[8:])), 12
	default:
		return 0, fmt.Errorf("npy version %d.%d is unknown", b[6], b[7])
	}
	if n > maxNPYHeader || at+n < 12 {
		return 0, fmt.Errorf("not an npy file: header of %d bytes", n)
	}
	return int(at + n), nil
}

// npyHeader parses the header of b, which may be followed by anything.
func npyHeader(b []byte) (npyLayout, error) {
	start, err := npyStart(b)
	if err != nil {
		return npyLayout{}, err
	}
	if start > len(b) {
		return npyLayout{}, errors.New("not an npy file: shorter than its header")
	}
	at := 10
	if b[6] > 1 {
		at = 12
	}
	l, err := parseNPYDict(string(b[at:start]))
	if err != nil {
		return npyLayout{}, fmt.Errorf("npy header: %w", err)
	}
	l.start = start
	if n, ok := elements(l.shape); !ok || l.width > 0 && n > math.MaxInt/l.width {
		return npyLayout{}, fmt.Errorf("npy header: shape %v is negative or too large", l.shape)
	}
	if n, _ := elements(l.shape); l.width == 0 && n > maxNPYHeader {
		// Strings of width 0 need no bytes, so the file's size does not bound their number.
		return npyLayout{}, fmt.Errorf("npy header: %d empty strings", n)
	}
	return l, nil
}

// parseNPYDict reads {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
func parseNPYDict(s string) (npyLayout, error) {
	var l npyLayout
	p := literal{s}
	seen := map[string]bool{}
	if !p.take("{") {
		return l, errors.New("no dictionary")
	}
	for !p.take("}") {
		key, err := p.text()
		if err != nil {
			return l, err
		}
		if !p.take(":") || seen[key] {
			return l, fmt.Errorf("bad entry %q", key)
		}
		seen[key] = true
		switch key {
		case "descr":
			if p.peek("[") {
				return l, errors.New("structured arrays are not supported: save each field as an array of its own")
			}
			descr, err := p.text()
			if err != nil {
				return l, err
			}
			if err := l.describe(descr); err != nil {
				return l, err
			}
		case "fortran_order":
			switch {
			case p.take("True"):
				l.fortran = true
			case !p.take("False"):
				return l, errors.New("fortran_order is neither True nor False")
			}
		case "shape":
			if l.shape, err = p.tuple(); err != nil {
				return l, err
			}
		default:
			return l, fmt.Errorf("unknown entry %q", key)
		}
		if !p.take(",") && !p.peek("}") {
			return l, errors.New("damaged dictionary")
		}
	}
	if len(seen) != 3 {
		return l, errors.New("descr, fortran_order or shape is missing")
	}
	if p.space(); p.s != "" {
		return l, errors.New("something follows the dictionary")
	}
	return l, nil
}

// describe reads a NumPy type string: byte order, kind, bytes per element.
func (l *npyLayout) describe(descr string) error {
	refuse := func(why string) error { return fmt.Errorf("element type %q: %s", descr, why) }
	if len(descr) < 2 {
		return refuse("not understood")
	}
	order, rest := descr[0], descr[1:]
	if !strings.ContainsRune("<>|=", rune(order)) {
		order, rest = '=', descr
	}
	kind, digits := rest[0], rest[1:]
	if kind == 'O' {
		return refuse("pickled Python objects are never loaded: save with a numeric dtype, as arr.astype('float32')")
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n > 1<<20 {
		return refuse("not supported")
	}
	l.bigEndian = order == '>' || order == '=' && !hostIsLittleEndian
	l.width = n
	switch rest {
	case "b1":
		l.dtype = Bool
	case "u1":
		l.dtype = U8
	case "i1":
		l.dtype = I8
	case "u2":
		l.dtype = U16
	case "i2":
		l.dtype = I16
	case "f2":
		l.dtype = F16
	case "u4":
		l.dtype = U32
	case "i4":
		l.dtype = I32
	case "f4":
		l.dtype = F32
	case "u8":
		l.dtype = U64
	case "i8":
		l.dtype = I64
	case "f8":
		l.dtype = F64
	default:
		switch kind {
		case 'U':
			l.dtype, l.width = Unicode, 4*n
		case 'S', 'a':
			l.dtype, l.bigEndian = Bytes, false
		case 'V':
			return refuse("raw bytes, as bfloat16 saved by NumPy: save as float32")
		default:
			return refuse("not supported: save as float32, float64 or an integer type")
		}
	}
	return nil
}

// literal is a reader of the few Python literals an npy header holds.
type literal struct{ s string }

func (p *literal) space() { p.s = strings.TrimLeft(p.s, " \t\r\n") }

func (p *literal) peek(token string) bool {
	p.space()
	return strings.HasPrefix(p.s, token)
}

func (p *literal) take(token string) bool {
	if !p.peek(token) {
		return false
	}
	p.s = p.s[len(token):]
	return true
}

func (p *literal) text() (string, error) {
	for _, quote := range []string{"'", `"`} {
		if p.take(quote) {
			body, rest, ok := strings.Cut(p.s, quote)
			if !ok || strings.Contains(body, `\`) {
				break
			}
			p.s = rest
			return body, nil
		}
	}
	return "", errors.New("a string is expected")
}

func (p *literal) tuple() ([]int, error) {
	if !p.take("(") {
		return nil, errors.New("shape is not a tuple")
	}
	shape := []int{}
	for !p.take(")") {
		p.space()
		end := strings.IndexAny(p.s, ",)")
		if end < 0 {
			return nil, errors.New("shape is not a tuple")
		}
		// Python 2 wrote long integers as 3L.
		n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(p.s[:end]), "L"))
		if err != nil || n < 0 || len(shape) == 64 {
			return nil, fmt.Errorf("dimension %q of the shape", p.s[:end])
		}
		shape = append(shape, n)
		p.s = p.s[end:]
		p.take(",")
	}
	return shape, nil
}

// npyHead returns magic and header, padded so that the elements start at a
// multiple of 64 bytes as NumPy's do.
func npyHead(t Tensor) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	kinds := map[DType]string{
		Bool: "|b1", U8: "|u1", I8: "|i1", U16: "<u2", I16: "<i2", F16: "<f2",
		U32: "<u4", I32: "<i4", F32: "<f4", U64: "<u8", I64: "<i8", F64: "<f8",
	}
	descr, ok := kinds[t.DType]
	if n := t.Len(); t.DType == Unicode || t.DType == Bytes {
		width := 0
		if n > 0 {
			width = len(t.Data) / n
		}
		descr, ok = fmt.Sprintf("|S%d", width), true
		if t.DType == Unicode {
			descr = fmt.Sprintf("<U%d", width/4)
		}
	}
	if !ok {
		return nil, fmt.Errorf("tensor %q: npy cannot hold %s; convert it first", t.Name, t.DType)
	}
	dims := make([]string, len(t.Shape))
	for i, d := range t.Shape {
		dims[i] = strconv.Itoa(d)
	}
	shape := strings.Join(dims, ", ")
	if len(dims) == 1 {
		shape += ","
	}
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape)
	pad := 64 - (10+len(head)+1)%64
	head += strings.Repeat(" ", pad%64) + "\n"
	out := append([]byte(npyMagic), 1, 0)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(head)))
	return append(out, head...), nil
}

// EncodeNPY writes the npy form of t to w.
func EncodeNPY(w io.Writer, t Tensor) error {
	head, err := npyHead(t)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err = w.Write(t.Data)
	return err
}

// WriteNPY writes a file whole or not at all.
func WriteNPY(path string, t Tensor) error {
	f, err := store.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := EncodeNPY(f, t); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return f.Commit()
}
