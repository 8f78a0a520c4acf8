package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
)

// ErrAbsent is wrapped by Find's error for a model that has to be fetched.
var ErrAbsent = errors.New("not fetched yet")

// Find returns the folder of a model of the hub in Hugging Face's cache,
// without touching the network: at the commit of the lock file, else at the
// one that was last seen there. ok is false, without an error, for a name that
// is not one of the hub's (see Parse). A model that is not whole is ErrAbsent
// with the command that fetches it.
func Find(name string) (dir string, ok bool, err error) {
	ref, ok, err := Parse(name)
	if err != nil || !ok {
		return "", ok, err
	}
	pins, err := pins()
	if err != nil {
		return "", true, err
	}
	at, err := locate(ref, pins)
	if err == nil && !at.here {
		err = fmt.Errorf("model %s: %w: iimm models fetch %s", name, ErrAbsent, name)
	}
	return at.dir, true, err
}

// place is where a model lies, or would.
type place struct {
	dir    string
	commit string // "" when it was never looked up
	pinned bool   // by the lock file
	here   bool   // all files are there, of the right size where that is known
	bytes  int64  // of the files that are there
}

func locate(ref Ref, pins map[string]Pin) (place, error) {
	f, err := folderOf(ref)
	if err != nil {
		return place{}, err
	}
	pin := pins[ref.key()]
	at := place{pinned: pin.pinned(), commit: pin.Commit}
	if !at.pinned {
		if at.commit = f.commit(ref.Revision); at.commit == "" {
			return at, nil
		}
	}
	at.dir = f.snapshot(at.commit)
	names := slices.Collect(maps.Keys(pin.Files))
	if !at.pinned {
		if names, err = Files(os.DirFS(at.dir)); err != nil {
			return at, nil // not whole, or no checkpoint
		}
	}
	at.here = len(names) > 0
	for _, name := range names {
		info, err := os.Stat(filepath.Join(at.dir, name))
		if err != nil || !info.Mode().IsRegular() || at.pinned && info.Size() != pin.Files[name].Size {
			at.here = false
			continue
		}
		at.bytes += info.Size()
	}
	return at, nil
}

// Files lists the files that make up the checkpoint in a folder: what describes
// it, its tokenizer and its weights, all shards of them whether there or not.
func Files(folder fs.FS) ([]string, error) {
	names, weights, err := choose(func(name string) bool {
		info, err := fs.Stat(folder, name)
		return err == nil && info.Mode().IsRegular()
	})
	if err != nil || !checkpoint.IsIndex(weights) {
		return names, err
	}
	data, err := fs.ReadFile(folder, weights)
	if err != nil {
		return nil, err
	}
	parts, err := shards(weights, data)
	return append(names, parts...), err
}

// Status is a model's state on this machine.
type Status struct {
	Name       string `json:"name"`
	Family     string `json:"family,omitempty"`
	Repository string `json:"repository"`
	Revision   string `json:"revision"`
	Licence    string `json:"licence,omitempty"`
	Page       string `json:"page"`
	Fetched    bool   `json:"fetched"`
	Dir        string `json:"dir,omitempty"` // where it lies, when fetched
	Bytes      int64  `json:"bytes"`         // of its files on this machine
	Total      int64  `json:"total_bytes"`   // of all its files, 0 when not known
	Commit     string `json:"commit"`        // 40 hexadecimal digits, or "unpinned"
	Pinned     bool   `json:"pinned"`        // commit and checksums are in the lock file
}

// List returns the state of the models of the catalogue and of all others that
// the lock file knows.
func List() ([]Status, error) {
	pins, err := pins()
	if err != nil {
		return nil, err
	}
	var list []Status
	seen := map[string]bool{}
	add := func(ref Ref, e Entry) error {
		at, err := locate(ref, pins)
		if err != nil {
			return err
		}
		s := Status{Name: ref.Name, Family: e.Family, Repository: ref.Repository, Revision: ref.Revision, Licence: e.Licence, Page: ref.Page(),
			Fetched: at.here, Bytes: at.bytes, Commit: at.commit, Pinned: at.pinned}
		if at.here {
			s.Dir = at.dir
		}
		if at.pinned {
			s.Total = pins[ref.key()].bytes()
		} else {
			s.Commit = unpinned
		}
		seen[ref.key()] = true
		list = append(list, s)
		return nil
	}
	for _, e := range catalogue {
		if err := add(Ref{e.Name, e.Repository, defaultRevision}, e); err != nil {
			return nil, err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(pins)) {
		ref, _, err := Parse(prefix + strings.TrimSuffix(key, "@"+defaultRevision))
		if err != nil || seen[key] {
			continue
		}
		if err := add(ref, Entry{}); err != nil {
			return nil, err
		}
	}
	return list, nil
}
