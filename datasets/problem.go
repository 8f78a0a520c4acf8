package datasets

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// OnError says what is done with files that cannot be used.
type OnError string

const (
	Fail OnError = "fail" // refuse the whole source (the default)
	Skip OnError = "skip" // leave them out
)

// ParseOnError reads "fail", "skip" or "", which is fail.
func ParseOnError(s string) (OnError, error) {
	switch OnError(s) {
	case "", Fail:
		return Fail, nil
	case Skip:
		return Skip, nil
	}
	return "", fmt.Errorf("%q is neither fail nor skip", s)
}

// Kinds of Problem.
const (
	EmptyFile     = "empty-file"
	NotAPicture   = "not-a-picture"
	Damaged       = "damaged"        // a picture that cannot be decoded to its end
	TooLarge      = "too-large"      // over picture.MaxPixels
	Unreadable    = "unreadable"     // no permission, dangling link, device
	EmptyClass    = "empty-class"    // a class folder without a usable picture
	LinkLoop      = "link-loop"      // a folder that was read already under another name
	OutsideClass  = "outside-class"  // a picture beside the class folders
	BadRow        = "bad-row"        // a line of a list that is not path,label
	DuplicateFile = "duplicate-file" // a file listed twice
	Outside       = "outside"        // an entry of an archive that leads out of its folder
	Truncated     = "truncated"      // an archive that is cut off, or lacks parts

	// What follows is dealt with and no reason to refuse a source.
	Leak      = "leak"      // a picture of another split: left out of the lesser one
	Duplicate = "duplicate" // a copy within a split
)

// Problem is one file, folder or row that cannot be used.
type Problem struct {
	Kind    string `json:"kind"`
	Path    string `json:"path"` // below the source, or "line 7"
	Message string `json:"message"`
	// Of is the path of the picture of which the one at Path is a copy, of a Leak or
	// a Duplicate.
	Of string `json:"of,omitempty"`

	pair *pair
}

// pair is a picture of a source and one that it is a copy of.
type pair struct {
	source     *Source
	copied, of int
}

// Pictures returns the picture at Path and the one of which it is a copy, nil
// where the problem is not that of a copy.
func (p Problem) Pictures() (copied, of *picture.RGB, err error) {
	if p.pair == nil {
		return nil, nil, nil
	}
	if copied, err = p.pair.source.Picture(p.pair.copied); err == nil {
		of, err = p.pair.source.Picture(p.pair.of)
	}
	return copied, of, err
}

func (p Problem) String() string { return p.Path + ": " + p.Message }

// Problems gathers what is wrong with a source, in the order of its files.
type Problems struct {
	mu   sync.Mutex
	list []Problem
}

// List returns the problems.
func (p *Problems) List() []Problem {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Problem(nil), p.list...)
}

// Len returns their number.
func (p *Problems) Len() int { return len(p.List()) }

// Add appends a problem, of one of the kinds above, with a path or "line 7".
func (p *Problems) Add(kind, path, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, Problem{Kind: kind, Path: displayName(path), Message: message})
}

// addCopy appends a Leak or a Duplicate.
func (p *Problems) addCopy(kind string, c pair, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	records := c.source.Records
	p.list = append(p.list, Problem{kind, displayName(records[c.copied].ID), message, displayName(records[c.of].ID), &c})
}

// refusal is the error of a source under Fail, nil without problems.
func (p *Problems) refusal(source string) error {
	list := slices.DeleteFunc(p.List(), func(p Problem) bool { return p.Kind == Leak || p.Kind == Duplicate })
	if len(list) == 0 {
		return nil
	}
	more := ""
	if len(list) > 1 {
		more = fmt.Sprintf(" and %d more", len(list)-1)
	}
	return fmt.Errorf("%s: %s%s (mend or remove them, or leave them out with on-error skip)", displayName(source), list[0], more)
}

// displayName is a file name as it can be shown and written: bytes that are
// not UTF-8 and control characters appear as \xNN.
func displayName(name string) string {
	clean := utf8.ValidString(name)
	for i := 0; clean && i < len(name); i++ {
		clean = name[i] >= ' ' && name[i] != 0x7f
	}
	if clean {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		if r == utf8.RuneError && n == 1 || r < ' ' || r == 0x7f {
			fmt.Fprintf(&b, `\x%02x`, name[i])
		} else {
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}
