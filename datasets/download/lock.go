package download

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
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
	l := Lock{Schema: 1}
	path, err := LockPath()
	if err != nil {
		return l, err
	}
	data, err := os.ReadFile(path)
	if err == nil {
		l, err = ParseLock(data, path)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
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
	unlock, err := store.LockWithin(path+".lock", 10*time.Second) // another process writes a few kilobytes
	if err != nil {
		return err
	}
	defer unlock()
	before, err := readLock()
	if err != nil {
		return err
	}
	after := before
	after.Sources, after.Licences = maps.Clone(before.Sources), maps.Clone(before.Licences)
	change(&after)
	data, err := json.MarshalIndent(after, "", "  ")
	if err != nil {
		return err
	}
	return store.WriteFile(path, append(data, '\n'))
}

func recordPin(key string, p Pin) error {
	return record(func(l *Lock) { l.Sources[key] = p })
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }
