package tensorfile

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/reference"
)

func safetensorsBytes(header string, body int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, body)...)
}

func TestReadSafetensorsOfReferenceImplementation(t *testing.T) {
	s, err := OpenSafetensors("testdata/reference.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !slices.Equal(s.Names(), []string{"a.bias", "b.weight", "n"}) || s.Metadata()["k"] != "v <&> é" {
		t.Errorf("%v %v", s.Names(), s.Metadata())
	}
	w, err := s.Tensor("b.weight")
	if err != nil || !slices.Equal(w.Shape, []int{2, 3}) {
		t.Fatalf("%v %v", w, err)
	}
	if x, err := w.Float32s(); err != nil || !slices.Equal(x, []float32{0, 1, 2, 3, 4, 5}) {
		t.Errorf("%v %v", x, err)
	}
	bias, _ := s.Tensor("a.bias")
	if x, err := bias.Float32s(); err != nil || !slices.Equal(x, []float32{0, 1, 2}) {
		t.Errorf("%v %v", x, err)
	}
	n, _ := s.Tensor("n")
	if x, err := n.Int64s(); err != nil || !slices.Equal(x, []int64{7}) || len(n.Shape) != 0 {
		t.Errorf("%v %v", x, err)
	}
	if _, err := s.Tensor("absent"); err == nil || !strings.Contains(err.Error(), "reference.safetensors") {
		t.Errorf("absent: %v", err)
	}
	if _, err := n.Float32s(); err == nil {
		t.Error("integers were read as floating point")
	}
}

func TestSafetensorsBytesEqualReferenceImplementation(t *testing.T) {
	want, err := os.ReadFile("testdata/reference.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	bias, err := ToFloat16(FromFloat32("a.bias", []int{3}, []float32{0, 1, 2}))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.safetensors")
	err = WriteSafetensors(path, []Tensor{
		bias,
		FromFloat32("b.weight", []int{2, 3}, []float32{0, 1, 2, 3, 4, 5}),
		FromInt64("n", nil, []int64{7}),
	}, map[string]string{"k": "v <&> é"})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, want) {
		t.Errorf("%q\nreference: %q", got, want)
	}
}

func TestSafetensorsOfAlignedFloat32DoesNotCopy(t *testing.T) {
	b := littleEndian(make([]uint64, 64))
	var out bytes.Buffer
	if err := EncodeSafetensors(&out, []Tensor{FromFloat32("x", []int{2}, []float32{1, 2})}, nil); err != nil {
		t.Fatal(err)
	}
	n := copy(b, out.Bytes())
	s, err := ParseSafetensors(b[:n], "x")
	if err != nil {
		t.Fatal(err)
	}
	x, _ := s.Tensor("x")
	values, err := x.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(b[n-4:], math.Float32bits(7))
	if values[1] != 7 {
		t.Error("aligned values were copied")
	}
	// The same bytes one further on: not aligned, read all the same.
	copy(b[1:], out.Bytes())
	if s, err = ParseSafetensors(b[1:n+1], "x"); err != nil {
		t.Fatal(err)
	}
	x, _ = s.Tensor("x")
	if values, err = x.Float32s(); err != nil || !slices.Equal(values, []float32{1, 2}) {
		t.Errorf("unaligned: %v %v", values, err)
	}
}

