package tensorfile

import (
	"errors"
	"fmt"
	"io"
)

// Location says where in a file a tensor is, so that it can be read by parts.
type Location struct {
	Name  string
	DType DType
	Shape []int
	Start int64 // first byte of the elements, which are in C order, little-endian
}

func (l Location) size() int {
	n, _ := elements(l.Shape)
	return n * l.DType.Size()
}

// RowSize is the bytes of one row, an element of the first axis.
func (l Location) RowSize() int {
	if len(l.Shape) == 0 {
		return l.DType.Size()
	}
	n, _ := elements(l.Shape[1:])
	return n * l.DType.Size()
}

// Rows reads rows lo..hi-1 into buf, which must hold them; the tensor aliases it.
func (l Location) Rows(r io.ReaderAt, lo, hi int, buf []byte) (Tensor, error) {
	if len(l.Shape) == 0 || lo < 0 || hi < lo || hi > l.Shape[0] {
		return Tensor{}, fmt.Errorf("tensor %q of shape %v has no rows %d to %d", l.Name, l.Shape, lo, hi)
	}
	width := l.RowSize()
	buf = buf[:(hi-lo)*width]
	if n, err := r.ReadAt(buf, l.Start+int64(lo)*int64(width)); n < len(buf) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Tensor{}, fmt.Errorf("tensor %q: row %d: %w", l.Name, lo+n/width, err)
	}
	shape := append([]int{hi - lo}, l.Shape[1:]...)
	return Tensor{l.Name, l.DType, shape, buf}, nil
}

// LocateNPY reads the header of an npy file of size bytes. Big-endian and
// Fortran-ordered arrays are refused: they cannot be read by rows.
func LocateNPY(r io.ReaderAt, size int64) (Location, error) {
	head := make([]byte, 12)
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return Location{}, tooShort(err)
	}
	start, err := npyStart(head)
	if err != nil {
		return Location{}, err
	}
	head = make([]byte, start)
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return Location{}, tooShort(err)
	}
	l, err := npyHeader(head)
	switch {
	case err != nil:
		return Location{}, err
	case l.bigEndian || l.fortran && len(l.shape) > 1:
		return Location{}, errors.New("a big-endian or Fortran-ordered array cannot be read by rows: save numpy.ascontiguousarray(x) as float32")
	case l.dtype.Size() == 0:
		return Location{}, fmt.Errorf("elements are of type %s, not numbers", l.dtype)
	case size-int64(l.start) != int64(l.size()):
		return Location{}, fmt.Errorf("not a whole npy array: %d bytes of data, shape %v needs %d", size-int64(l.start), l.shape, l.size())
	}
	return Location{DType: l.dtype, Shape: l.shape, Start: int64(l.start)}, nil
}

// LocateSafetensors reads the header of a safetensors file of size bytes and
// returns its tensors by name.
func LocateSafetensors(r io.ReaderAt, size int64) (map[string]Location, error) {
	not := func(err error) (map[string]Location, error) {
		return nil, fmt.Errorf("not a safetensors file: %w", err)
	}
	head := make([]byte, min(8, size))
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return not(tooShort(err))
	}
	n, err := headerLength(head, uint64(size))
	if err != nil {
		return not(err)
	}
	header := make([]byte, n)
	if k, err := r.ReadAt(header, 8); k < len(header) {
		return not(tooShort(err))
	}
	found, _, err := locate(header, uint64(size)-8-n)
	if err != nil {
		return not(err)
	}
	byName := make(map[string]Location, len(found))
	for _, l := range found {
		l.Start += 8 + int64(n)
		byName[l.Name] = l
	}
	return byName, nil
}

// tooShort is the error of a file that ends in its header, or what else kept it
// from being read.
func tooShort(err error) error {
	if err == nil || err == io.EOF {
		return errors.New("shorter than its header")
	}
	return err
}
