package tensorfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func counted() []float64 { // numpy.arange(24) - 7
	x := make([]float64, 24)
	for i := range x {
		x[i] = float64(i) - 7
	}
	return x
}

func TestReadNPYWrittenByNumPy(t *testing.T) {
	for _, c := range []struct {
		file  string
		dtype DType
		shape []int
	}{
		{"c_f4.npy", F32, []int{2, 3, 4}},
		{"fortran_f8.npy", F64, []int{2, 3, 4}},
		{"big_i4.npy", I32, []int{2, 3, 4}},
		{"bigfortran_f4.npy", F32, []int{2, 3, 4}},
		{"f2.npy", F16, []int{2, 3, 4}},
	} {
		path := filepath.Join("testdata", c.file)
		mapped, unmap, err := MapNPY(path)
		if err != nil {
			t.Fatal(err)
		}
		defer unmap()
		read, err := ReadNPY(path)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := ParseNPY(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []Tensor{read, mapped, parsed} {
			if got.DType != c.dtype || !slices.Equal(got.Shape, c.shape) {
				t.Errorf("%s: %s %v", c.file, got.DType, got.Shape)
			}
			var values []float64
			if c.dtype == I32 {
				ints, err := got.Int64s()
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range ints {
					values = append(values, float64(v))
				}
			} else if values, err = got.Float64s(); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(values, counted()) {
				t.Errorf("%s: %v", c.file, values)
			}
		}
	}
}

func TestReadNPYSpecialShapesAndTypes(t *testing.T) {
	read := func(file string) Tensor {
		t.Helper()
		x, err := ReadNPY(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	scalar, err := read("scalar.npy").Float64s()
	if err != nil || !slices.Equal(scalar, []float64{2.5}) {
		t.Errorf("scalar: %v %v", scalar, err)
	}
	empty := read("empty.npy")
	if v, err := empty.Float32s(); err != nil || len(v) != 0 || !slices.Equal(empty.Shape, []int{0, 4}) {
		t.Errorf("empty: %v %v %v", empty.Shape, v, err)
	}
	if v, err := read("bool.npy").Int64s(); err != nil || !slices.Equal(v, []int64{1, 0, 1}) {
		t.Errorf("bool: %v %v", v, err)
	}
	for file, want := range map[string][]string{
		"unicode.npy":     {"cat", "犬", "naïve"},
		"unicode_big.npy": {"cat", "犬", "naïve"},
		"bytes.npy":       {"cat", "dogs"},
	} {
		if got, err := read(file).Strings(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q %v", file, got, err)
		}
	}
}

func TestNPYRefusesWhatItCannotHold(t *testing.T) {
	for file, want := range map[string]string{
		"object.npy":  "pickled Python objects are never loaded",
		"struct.npy":  "structured arrays are not supported",
		"complex.npy": "not supported",
	} {
		_, err := ReadNPY(filepath.Join("testdata", file))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// npyBytes is an npy file of version 1 with the given header text.
func npyBytes(header string, body int) []byte {
	b := append([]byte(npyMagic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	return append(append(b, header...), make([]byte, body)...)
}

func TestNPYRefusesDamagedFiles(t *testing.T) {
	good := "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
	for name, b := range map[string][]byte{
		"empty":          {},
		"text":           []byte("0.1,0.2,0.3\n0.1,0.2,0.3\n"),
		"version":        append([]byte(npyMagic), 9, 0, 0, 0, 0, 0),
		"cut header":     npyBytes(good, 8)[:30],
		"cut data":       npyBytes(good, 7),
		"long data":      npyBytes(good, 9),
		"huge shape":     npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976, 16), }", 8),
		"huge product":   npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,), }", 8),
		"negative":       npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8),
		"no shape":       npyBytes("{'descr': '<f4', 'fortran_order': False, }", 8),
		"twice":          npyBytes("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8),
		"tail":           npyBytes(good+" 1", 8),
		"code":           npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os'),), }", 8),
		"unknown type":   npyBytes("{'descr': '<q9', 'fortran_order': False, 'shape': (2,), }", 8),
		"version 2 huge": append(append([]byte(npyMagic), 2, 0, 255, 255, 255, 255), make([]byte, 64)...),
	} {
		if _, err := ParseNPY(b); err == nil {
			t.Errorf("%s: accepted by ParseNPY", name)
		}
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadNPY(path); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: ReadNPY: %v", name, err)
		}
		if _, _, err := MapNPY(path); err == nil {
			t.Errorf("%s: accepted by MapNPY", name)
		}
	}
	if _, err := ParseNPY(npyBytes(good, 8)); err != nil {
		t.Errorf("the undamaged file: %v", err)
	}
}

func TestFortranOrderOfFourDimensions(t *testing.T) {
	shape := []int{2, 3, 1, 4}
	in := make([]byte, 24)
	for i := range in {
		in[i] = byte(i)
	}
	out := fromFortran(in, shape, 1)
	at := 0
	for i := range 2 {
		for j := range 3 {
			for l := range 4 {
				if want := byte(i + 2*j + 6*l); out[at] != want {
					t.Errorf("element %d %d 0 %d = %d, want %d", i, j, l, out[at], want)
				}
				at++
			}
		}
	}
}

func TestNPYRoundTrip(t *testing.T) {
	for _, x := range []Tensor{
		FromFloat32("", []int{2, 2}, []float32{1, -2, 3, 4.5}),
		FromFloat64("", []int{}, []float64{3}),
		FromInt64("", []int{3}, []int64{-1, 0, 1 << 40}),
		FromInt32("", []int{1, 1, 2}, []int32{-1, 5}),
		FromUint8("", []int{0}, nil),
		FromStrings("", []int{2}, []string{"", "猫 cat"}),
	} {
		var b bytes.Buffer
		if err := EncodeNPY(&b, x); err != nil {
			t.Fatal(err)
		}
		if (b.Len()-len(x.Data))%64 != 0 {
			t.Errorf("%s: data at byte %d", x.DType, b.Len()-len(x.Data))
		}
		got, err := ParseNPY(b.Bytes())
		if err != nil || got.DType != x.DType || !slices.Equal(got.Shape, x.Shape) || !bytes.Equal(got.Data, x.Data) {
			t.Errorf("%s: %+v %v", x.DType, got, err)
		}
	}
}

func TestNPYBytesEqualNumPys(t *testing.T) {
	want, err := os.ReadFile("testdata/c_f4.npy")
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 24)
	for i, v := range counted() {
		x[i] = float32(v)
	}
	path := filepath.Join(t.TempDir(), "sub", "x.npy")
	if err := WriteNPY(path, FromFloat32("", []int{2, 3, 4}, x)); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, want) {
		t.Errorf("%q, NumPy wrote %q", got, want)
	}
}

func FuzzNPY(f *testing.F) {
	files, err := filepath.Glob("testdata/*.npy")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(npyBytes("{'descr': '|S0', 'fortran_order': True, 'shape': (9,), }", 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := ParseNPY(bytes.Clone(b))
		if err != nil {
			return
		}
		if err := x.check(); err != nil {
			t.Fatalf("read what is not valid: %v", err)
		}
		var out bytes.Buffer
		if err := EncodeNPY(&out, x); err != nil {
			t.Fatalf("read, but not written: %v", err)
		}
		y, err := ParseNPY(out.Bytes())
		if err != nil || fmt.Sprint(x.Shape) != fmt.Sprint(y.Shape) || x.DType != y.DType || !bytes.Equal(x.Data, y.Data) {
			t.Fatalf("round trip of %v %v: %v %v %v", x.DType, x.Shape, y.DType, y.Shape, err)
		}
	})
}
