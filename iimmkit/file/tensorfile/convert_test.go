package tensorfile

import (
	"math"
	"slices"
	"testing"
)

// valueOfHalf computes a half from its fields, by the definition of IEEE 754.
func valueOfHalf(h uint16) float64 {
	sign := 1 - 2*float64(h>>15)
	exponent, fraction := int(h>>10&31), float64(h&1023)/1024
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -14)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return sign * math.Inf(1)
	}
	return sign * math.Ldexp(1+fraction, exponent-15)
}

func TestEveryHalfWidensExactlyAndReturns(t *testing.T) {
	for h := range 1 << 16 {
		want := valueOfHalf(uint16(h))
		got := float16(uint16(h))
		if math.IsNaN(want) {
			if !math.IsNaN(float64(got)) || half(got)&0x7fff <= 0x7c00 {
				t.Fatalf("%#x: %v", h, got)
			}
			continue
		}
		if float64(got) != want || math.Signbit(float64(got)) != math.Signbit(want) {
			t.Fatalf("%#x: %v, want %v", h, got, want)
		}
		if back := half(got); back != uint16(h) {
			t.Fatalf("%#x: went to %v and came back as %#x", h, got, back)
		}
	}
}

func TestHalfRoundsToNearestTiesToEven(t *testing.T) {
	for h := range uint16(0x7bff) { // every neighbouring pair of finite halves
		low, high := valueOfHalf(h), valueOfHalf(h+1)
		middle := float32((low + high) / 2) // exact: one bit more than a half has
		even := h + h&1
		if got := half(middle); got != even {
			t.Fatalf("between %v and %v: %#x, want %#x", low, high, got, even)
		}
		if got := half(math.Nextafter32(middle, 0)); got != h {
			t.Fatalf("below the middle of %v and %v: %#x", low, high, got)
		}
		if got := half(-math.Nextafter32(middle, 1e9)); got != 0x8000|(h+1) {
			t.Fatalf("above the middle of %v and %v: %#x", low, high, got)
		}
	}
	for f, want := range map[float32]uint16{65519: 0x7bff, 65520: 0x7c00, 1e30: 0x7c00, 1e-30: 0} {
		if got := half(f); got != want {
			t.Errorf("%v: %#x, want %#x", f, got, want)
		}
	}
}

func TestToFloat16RefusesOverflow(t *testing.T) {
	if _, err := ToFloat16(FromFloat32("w", []int{2}, []float32{1, 1e6})); err == nil {
		t.Error("1e6 became infinite silently")
	}
	x, err := ToFloat16(FromFloat32("w", []int{2}, []float32{float32(math.Inf(-1)), -2}))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := x.Float32s(); err != nil || !math.IsInf(float64(v[0]), -1) || v[1] != -2 {
		t.Errorf("%v %v", v, err)
	}
}

func TestConversions(t *testing.T) {
	bf := Tensor{"x", BF16, []int{3}, []byte{0x80, 0x3f, 0x20, 0xc0, 0x80, 0x7f}} // 1, -2.5, +Inf
	if v, err := bf.Float32s(); err != nil || !slices.Equal(v, []float32{1, -2.5, float32(math.Inf(1))}) {
		t.Errorf("bfloat16: %v %v", v, err)
	}
	if v, err := FromFloat64("x", []int{1}, []float64{0.1}).Float32s(); err != nil || v[0] != float32(0.1) {
		t.Errorf("float64 to float32: %v %v", v, err)
	}
	for _, x := range []Tensor{
		FromFloat32("x", []int{2}, []float32{-3, 70000}),
		FromFloat64("x", []int{2}, []float64{-3, 70000}),
		FromInt32("x", []int{2}, []int32{-3, 70000}),
		FromInt64("x", []int{2}, []int64{-3, 70000}),
	} {
		if v, err := x.Int64s(); err != nil || !slices.Equal(v, []int64{-3, 70000}) {
			t.Errorf("%s to int64: %v %v", x.DType, v, err)
		}
	}
	for name, x := range map[string]Tensor{
		"half":      FromFloat32("x", []int{1}, []float32{0.5}),
		"NaN":       FromFloat64("x", []int{1}, []float64{math.NaN()}),
		"too large": FromFloat64("x", []int{1}, []float64{1e300}),
		"unsigned":  {"x", U64, []int{1}, []byte{0, 0, 0, 0, 0, 0, 0, 0x80}},
		"string":    FromStrings("x", []int{1}, []string{"1"}),
		"cut":       {"x", I64, []int{2}, make([]byte, 8)},
	} {
		if v, err := x.Int64s(); err == nil {
			t.Errorf("%s: became %v", name, v)
		}
	}
	small := map[DType][]byte{I8: {0xff}, I16: {0xff, 0xff}, U8: {0xff}, U16: {0xff, 0xff}, U32: {0xff, 0xff, 0xff, 0xff}}
	want := map[DType]int64{I8: -1, I16: -1, U8: 255, U16: 65535, U32: math.MaxUint32}
	for d, b := range small {
		if v, err := (Tensor{"x", d, []int{1}, b}).Int64s(); err != nil || v[0] != want[d] {
			t.Errorf("%s: %v %v", d, v, err)
		}
	}
}
