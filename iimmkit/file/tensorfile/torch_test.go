package tensorfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// upTo is 0, 1, ... n-1.
func upTo(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i)
	}
	return out
}

// numbers returns a tensor's elements of any numeric type.
func numbers(t *testing.T, x Tensor) []float64 {
	t.Helper()
	if f, err := x.Float64s(); err == nil {
		return f
	}
	n, err := x.Int64s()
	if err != nil {
		t.Fatal(err)
	}
	return widen[int64, float64](n)
}

func TestTorchReadsWhatTorchWrote(t *testing.T) {
	type want struct {
		shape  []int
		dtype  DType
		values []float64
	}
	layer := map[string]want{
		"0.weight": {[]int{2, 3}, F32, upTo(6)},
		"0.bias":   {[]int{2}, F32, upTo(2)},
		"1.weight": {[]int{2}, F32, []float64{1, 1}},
		"1.bias":   {[]int{2}, F32, []float64{0, 0}},
	}
	parallel := map[string]want{}
	for name, w := range layer {
		parallel["module."+name] = w
	}
	types := map[string]want{"parameter": {[]int{3}, F32, upTo(3)}}
	for name, d := range map[string]DType{
		"float64": F64, "float32": F32, "float16": F16, "bfloat16": BF16, "int64": I64,
		"int32": I32, "int16": I16, "int8": I8, "uint8": U8, "bool": Bool,
	} {
		types[name] = want{[]int{2, 2}, d, upTo(4)}
	}
	types["bool"] = want{[]int{2, 2}, Bool, []float64{0, 1, 1, 1}}
	permuted := make([]float64, 0, 24)
	for k := range 4 {
		for i := range 2 {
			for j := range 3 {
				permuted = append(permuted, float64(12*i+4*j+k))
			}
		}
	}
	for file, tensors := range map[string]map[string]want{
		"module.pt":   layer,
		"training.pt": parallel,
		"types.pt":    types,
		"views.pt": {
			"base":       {[]int{4, 6}, F32, upTo(24)},
			"rows":       {[]int{2, 6}, F32, upTo(24)[12:]},
			"transposed": {[]int{4, 6}, F32, upTo(24)},
			"strided":    {[]int{2, 3, 3}, F32, upTo(18)},
			"permuted":   {[]int{4, 2, 3}, F32, permuted},
			"expanded":   {[]int{2, 3}, F32, []float64{7, 7, 7, 7, 7, 7}},
			"scalar":     {[]int{}, F32, []float64{2.5}},
			"empty":      {[]int{0, 3}, F32, nil},
		},
	} {
		f, err := OpenTorch(filepath.Join("testdata/torch", file))
		if err != nil {
			t.Error(err)
			continue
		}
		var names []string
		for name, w := range tensors {
			names = append(names, name)
			x, err := f.Tensor(name)
			if err != nil {
				t.Error(err)
				continue
			}
			if !slices.Equal(x.Shape, w.shape) || x.DType != w.dtype || !slices.Equal(numbers(t, x), w.values) {
				t.Errorf("%s: %s: %s %v %v, want %s %v %v", file, name, x.DType, x.Shape, numbers(t, x), w.dtype, w.shape, w.values)
			}
		}
		slices.Sort(names)
		if !slices.Equal(f.Names(), names) {
			t.Errorf("%s holds %v, want %v", file, f.Names(), names)
		}
		if _, err := f.Tensor("absent"); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("absent: %v", err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTorchSaysHowToConvertOtherFormats(t *testing.T) {
	tar := make([]byte, 1024)
	copy(tar[257:], "ustar")
	for file, want := range map[string]string{
		"testdata/torch/script.pt": "torch.jit.load(",
		"testdata/torch/legacy.pt": "before 1.6",
		"testdata/torch/model.pt":  `"torch.nn.modules.linear.Linear"`,
		"testdata/stored.npz":      "without data.pkl",
		"testdata/c_f4.npy":        "no zip archive",
		write(t, tar):              "weights_only=False",
		write(t, nil):              "no zip archive",
		write(t, []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")): "git lfs pull",
	} {
		_, err := OpenTorch(file)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), file+": ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}

func write(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.pt")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// entry of an archive that a test makes.
type archived struct{ name, content string }

// torchBytes makes a file as torch.save does, with aligned data.
func torchBytes(t testing.TB, entries ...archived) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{
			Name: e.name, Method: zip.Store, CRC32: crc32.ChecksumIEEE([]byte(e.content)),
			CompressedSize64: uint64(len(e.content)), UncompressedSize64: uint64(len(e.content)),
		}
		if err := z.Flush(); err != nil {
			t.Fatal(err)
		}
		const align, local = 64, 30
		pad := -(b.Len() + local + len(e.name) + 4) & (align - 1)
		h.Extra = append(binary.LittleEndian.AppendUint16([]byte("FB"), uint16(pad)), make([]byte, pad)...)
		w, err := z.CreateRaw(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Pieces of pickles.
func pickleText(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func pickleInt(v int64) string {
	return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, uint64(v)))
}

func pickleInts(v []int64) string {
	s := "("
	for _, x := range v {
		s += pickleInt(x)
	}
	return s + "t"
}

func pickleTensor(class, key string, count, offset int64, shape, stride []int64) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n((" + pickleText("storage") + "ctorch\n" + class + "\n" + pickleText(key) + pickleText("cpu") +
		pickleInt(count) + "tQ" + pickleInt(offset) + pickleInts(shape) + pickleInts(stride) + "\x89ccollections\nOrderedDict\n)RtR"
}

func pickleDict(pairs ...string) string {
	s := "\x80\x02}("
	for i := 0; i < len(pairs); i += 2 {
		s += pickleText(pairs[i]) + pairs[i+1]
	}
	return s + "u."
}

var (
	zeros16 = string(make([]byte, 16))
	vector  = pickleTensor("FloatStorage", "0", 4, 0, []int64{4}, []int64{1})
)

func TestTorchOfAlignedFloat32DoesNotCopy(t *testing.T) {
	b := torchBytes(t, archived{"m/data.pkl", pickleDict("w", vector)}, archived{"m/byteorder", "little"}, archived{"m/data/0", zeros16})
	aligned := view[byte](littleEndian(make([]uint64, len(b)/8+1)))[:len(b)]
	copy(aligned, b)
	f, err := ParseTorch(aligned, "f")
	if err != nil {
		t.Fatal(err)
	}
	x, err := f.Tensor("w")
	if err != nil {
		t.Fatal(err)
	}
	v, err := x.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	at := uintptr(unsafe.Pointer(&v[0])) - uintptr(unsafe.Pointer(&aligned[0]))
	if at >= uintptr(len(aligned)) {
		t.Error("the elements are a copy")
	}
}

func TestTorchOfBigEndianMachines(t *testing.T) {
	var data []byte
	for i := range 6 {
		data = binary.BigEndian.AppendUint32(data, math.Float32bits(float32(i)))
	}
	pkl := pickleDict(
		"w", pickleTensor("FloatStorage", "0", 6, 0, []int64{6}, []int64{1}),
		"t", pickleTensor("FloatStorage", "0", 6, 0, []int64{3, 2}, []int64{1, 3}),
	)
	f, err := ParseTorch(torchBytes(t, archived{"m/data.pkl", pkl}, archived{"m/byteorder", "big"}, archived{"m/data/0", string(data)}), "f")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]float64{"w": upTo(6), "t": {0, 3, 1, 4, 2, 5}} {
		for range 2 { // the file's own bytes must not be changed
			x, err := f.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			if got := numbers(t, x); !slices.Equal(got, want) {
				t.Errorf("%s = %v, want %v", name, got, want)
			}
		}
	}
}

func TestParseTorchRefuses(t *testing.T) {
	file := func(pkl string, more ...archived) []byte {
		return torchBytes(t, append([]archived{{"m/data.pkl", pkl}, {"m/data/0", zeros16}}, more...)...)
	}
	one := func(count, offset int64, shape, stride []int64) []byte {
		return file(pickleDict("w", pickleTensor("FloatStorage", "0", count, offset, shape, stride)))
	}
	good := file(pickleDict("w", vector))
	wide := make([]int64, 65)
	var compressed bytes.Buffer
	z := zip.NewWriter(&compressed)
	w, err := z.Create("m/data.pkl")
	if err == nil {
		_, err = w.Write([]byte(pickleDict("w", vector)))
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"cut":                  {good[:len(good)-30], "no zip archive"},
		"calls os.system":      {file("\x80\x02cos\nsystem\n" + pickleText("true") + "\x85R."), `"os.system"`},
		"calls eval by INST":   {file("\x80\x02(" + pickleText("1") + "i__builtin__\neval\n."), `"__builtin__.eval"`},
		"makes an object":      {file("\x80\x02ccollections\nOrderedDict\n)\x81."), "object of a class"},
		"sets attributes":      {file("\x80\x02}}b."), "attributes are set on a dict"},
		"calls a tensor":       {file("\x80\x02" + vector + ")R."), "calls a tensor"},
		"calls a class":        {file("\x80\x02ctorch\nFloatStorage\n)R."), "calls a type"},
		"other arguments":      {file("\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R."), "not those of a plain tensor"},
		"filled ordered dict":  {file("\x80\x02ccollections\nOrderedDict\n]\x85R."), "not those"},
		"other persistent id":  {file("\x80\x02NQ."), "persistent id"},
		"complex numbers":      {file(pickleDict("w", pickleTensor("ComplexFloatStorage", "0", 2, 0, []int64{2}, []int64{1}))), `"torch.ComplexFloatStorage"`},
		"protocol 4":           {file("\x80\x04}."), "protocol 4"},
		"unknown instruction":  {file("\x80\x02\x93."), "0x93"},
		"empty pickle":         {file(""), "ends too early"},
		"no value":             {file("\x80\x02."), "0 values"},
		"two values":           {file("\x80\x02}}."), "2 values"},
		"mark at the end":      {file("\x80\x02}(."), "mark is left"},
		"no mark":              {file("\x80\x02]e."), "mark is missing"},
		"below the mark":       {file("\x80\x02N(\x85."), "value is missing"},
		"key without value":    {file("\x80\x02}(Nu."), "no value"},
		"append to a dict":     {file("\x80\x02}Na."), "appended to a dict"},
		"set in a list":        {file("\x80\x02]NNs."), "set in a list"},
		"unkept":               {file("\x80\x02h\x07."), "not kept"},
		"long string":          {file("\x80\x02X\xff\xff\xff\xff."), "ends too early"},
		"endless name":         {file("\x80\x02c" + strings.Repeat("a", 5000)), "no end"},
		"not UTF-8":            {file("\x80\x02U\x01\xff."), "UTF-8"},
		"deep stack":           {file("\x80\x02" + strings.Repeat("N", maxStack+1) + "."), "values at once"},
		"deep marks":           {file("\x80\x02" + strings.Repeat("(", maxStack+1) + "."), "marks at once"},
		"a list":               {file("\x80\x02]."), "it holds a list"},
		"a list of itself":     {file("\x80\x02]q\x00h\x00a."), "it holds a list"},
		"a dict of itself":     {file("\x80\x02}q\x00" + pickleText("d") + "h\x00s."), `"d" is a dict`},
		"itself as state_dict": {file("\x80\x02}q\x00" + pickleText("state_dict") + "h\x00s."), `"state_dict" is a dict`},
		"number as state_dict": {file(pickleDict("state_dict", "K\x01")), "state_dict is an int"},
		"number as key":        {file("\x80\x02}K\x01" + vector + "s."), "key is an int"},
		"tuple as key":         {file("\x80\x02})" + vector + "s."), "key is a tuple"},
		"number as tensor":     {file(pickleDict("epoch", "K\x01", "w", vector)), `"epoch" is an int`},
		"nested elsewhere":     {file(pickleDict("model", pickleDict("w", vector)[2:len(pickleDict("w", vector))-1])), `"model" is a dict`},
		"twice":                {file(pickleDict("w", vector, "w", vector)), `"w" comes twice`},
		"storage twice":        {file(pickleDict("w", vector), archived{"m/data/0", zeros16}), "comes twice"},
		"pickle twice":         {file(pickleDict("w", vector), archived{"n/data.pkl", "."}), "comes twice"},
		"no storage":           {file(pickleDict("w", pickleTensor("FloatStorage", "../../0", 4, 0, []int64{4}, []int64{1}))), `tensor "w": its storage "../../0"`},
		"byte order":           {file(pickleDict("w", vector), archived{"m/byteorder", "middle"}), "byteorder"},
		"short storage":        {one(5, 0, []int64{4}, []int64{1}), "5 elements of F32, but 16 bytes"},
		"huge storage":         {one(math.MaxInt64, 0, []int64{4}, []int64{1}), "16 bytes"},
		"negative storage":     {one(-4, 0, []int64{4}, []int64{1}), "16 bytes"},
		"beyond":               {one(4, 1, []int64{4}, []int64{1}), "beyond its storage"},
		"beyond by stride":     {one(4, 0, []int64{4}, []int64{2}), "beyond its storage"},
		"beyond by two":        {one(4, 0, []int64{2, 2}, []int64{2, 2}), "beyond its storage"},
		"overflowing stride":   {one(4, 0, []int64{3, 2}, []int64{math.MaxInt64, math.MaxInt64}), "beyond its storage"},
		"scalar at the end":    {one(4, 4, nil, nil), "beyond its storage"},
		"negative stride":      {one(4, 3, []int64{4}, []int64{-1}), "beyond its storage"},
		"negative offset":      {one(4, -1, []int64{4}, []int64{1}), "element -1"},
		"far offset":           {one(4, math.MaxInt64, []int64{0}, []int64{1}), "storage of 4"},
		"negative shape":       {one(4, 0, []int64{-4}, []int64{1}), "negative"},
		"overflowing shape":    {one(4, 0, []int64{math.MaxInt64, 4}, []int64{0, 0}), "too large"},
		"expanded bomb":        {one(4, 0, []int64{1 << 40}, []int64{0}), "larger than the file"},
		"shape without stride": {one(4, 0, []int64{4}, nil), "not those"},
		"65 axes":              {one(4, 0, wide, wide), "not those"},
		"compressed":           {compressed.Bytes(), "is compressed"},
		"endless pickle":       {file(strings.Repeat("N", maxPickle+1)), "more than"},
	} {
		_, err := ParseTorch(c.b, "f.pt")
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "f.pt: ") || strings.Contains(err.Error(), "\n") || len(err.Error()) > 500 {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := ParseTorch(good, "f"); err != nil {
		t.Errorf("the undamaged file: %v", err)
	}
	if _, err := ParseTorch(one(4, 0, []int64{1, 4}, []int64{math.MaxInt64, 1}), "f"); err != nil {
		t.Errorf("an axis of one, whose stride is never taken: %v", err)
	}
}

func TestTorchNoticesDamagedElements(t *testing.T) {
	b := torchBytes(t,
		archived{"m/data.pkl", pickleDict("good", vector, "bad", pickleTensor("FloatStorage", "1", 4, 0, []int64{4}, []int64{1}))},
		archived{"m/data/0", zeros16}, archived{"m/data/1", "damage goes here"})
	copy(b[bytes.Index(b, []byte("damage goes here")):], "DAMAGE")
	f, err := ParseTorch(b, "f.pt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Tensor("good"); err != nil {
		t.Error(err)
	}
	for range 2 {
		if _, err := f.Tensor("bad"); err == nil || !strings.Contains(err.Error(), `f.pt: tensor "bad": damaged`) {
			t.Errorf("bad: %v", err)
		}
	}
}

// What a hostile pickle makes us allocate must stay in proportion to its size.
func TestPickleAllocatesInProportion(t *testing.T) {
	const n = 1 << 20
	for name, pkl := range map[string]string{
		"nested tuples": "N" + strings.Repeat("\x85", n) + ".",
		"nested lists":  "]" + strings.Repeat("]q\x00a", n/4) + ".",
		"memo":          "]" + strings.Repeat("r\xff\xff\xff\xff", n/5) + ".",
		"doubling":      "]q\x00" + strings.Repeat("](h\x00h\x00eq\x00", n/9) + ".",
		"long strings":  "]" + strings.Repeat("X\xff\xff\xff\x7f", n/5) + ".",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		unpickle([]byte(pkl), torchWords)
		runtime.ReadMemStats(&after)
		grown := after.TotalAlloc - before.TotalAlloc
		if grown > 100*n {
			t.Errorf("%s: %d bytes allocated for %d of pickle", name, grown, len(pkl))
		}
	}
}

func FuzzPickle(f *testing.F) {
	for _, file := range []string{"module.pt", "views.pt", "types.pt", "training.pt", "model.pt"} {
		b, err := os.ReadFile(filepath.Join("testdata/torch", file))
		if err != nil {
			f.Fatal(err)
		}
		a, err := openArchive(b)
		if err != nil {
			f.Fatal(err)
		}
		pkl, err := a.record("data.pkl")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pkl.data)
	}
	f.Add([]byte(pickleDict("w", vector)))
	f.Add([]byte("\x80\x02]q\x00h\x00a."))
	f.Fuzz(func(t *testing.T, pkl []byte) {
		// Storages 0 to 3 exist, so that well-formed tensors can be read.
		var entries []archived
		for _, key := range []string{"0", "1", "2", "3"} {
			entries = append(entries, archived{"m/data/" + key, zeros16 + zeros16})
		}
		checkTorch(t, torchBytes(t, append(entries, archived{"m/data.pkl", string(pkl)})...))
	})
}

func FuzzTorch(f *testing.F) {
	for _, file := range []string{"module.pt", "views.pt", "types.pt", "script.pt", "legacy.pt"} {
		b, err := os.ReadFile(filepath.Join("testdata/torch", file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkTorch(t, b) })
}

// checkTorch reads all of a file that may be anything: every tensor is whole
// or an error.
func checkTorch(t *testing.T, b []byte) {
	before := bytes.Clone(b)
	file, err := ParseTorch(b, "fuzz")
	if err != nil {
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("an error of several lines: %q", err)
		}
		return
	}
	for _, name := range file.Names() {
		x, err := file.Tensor(name)
		if err != nil {
			continue
		}
		if err := x.check(); err != nil {
			t.Error(err)
		}
		if len(x.Data) > len(b) {
			t.Errorf("%q: %d bytes from a file of %d", name, len(x.Data), len(b))
		}
	}
	if !bytes.Equal(b, before) {
		t.Error("the file's bytes were changed")
	}
}
