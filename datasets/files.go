package datasets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// fileImages are pictures in files.
type fileImages struct {
	files   []imageFile
	options []picture.Option
}

type imageFile struct {
	path  string // to open
	id    string // below the source, with slashes, to show
	size  int64
	label int
}

func (f *fileImages) Len() int        { return len(f.files) }
func (f *fileImages) Label(i int) int { return f.files[i].label }
func (f *fileImages) ID(i int) string { return displayName(f.files[i].id) }

func (f *fileImages) Image(i int) (*picture.RGB, error) {
	if i < 0 || i >= len(f.files) {
		return nil, fmt.Errorf("there are %d images, no number %d", len(f.files), i)
	}
	return picture.Open(f.files[i].path, f.options...)
}

// usable decodes every file on all cores and returns those that can be used;
// the others are added to problems. It fails when opt.Context is done.
func usable(files []imageFile, opt FolderOptions, problems *Problems) ([]imageFile, error) {
	if opt.Trust {
		return files, nil
	}
	ctx := opt.Context
	if ctx == nil {
		ctx = context.Background()
	}
	errs := make([]error, len(files))
	report := opt.Progress
	if report == nil {
		report = progress.Discard
	}
	bar := report.Start("reading pictures", len(files))
	defer bar.Done()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(files) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				_, errs[i] = picture.Open(files[i].path)
				bar.Add(1)
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var good []imageFile
	for i, f := range files {
		if errs[i] == nil {
			good = append(good, f)
			continue
		}
		kind, message := explain(errs[i], f.path)
		problems.add(kind, f.id, message)
	}
	return good, nil
}

// explain sorts an error of reading a file into a kind of problem, and words it
// without the path.
func explain(err error, path string) (kind, message string) {
	kind = Damaged
	var pathError *fs.PathError
	switch {
	case errors.Is(err, picture.ErrEmpty):
		kind = EmptyFile
	case errors.Is(err, picture.ErrFormat):
		kind = NotAPicture
	case errors.Is(err, picture.ErrTooLarge):
		kind = TooLarge
	case errors.As(err, &pathError):
		return Unreadable, pathError.Err.Error()
	}
	return kind, strings.TrimPrefix(err.Error(), path+": ")
}

// readFolder lists a folder in byte order of names, without what file managers
// and version control leave there.
func readFolder(path string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	kept := entries[:0]
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, "."), name == "Thumbs.db", name == "desktop.ini", name == "__MACOSX":
		default:
			kept = append(kept, e)
		}
	}
	return kept, nil
}

// walker gathers the files below folders, following links, no folder twice.
type walker struct {
	root     string
	problems *Problems
	seen     map[string]string // folders read, by their real path
}

func (w *walker) relative(path string) string {
	if r, err := filepath.Rel(w.root, path); err == nil {
		return filepath.ToSlash(r)
	}
	return path
}

// enter reports whether a folder is new, and remembers it.
func (w *walker) enter(path string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		w.problems.add(Unreadable, w.relative(path), reason(err))
		return false
	}
	if before, ok := w.seen[real]; ok {
		w.problems.add(LinkLoop, w.relative(path), "leads to "+displayName(before)+" again")
		return false
	}
	w.seen[real] = w.relative(path)
	return true
}

// gather returns the files below a folder, in byte order of their paths.
func (w *walker) gather(folder string, label int) []imageFile {
	if !w.enter(folder) {
		return nil
	}
	entries, err := readFolder(folder)
	if err != nil {
		w.problems.add(Unreadable, w.relative(folder), reason(err))
		return nil
	}
	var files []imageFile
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		info, err := os.Stat(path)
		switch {
		case err != nil:
			w.problems.add(Unreadable, w.relative(path), reason(err))
		case info.IsDir():
			files = append(files, w.gather(path, label)...)
		case !info.Mode().IsRegular():
			w.problems.add(Unreadable, w.relative(path), "is not a regular file")
		default:
			files = append(files, imageFile{path: path, id: w.relative(path), size: info.Size(), label: label})
		}
	}
	return files
}

// reason is an error of the file system without the path.
func reason(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}

// displayName is a file name as it can be shown and written: bytes that are
// not UTF-8 and control characters appear as \xNN.
func displayName(name string) string {
	clean := utf8.ValidString(name)
	for i := 0; clean && i < len(name); i++ {
		clean = name[i] >= ' ' && name[i] != 0x7f
	}
	if clean {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		if r == utf8.RuneError && n == 1 || r < ' ' || r == 0x7f {
			fmt.Fprintf(&b, `\x%02x`, name[i])
		} else {
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}
