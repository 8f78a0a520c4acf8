package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// folder is a repository's place in Hugging Face's cache: blobs/ holds files by
// their entity tag, snapshots/COMMIT/ links to them by name, refs/ has the
// commit of each branch that was asked for.
type folder string

func folderOf(ref Ref) (folder, error) {
	dir, err := CacheDir()
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
	if commitHash.MatchString(revision) {
		return revision
	}
	data, err := os.ReadFile(f.ref(revision))
	if c := strings.TrimSpace(string(data)); err == nil && commitHash.MatchString(c) {
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
	if got, ok := check(filepath.Join(f.snapshot(commit), name), want); ok {
		return got, true, nil
	}
	if got, ok := check(f.blob(want.blob()), want); ok {
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
	path, blob := filepath.Join(dir, name), f.blob(file.blob())
	// Under another name first: a reader never finds the file missing.
	temporary := filepath.Join(dir, fmt.Sprintf(".%s.%x", name, rand.Uint64()))
	if err := os.Symlink(filepath.Join("..", "..", "blobs", file.blob()), temporary); err != nil {
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

// check reports whether a file has the bytes that are wanted.
func check(path string, want File) (File, bool) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, false
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != want.Size {
		return File{}, false
	}
	got, err := digest(f, want)
	return got, err == nil && got.agrees(want)
}

// digest reads bytes and returns their checksums, git's only when it is wanted.
func digest(r io.Reader, want File) (File, error) {
	sum := sha256.New()
	var git hash.Hash
	w := io.Writer(sum)
	if want.GitSHA1 != "" {
		git = sha1.New()
		fmt.Fprintf(git, "blob %d\x00", want.Size)
		w = io.MultiWriter(sum, git)
	}
	n, err := io.Copy(w, r)
	f := File{Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}
	if git != nil {
		f.GitSHA1 = hex.EncodeToString(git.Sum(nil))
	}
	return f, err
}
