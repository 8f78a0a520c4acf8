package datasets

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWrittenFolderIsReadAsItWas(t *testing.T) {
	task, err := Load("world/defect", LoadOptions{NTrain: 40, NTest: 1})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "below", "steel")
	if err := WriteFolder(dir, task.Train, task.ClassNames); err != nil {
		t.Fatal(err)
	}
	read, problems, err := Open(dir, FolderOptions{})
	if err != nil || problems.Len() > 0 || read.Train.Len() != 40 {
		t.Fatalf("%v, problems %v", err, problems.List())
	}
	if want := slices.Sorted(slices.Values(task.ClassNames)); !slices.Equal(read.ClassNames, want) {
		t.Errorf("classes %v, want %v", read.ClassNames, want)
	}
	of := map[string]int{}
	for i := range read.Train.Len() {
		of[read.Train.ID(i)] = i
	}
	for i := range task.Train.Len() {
		class := task.ClassNames[task.Train.Label(i)]
		j, ok := of[fmt.Sprintf("%s/%05d.png", class, i)]
		if !ok || read.ClassNames[read.Train.Label(j)] != class {
			t.Fatalf("image %d of class %s is missing or of another class: %v", i, class, of)
		}
		a, errA := task.Train.Image(i)
		b, errB := read.Train.Image(j)
		if errA != nil || errB != nil || a.Width != b.Width || !bytes.Equal(a.Pix, b.Pix) {
			t.Fatalf("image %d changed (%v, %v)", i, errA, errB)
		}
	}
	if err := WriteFolder(dir, task.Train, task.ClassNames); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("written twice: %v", err)
	}
}

// What cannot be written whole leaves nothing behind.
func TestFolderIsWrittenWholeOrNotAtAll(t *testing.T) {
	task, err := Load("world/defect", LoadOptions{NTrain: 10, NTest: 1})
	if err != nil {
		t.Fatal(err)
	}
	for want, names := range map[string][]string{
		"no name for a folder": {"a", "b/c", "d", "e", "f"},
		"class 1 is called":    {"a", "..", "d", "e", "f"},
		"there are names of 2": {"a", "b"},
	} {
		root := t.TempDir()
		if err := WriteFolder(filepath.Join(root, "steel"), task.Train, names); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v", names, err)
		}
		if left, err := os.ReadDir(root); err != nil || len(left) > 0 {
			t.Errorf("%v: left %v (%v)", names, left, err)
		}
	}
}
