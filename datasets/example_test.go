package datasets_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

func ExampleLoad() {
	task, err := datasets.Load("world/digit", datasets.LoadOptions{NTrain: 100, NTest: 50})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := task.Test.Image(0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(task.Train.Len(), task.Test.Len(), task.Captions[7])
	fmt.Println(task.Test.ID(0), p.Width, p.Height)
	// Output:
	// 100 50 the digit seven
	// world/digit/test#0 32 32
}

// A folder per class; what cannot be used is named, the rest is read.
func ExampleOpen() {
	root, err := os.MkdirTemp("", "photos")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(root)
	for _, name := range []string{"red_fox/1.png", "red_fox/2.png", "badger/1.png", "badger/notes.txt"} {
		path := filepath.Join(root, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		f, err := os.Create(path)
		if err != nil {
			fmt.Println(err)
			return
		}
		if filepath.Ext(name) == ".png" {
			picture.New(16, 16).EncodePNG(f)
		} else {
			fmt.Fprintln(f, "seen at dusk")
		}
		f.Close()
	}
	task, problems, err := datasets.Open(root, datasets.FolderOptions{OnError: datasets.Skip})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range problems.List() {
		fmt.Println(p.Kind, p.Path)
	}
	fmt.Println(task.Train.Len(), "images,", task.Captions)
	// Output:
	// not-a-picture badger/notes.txt
	// 3 images, [a photo of a badger a photo of a red fox]
}
