package datasets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// FolderOptions say how a folder or list of pictures becomes a task.
type FolderOptions struct {
	OnError  OnError // what to do with unusable files; Fail when empty
	Template string  // of captions, {class} stands for the name; DefaultTemplate when empty
	// TestFraction splits sources without a split of their own, in proportion
	// by class; with 0 everything is Train and Test is nil.
	TestFraction float64
	Seed         uint64            // of the split
	AsStored     bool              // do not turn photographs upright by their Exif orientation
	Trust        bool              // do not decode every picture first: a damaged one is then found when it is used
	Progress     progress.Reporter // of decoding; nil for none
	Context      context.Context   // ends the reading when done; nil for never
}

func (o *FolderOptions) check() error {
	if o.Template == "" {
		o.Template = DefaultTemplate
	}
	if err := CheckTemplate(o.Template); err != nil {
		return err
	}
	if !(o.TestFraction >= 0 && o.TestFraction < 1) {
		return fmt.Errorf("test fraction %v is not in [0,1)", o.TestFraction)
	}
	var err error
	o.OnError, err = ParseOnError(string(o.OnError))
	return err
}

// OpenFolder reads a folder that holds one folder of pictures per class, at any
// depth below it. Classes are numbered in the byte order of their folders'
// names. Where the folder holds nothing but train and test (or val, valid,
// validation; test wins), these are taken for splits. A folder without folders
// that holds one CSV file, and the path of a CSV or TSV file, are read by OpenList.
//
// Every picture is decoded once, unless opt.Trust is set. Files that are not
// usable, and classes without a usable picture, are listed in Problems; with
// OnError Fail they also make the error. Problems is never nil.
func OpenFolder(path string, opt FolderOptions) (*Task, *Problems, error) {
	problems := new(Problems)
	if err := opt.check(); err != nil {
		return nil, problems, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, problems, err
	}
	if !info.IsDir() {
		if isList(path) {
			return OpenList(path, opt)
		}
		return nil, problems, fmt.Errorf("%s is neither a folder nor a .csv or .tsv list", displayName(path))
	}
	w := &walker{root: path, problems: problems, seen: map[string]string{}}
	w.enter(path)
	folders, files, err := w.list(path)
	if err != nil {
		return nil, problems, err
	}
	if len(folders) == 0 {
		lists := slices.DeleteFunc(files, func(f string) bool { return !isList(f) })
		if len(lists) == 1 {
			return OpenList(lists[0], opt)
		}
		return nil, problems, fmt.Errorf("%s holds no class folders: expected %s or one list with columns path,label",
			displayName(path), filepath.Join(displayName(path), "CLASS", "*.jpg"))
	}
	train, test := path, ""
	if a, b, ok := splitFolders(folders); ok {
		train, test = filepath.Join(path, a), filepath.Join(path, b)
	}
	return w.task(path, train, test, opt)
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
			w.problems.add(Unreadable, w.relative(full), reason(err))
		case info.IsDir():
			folders = append(folders, e.Name())
		default:
			files = append(files, full)
		}
	}
	return folders, files, nil
}

// splitFolders recognises folders that are splits, not classes.
func splitFolders(names []string) (train, test string, ok bool) {
	for _, n := range names {
		switch strings.ToLower(n) {
		case "train", "training":
			train = n
		case "test", "testing":
			test = n
		case "val", "valid", "validation":
			if test == "" {
				test = n
			}
		default:
			return "", "", false
		}
	}
	return train, test, train != "" && test != ""
}

// task reads the class folders of one or two splits.
func (w *walker) task(path, train, test string, opt FolderOptions) (*Task, *Problems, error) {
	splits := []string{train}
	if test != "" {
		splits = append(splits, test)
	}
	classFolders := make([][]string, len(splits))
	var names []string
	for i, split := range splits {
		folders, files, err := w.list(split)
		if err != nil {
			return nil, w.problems, err
		}
		classFolders[i] = folders
		names = append(names, folders...)
		for _, f := range files {
			if picture.HasExtension(f) { // lists and notes may lie here, pictures belong to a class
				w.problems.add(OutsideClass, w.relative(f), "a picture beside the class folders belongs to no class")
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	var parts [2][]imageFile
	for i, split := range splits {
		var files []imageFile
		for _, name := range classFolders[i] {
			label, _ := slices.BinarySearch(names, name)
			files = append(files, w.gather(filepath.Join(split, name), label)...)
		}
		var err error
		if parts[i], err = usable(files, opt, w.problems); err != nil {
			return nil, w.problems, err
		}
	}
	return assemble("folder:"+path, path, names, parts[0], parts[1], test != "", opt, w.problems)
}

// assemble makes a task of files and class names: classes without pictures are
// dropped and told, captions made, and the split done where there is none.
func assemble(name, path string, classes []string, train, test []imageFile, hasTest bool, opt FolderOptions, problems *Problems) (*Task, *Problems, error) {
	count := make([]int, len(classes))
	for _, f := range slices.Concat(train, test) {
		count[f.label]++
	}
	t := &Task{Name: displayName(name), Group: "real", Domain: displayName(name)}
	renumber := make([]int, len(classes))
	for k, class := range classes {
		if count[k] == 0 {
			problems.add(EmptyClass, class, "a class without a usable picture")
			continue
		}
		renumber[k] = len(t.ClassNames)
		t.ClassNames = append(t.ClassNames, displayName(class))
		t.Captions = append(t.Captions, CaptionOf(opt.Template, displayName(class)))
	}
	if problems.Len() > 0 && opt.OnError == Fail {
		return nil, problems, problems.refusal(path)
	}
	if len(t.ClassNames) == 0 {
		return nil, problems, fmt.Errorf("%s holds no usable picture", displayName(path))
	}
	images := func(files []imageFile) Images {
		f := &fileImages{files: files}
		if opt.AsStored {
			f.options = []picture.Option{picture.AsStored}
		}
		for i := range f.files {
			f.files[i].label = renumber[f.files[i].label]
		}
		return f
	}
	h := newTaskHash(t)
	h.files(train)
	h.files(test)
	t.Hash = h.sum()
	t.Train = images(train)
	switch {
	case hasTest:
		if len(train) == 0 || len(test) == 0 {
			return nil, problems, fmt.Errorf("%s has %d usable pictures for training and %d for testing", displayName(path), len(train), len(test))
		}
		t.Test = images(test)
	case opt.TestFraction > 0:
		if err := t.split(opt.TestFraction, opt.Seed); err != nil {
			return nil, problems, fmt.Errorf("%s: %w", displayName(path), err)
		}
	}
	return t, problems, nil
}

// split moves a part of Train to Test.
func (t *Task) split(fraction float64, seed uint64) (err error) {
	n := int(float64(t.Train.Len())*fraction + 0.5)
	if t.Train, t.Test, err = Split(t.Train, n, seed); err != nil {
		return err
	}
	if t.Test.Len() == 0 || t.Train.Len() == 0 {
		return fmt.Errorf("%d pictures are too few to split off %v of them for testing", t.Train.Len()+t.Test.Len(), fraction)
	}
	return nil
}
