// Package tensorfile reads named tensors: safetensors and the state dicts of
// torch.save, both memory mapped, and NumPy's npy and npz. It writes all but
// torch's. Whatever a file holds, a Tensor's bytes are little-endian and in C
// order. Files are taken as hostile: sizes are checked before anything is
// allocated, and a bad file is an error, never a panic.
package tensorfile

import (
	"fmt"
	"math"
	"math/bits"
)

// DType is an element type, spelled as in a safetensors header.
type DType string

// The element types. Unicode and Bytes are NumPy's fixed-width strings, which
// safetensors does not have; the 8-bit floats are carried but not converted.
const (
	Bool   DType = "BOOL"
	U8     DType = "U8"
	I8     DType = "I8"
	U16    DType = "U16"
	I16    DType = "I16"
	F16    DType = "F16"
	BF16   DType = "BF16"
	U32    DType = "U32"
	I32    DType = "I32"
	F32    DType = "F32"
	U64    DType = "U64"
	I64    DType = "I64"
	F64    DType = "F64"
	F8E4M3 DType = "F8_E4M3"
	F8E5M2 DType = "F8_E5M2"

	Unicode DType = "UNICODE" // UTF-32, little-endian, padded with zeros
	Bytes   DType = "BYTES"   // padded with zeros
)

// Size returns the bytes of one element, 0 for Unicode, Bytes (their width is
// a property of the tensor) and for unknown types.
func (d DType) Size() int {
	switch d {
	case Bool, U8, I8, F8E4M3, F8E5M2:
		return 1
	case U16, I16, F16, BF16:
		return 2
	case U32, I32, F32:
		return 4
	case U64, I64, F64:
		return 8
	}
	return 0
}

// Tensor is a named array. Data holds the elements little-endian in C order
// and may alias a memory map: it must not be written to, nor used after the
// file it came from was closed.
type Tensor struct {
	Name  string
	DType DType
	Shape []int
	Data  []byte
}

// Len returns the number of elements, the product of Shape (1 for a scalar).
func (t Tensor) Len() int {
	n, _ := elements(t.Shape)
	return n
}

// check verifies that the bytes are as many as type and shape want.
func (t Tensor) check() error {
	n, ok := elements(t.Shape)
	if !ok {
		return fmt.Errorf("tensor %q: shape %v is negative or too large", t.Name, t.Shape)
	}
	switch size := t.DType.Size(); {
	case t.DType == Unicode, t.DType == Bytes:
		if n == 0 && len(t.Data) > 0 || n > 0 && len(t.Data)%n != 0 {
			return fmt.Errorf("tensor %q: %d bytes cannot be %d strings of one width", t.Name, len(t.Data), n)
		}
		if t.DType == Unicode && n > 0 && len(t.Data)/n%4 != 0 {
			return fmt.Errorf("tensor %q: string width %d bytes is not a multiple of 4", t.Name, len(t.Data)/n)
		}
	case size == 0:
		return fmt.Errorf("tensor %q: element type %q is not supported", t.Name, t.DType)
	case n > math.MaxInt/size || len(t.Data) != n*size:
		return fmt.Errorf("tensor %q: %d bytes, but shape %v of %s needs %d", t.Name, len(t.Data), t.Shape, t.DType, n*size)
	}
	return nil
}

// elements multiplies the dimensions; false if one is negative or the product
// does not fit an int.
func elements(shape []int) (int, bool) {
	n := uint64(1)
	zero := false
	for _, d := range shape {
		if d < 0 {
			return 0, false
		}
		if d == 0 {
			zero = true
			continue
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt {
			return 0, false
		}
		n = lo
	}
	if zero {
		return 0, true
	}
	return int(n), true
}

// FromFloat32 makes an F32 tensor of data, which it may alias.
func FromFloat32(name string, shape []int, data []float32) Tensor {
	return Tensor{name, F32, shape, littleEndian(data)}
}

// FromFloat64 makes an F64 tensor of data, which it may alias.
func FromFloat64(name string, shape []int, data []float64) Tensor {
	return Tensor{name, F64, shape, littleEndian(data)}
}

// FromInt64 makes an I64 tensor of data, which it may alias.
func FromInt64(name string, shape []int, data []int64) Tensor {
	return Tensor{name, I64, shape, littleEndian(data)}
}

// FromInt32 makes an I32 tensor of data, which it may alias.
func FromInt32(name string, shape []int, data []int32) Tensor {
	return Tensor{name, I32, shape, littleEndian(data)}
}

// FromUint8 makes a U8 tensor of data, which it aliases.
func FromUint8(name string, shape []int, data []uint8) Tensor {
	return Tensor{name, U8, shape, data}
}

// FromStrings makes a Unicode tensor, as numpy.array(list of str) does.
func FromStrings(name string, shape []int, data []string) Tensor {
	width := 1 // NumPy has no strings of width 0
	runes := make([][]rune, len(data))
	for i, s := range data {
		runes[i] = []rune(s)
		width = max(width, len(runes[i]))
	}
	out := make([]uint32, width*len(data))
	for i, r := range runes {
		for j, c := range r {
			out[i*width+j] = uint32(c)
		}
	}
	return Tensor{name, Unicode, shape, littleEndian(out)}
}
