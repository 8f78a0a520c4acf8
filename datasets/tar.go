package datasets

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// readTar reads a tar file: a webdataset's shard when it holds .cls files, else
// an image folder. A gzipped one is unpacked into a temporary file first, as
// there is no going back and forth in it.
func readTar(source string, opt FolderOptions, problems *Problems) (*Source, error) {
	open := func() (io.ReadSeekCloser, error) { return os.Open(source) }
	if !strings.HasSuffix(strings.ToLower(source), ".tar") {
		f, err := gunzip(source, opt, problems)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		open = func() (io.ReadSeekCloser, error) { return part{io.NewSectionReader(f, 0, info.Size())}, nil }
	}
	f, err := open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := listTar(f, "", opt, problems)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", displayName(source), err)
	}
	if entries.isWebdataset() {
		return webdataset(source, []shard{{id: "", open: open, entries: entries}}, problems)
	}
	return folderOf(source, entries.members, entries.folders, entries.reader(open), opt, problems)
}

// part is a view of a file that is not closed with it.
type part struct{ *io.SectionReader }

func (part) Close() error { return nil }

// gunzip unpacks a file into a temporary one that vanishes with the program.
func gunzip(source string, opt FolderOptions, problems *Problems) (*os.File, error) {
	in, err := os.Open(source)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(in, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s: not a gzip file: %w", displayName(source), err)
	}
	out, err := os.CreateTemp("", "iimm-*.tar")
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" { // where an open file cannot be removed
		os.Remove(out.Name())
	}
	info, err := in.Stat()
	var written, n int64
	for err == nil && opt.Context.Err() == nil && written < 1<<30+100*info.Size() {
		n, err = io.CopyN(out, z, 1<<24)
		written += n
	}
	switch {
	case err == nil && opt.Context.Err() == nil:
		err = errors.New("it unpacks to more than a hundred times its size")
	case opt.Context.Err() != nil:
		err = opt.Context.Err()
	case errors.Is(err, io.EOF):
		return out, nil
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		problems.Add(Truncated, filepath.Base(source), "the gzip file is cut off or damaged; what was before is read")
		return out, nil
	}
	out.Close()
	return nil, fmt.Errorf("%s: cannot be unpacked to %s: %w", displayName(source), os.TempDir(), err)
}

// tarEntries is what a tar file holds.
type tarEntries struct {
	members []member
	folders []string
	labels  map[string]string // contents of .cls files, by key
}

func (e *tarEntries) isWebdataset() bool { return len(e.labels) > 0 }

// reader opens members.
func (e *tarEntries) reader(open func() (io.ReadSeekCloser, error)) func(member) (io.ReadCloser, error) {
	return func(m member) (io.ReadCloser, error) {
		f, err := open()
		if err != nil {
			return nil, err
		}
		if _, err := f.Seek(m.at, io.SeekStart); err != nil {
			f.Close()
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{io.LimitReader(f, m.size), f}, nil
	}
}

// listTar lists a tar file without reading its pictures. A file that is cut off
// is a problem, not an error, when something comes before the cut. Names in
// problems begin with prefix.
func listTar(r io.ReadSeeker, prefix string, opt FolderOptions, problems *Problems) (*tarEntries, error) {
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	// Unbuffered, so that the position after a header is where the data begins.
	t := tar.NewReader(r)
	e := &tarEntries{labels: map[string]string{}}
	cutOff := func(err error) (*tarEntries, error) {
		if len(e.members) == 0 {
			return nil, fmt.Errorf("not a tar file, or cut off: %w", err)
		}
		last := e.members[len(e.members)-1].name
		problems.Add(Truncated, strings.TrimSuffix(prefix, "/")+orDot(prefix), fmt.Sprintf("is cut off or damaged after %d files, the last of them %s", len(e.members), displayName(last)))
		return e, nil
	}
	for opt.Context.Err() == nil {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			if len(e.members) == 0 && size > 0 && len(e.folders) == 0 {
				return nil, errors.New("a tar file without files")
			}
			return e, nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return cutOff(err)
		}
		clean, reason := cleanName(h.Name)
		at, err := r.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		switch {
		case h.Typeflag == tar.TypeXGlobalHeader:
		case reason != "":
			problems.Add(Outside, prefix+h.Name, reason)
		case h.Typeflag == tar.TypeDir:
			if clean != "." {
				e.folders = append(e.folders, clean)
			}
		case inDebris(clean):
		case h.Typeflag == tar.TypeSymlink, h.Typeflag == tar.TypeLink:
			problems.Add(Unreadable, prefix+clean, "is a link; links in archives are not followed")
		case h.Typeflag != tar.TypeReg || h.PAXRecords["GNU.sparse.major"] != "":
			problems.Add(Unreadable, prefix+clean, "is not a regular file")
		case h.Size > size-at:
			return cutOff(io.ErrUnexpectedEOF)
		default:
			if key, extension := splitKey(clean); extension == "cls" {
				const most = 4096 // a number, or a class name
				text, err := io.ReadAll(io.LimitReader(t, most))
				if err != nil {
					return cutOff(err)
				}
				e.labels[key] = string(bytes.TrimSpace(text))
				continue
			}
			e.members = append(e.members, member{clean, h.Size, at})
		}
	}
	return nil, opt.Context.Err()
}

func orDot(prefix string) string {
	if prefix == "" {
		return "."
	}
	return ""
}

// splitKey cuts a member's name as webdatasets do: at the first dot of the last
// part of its path.
func splitKey(name string) (key, extension string) {
	slash := strings.LastIndexByte(name, '/') + 1
	before, after, _ := strings.Cut(name[slash:], ".")
	return name[:slash] + before, strings.ToLower(after)
}
