// Package store keeps files whole: atomic writes, the cache directory, and
// content-addressed entries in it whose bytes are checked when they are read.
package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// CacheDir returns the directory under which iimm keeps what can be made
// again: $IIMM_CACHE, else iimm in os.UserCacheDir. It is created when absent.
func CacheDir() (string, error) {
	dir := os.Getenv("IIMM_CACHE")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no cache directory: %w (set IIMM_CACHE)", err)
		}
		dir = filepath.Join(user, "iimm")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cache directory: %w (set IIMM_CACHE to a writable place)", err)
	}
	return filepath.Abs(dir)
}

// File is a file being written beside its final name. Nothing appears under
// that name before Commit; Close without Commit leaves no trace.
type File struct {
	*os.File
	path string
	done bool
}

// Create starts writing path under a temporary name in the same directory,
// which is created when absent.
func Create(path string) (*File, error) {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "."+base+".tmp-*")
	if err != nil {
		return nil, err
	}
	return &File{File: f, path: path}, nil
}

// Commit makes the bytes durable and gives the file its final name.
func (f *File) Commit() error {
	if f.done {
		return errors.New("store: file already committed or closed")
	}
	f.done = true
	err := f.File.Sync()
	if err == nil {
		err = f.File.Chmod(0o644)
	}
	if cerr := f.File.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.File.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.File.Name())
		return fmt.Errorf("writing %s: %w", f.path, err)
	}
	return nil
}

// Close discards the file unless Commit was called; calling it after Commit
// does nothing, so that it can be deferred.
func (f *File) Close() error {
	if f.done {
		return nil
	}
	f.done = true
	err := f.File.Close()
	os.Remove(f.File.Name())
	return err
}

// WriteFile writes data to path so that a reader sees the old bytes or the
// new ones, never a part.
func WriteFile(path string, data []byte) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return f.Commit()
}
