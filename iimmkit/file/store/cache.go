package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrCorrupt is in the chain of errors about a cache entry whose bytes are not
// those that were put there. The entry is gone; make it again.
var ErrCorrupt = errors.New("corrupt cache entry")

// Key makes the name of a cache entry of everything its value depends on.
type Key struct{ h hash.Hash }

// NewKey begins a key with what kind of value it is of and its parts' names.
func NewKey(parts ...string) *Key {
	k := &Key{sha256.New()}
	for _, p := range parts {
		k.Add([]byte(p))
	}
	return k
}

// Add makes the key depend on data too. Parts are told apart: Add("ab") is not
// Add("a"), Add("b").
func (k *Key) Add(data []byte) {
	fmt.Fprintf(k.h, "%d:", len(data))
	k.h.Write(data)
}

// String is the key so far: 64 hexadecimal digits.
func (k *Key) String() string { return hex.EncodeToString(k.h.Sum(nil)) }

// An entry is the SHA-256 of its value, then the value.
func entryPath(kind, key string) (string, error) {
	dir, err := CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, kind, key[:2], key), nil
}

// Get returns the value of a cache entry. Without one the error wraps
// fs.ErrNotExist, with a damaged one ErrCorrupt.
func Get(kind string, key *Key) ([]byte, error) {
	path, err := entryPath(kind, key.String())
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(data) >= sha256.Size {
		sum, value := data[:sha256.Size], data[sha256.Size:]
		if want := sha256.Sum256(value); bytes.Equal(sum, want[:]) {
			return value, nil
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return nil, fmt.Errorf("%s: %w", path, ErrCorrupt)
}

// Put keeps a value. Two processes may put the same entry at once.
func Put(kind string, key *Key, value []byte) error {
	path, err := entryPath(kind, key.String())
	if err != nil {
		return err
	}
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.Sum256(value)
	for _, part := range [][]byte{sum[:], value} {
		if _, err := f.Write(part); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
	}
	return f.Commit()
}

// Kind is one folder of the cache.
type Kind struct {
	Name  string `json:"name"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// Kinds returns what the cache holds, by the names of its folders.
func Kinds() (dir string, kinds []Kind, err error) {
	if dir, err = CacheDir(); err != nil {
		return "", nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return dir, nil, err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		k := Kind{Name: e.Name()}
		err := filepath.WalkDir(filepath.Join(dir, e.Name()), func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return ignoreGone(err)
			}
			info, err := d.Info()
			if err != nil {
				return ignoreGone(err)
			}
			k.Files++
			k.Bytes += info.Size()
			return nil
		})
		if err != nil {
			return dir, nil, err
		}
		kinds = append(kinds, k)
	}
	return dir, kinds, nil
}

// ignoreGone forgives what another process removed meanwhile.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Clean removes a folder of the cache by its name in Kinds.
func Clean(kind string) error {
	dir, kinds, err := Kinds()
	if err != nil {
		return err
	}
	for _, k := range kinds {
		if k.Name == kind {
			return os.RemoveAll(filepath.Join(dir, kind))
		}
	}
	return fmt.Errorf("%s holds no %q", dir, kind)
}
