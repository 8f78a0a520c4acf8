package huggingface

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"regexp"
	"strings"
)

var (
	sha256Hex  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	nameInPath = regexp.MustCompile(`^[0-9A-Za-z_][0-9A-Za-z_.-]{0,199}$`)
)

// File is a file of a repository. Large files have the SHA-256 from the
// beginning; small ones have git's checksum, and the SHA-256 once fetched.
type File struct {
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256,omitempty"`
	GitSHA1 string `json:"git_sha1,omitempty"` // of git's blob object
}

// Blob is the file's name in the cache: the entity tag the hub gives it.
func (f File) Blob() string {
	if f.GitSHA1 != "" {
		return f.GitSHA1
	}
	return f.SHA256
}

// Agrees reports whether two statements about a file share a checksum and
// contradict each other in nothing.
func (f File) Agrees(g File) bool {
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

// Check refuses what could not be a file of a repository, or would leave its
// folder: names and checksums become paths.
func (f File) Check(name string) error {
	switch {
	case !isPath(name):
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

// isPath reports whether a file's name may become a path below a folder.
func isPath(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if !nameInPath.MatchString(part) {
			return false
		}
	}
	return true
}

// Has reports whether the file at path has the bytes that are wanted.
func Has(path string, want File) (File, bool) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, false
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != want.Size {
		return File{}, false
	}
	got, err := Digest(f, want)
	return got, err == nil && got.Agrees(want)
}

// Digest reads bytes and returns their checksums, git's only when it is wanted.
func Digest(r io.Reader, want File) (File, error) {
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
