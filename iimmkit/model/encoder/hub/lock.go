package hub

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/huggingface"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// Lock says which bytes a model is. The program carries one, in which what
// nobody could look up is unpinned; the user's own, beside the cache, comes
// before it and grows with every first fetch.
type Lock struct {
	Schema int            `json:"schema"`
	Models map[string]Pin `json:"models"` // by OWNER/REPO@REVISION
}

// Pin is the state of a repository that is meant.
type Pin struct {
	Commit   string          `json:"commit"` // 40 hexadecimal digits, or "unpinned"
	Endpoint string          `json:"endpoint,omitempty"`
	Recorded string          `json:"recorded,omitempty"` // when, RFC 3339
	Files    map[string]File `json:"files,omitempty"`    // by their path in the repository
}

// File is a file of a repository.
type File = huggingface.File

func (p Pin) pinned() bool { return p.Commit != "" && p.Commit != fetch.Unpinned }

// bytes is the size of all files.
func (p Pin) bytes() int64 {
	var n int64
	for _, f := range p.Files {
		n += f.Size
	}
	return n
}

// names lists the files, small ones first, so that a mistake shows before the
// weights come.
func (p Pin) names() []string {
	names := slices.Sorted(maps.Keys(p.Files))
	slices.SortStableFunc(names, func(a, b string) int {
		switch x, y := p.Files[a].Size, p.Files[b].Size; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return names
}

//go:embed lock.json
var embedded []byte

// LockPath is the user's lock file; it need not exist.
func LockPath() (string, error) {
	dir, err := store.CacheDir()
	return filepath.Join(dir, "models.lock.json"), err
}

// ParseLock reads a lock file; name is used in errors.
func ParseLock(data []byte, name string) (Lock, error) {
	var l Lock
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return l, fmt.Errorf("%s: not a lock file: %w", name, err)
	}
	if l.Schema != 1 {
		return l, fmt.Errorf("%s: schema %d of a lock file is not known to this version", name, l.Schema)
	}
	for key, p := range l.Models {
		if err := p.check(); err != nil {
			return l, fmt.Errorf("%s: %s: %w", name, key, err)
		}
	}
	return l, nil
}

func (p Pin) check() error {
	if p.Commit == fetch.Unpinned && len(p.Files) == 0 {
		return nil
	}
	if !huggingface.IsCommit(p.Commit) {
		return fmt.Errorf("%q is no commit", p.Commit)
	}
	for name, f := range p.Files {
		if !isFileName(name) {
			return fmt.Errorf("%q is no file name", name)
		}
		if err := f.Check(name); err != nil {
			return err
		}
	}
	return nil
}

// pins returns the program's lock overlaid with the user's.
func pins() (map[string]Pin, error) {
	l, err := ParseLock(embedded, "the program's lock file")
	if err != nil {
		return nil, err
	}
	path, err := LockPath()
	if err != nil {
		return nil, err
	}
	own, err := readLock(path)
	if err != nil {
		return nil, err
	}
	maps.Copy(l.Models, own.Models)
	return l.Models, nil
}

func readLock(path string) (Lock, error) {
	data, err := store.ReadIfThere(path)
	if err != nil {
		return Lock{}, err
	}
	return lockOf(data, path)
}

// lockOf is the lock of a file's bytes, an empty one of no file.
func lockOf(data []byte, path string) (l Lock, err error) {
	l.Schema = 1
	if data != nil {
		l, err = ParseLock(data, path)
	}
	if l.Models == nil {
		l.Models = map[string]Pin{}
	}
	return l, err
}

// record writes pins into a lock file, leaving its other entries as they are.
func record(path string, pins map[string]Pin) error {
	if len(pins) == 0 {
		return nil
	}
	return store.Update(path, func(data []byte) ([]byte, error) {
		l, err := lockOf(data, path)
		if err != nil {
			return nil, err
		}
		maps.Copy(l.Models, pins)
		data, err = json.MarshalIndent(l, "", "  ")
		return append(data, '\n'), err
	})
}
