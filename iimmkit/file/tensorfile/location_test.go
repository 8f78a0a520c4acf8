package tensorfile

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestRowsOfALocationAreThoseOfTheWholeTensor(t *testing.T) {
	x := make([]float64, 7*3)
	for i := range x {
		x[i] = float64(i)
	}
	tensors := []Tensor{FromFloat64("x", []int{7, 3}, x), FromInt64("y", []int{7}, []int64{6, 5, 4, 3, 2, 1, 0})}
	var npy, safe bytes.Buffer
	if err := EncodeNPY(&npy, tensors[0]); err != nil {
		t.Fatal(err)
	}
	if err := EncodeSafetensors(&safe, tensors, map[string]string{"a": "b"}); err != nil {
		t.Fatal(err)
	}
	array, err := LocateNPY(bytes.NewReader(npy.Bytes()), int64(npy.Len()))
	if err != nil {
		t.Fatal(err)
	}
	found, err := LocateSafetensors(bytes.NewReader(safe.Bytes()), int64(safe.Len()))
	if err != nil || len(found) != 2 {
		t.Fatalf("%v %v", found, err)
	}
	buf := make([]byte, 7*3*8)
	for _, c := range []struct {
		l    Location
		file []byte
	}{{array, npy.Bytes()}, {found["x"], safe.Bytes()}} {
		part, err := c.l.Rows(bytes.NewReader(c.file), 2, 5, buf)
		if err != nil {
			t.Fatal(err)
		}
		got, err := part.Float64s()
		if err != nil || !slices.Equal(got, x[6:15]) || !slices.Equal(part.Shape, []int{3, 3}) || c.l.RowSize() != 24 {
			t.Errorf("%v %v %v", got, part.Shape, err)
		}
		if _, err := c.l.Rows(bytes.NewReader(c.file), 5, 8, buf); err == nil || !strings.Contains(err.Error(), "no rows 5 to 8") {
			t.Errorf("%v", err)
		}
		if _, err := c.l.Rows(bytes.NewReader(c.file[:len(c.file)/2]), 0, 7, buf); err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
			t.Errorf("cut off: %v", err)
		}
	}
}

func TestArraysThatHaveNoRowsInTheFileAreRefused(t *testing.T) {
	file := func(head string, data int) []byte {
		b := append([]byte(npyMagic), 1, 0, byte(len(head)), 0)
		return append(append(b, head...), make([]byte, data)...)
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"big-endian": {file("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", 24), "cannot be read by rows"},
		"Fortran":    {file("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", 24), "cannot be read by rows"},
		"strings":    {file("{'descr': '<U2', 'fortran_order': False, 'shape': (2,), }", 16), "type UNICODE, not numbers"},
		"cut":        {file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 20), "not a whole npy array"},
		"short":      {[]byte(npyMagic), "shorter than its header"},
		"header":     {file("{'descr': '<f4'", 0)[:20], "shorter than its header"},
	} {
		if l, err := LocateNPY(bytes.NewReader(c.file), int64(len(c.file))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v, want %q", name, l, err, c.want)
		}
	}
	line := file("{'descr': '<f4', 'fortran_order': True, 'shape': (6,), }", 24)
	if _, err := LocateNPY(bytes.NewReader(line), int64(len(line))); err != nil {
		t.Errorf("one axis has one order: %v", err)
	}
}

// What can be read as a whole can be read by parts, and the other way round.
func FuzzLocate(f *testing.F) {
	var npy, safe bytes.Buffer
	x := FromFloat32("x", []int{2, 3}, []float32{1, 2, 3, 4, 5, 6})
	if err := EncodeNPY(&npy, x); err != nil {
		f.Fatal(err)
	}
	if err := EncodeSafetensors(&safe, []Tensor{x}, nil); err != nil {
		f.Fatal(err)
	}
	f.Add(npy.Bytes())
	f.Add(safe.Bytes())
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		if l, err := LocateNPY(r, int64(len(b))); err == nil {
			whole, err := ParseNPY(b)
			if err != nil || !slices.Equal(whole.Shape, l.Shape) || whole.DType != l.DType || !bytes.Equal(whole.Data, b[l.Start:]) {
				t.Fatalf("%+v, as a whole %+v %v", l, whole, err)
			}
		}
		found, err := LocateSafetensors(r, int64(len(b)))
		whole, other := ParseSafetensors(b, "")
		if (err == nil) != (other == nil) {
			t.Fatalf("by parts %v, as a whole %v", err, other)
		}
		for name, l := range found {
			tensor, err := whole.Tensor(name)
			if err != nil || !bytes.Equal(tensor.Data, b[l.Start:l.Start+int64(l.size())]) {
				t.Fatalf("%+v %+v %v", l, tensor, err)
			}
		}
	})
}
