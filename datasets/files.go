package datasets

import (
	"fmt"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// fileImages are pictures in files.
type fileImages struct {
	files   []imageFile
	options []picture.Option
}

type imageFile struct {
	path  string // to open
	id    string // below the source, with slashes, to show
	size  int64
	label int
}

func (f *fileImages) Len() int        { return len(f.files) }
func (f *fileImages) Label(i int) int { return f.files[i].label }
func (f *fileImages) ID(i int) string { return displayName(f.files[i].id) }

func (f *fileImages) Image(i int) (*picture.RGB, error) {
	if i < 0 || i >= len(f.files) {
		return nil, fmt.Errorf("there are %d images, no number %d", len(f.files), i)
	}
	return picture.Open(f.files[i].path, f.options...)
}
