package tensorfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
	"unsafe"
)

// number is what a tensor's bytes can be viewed as.
type number interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int8 | ~int16 | ~int32 | ~int64 | ~float32 | ~float64
}

var hostIsLittleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// littleEndian returns the little-endian bytes of v, aliasing it on
// little-endian machines.
func littleEndian[T number](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(v[0])))
	if !hostIsLittleEndian {
		b = bytes.Clone(b)
		swapBytes(b, int(unsafe.Sizeof(v[0])))
	}
	return b
}

// view returns little-endian bytes as numbers: the same memory where its
// alignment and the machine's byte order allow, else a copy.
func view[T number](b []byte) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	n := len(b) / size
	if n == 0 {
		return []T{}
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if hostIsLittleEndian && uintptr(p)%unsafe.Alignof(zero) == 0 {
		return unsafe.Slice((*T)(p), n)
	}
	out := make([]T, n)
	raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(out))), n*size)
	copy(raw, b)
	if !hostIsLittleEndian {
		swapBytes(raw, size)
	}
	return out
}

// swapBytes reverses every element of size bytes in place.
func swapBytes(b []byte, size int) {
	for ; len(b) >= size; b = b[size:] {
		for i, j := 0, size-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	}
}

func widen[T number, U number](in []T) []U {
	out := make([]U, len(in))
	for i, v := range in {
		out[i] = U(v)
	}
	return out
}

// Float32s returns the elements of a floating-point tensor as float32: the
// same memory when it is F32 and aligned, else a copy. F16 and BF16 widen
// exactly, F64 is rounded.
func (t Tensor) Float32s() ([]float32, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	switch t.DType {
	case F32:
		return view[float32](t.Data), nil
	case F64:
		return widen[float64, float32](view[float64](t.Data)), nil
	case F16:
		in := view[uint16](t.Data)
		out := make([]float32, len(in))
		for i, h := range in {
			out[i] = float16(h)
		}
		return out, nil
	case BF16:
		in := view[uint16](t.Data)
		out := make([]float32, len(in))
		for i, h := range in {
			out[i] = math.Float32frombits(uint32(h) << 16)
		}
		return out, nil
	}
	return nil, fmt.Errorf("tensor %q: want floating point, have %s", t.Name, t.DType)
}

// Float64s returns the elements of a floating-point tensor as float64: the
// same memory when it is F64 and aligned, else a copy, exactly widened.
func (t Tensor) Float64s() ([]float64, error) {
	if t.DType == F64 {
		if err := t.check(); err != nil {
			return nil, err
		}
		return view[float64](t.Data), nil
	}
	f, err := t.Float32s()
	if err != nil {
		return nil, err
	}
	return widen[float32, float64](f), nil
}

// Int64s returns the elements of an integer or boolean tensor as int64: the
// same memory when it is I64 and aligned, else a copy. Floating-point
// elements are accepted when all are whole numbers, as labels written by
// numpy.savetxt are.
func (t Tensor) Int64s() ([]int64, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	switch t.DType {
	case I64:
		return view[int64](t.Data), nil
	case I32:
		return widen[int32, int64](view[int32](t.Data)), nil
	case I16:
		return widen[int16, int64](view[int16](t.Data)), nil
	case I8:
		return widen[int8, int64](view[int8](t.Data)), nil
	case U32:
		return widen[uint32, int64](view[uint32](t.Data)), nil
	case U16:
		return widen[uint16, int64](view[uint16](t.Data)), nil
	case U8, Bool:
		return widen[uint8, int64](t.Data), nil
	case U64:
		in := view[uint64](t.Data)
		for i, v := range in {
			if v > math.MaxInt64 {
				return nil, fmt.Errorf("tensor %q: element %d = %d is beyond int64", t.Name, i, v)
			}
		}
		return widen[uint64, int64](in), nil
	case F16, BF16, F32, F64:
		in, err := t.Float64s()
		if err != nil {
			return nil, err
		}
		out := make([]int64, len(in))
		for i, v := range in {
			if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
				return nil, fmt.Errorf("tensor %q: element %d = %v is not a whole number", t.Name, i, v)
			}
			out[i] = int64(v)
		}
		return out, nil
	}
	return nil, fmt.Errorf("tensor %q: want integers, have %s", t.Name, t.DType)
}

// Strings returns the elements of a Unicode or Bytes tensor.
func (t Tensor) Strings() ([]string, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	n := t.Len()
	out := make([]string, n)
	switch {
	case t.DType != Unicode && t.DType != Bytes:
		return nil, fmt.Errorf("tensor %q: want strings, have %s", t.Name, t.DType)
	case n == 0:
		return out, nil
	case t.DType == Bytes:
		width := len(t.Data) / n
		for i := range out {
			out[i] = string(bytes.TrimRight(t.Data[i*width:(i+1)*width], "\x00"))
		}
	default:
		width := len(t.Data) / n
		for i := range out {
			var s []byte
			for _, c := range view[uint32](bytes.Clone(t.Data[i*width : (i+1)*width])) {
				if c > utf8.MaxRune {
					return nil, fmt.Errorf("tensor %q: string %d is not UTF-32", t.Name, i)
				}
				s = utf8.AppendRune(s, rune(c))
			}
			out[i] = string(bytes.TrimRight(s, "\x00"))
		}
	}
	return out, nil
}

// float16 widens an IEEE 754 half. The bits shifted into a float32 are right
// but for the exponent's bias, which one multiplication mends for normal and
// subnormal numbers alike.
func float16(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	if h&0x7c00 == 0x7c00 { // infinity, NaN
		return math.Float32frombits(sign | 0x7f800000 | uint32(h&0x3ff)<<13)
	}
	abs := math.Float32frombits(uint32(h&0x7fff)<<13) * 0x1p112
	return math.Float32frombits(math.Float32bits(abs) | sign)
}

// half rounds to the nearest IEEE 754 half, ties to even; beyond 65504 it
// gives infinity, NaN stays NaN.
func half(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00
	case b >= 0x477ff000: // 65520 and above round to infinity
		return sign | 0x7c00
	case b < 0x38800000: // below 2^-14: subnormal, in units of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(b))*0x1p24))
	}
	b += 0xfff + b>>13&1 // round to even at bit 13
	return sign | uint16((b-0x38000000)>>13)
}

// ToFloat16 rounds a floating-point tensor to F16. A finite element beyond
// F16's range (65504) is an error.
func ToFloat16(t Tensor) (Tensor, error) {
	in, err := t.Float32s()
	if err != nil {
		return Tensor{}, err
	}
	out := make([]uint16, len(in))
	for i, v := range in {
		out[i] = half(v)
		if out[i]&0x7fff == 0x7c00 && !math.IsInf(float64(v), 0) {
			return Tensor{}, fmt.Errorf("tensor %q: element %d = %v is beyond float16", t.Name, i, v)
		}
	}
	return Tensor{t.Name, F16, t.Shape, littleEndian(out)}, nil
}
