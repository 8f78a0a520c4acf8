package datasets

import (
	"context"
	"fmt"
	"regexp"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// FolderOptions say how a folder, list or archive of pictures becomes a task.
type FolderOptions struct {
	OnError  OnError // what to do with unusable files; Fail when empty
	Template string  // of captions, {class} stands for the name; the source's own or DefaultTemplate when empty
	// TestFraction splits sources without a split of their own, in proportion
	// by class; with 0 everything is Train and Test is nil.
	TestFraction float64
	Seed         uint64 // of the split
	// GroupColumn names the column of a list or table that tells what belongs
	// together: pictures with the same value never come into different splits.
	GroupColumn string
	// GroupPattern does the same by IDs: its first submatch, or else its match, is
	// the group of a picture. A picture without a match is a group of its own.
	GroupPattern *regexp.Regexp
	// KeepOverlap leaves pictures of the training split that are, or nearly are,
	// in the test split where they are. Without it they are left out and told.
	KeepOverlap bool
	Duplicates  bool              // tell of copies within a split, too
	AsStored    bool              // do not turn photographs upright by their Exif orientation
	Trust       bool              // do not decode every picture first: a damaged one is then found when it is used
	Progress    progress.Reporter // of decoding; nil for none
	Context     context.Context   // ends the reading when done; nil for never
}

func (o *FolderOptions) check() error {
	if o.Template != "" {
		if err := CheckTemplate(o.Template); err != nil {
			return err
		}
	}
	if !(o.TestFraction >= 0 && o.TestFraction < 1) {
		return fmt.Errorf("test fraction %v is not in [0,1)", o.TestFraction)
	}
	if o.Context == nil {
		o.Context = context.Background()
	}
	if o.Progress == nil {
		o.Progress = progress.Discard
	}
	var err error
	o.OnError, err = ParseOnError(string(o.OnError))
	return err
}

// group returns what a record belongs to, empty for nothing.
func (o *FolderOptions) group(r Record) string {
	if o.GroupPattern == nil {
		return r.Group
	}
	m := o.GroupPattern.FindStringSubmatch(r.ID)
	switch {
	case m == nil:
		return r.Group
	case len(m) > 1:
		return m[1]
	}
	return m[0]
}
