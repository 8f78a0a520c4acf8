package hub

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/huggingface"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// folder is a repository's place in Hugging Face's cache: blobs/ holds files by
// their entity tag, snapshots/COMMIT/ links to them by name, refs/ has the
// commit of each branch that was asked for.
type folder string

func folderOf(ref Ref) (folder, error) {
	dir, err := huggingface.CacheDir()
	return folder(filepath.Join(dir, "models--"+strings.ReplaceAll(ref.Repository, "/", "--"))), err
}

func (f folder) blob(tag string) string { return filepath.Join(string(f), "blobs", tag) }

func (f folder) snapshot(commit string) string { return filepath.Join(string(f), "snapshots", commit) }

func (f folder) ref(revision string) string {
	return filepath.Join(string(f), "refs", filepath.FromSlash(revision))
}

// commit is the one that a revision had when it was last asked for, "" when it
// never was.
func (f folder) commit(revision string) string {
	if huggingface.IsCommit(revision) {
		return revision
	}
	data, err := os.ReadFile(f.ref(revision))
	if c := strings.TrimSpace(string(data)); err == nil && huggingface.IsCommit(c) {
		return c
	}
	return ""
}

// setCommit records the commit of a revision for who looks without a network.
func (f folder) setCommit(revision, commit string) error {
	if f.commit(revision) == commit {
		return nil
	}
	return store.WriteFile(f.ref(revision), []byte(commit))
}

// has looks for a file with these bytes under its name, then under its tag,
// and links it. It returns the file with both of its checksums.
func (f folder) has(commit, name string, want File) (File, bool, error) {
	if got, ok := huggingface.Has(filepath.Join(f.snapshot(commit), name), want); ok {
		return got, true, nil
	}
	if got, ok := huggingface.Has(f.blob(want.Blob()), want); ok {
		return got, true, f.link(commit, name, want)
	}
	return File{}, false, nil
}

// link makes a blob appear in the snapshot under the file's name.
func (f folder) link(commit, name string, file File) error {
	dir := f.snapshot(commit)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path, blob := filepath.Join(dir, name), f.blob(file.Blob())
	// Under another name first: a reader never finds the file missing.
	temporary := filepath.Join(dir, fmt.Sprintf(".%s.%x", name, rand.Uint64()))
	if err := os.Symlink(filepath.Join("..", "..", "blobs", file.Blob()), temporary); err != nil {
		// Windows lets few users make symbolic links.
		if os.Link(blob, temporary) != nil {
			return err
		}
	}
	if err := os.Rename(temporary, path); err != nil {
		os.Remove(temporary)
		return err
	}
	return nil
}
