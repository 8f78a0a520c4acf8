package download

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/huggingface"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// Lock says which bytes the sources of data sets have, and which licences the
// user was shown. It grows with every first fetch.
type Lock struct {
	Schema   int               `json:"schema"`
	Sources  map[string]Pin    `json:"sources"`            // by address, of the hub hub:OWNER/REPO@REVISION
	Licences map[string]string `json:"licences,omitempty"` // when shown, RFC 3339, by set
}

// Pin is the state of a source that is meant.
type Pin struct {
	Commit   string                      `json:"commit,omitempty"` // of a repository of the hub
	Endpoint string                      `json:"endpoint,omitempty"`
	Recorded string                      `json:"recorded"` // when, RFC 3339
	Files    map[string]huggingface.File `json:"files"`
}

// LockPath is the user's lock file; it need not exist.
func LockPath() (string, error) {
	dir, err := store.CacheDir()
	return filepath.Join(dir, "datasets.lock.json"), err
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
	for key, p := range l.Sources {
		if p.Commit != "" && !huggingface.IsCommit(p.Commit) {
			return l, fmt.Errorf("%s: %s: %q is no commit", name, key, p.Commit)
		}
		for file, f := range p.Files {
			if err := f.Check(file); err != nil {
				return l, fmt.Errorf("%s: %s: %w", name, key, err)
			}
		}
	}
	return l, nil
}

func readLock() (Lock, error) {
	path, err := LockPath()
	if err != nil {
		return Lock{}, err
	}
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
	if l.Sources == nil {
		l.Sources = map[string]Pin{}
	}
	if l.Licences == nil {
		l.Licences = map[string]string{}
	}
	return l, err
}

// record adds to the lock file, leaving its other entries as they are.
func record(change func(*Lock)) error {
	path, err := LockPath()
	if err != nil {
		return err
	}
	return store.Update(path, func(data []byte) ([]byte, error) {
		l, err := lockOf(data, path)
		if err != nil {
			return nil, err
		}
		change(&l)
		data, err = json.MarshalIndent(l, "", "  ")
		return append(data, '\n'), err
	})
}

func recordPin(key string, p Pin) error {
	return record(func(l *Lock) { l.Sources[key] = p })
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }
