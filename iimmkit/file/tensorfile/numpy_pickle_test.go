package tensorfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Both files were written by Python and read back there, the first with the
// instructions of Python 2: byte j of row i is 7(3072 i + j) mod 251.
func TestReadPickleOfPython(t *testing.T) {
	x, err := ReadPickle("testdata/cifar_python2.pkl")
	if err != nil {
		t.Fatal(err)
	}
	data := x["data"]
	if data.DType != U8 || fmt.Sprint(data.Shape) != "[3 3072]" {
		t.Fatalf("%s %v", data.DType, data.Shape)
	}
	for i, v := range data.Data {
		if v != uint8(7*i%251) {
			t.Fatalf("byte %d is %d", i, v)
		}
	}
	labels, err := x["labels"].Int64s()
	if err != nil || fmt.Sprint(labels) != "[3 0 9]" {
		t.Errorf("labels %v, %v", labels, err)
	}
	batch, err := x["batch_label"].Strings()
	if err != nil || fmt.Sprint(batch) != "[training batch 1 of 5]" {
		t.Errorf("batch label %q, %v", batch, err)
	}
	names, err := x["filenames"].Strings()
	if err != nil || len(names) != 3 || names[2] != "c.png" {
		t.Errorf("file names %q, %v", names, err)
	}
	if _, ok := x["other"]; ok || len(x) != 4 {
		t.Errorf("%d entries", len(x))
	}
	x, err = ReadPickle("testdata/arrays_python3.pkl")
	if err != nil {
		t.Fatal(err)
	}
	w, err := x["w"].Float32s()
	if err != nil || fmt.Sprint(w, x["w"].Shape) != "[0 1 2 3 4 5] [2 3]" || len(x["data"].Data) != 3072 {
		t.Errorf("%v %v, %v", w, x["w"].Shape, err)
	}
}

func TestReadPickleRunsNothing(t *testing.T) {
	for name, tt := range map[string]struct{ pickle, want string }{
		"os.system":        {"\x80\x02cos\nsystem\nU\x04true\x85R.", `refused: it calls for "os.system"`},
		"posix.system":     {"\x80\x02}U\x01acposix\nsystem\nU\x04true\x85Rs.", "refused"},
		"an instance":      {"\x80\x02(ios\nsystem\n.", "refused"},
		"a persistent id":  {"\x80\x02U\x01xQ.", "refused"},
		"call of a string": {"\x80\x02U\x01xU\x01y\x85R.", "refused"},
		"a list":           {"\x80\x02].", "not a dict"},
		"cut off":          {"\x80\x02}U\x05da", "ends too early"},
		"an unbuilt array": {"\x80\x02}U\x01acnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87Rs.", "has no data"},
		"too little data":  {"\x80\x02}U\x01acnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x03\x85cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R\x89U\x02xytbs.", "shape"},
	} {
		x, err := parsePickle([]byte(tt.pickle))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v", name, x, err)
		}
	}
	if _, err := ReadPickle(filepath.Join(t.TempDir(), "absent")); !os.IsNotExist(err) {
		t.Errorf("an absent file: %v", err)
	}
}

func TestReadPickleBoundsSharedData(t *testing.T) {
	// One array under many names.
	var b strings.Builder
	b.WriteString("\x80\x02}U\x02zzcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\xc8\x85cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R\x89U\xc8" +
		strings.Repeat("x", 200) + "tbq\x01s")
	for i := range 256 {
		fmt.Fprintf(&b, "U\x02%02xh\x01s", i)
	}
	b.WriteString(".")
	if _, err := parsePickle([]byte(b.String())); err == nil || !strings.Contains(err.Error(), "share") {
		t.Errorf("51 kB out of %d bytes: %v", b.Len(), err)
	}
}

func FuzzReadPickle(f *testing.F) {
	for _, name := range []string{"testdata/cifar_python2.pkl", "testdata/arrays_python3.pkl"} {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\x80\x02}q\x00(U\x06labelsq\x01]q\x02(K\x01K\x02eU\x05namesq\x03]q\x04(U\x01aU\x01beu."))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := parsePickle(b)
		if err != nil {
			return
		}
		total := 0
		for name, tensor := range x {
			if err := tensor.check(); err != nil {
				t.Errorf("%q: %v", name, err)
			}
			total += len(tensor.Data)
		}
		if total > 1024*len(b) {
			t.Errorf("%d bytes out of %d", total, len(b))
		}
	})
}
