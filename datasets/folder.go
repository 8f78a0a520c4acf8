package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// readImageFolder reads a folder that holds one folder of pictures per class.
// A folder without folders that holds one list is read by readList.
func readImageFolder(path string, opt FolderOptions, problems *Problems) (*Source, error) {
	w := &walker{root: path, problems: problems, seen: map[string]string{}}
	w.enter(path)
	folders, files, err := w.list(path)
	if err != nil {
		return nil, err
	}
	if len(folders) == 0 {
		lists := slices.DeleteFunc(files, func(f string) bool { return !isList(f) })
		if len(lists) == 1 {
			return readList(lists[0], opt, problems)
		}
		return nil, noClassFolders(path)
	}
	splits := splitFolders(folders)
	if splits == nil {
		splits = map[string]string{"": ""}
	}
	s := &Source{Path: path, Picture: w.picture}
	for _, folder := range slices.Sorted(maps.Keys(splits)) {
		classes, files, err := w.list(filepath.Join(path, folder))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if picture.HasExtension(f) { // lists and notes may lie here, pictures belong to a class
				problems.Add(OutsideClass, w.relative(f), "a picture beside the class folders belongs to no class")
			}
		}
		s.Classes = append(s.Classes, classes...)
		for _, class := range classes {
			s.Records = append(s.Records, w.gather(filepath.Join(path, folder, class), Record{Class: class, Split: splits[folder]})...)
		}
	}
	slices.Sort(s.Classes)
	s.Classes = slices.Compact(s.Classes)
	return s, nil
}

func noClassFolders(path string) error {
	return fmt.Errorf("%s holds no class folders: expected %s or one list with columns path,label",
		displayName(path), filepath.Join(displayName(path), "CLASS", "*.jpg"))
}

// splitFolders recognises folders that are splits, not classes: the split of
// each, nil when one is none or when there is no training split and another.
func splitFolders(names []string) map[string]string {
	splits, have := map[string]string{}, map[string]bool{}
	for _, n := range names {
		split := splitName(n)
		if split == "" || have[split] {
			return nil
		}
		splits[n], have[split] = split, true
	}
	if !have["train"] || len(have) < 2 {
		return nil
	}
	return splits
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
		if !isDebris(e.Name()) {
			kept = append(kept, e)
		}
	}
	return kept, nil
}

// isDebris recognises what file managers and version control leave behind.
func isDebris(name string) bool {
	return strings.HasPrefix(name, ".") || name == "Thumbs.db" || name == "desktop.ini" || name == "__MACOSX"
}

// walker gathers the files below folders, following links, no folder twice.
type walker struct {
	root     string
	problems *Problems
	seen     map[string]string // folders read, by their real path
	paths    []string          // of the files, in the order of records
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
		w.problems.Add(Unreadable, w.relative(path), reason(err))
		return false
	}
	if before, ok := w.seen[real]; ok {
		w.problems.Add(LinkLoop, w.relative(path), "leads to "+displayName(before)+" again")
		return false
	}
	w.seen[real] = w.relative(path)
	return true
}

// list returns the names of the folders and the paths of the files in a folder.
func (w *walker) list(path string) (folders, files []string, err error) {
	entries, err := readFolder(path)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		full := filepath.Join(path, e.Name())
		info, err := os.Stat(full)
		switch {
		case err != nil:
			w.problems.Add(Unreadable, w.relative(full), reason(err))
		case info.IsDir():
			folders = append(folders, e.Name())
		default:
			files = append(files, full)
		}
	}
	return folders, files, nil
}

// gather returns the files below a folder as records like the given one, in
// byte order of their paths.
func (w *walker) gather(folder string, like Record) []Record {
	if !w.enter(folder) {
		return nil
	}
	entries, err := readFolder(folder)
	if err != nil {
		w.problems.Add(Unreadable, w.relative(folder), reason(err))
		return nil
	}
	var records []Record
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		info, err := os.Stat(path)
		switch {
		case err != nil:
			w.problems.Add(Unreadable, w.relative(path), reason(err))
		case info.IsDir():
			records = append(records, w.gather(path, like)...)
		case !info.Mode().IsRegular():
			w.problems.Add(Unreadable, w.relative(path), "is not a regular file")
		default:
			r := like
			r.ID, r.Size = w.relative(path), info.Size()
			records = append(records, r)
			w.paths = append(w.paths, path)
		}
	}
	return records
}

func (w *walker) picture(i int, options ...picture.Option) (*picture.RGB, error) {
	return openPicture(w.paths[i], options)
}

// openPicture is picture.Open with errors that do not name the path, unless
// they are of the file system.
func openPicture(path string, options []picture.Option) (*picture.RGB, error) {
	p, err := picture.Open(path, options...)
	var pathError *fs.PathError
	if err == nil || errors.As(err, &pathError) {
		return p, err
	}
	return nil, errors.Unwrap(err)
}

// reason is an error of the file system without the path.
func reason(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}
