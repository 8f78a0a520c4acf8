package tensorfile

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/reference"
)

func TestReadNPZWrittenByNumPy(t *testing.T) {
	for _, file := range []string{"stored.npz", "deflated.npz"} {
		m, err := ReadNPZ(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		if len(m) != 2 || m["images"].Name != "images" || !slices.Equal(m["images"].Shape, []int{6, 4}) {
			t.Fatalf("%s: %v", file, m)
		}
		if x, err := m["images"].Float64s(); err != nil || !slices.Equal(x, counted()) {
			t.Errorf("%s: %v %v", file, x, err)
		}
		if y, err := m["labels"].Int64s(); err != nil || !slices.Equal(y, []int64{0, 1, 2, 0, 1, 2}) {
			t.Errorf("%s: %v %v", file, y, err)
		}
	}
}

func TestNPZRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npz")
	in := []Tensor{
		FromFloat32("b", []int{3, 2}, []float32{1, 2, 3, 4, 5, 6}),
		FromStrings("a/nested", []int{2}, []string{"x", "yz"}),
	}
	if err := WriteNPZ(path, in); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := EncodeNPZ(&again, in); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); !bytes.Equal(b, again.Bytes()) {
		t.Error("the same tensors gave other bytes")
	}
	n, err := OpenNPZ(path)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if !slices.Equal(n.Names(), []string{"a/nested", "b"}) || !n.Has("b") || n.Has("c") {
		t.Errorf("names %v", n.Names())
	}
	x, err := n.Tensor("b")
	if err != nil || !bytes.Equal(x.Data, in[0].Data) {
		t.Errorf("%v %v", x, err)
	}
	if _, err := n.Tensor("c"); err == nil {
		t.Error("an absent array was found")
	}
	if err := EncodeNPZ(&again, []Tensor{in[0], in[0]}); err == nil {
		t.Error("two arrays of one name were written")
	}
}

// zipOf is an archive of stored members.
func zipOf(t testing.TB, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: members[i], Method: zip.Deflate})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(members[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestNPZRefusesDamagedFiles(t *testing.T) {
	stored, err := os.ReadFile("testdata/stored.npz")
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(stored)
	at := bytes.Index(flipped, []byte("NUMPY"))
	flipped[at+130] ^= 1 // one bit of the first array's elements
	npy := string(npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8))
	huge := zipOf(t, "x.npy", string(npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976,), }", 8)))
	// Sizes that the archive cannot hold, in its directory (offsets of the zip format).
	lying := zipOf(t, "x.npy", npy)
	dir := bytes.LastIndex(lying, []byte("PK\x01\x02"))
	copy(lying[dir+20:], "\xf0\xff\xff\xff\xf0\xff\xff\xff")
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"text":      {[]byte("0.1,0.2\n"), "not an npz file"},
		"empty":     {nil, "not an npz file"},
		"cut":       {stored[:len(stored)-30], "not an npz file"},
		"other zip": {zipOf(t, "readme.txt", "hello"), "without .npy"},
		"twice":     {zipOf(t, "x.npy", npy, "x.npy", npy), "comes twice"},
		"bit flip":  {flipped, "checksum"},
		"not npy":   {zipOf(t, "x.npy", "hello, this is no array"), "not an npy file"},
		"huge":      {huge, "not a whole npy array"},
		"lying":     {lying, "archive claims"},
	} {
		path := filepath.Join(t.TempDir(), "x.npz")
		if err := os.WriteFile(path, c.b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadNPZ(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := ReadNPZ("testdata/absent.npz"); !os.IsNotExist(err) {
		t.Errorf("absent: %v", err)
	}
}

func TestReferenceArchivesRead(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(reference.Fixtures(t, "finetune"), "*.npz"))
	if err != nil || len(files) == 0 {
		t.Fatal("no npz files among the fixtures", err)
	}
	for _, file := range files {
		m, err := ReadNPZ(file)
		if err != nil {
			t.Error(err)
		}
		for _, x := range m {
			if err := x.check(); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

func FuzzNPZ(f *testing.F) {
	for _, file := range []string{"testdata/stored.npz", "testdata/deflated.npz"} {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := ParseNPZ(bytes.NewReader(b), int64(len(b)), "fuzz")
		if err != nil {
			return
		}
		for _, name := range n.Names() {
			x, err := n.Tensor(name)
			if err != nil {
				continue
			}
			if err := x.check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
