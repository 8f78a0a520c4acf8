package download

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/huggingface"
)

const branch = "main" // of a repository of the hub, where no commit is published

// source is a file to fetch.
type source struct {
	key     string // of the lock file
	name    string // in the lock file's entry, and below the work folder
	address string
	repo    *huggingface.Repository // nil for other hosts
	pin     Pin                     // of all files of the repository; no Files where nothing is known
	file    File                    // of the makers; zero for a table's
	size    int64                   // -1 where nobody tells
}

// known is what the lock file says of the file.
func (s *source) known() (huggingface.File, bool) {
	f, ok := s.pin.Files[s.name]
	return f, ok
}

// sum is the checksum to hold the download to, as fetch.Client.Get takes it.
func (s *source) sum() string {
	if f, ok := s.known(); ok && f.SHA256 != "" && !s.both() {
		return f.SHA256
	}
	if s.file.MD5 != "" {
		return "md5:" + s.file.MD5
	}
	return ""
}

// both reports whether the file has to have two checksums: the one that the hub
// tells, and the one that somebody else published.
func (s *source) both() bool { return s.repo != nil && s.file.MD5 != "" }

// explain tells what a refusal of the hub means.
func (s *source) explain(err error, set string) error {
	if s.repo == nil {
		return fmt.Errorf("data set %s: %w", set, err)
	}
	return s.repo.Explain(err, "data set "+set, branch)
}

// tableSources are the parquet files of a table's training and test splits, at
// the commit of the lock file, or at the newest, which is recorded. fresh is set
// for the latter.
func tableSources(ctx context.Context, c *fetch.Client, l Lock, t *Table, set string) (list []*source, fresh bool, err error) {
	repo := t.repository()
	key := "hub:" + t.Repository + "@" + branch
	pin, ok := l.Sources[key]
	if !ok {
		if pin, err = lookUpTable(ctx, c, t); err != nil {
			return nil, false, repo.Explain(err, "data set "+set, branch)
		}
		// Now, not at the end: what goes on after an interruption must be the same.
		if err := recordPin(key, pin); err != nil {
			return nil, false, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(pin.Files)) {
		list = append(list, &source{key: key, name: name, address: repo.Address(pin.Commit, name), repo: &repo, pin: pin, size: pin.Files[name].Size})
	}
	return list, !ok, nil
}

func lookUpTable(ctx context.Context, c *fetch.Client, t *Table) (Pin, error) {
	repo := t.repository()
	commit, files, err := repo.Describe(ctx, c, branch)
	if err != nil {
		return Pin{}, err
	}
	pin := Pin{Commit: commit, Endpoint: huggingface.Site(), Recorded: now(), Files: map[string]huggingface.File{}}
	have := map[string]bool{}
	for name, f := range files {
		split := datasets.SplitOf(name)
		if path.Ext(name) != ".parquet" || t.folder != "" && !strings.HasPrefix(name, t.folder+"/") || split != "train" && split != "test" {
			continue
		}
		if f.Blob() == "" {
			if f, err = repo.Head(ctx, c, commit, name); err != nil {
				return Pin{}, err
			}
		}
		pin.Files[name], have[split] = f, true
	}
	if !have["train"] || !have["test"] {
		return Pin{}, fmt.Errorf("%s holds no parquet files of both splits, train and test, where they are expected: %q", repo.Page(), t.folder+"/*.parquet")
	}
	return pin, nil
}

// fileSource is a file of the makers. Of the hub's the commit and checksum are
// looked up and recorded when they are not known; other hosts are asked for the
// size only.
func fileSource(ctx context.Context, c, hub *fetch.Client, l Lock, f File, set string) (s *source, fresh bool, err error) {
	repo, name, onHub := f.onHub()
	if !onHub {
		s = &source{key: f.Address, name: path.Base(f.Address), address: f.Address, pin: l.Sources[f.Address], file: f, size: f.Bytes}
		if known, ok := s.known(); ok {
			s.size = known.Size
		}
		if s.size == 0 {
			s.size, err = askSize(ctx, c, f.Address)
		}
		return s, len(s.pin.Files) == 0, err
	}
	revision := f.Commit
	if revision == "" {
		revision = branch
	}
	s = &source{key: f.Address + "@" + revision, name: name, repo: &repo, file: f}
	var ok bool
	if s.pin, ok = l.Sources[s.key]; !ok {
		commit, files, err := repo.Describe(ctx, hub, revision)
		if err != nil {
			return nil, false, s.explain(err, set)
		}
		known, there := files[name]
		if !there {
			return nil, false, fmt.Errorf("data set %s: %s has no %s any more", set, repo.Page(), name)
		}
		if known.Blob() == "" {
			if known, err = repo.Head(ctx, hub, commit, name); err != nil {
				return nil, false, s.explain(err, set)
			}
		}
		s.pin = Pin{Commit: commit, Endpoint: huggingface.Site(), Recorded: now(), Files: map[string]huggingface.File{name: known}}
		if err := recordPin(s.key, s.pin); err != nil {
			return nil, false, err
		}
	}
	known, there := s.known()
	if !there {
		return nil, false, fmt.Errorf("the lock file says nothing of %s: remove its entry %s", name, s.key)
	}
	s.address, s.size = repo.Address(s.pin.Commit, name), known.Size
	return s, !ok, nil
}

// askSize returns how large a file is, -1 where the server does not tell.
func askSize(ctx context.Context, c *fetch.Client, address string) (int64, error) {
	header, err := c.Head(ctx, address)
	var status *fetch.StatusError
	switch {
	case errors.As(err, &status):
		return -1, nil // some servers refuse the question and not the download
	case err != nil:
		return 0, err
	}
	size, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
	if err != nil || header.Get("Location") != "" {
		return -1, nil
	}
	return size, nil
}

// flat is the name of a source's file in a folder without folders: it keeps those
// that tell the split, as in default/train/0000.parquet.
func (s *source) flat() string {
	base := path.Base(s.name)
	if path.Ext(base) == ".parquet" && datasets.SplitOf(base) == "" {
		return strings.ReplaceAll(s.name, "/", "-")
	}
	return base
}
