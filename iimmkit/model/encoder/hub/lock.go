package hub

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/fetch"
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

// File is a file of a repository. Large files have the SHA-256 from the
// beginning; small ones have git's checksum, and the SHA-256 once fetched.
type File struct {
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256,omitempty"`
	GitSHA1 string `json:"git_sha1,omitempty"` // of git's blob object
}

// blob is the file's name in the cache: the entity tag the hub gives it.
func (f File) blob() string {
	if f.GitSHA1 != "" {
		return f.GitSHA1
	}
	return f.SHA256
}

// agrees reports whether two statements about a file share a checksum and
// contradict each other in nothing.
func (f File) agrees(g File) bool {
	shared := false
	for _, pair := range [][2]string{{f.SHA256, g.SHA256}, {f.GitSHA1, g.GitSHA1}} {
		if pair[0] == "" || pair[1] == "" {
			continue
		}
		if pair[0] != pair[1] {
			return false
		}
		shared = true
	}
	return shared && f.Size == g.Size
}

func (f File) String() string {
	sum := "sha256 " + f.SHA256
	if f.SHA256 == "" {
		sum = "git sha1 " + f.GitSHA1
	}
	return fmt.Sprintf("%d bytes with %s", f.Size, sum)
}

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
	if !commitHash.MatchString(p.Commit) {
		return fmt.Errorf("%q is no commit", p.Commit)
	}
	for name, f := range p.Files {
		if err := f.check(name); err != nil {
			return err
		}
	}
	return nil
}

// check refuses what could not be a file of a repository, or would leave its
// folder: names and checksums become paths.
func (f File) check(name string) error {
	switch {
	case !isFileName(name):
		return fmt.Errorf("%q is no file name", name)
	case f.Size < 0:
		return fmt.Errorf("%s has %d bytes", name, f.Size)
	case f.SHA256 == "" && f.GitSHA1 == "":
		return fmt.Errorf("%s has no checksum", name)
	case f.SHA256 != "" && !sha256Hex.MatchString(f.SHA256):
		return fmt.Errorf("%s: %q is no SHA-256", name, f.SHA256)
	case f.GitSHA1 != "" && !commitHash.MatchString(f.GitSHA1):
		return fmt.Errorf("%s: %q is no SHA-1", name, f.GitSHA1)
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
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Lock{Schema: 1, Models: map[string]Pin{}}, nil
	}
	if err != nil {
		return Lock{}, err
	}
	l, err := ParseLock(data, path)
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
	unlock, err := store.Lock(path + ".lock")
	for deadline := time.Now().Add(10 * time.Second); errors.Is(err, store.ErrLocked) && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond) // another process writes a few kilobytes
		unlock, err = store.Lock(path + ".lock")
	}
	if err != nil {
		return err
	}
	defer unlock()
	l, err := readLock(path)
	if err != nil {
		return err
	}
	maps.Copy(l.Models, pins)
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	return store.WriteFile(path, append(data, '\n'))
}