func TestSafetensorsRefusesHostileHeaders(t *testing.T) {
	one := `"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":             {nil, "shorter"},
		"text":              {[]byte("label,path\n0,a.png\n"), "header claims"},
		"length 2^60":       {append(binary.LittleEndian.AppendUint64(nil, 1<<60), "{}"...), "header claims"},
		"length max":        {append(binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "{}"...), "header claims"},
		"cut":               {safetensorsBytes("{"+one+"}", 8)[:20], "header claims"},
		"not JSON":          {safetensorsBytes("hello", 8), "no JSON object"},
		"unclosed":          {safetensorsBytes("{"+one, 8), "header"},
		"tail":              {safetensorsBytes("{"+one+"}{}", 8), "something follows"},
		"twice":             {safetensorsBytes("{"+one+","+one+"}", 8), "comes twice"},
		"metadata twice":    {safetensorsBytes(`{"__metadata__":{},"__metadata__":{},`+one+"}", 8), "comes twice"},
		"metadata numbers":  {safetensorsBytes(`{"__metadata__":{"a":1},`+one+"}", 8), "__metadata__"},
		"unknown type":      {safetensorsBytes(`{"x":{"dtype":"Q9","shape":[2],"data_offsets":[0,8]}}`, 8), `"Q9" is not supported`},
		"strings":           {safetensorsBytes(`{"x":{"dtype":"BYTES","shape":[2],"data_offsets":[0,8]}}`, 8), "not supported"},
		"wrong size":        {safetensorsBytes(`{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), "needs 12"},
		"negative":          {safetensorsBytes(`{"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8), "negative"},
		"overflow":          {safetensorsBytes(`{"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`, 0), "too large"},
		"overflow by size":  {safetensorsBytes(`{"x":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}`, 0), "too large"},
		"beyond the end":    {safetensorsBytes(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}`, 8), "not inside"},
		"reversed":          {safetensorsBytes(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8), "not inside"},
		"negative offset":   {safetensorsBytes(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}`, 8), "header"},
		"no offsets":        {safetensorsBytes(`{"x":{"dtype":"F32","shape":[2]}}`, 8), "not inside"},
		"overlap":           {safetensorsBytes(`{`+one+`,"y":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12), "ends at 8"},
		"same bytes":        {safetensorsBytes(`{`+one+`,"y":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), "ends at 8"},
		"gap":               {safetensorsBytes(`{`+one+`,"y":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}}`, 20), "ends at 8"},
		"bytes at the end":  {safetensorsBytes(`{`+one+`}`, 12), "the tensors hold 8"},
		"fractional number": {safetensorsBytes(`{"x":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}`, 8), "header"},
	} {
		_, err := ParseSafetensors(c.b, "f.safetensors")
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "f.safetensors: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := ParseSafetensors(safetensorsBytes("{"+one+"}", 8), "f"); err != nil {
		t.Errorf("the undamaged file: %v", err)
	}
	if _, err := ParseSafetensors(safetensorsBytes("{}", 0), "f"); err != nil {
		t.Errorf("no tensors: %v", err)
	}
}

func TestOpenSafetensorsNamesBadFiles(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.safetensors")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, dir, filepath.Join(dir, "absent.safetensors")} {
		if s, err := OpenSafetensors(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v %v", path, s, err)
		}
	}
}

func TestEncodeSafetensorsRefuses(t *testing.T) {
	x := FromFloat32("x", []int{2}, []float32{1, 2})
	for name, tensors := range map[string][]Tensor{
		"twice":      {x, x},
		"wrong size": {{"x", F32, []int{3}, x.Data}},
		"strings":    {FromStrings("x", []int{1}, []string{"a"})},
		"reserved":   {{metadataKey, F32, []int{2}, x.Data}},
	} {
		path := filepath.Join(t.TempDir(), "x.safetensors")
		if err := WriteSafetensors(path, tensors, nil); err == nil {
			t.Errorf("%s: written", name)
		}
		if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

func TestReferenceCheckpointsOpen(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(reference.Fixtures(t, "models"), "*", "model.safetensors"))
	if err != nil || len(files) == 0 {
		t.Fatal("no checkpoints among the fixtures", err)
	}
	for _, file := range files {
		s, err := OpenSafetensors(file)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, name := range s.Names() {
			x, err := s.Tensor(name)
			if err != nil {
				t.Error(err)
			}
			if _, err := x.Float32s(); err != nil {
				if _, err := x.Int64s(); err != nil {
					t.Errorf("%s: %v", file, err)
				}
			}
		}
		s.Close()
	}
}

func FuzzSafetensors(f *testing.F) {
	b, err := os.ReadFile("testdata/reference.safetensors")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(safetensorsBytes(`{"x":{"dtype":"F32","shape":[0,4611686018427387904],"data_offsets":[0,0]}}`, 0))
	f.Add(safetensorsBytes(`{"__metadata__":null,"x":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}`, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSafetensors(b, "fuzz")
		if err != nil {
			return
		}
		var tensors []Tensor
		total := 0
		for _, name := range s.Names() {
			x, err := s.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := x.check(); err != nil {
				t.Fatal(err)
			}
			total += len(x.Data)
			tensors = append(tensors, x)
		}
		var out bytes.Buffer
		if err := EncodeSafetensors(&out, tensors, s.Metadata()); err != nil {
			t.Fatalf("read, but not written: %v", err)
		}
		again, err := ParseSafetensors(out.Bytes(), "again")
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range tensors {
			y, err := again.Tensor(x.Name)
			if err != nil || !bytes.Equal(x.Data, y.Data) || !slices.Equal(x.Shape, y.Shape) {
				t.Fatalf("%q: %v %v", x.Name, y, err)
			}
		}
	})
}
