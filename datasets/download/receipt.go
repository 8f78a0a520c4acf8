package download

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// Receipt is what is known of a set in a data folder.
type Receipt struct {
	Schema  int    `json:"schema"`
	Set     string `json:"set"`
	From    From   `json:"from"` // hub or makers; empty for files that were there before
	Page    string `json:"page"`
	Licence string `json:"licence"`
	Fetched string `json:"fetched"` // when, RFC 3339
	// Sources are what was fetched.
	Sources []Source `json:"sources"`
	Folder  string   `json:"folder"` // below the data folder
	Files   int      `json:"files"`  // in it
	Bytes   int64    `json:"bytes"`
	Listing string   `json:"listing"` // SHA-256 of their paths and sizes
	// OtherSplits tells how the splits of a table differ from the official ones.
	OtherSplits string `json:"other_splits,omitempty"`
}

// Source is a file that was fetched, with its checksum.
type Source struct {
	Address string `json:"address"`
	Commit  string `json:"commit,omitempty"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
}

// ReadReceipt reads what is known of a set in a data folder; the error wraps
// fs.ErrNotExist when it was not fetched there.
func ReadReceipt(dir, set string) (*Receipt, error) {
	path := datasets.ReceiptPath(dir, set)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Receipt
	if err := json.Unmarshal(data, &r); err != nil || r.Schema != 1 || r.Set != set || !filepath.IsLocal(r.Folder) {
		return nil, fmt.Errorf("%s: not a receipt of this version: remove it and fetch %s again", path, set)
	}
	return &r, nil
}

func (r *Receipt) write(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return store.WriteFile(datasets.ReceiptPath(dir, r.Set), append(data, '\n'))
}

// list fills in what a folder holds.
func (r *Receipt) list(folder string) error {
	r.Files, r.Bytes = 0, 0
	h := sha256.New()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		inner, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q %d\n", filepath.ToSlash(inner), info.Size())
		r.Files++
		r.Bytes += info.Size()
		return nil
	})
	r.Listing = hex.EncodeToString(h.Sum(nil))
	return err
}

// whole reports whether the files are there, by names and sizes.
func (r *Receipt) whole(dir string) bool {
	var now Receipt
	return now.list(filepath.Join(dir, r.Folder)) == nil && now.Files > 0 && now.Listing == r.Listing
}
