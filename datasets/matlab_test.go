package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files in testdata/matlab were written by make.py there with SciPy 1.17.
func TestMatlabStructuresAndTexts(t *testing.T) {
	v, err := readMatlab("testdata/matlab/annos.mat")
	if err != nil {
		t.Fatal(err)
	}
	a := v["annotations"]
	if a == nil || fmt.Sprint(a.dims) != "[1 2]" || len(a.fields) != 3 {
		t.Fatalf("%+v", a)
	}
	for i, want := range []string{"[39] [2] 00001.jpg", "[30] [1] 00002.jpg"} {
		x, err1 := a.fields["bbox_x1"][i].ints()
		class, err2 := a.fields["class"][i].ints()
		name, err3 := a.fields["fname"][i].text()
		if got := fmt.Sprintf("%v %v %s", x, class, name); got != want || err1 != nil || err2 != nil || err3 != nil {
			t.Errorf("%q, want %q (%v, %v, %v)", got, want, err1, err2, err3)
		}
	}
	if v, err = readMatlab("testdata/matlab/meta.mat"); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range v["class_names"].cells {
		name, err := c.text()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if fmt.Sprintf("%q", names) != `["AM General Hummer SUV 2000" "Dodge Café/Van 2007"]` {
		t.Errorf("%q", names)
	}
}

func TestSVHNOfSciPy(t *testing.T) {
	check := func(images Images, labels ...int) {
		t.Helper()
		if images.Len() != len(labels) {
			t.Fatalf("%d images", images.Len())
		}
		for i, want := range labels {
			p, err := images.Image(i)
			if err != nil || images.Label(i) != want || p.Width != 32 || p.Height != 32 {
				t.Fatalf("image %d: class %d, %v", i, images.Label(i), err)
			}
			for _, at := range [][3]int{{0, 0, 0}, {1, 0, 0}, {0, 1, 1}, {31, 30, 2}} { // row, column, channel
				if got, want := p.Pix[3*(at[0]*32+at[1])+at[2]], uint8(at[0]*5+at[1]*3+at[2]*70+i*11); got != want {
					t.Errorf("image %d, %v: %d, want %d", i, at, got, want)
				}
			}
		}
	}
	task, problems, err := Open("testdata/matlab/svhn.mat", FolderOptions{})
	if err != nil || problems.Len() > 0 {
		t.Fatal(err, problems.List())
	}
	check(task.Train, 1, 0, 3)
	if len(task.ClassNames) != 10 || task.Test != nil {
		t.Errorf("classes %v", task.ClassNames)
	}
	root := t.TempDir()
	for from, to := range map[string]string{"svhn.mat": "train_32x32.mat", "svhn_plain.mat": "test_32x32.mat"} {
		b, err := os.ReadFile(filepath.Join("testdata/matlab", from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, to), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if task, _, err = Open(root, FolderOptions{KeepOverlap: true}); err != nil {
		t.Fatal(err)
	}
	check(task.Train, 1, 0, 3)
	check(task.Test, 0)
}

func TestMatlabRefusesOtherFiles(t *testing.T) {
	whole, err := os.ReadFile("testdata/matlab/svhn.mat")
	if err != nil {
		t.Fatal(err)
	}
	version := append([]byte(nil), whole...)
	version[125] = 2
	damaged := append([]byte(nil), whole...)
	damaged[200] ^= 0xff
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"short": {whole[:100], "not a MATLAB file"}, "HDF5": {append([]byte("\x89HDF\r\n\x1a\n"), make([]byte, 200)...), "not a MATLAB file"},
		"version 7.3": {version, "only 5 to 7.2"}, "cut off": {whole[:len(whole)-5], "cut off"}, "damaged": {damaged, "damaged"},
		"other variables": {nil, "lacks the variables"},
	} {
		path := pack(t, "x.mat", tt.data)
		if tt.data == nil {
			path = "testdata/matlab/annos.mat"
		}
		if _, _, err := Open(path, FolderOptions{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseMatlab(f *testing.F) {
	for _, name := range []string{"annos.mat", "meta.mat", "svhn_plain.mat"} {
		b, err := os.ReadFile(filepath.Join("testdata/matlab", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseMatlab(b)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("the error has several lines: %q", err)
			}
			return
		}
		for _, m := range v {
			m.ints()
			m.text()
			m.bytes()
		}
	})
}
