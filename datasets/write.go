package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// WriteFolder writes images as a folder that Open reads: a folder for each class,
// called as in classNames, with a PNG for each of its images, numbered as in images.
// The folder appears when it is whole; one that is there already is an error, as is
// a class name that cannot name a folder.
func WriteFolder(dir string, images Images, classNames []string) error {
	for i, name := range classNames {
		if name == "" || isDebris(name) || strings.ContainsAny(name, `/\`) {
			return fmt.Errorf("class %d is called %q: no name for a folder", i, name)
		}
	}
	dir = filepath.Clean(dir)
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already", displayName(dir))
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	made, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".tmp-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	if err := os.Chmod(made, 0o755); err != nil {
		return err
	}
	for i := range images.Len() {
		label := images.Label(i)
		if label < 0 || label >= len(classNames) {
			return fmt.Errorf("image %s is of class %d: there are names of %d", images.ID(i), label, len(classNames))
		}
		if err := writePNG(filepath.Join(made, classNames[label], fmt.Sprintf("%05d.png", i)), images, i); err != nil {
			return err
		}
	}
	return os.Rename(made, dir)
}

func writePNG(path string, images Images, i int) error {
	p, err := images.Image(i)
	if err != nil {
		return err
	}
	f, err := store.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := p.EncodePNG(f); err != nil {
		return err
	}
	return f.Commit()
}
