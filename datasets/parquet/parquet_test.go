package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// testdata was written by testdata/make.py with Hugging Face's datasets 5.2.0:
// image i is 5 x 4 pixels of class i%3, byte j is j*(i+3), in the test split j*(i+23).
func checkImages(t *testing.T, images datasets.Images, n, shift int) {
	t.Helper()
	if images.Len() != n {
		t.Fatalf("%d images, want %d", images.Len(), n)
	}
	for _, i := range []int{n - 1, 0, 1, n / 2} { // out of order
		p, err := images.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		if images.Label(i) != i%3 || p.Width != 5 || p.Height != 4 || p.Pix[7] != uint8(7*(i+shift)) || p.Pix[59] != uint8(59*(i+shift)) {
			t.Errorf("image %d: label %d, %d x %d, %v", i, images.Label(i), p.Width, p.Height, p.Pix)
		}
	}
}

func TestFilesOfHuggingFacesLibrary(t *testing.T) {
	for _, folder := range []string{"testdata", "testdata/data"} {
		if folder == "testdata" { // the data set's folder, without the other files
			root := t.TempDir()
			if err := os.CopyFS(filepath.Join(root, "data"), os.DirFS("testdata/data")); err != nil {
				t.Fatal(err)
			}
			folder = root
		}
		task, problems, err := datasets.Open(folder, datasets.FolderOptions{Template: "a {class}."})
		if err != nil || problems.Len() > 0 {
			t.Fatal(err, problems.List())
		}
		if fmt.Sprintf("%q", task.Captions) != `["a hard-leaved orchid." "a crane." "a t-shirt."]` {
			t.Errorf("captions %q", task.Captions)
		}
		checkImages(t, task.Train, 7, 3)
		checkImages(t, task.Test, 3, 23)
		if id := task.Train.ID(6); !strings.HasSuffix(id, "train-00001-of-00002.parquet/6.png") {
			t.Errorf("ID %q", id)
		}
	}
	one, problems, err := datasets.Open("testdata/data/train-00000-of-00002.parquet", datasets.FolderOptions{GroupColumn: "part"})
	if err != nil || problems.Len() > 0 {
		t.Fatal(err, problems.List())
	}
	checkImages(t, one.Train, 5, 3)
	if one.Test != nil || one.Train.ID(3) != "3.png" {
		t.Errorf("test split %v, ID %q", one.Test, one.Train.ID(3))
	}
	if _, _, err := datasets.Open("testdata/data/train-00000-of-00002.parquet", datasets.FolderOptions{GroupColumn: "kind"}); err == nil || !strings.Contains(err.Error(), `no column "kind"`) {
		t.Errorf("a column that is not there: %v", err)
	}
}

func TestGroupsAreRead(t *testing.T) {
	x, err := open("testdata/data/train-00000-of-00002.parquet", "part")
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(x.groups, x.labels, x.paths) != "[p0 p0 p1 p1 p2] [0 1 2 0 1] [0.png 1.png 2.png 3.png 4.png]" {
		t.Error(x.groups, x.labels, x.paths)
	}
}

func TestPlainTableWithoutMetadata(t *testing.T) {
	task, problems, err := datasets.Open("testdata/plain.parquet", datasets.FolderOptions{OnError: datasets.Skip})
	if err != nil {
		t.Fatal(err)
	}
	if l := problems.List(); len(l) != 1 || l[0].Kind != datasets.BadRow || l[0].Path != "2" {
		t.Errorf("problems %v", l)
	}
	if fmt.Sprint(task.ClassNames) != "[cat dog]" || task.Train.Len() != 4 || task.Train.Label(0) != 1 {
		t.Error(task.ClassNames, task.Train.Len())
	}
	p, err := task.Train.Image(3) // row 4, in the second row group
	if err != nil || p.Pix[1] != 7 {
		t.Errorf("%v, %v", p, err)
	}
}

func TestRowsWithoutPictureOrLabelAreNamed(t *testing.T) {
	task, problems, err := datasets.Open("testdata/gaps.parquet", datasets.FolderOptions{OnError: datasets.Skip})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range problems.List() {
		got = append(got, p.Kind+" "+p.Path)
	}
	// Class 2 has but an unusable picture, class 1 none, and -1 stands for itself
	// where no names are given.
	want := []string{"empty-file gone.png", "empty-file 2", "not-a-picture x", "empty-class 1", "empty-class 2"}
	if !slices.Equal(got, want) || fmt.Sprint(task.ClassNames) != "[-1 0]" {
		t.Errorf("problems %q, want %q; classes %v", got, want, task.ClassNames)
	}
}

func TestBlocksAreReadAgainWhenForgotten(t *testing.T) {
	x, err := open("testdata/plain.parquet", "")
	if err != nil {
		t.Fatal(err)
	}
	b := newBlocks(1) // keeps one block
	for _, row := range []int{0, 4, 1, 3, 2, 0} {
		data, err := b.read(x, row)
		if err != nil {
			t.Fatal(err)
		}
		p, err := picture.Decode(bytes.NewReader(data))
		if err != nil || p.Pix[1] != uint8(row+3) {
			t.Errorf("row %d: %v", row, err)
		}
		if b.recent.Len() != 1 || len(b.at) != 1 {
			t.Errorf("%d blocks are kept", b.recent.Len())
		}
	}
	if _, err := b.read(x, 5); err == nil {
		t.Error("a row beyond the end was read")
	}
	// A block may begin inside a row group.
	for first := range 3 {
		got, err := x.readPictures(0, first, 3-first)
		if err != nil || len(got) != 3-first {
			t.Fatal(first, err)
		}
		if p, err := picture.Decode(bytes.NewReader(got[0])); err != nil || p.Pix[1] != uint8(first+3) {
			t.Errorf("from row %d: %v", first, err)
		}
	}
}

func TestDamagedFilesAreErrors(t *testing.T) {
	whole, err := os.ReadFile("testdata/data/train-00000-of-00002.parquet")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for name, data := range map[string][]byte{"cut": whole[:len(whole)/2], "empty": nil, "text": []byte("path,label\n"), "magic": []byte("PAR1PAR1")} {
		path := filepath.Join(root, name+".parquet")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := datasets.Open(path, datasets.FolderOptions{OnError: datasets.Skip}); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "train.parquet"), whole, 0o644); err != nil {
		t.Fatal(err)
	}
	task, problems, err := datasets.Open(root, datasets.FolderOptions{OnError: datasets.Skip})
	if err != nil || problems.Len() != 4 || task.Train.Len() != 5 {
		t.Errorf("one good file among four: %v %v", err, problems.List())
	}
}

func FuzzParquet(f *testing.F) {
	for _, name := range []string{"data/test-00000-of-00001.parquet", "plain.parquet", "gaps.parquet"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := newTable(bytes.NewReader(data), "x.parquet", "")
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("the error has several lines: %q", err)
			}
			return
		}
		b := newBlocks(1 << 20)
		for row := range min(len(x.labels), 100) {
			if _, err := b.read(x, row); err != nil && (errors.Is(err, picture.ErrFormat) || strings.ContainsAny(err.Error(), "\n\x00")) {
				t.Errorf("row %d: %q", row, err)
			}
		}
	})
}
