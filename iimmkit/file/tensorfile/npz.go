package tensorfile

import (
	"archive/zip"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// maxRatio bounds what one byte of a deflate stream can become (1032:1), so
// that a damaged size in an archive cannot make us allocate without end.
const maxRatio = 1100

// NPZ is an open npz file: a zip archive of npy files.
type NPZ struct {
	file    string
	size    uint64
	members map[string]*zip.File
	names   []string
	close   func() error
}

// OpenNPZ opens an archive and lists it; arrays are read by Tensor.
func OpenNPZ(path string) (*NPZ, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	n, err := ParseNPZ(f, info.Size(), path)
	if err != nil {
		f.Close()
		return nil, err
	}
	n.close = f.Close
	return n, nil
}

// ParseNPZ opens the archive in r, of size bytes; name is used in errors.
func ParseNPZ(r io.ReaderAt, size int64, name string) (*NPZ, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		if errors.Is(err, zip.ErrFormat) {
			err = errors.New("not an npz file (no zip archive: damaged, cut off or another format)")
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	n := &NPZ{file: name, size: uint64(size), members: map[string]*zip.File{}}
	for _, m := range z.File {
		key, ok := strings.CutSuffix(m.Name, ".npy")
		if !ok {
			continue // NumPy allows other files beside the arrays
		}
		if n.members[key] != nil {
			return nil, fmt.Errorf("%s: array %q comes twice", name, key)
		}
		n.members[key] = m
		n.names = append(n.names, key)
	}
	if len(n.names) == 0 {
		return nil, fmt.Errorf("%s: a zip archive without .npy arrays in it, not an npz file", name)
	}
	slices.Sort(n.names)
	return n, nil
}

// Names returns the arrays' names without .npy, sorted.
func (n *NPZ) Names() []string { return slices.Clone(n.names) }

// Has tells whether an array is there.
func (n *NPZ) Has(name string) bool { return n.members[name] != nil }

// Tensor reads one array into memory and checks its checksum. What is
// refused and converted is as for ReadNPY.
func (n *NPZ) Tensor(name string) (Tensor, error) {
	m := n.members[name]
	if m == nil {
		return Tensor{}, fmt.Errorf("%s: no array %q", n.file, name)
	}
	t, err := decodeMember(m, n.size)
	if err != nil {
		return Tensor{}, fmt.Errorf("%s: array %q: %w", n.file, name, err)
	}
	t.Name = name
	return t, nil
}

// decodeMember reads a member of an archive of size bytes. The sizes an
// archive states are only believed as far as its own size allows.
func decodeMember(m *zip.File, size uint64) (Tensor, error) {
	if m.CompressedSize64 > size || m.UncompressedSize64 > math.MaxInt64 ||
		m.UncompressedSize64/maxRatio > m.CompressedSize64 ||
		m.Method == zip.Store && m.UncompressedSize64 != m.CompressedSize64 {
		return Tensor{}, fmt.Errorf("archive claims %d bytes from %d", m.UncompressedSize64, m.CompressedSize64)
	}
	r, err := m.Open()
	if err != nil {
		return Tensor{}, err
	}
	defer r.Close()
	t, err := decodeNPY(r, int64(m.UncompressedSize64))
	if err != nil {
		return Tensor{}, err
	}
	// Only the read that meets the end compares the checksum.
	if _, err := io.Copy(io.Discard, r); err != nil {
		return Tensor{}, err
	}
	return t, nil
}

// Close closes the archive; tensors read from it stay valid.
func (n *NPZ) Close() error {
	if n.close == nil {
		return nil
	}
	return n.close()
}

// ReadNPZ reads all arrays of a file into memory.
func ReadNPZ(path string) (map[string]Tensor, error) {
	n, err := OpenNPZ(path)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	out := make(map[string]Tensor, len(n.names))
	for _, name := range n.names {
		t, err := n.Tensor(name)
		if err != nil {
			return nil, err
		}
		out[name] = t
	}
	return out, nil
}

// EncodeNPZ writes the tensors as an uncompressed archive, in the order
// given. The same tensors give the same bytes.
func EncodeNPZ(w io.Writer, tensors []Tensor) error {
	z := zip.NewWriter(w)
	seen := map[string]bool{}
	for _, t := range tensors {
		if t.Name == "" || seen[t.Name] {
			return fmt.Errorf("tensor %q: a name in an npz file must not be empty or come twice", t.Name)
		}
		seen[t.Name] = true
		head, err := npyHead(t)
		if err != nil {
			return err
		}
		// Sizes and checksum stand before the data, for readers that stream.
		size := uint64(len(head) + len(t.Data))
		member, err := z.CreateRaw(&zip.FileHeader{
			Name:               t.Name + ".npy",
			Method:             zip.Store,
			Modified:           time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC),
			CRC32:              crc32.Update(crc32.ChecksumIEEE(head), crc32.IEEETable, t.Data),
			CompressedSize64:   size,
			UncompressedSize64: size,
		})
		if err != nil {
			return err
		}
		if _, err := member.Write(head); err != nil {
			return err
		}
		if _, err := member.Write(t.Data); err != nil {
			return err
		}
	}
	return z.Close()
}

// WriteNPZ writes a file whole or not at all.
func WriteNPZ(path string, tensors []Tensor) error {
	f, err := store.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := EncodeNPZ(f, tensors); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return f.Commit()
}
