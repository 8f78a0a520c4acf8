package tensorfile

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
)

// archive is the zip file around a pickle. All entries are in one folder,
// named after the file when it was first saved.
type archive struct {
	b         []byte
	folder    string
	entries   map[string]*zip.File
	records   map[string]*record
	bigEndian bool
}

// record is the content of one entry of the archive.
type record struct {
	data      []byte
	sum       uint32
	bigEndian bool
	check     sync.Once
	damage    error
}

func openArchive(b []byte) (*archive, error) {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, notArchive(b, err)
	}
	a := &archive{b: b, entries: map[string]*zip.File{}, records: map[string]*record{}}
	script := false
	for _, e := range z.File {
		if a.entries[e.Name] != nil {
			return nil, fmt.Errorf("archive entry %q comes twice", e.Name)
		}
		a.entries[e.Name] = e
		folder, name, _ := strings.Cut(e.Name, "/")
		if name == "data.pkl" {
			if a.folder != "" {
				return nil, fmt.Errorf("data.pkl comes twice, in %q and %q", a.folder, folder)
			}
			a.folder = folder
		}
		script = script || name == "constants.pkl" || strings.HasPrefix(name, "code/")
	}
	switch {
	case script:
		return nil, errors.New("a TorchScript program, not a dict of tensors (in Python, convert it: torch.save(torch.jit.load(FILE, 'cpu').state_dict(), 'pytorch_model.bin'))")
	case a.folder == "":
		return nil, errors.New("a zip archive without data.pkl, not a file of torch.save")
	}
	if a.entries[a.folder+"/byteorder"] == nil {
		return a, nil // before torch 2.1
	}
	order, err := a.record("byteorder")
	if err != nil {
		return nil, fmt.Errorf("byteorder: %w", err)
	}
	switch string(order.data) {
	case "little":
	case "big":
		a.bigEndian = true
	default:
		return nil, errors.New("byteorder is neither little nor big")
	}
	return a, nil
}

// notArchive says what a file is that is no zip archive.
func notArchive(b []byte, err error) error {
	// A legacy file begins with a pickle of this number, 0x1950a86a20f9469cfc6c.
	const magic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
	pointer := gitLFS(b)
	switch {
	case pointer != nil:
		return pointer
	case len(b) > 2 && bytes.HasPrefix(b[2:], []byte(magic)):
		return errors.New("written by torch before 1.6, or in its old format (in Python, convert it: torch.save(torch.load(FILE, 'cpu', weights_only=True), 'pytorch_model.bin'))")
	case len(b) > 262 && string(b[257:262]) == "ustar":
		return errors.New("a tar archive, torch's first format (if you trust it, for this runs code in it, convert it in Python: torch.save(torch.load(FILE, 'cpu', weights_only=False), 'pytorch_model.bin'))")
	case errors.Is(err, zip.ErrFormat):
		return errors.New("not a file of torch.save (no zip archive: damaged, cut off or another format)")
	}
	return err
}

// gitLFS is an error when b is what Git leaves in the place of a large file.
func gitLFS(b []byte) error {
	if bytes.HasPrefix(b, []byte("version https://git-lfs.github.com/spec/")) {
		return errors.New("a Git LFS pointer, not the file itself (fetch it: git lfs pull)")
	}
	return nil
}

// record returns an entry of the archive's folder.
func (a *archive) record(name string) (*record, error) {
	if r := a.records[name]; r != nil {
		return r, nil
	}
	e := a.entries[a.folder+"/"+name]
	if e == nil {
		return nil, fmt.Errorf("no entry %q in the archive", a.folder+"/"+name)
	}
	if e.Method != zip.Store || e.CompressedSize64 != e.UncompressedSize64 {
		return nil, fmt.Errorf("entry %q is compressed, which torch.save does not do", e.Name)
	}
	start, err := e.DataOffset()
	if err != nil {
		return nil, fmt.Errorf("entry %q: %w", e.Name, err)
	}
	if start < 0 || start > int64(len(a.b)) || e.UncompressedSize64 > uint64(int64(len(a.b))-start) {
		return nil, fmt.Errorf("entry %q claims %d bytes at %d of a file of %d", e.Name, e.UncompressedSize64, start, len(a.b))
	}
	r := &record{data: a.b[start : start+int64(e.UncompressedSize64)], sum: e.CRC32, bigEndian: a.bigEndian}
	a.records[name] = r
	return r, nil
}

// verify compares the checksum, once. torch can be told not to compute them;
// it then writes 0.
func (r *record) verify() error {
	r.check.Do(func() {
		if r.sum != 0 && crc32.ChecksumIEEE(r.data) != r.sum {
			r.damage = errors.New("damaged: the checksum of its storage is wrong")
		}
	})
	return r.damage
}
