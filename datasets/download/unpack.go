package download

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// unpacked is what came out of an archive.
type unpacked struct {
	files, skipped int   // skipped: links, devices, paths that lead elsewhere
	bytes          int64 // of the files
}

// unpack writes the files of an archive, tar, tar.gz or zip as its first bytes
// say, below a folder, which nothing in it can leave: links are left out, and the
// system refuses every path that leads elsewhere. A file called without is left
// out. An archive that is cut off, or unpacks to more than a hundred times its
// size, is an error.
func unpack(ctx context.Context, archive, folder, without string, report progress.Reporter) (unpacked, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return unpacked{}, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return unpacked{}, err
	}
	defer root.Close()
	f, err := os.Open(archive)
	if err != nil {
		return unpacked{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return unpacked{}, err
	}
	bar := report.Start("unpacking "+filepath.Base(archive)+" (files)", 0)
	defer bar.Done()
	u := &unpacker{ctx: ctx, root: root, without: without, left: 1<<30 + 100*info.Size(), bar: bar, made: map[string]bool{}}
	if err := u.archive(f, info.Size()); err != nil {
		return u.unpacked, fmt.Errorf("%s: %w", filepath.Base(archive), err)
	}
	if u.files == 0 {
		return u.unpacked, fmt.Errorf("%s: an archive without files", filepath.Base(archive))
	}
	return u.unpacked, nil
}

type unpacker struct {
	unpacked
	ctx     context.Context
	root    *os.Root
	without string
	left    int64 // bytes that may still be written
	bar     progress.Bar
	made    map[string]bool // folders
}

func (u *unpacker) archive(f *os.File, size int64) error {
	var head [4]byte
	if _, err := f.ReadAt(head[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.Equal(head[:], []byte("PK\x03\x04")):
		return u.zip(f, size)
	case bytes.Equal(head[:2], []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
		if err != nil {
			return fmt.Errorf("not a gzip file: %w", err)
		}
		if err := u.tar(z); err != nil {
			return err
		}
		// The checksum is behind the last file.
		_, err = io.CopyN(io.Discard, z, 1<<24)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return err
	}
	return u.tar(bufio.NewReaderSize(f, 1<<20))
}

func (u *unpacker) tar(r io.Reader) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, tar.ErrInsecurePath):
			return fmt.Errorf("not a tar file, or cut off: %w", err)
		case h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader:
		case h.Typeflag != tar.TypeReg:
			u.skipped++
		default:
			if err := u.file(h.Name, t); err != nil {
				return err
			}
		}
	}
}

func (u *unpacker) zip(r io.ReaderAt, size int64) error {
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return fmt.Errorf("not a zip file, or cut off: %w", err)
	}
	for _, f := range z.File {
		switch {
		case strings.HasSuffix(f.Name, "/"):
		case !f.Mode().IsRegular():
			u.skipped++
		default:
			in, err := f.Open()
			if err != nil {
				return fmt.Errorf("%q: %w", f.Name, err)
			}
			err = u.file(f.Name, in)
			in.Close()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// file writes one file.
func (u *unpacker) file(name string, r io.Reader) error {
	if err := u.ctx.Err(); err != nil {
		return context.Cause(u.ctx)
	}
	clean := path.Clean(name)
	if !filepath.IsLocal(filepath.FromSlash(clean)) || strings.ContainsRune(clean, 0) {
		u.skipped++
		return nil
	}
	if path.Base(clean) == u.without && u.without != "" {
		return nil
	}
	local := filepath.FromSlash(clean)
	if dir := filepath.Dir(local); !u.made[dir] {
		if err := u.root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		u.made[dir] = true
	}
	out, err := u.root.OpenFile(local, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(r, u.left+1))
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	u.bytes += n
	u.left -= n
	switch {
	case err != nil:
		return fmt.Errorf("%q: damaged or cut off: %w", name, err)
	case u.left < 0:
		return errors.New("it unpacks to more than a hundred times its size")
	}
	u.files++
	u.bar.Add(1)
	return nil
}
