// Package datasets turns data into tasks: labelled images, class names and
// one caption per class. It reads image folders, lists, zip and tar archives,
// webdatasets and the files of well-known data sets, with package parquet below
// it parquet files, too; synthetic worlds draw their images themselves.
// Package download below it fetches those that need it.
//
// Load opens a task by name: one of the fixed list of Catalogue, one of
// PaperSets, or a path, which Open reads. Classes of folders and lists are
// numbered in the byte order of their names; everything random follows from a
// seed. A picture never is in two splits, nor is a near copy of it, unless asked
// for.
package datasets

import (
	"fmt"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// Images is one split of a task: labelled images, read when asked for.
// Methods may be called from several goroutines.
type Images interface {
	Len() int
	// Label returns the class of image i, in 0..C-1.
	Label(i int) int
	// ID names image i for people: its path or its number in the file.
	ID(i int) string
	// Image decodes image i. An error names the file.
	Image(i int) (*picture.RGB, error)
}

// Task is what is tuned on and tested on: data, class captions and splits.
type Task struct {
	Name   string // as written on the command line: world/shape, mnist, folder:PATH
	Group  string // distance from the pretraining captions: id, rare, composed, shift, held, real
	Domain string // where the images come from; tasks of one domain have images of one law
	// ClassNames and Captions have one entry per class, in label order.
	ClassNames, Captions []string
	// Ensemble, when not nil, holds several captions of each class, of which
	// Captions has the first; see WithTemplates.
	Ensemble    [][]string
	Train, Test Images // Test is nil where the source has no split
	Val         Images // for choosing among tuned models; nil where the source has none
	// Hash identifies class names, captions and the images' source (seed, files and sizes).
	Hash string

	written bool // class names are as people write them, hyphens included
}

// Split returns the images of a split: train, val or test.
func (t *Task) Split(name string) (Images, error) {
	images, ok := map[string]Images{"train": t.Train, "val": t.Val, "test": t.Test}[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("%q is none of the splits train, val, test", name)
	case images == nil || images.Len() == 0:
		return nil, fmt.Errorf("task %s has no %s images", t.Name, name)
	}
	return images, nil
}
