package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/datasets/download"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

const realUsage = "folder that holds the real data sets (default: what iimm datasets fetch brought)"

// sheetFlags say what is on a contact sheet.
type sheetFlags struct {
	out, split     string
	perClass, cell int
}

func (o *sheetFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.out, "out", "", "write a contact sheet, one row a class, to this PNG file")
	f.StringVar(&o.split, "split", "", "split on the sheet: train, val or test (default train, where there is one)")
	f.IntVar(&o.perClass, "per-class", 12, "pictures of each class on the sheet")
	f.IntVar(&o.cell, "cell", 0, "size of a picture on the sheet in pixels (default 64, less with many classes)")
}

func (o *sheetFlags) check() error {
	switch {
	case o.split != "" && !slices.Contains([]string{"train", "val", "test"}, o.split):
		return usagef("--split %q is none of train, val, test", o.split)
	case o.perClass < 1 || o.cell < 8 && o.cell != 0:
		return usagef("--per-class must be at least 1 and --cell at least 8")
	case o.out != "" && !strings.EqualFold(filepath.Ext(o.out), ".png"):
		return usagef("--out %s: the name must end in .png", o.out)
	}
	return nil
}

// draw writes the sheet, when one is asked for.
func (o *sheetFlags) draw(task *datasets.Task) error {
	if o.out == "" {
		return nil
	}
	split := o.split
	if split == "" && task.Train.Len() == 0 {
		split = "test" // a set that is for measuring forgetting
	}
	cell := o.cell
	if cell == 0 {
		cell = max(8, min(64, datasets.MaxSheet/max(len(task.ClassNames), o.perClass)))
	}
	sheet, err := datasets.Sheet(task, datasets.SheetOptions{PerClass: o.perClass, Cell: cell, Split: split})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := sheet.EncodePNG(&b); err != nil {
		return err
	}
	return store.WriteFile(o.out, b.Bytes())
}

func (o *sheetFlags) printed(s *streams) {
	if o.out != "" {
		fmt.Fprintf(s.out, "%s: contact sheet\n", o.out)
	}
}

// splitCounts is how many images of a class each split has.
type splitCounts struct {
	Class   string `json:"class"`
	Caption string `json:"caption"`
	Train   int    `json:"train"`
	Val     int    `json:"val"`
	Test    int    `json:"test"`
}

// description is what show and check tell of a task.
type description struct {
	Train    int              `json:"n_train"`
	Val      int              `json:"n_val"`
	Test     int              `json:"n_test"`
	Classes  []splitCounts    `json:"classes"`
	Hash     string           `json:"hash,omitempty"`
	Pictures *datasets.Survey `json:"pictures,omitempty"`
	// Source and Licence are null for what the user brought.
	Source  *string           `json:"source"`
	Licence *string           `json:"licence"`
	Receipt *download.Receipt `json:"receipt,omitempty"` // of a set that was fetched
}

// describeTask counts a task's images by class and split, and looks up where it
// comes from.
func describeTask(t *datasets.Task, real string, survey *datasets.Survey) (description, error) {
	d := description{Hash: t.Hash, Pictures: survey, Classes: make([]splitCounts, len(t.ClassNames))}
	for k := range d.Classes {
		d.Classes[k] = splitCounts{Class: t.ClassNames[k], Caption: t.Captions[k]}
	}
	count := func(images datasets.Images, of func(*splitCounts) *int) int {
		if images == nil {
			return 0
		}
		for i := range images.Len() {
			*of(&d.Classes[images.Label(i)])++
		}
		return images.Len()
	}
	d.Train = count(t.Train, func(c *splitCounts) *int { return &c.Train })
	d.Val = count(t.Val, func(c *splitCounts) *int { return &c.Val })
	d.Test = count(t.Test, func(c *splitCounts) *int { return &c.Test })
	if strings.HasPrefix(t.Name, "world/") {
		source, licence := "drawn by this program", "Apache-2.0"
		d.Source, d.Licence = &source, &licence
	}
	if !strings.HasPrefix(t.Name, "paper/") {
		return d, nil
	}
	o, err := download.Find(t.Name)
	if err != nil {
		return d, err
	}
	d.Source, d.Licence = &o.Page, &o.Licence
	if real == "" {
		if real, err = datasets.DataDir(); err != nil {
			return d, err
		}
	}
	d.Receipt, err = download.ReadReceipt(real, o.Set)
	if errors.Is(err, fs.ErrNotExist) { // the user's own files
		err = nil
	}
	return d, err
}

// counts is how many images the splits have, in words.
func (d description) counts() string {
	text := fmt.Sprintf("%d images for training", d.Train)
	if d.Val > 0 {
		text += fmt.Sprintf(", %d for validation", d.Val)
	}
	return text + fmt.Sprintf(", %d for testing", d.Test)
}

// print tells of the pictures and where they come from, a line each.
func (d description) print(s *streams) {
	if p := d.Pictures; p != nil && p.Looked > 0 {
		among := ""
		if p.Looked < p.Of {
			among = fmt.Sprintf(" (of %d pictures looked at)", p.Looked)
		}
		switch {
		case p.Sizes == 1:
			fmt.Fprintf(s.out, "size: %d x %d pixels%s\n", p.Width.Least, p.Height.Least, among)
		default:
			fmt.Fprintf(s.out, "size: %d to %d pixels wide, half of them up to %d; %d to %d high, half of them up to %d%s\n",
				p.Width.Least, p.Width.Most, p.Width.Median, p.Height.Least, p.Height.Most, p.Height.Median, among)
		}
	}
	if d.Source != nil {
		fmt.Fprintf(s.out, "source: %s; licence: %s\n", *d.Source, *d.Licence)
	}
	if r := d.Receipt; r != nil {
		fmt.Fprintf(s.out, "fetched: %s, %d files, %s, listing %.12s\n", r.Fetched, r.Files, megabytes(r.Bytes), r.Listing)
		if r.OtherSplits != "" {
			fmt.Fprintf(s.out, "splits: not the official ones, %s\n", r.OtherSplits)
		}
	}
}
