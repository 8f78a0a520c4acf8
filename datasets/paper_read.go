package datasets

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// fileSource is a source of picture files below a folder, called by their paths
// there. The files must exist; they are not opened.
type fileSource struct {
	Source
	err error
}

func newFileSource(root string) *fileSource {
	s := &fileSource{Source: Source{Path: root}}
	s.Picture = func(i int, options ...picture.Option) (*picture.RGB, error) {
		return openPicture(filepath.Join(root, filepath.FromSlash(s.Records[i].ID)), options)
	}
	return s
}

// add adds a file; the first that is not there stays the error of the source.
func (s *fileSource) add(r Record) {
	if s.err != nil {
		return
	}
	info, err := os.Stat(filepath.Join(s.Path, filepath.FromSlash(r.ID)))
	if err != nil {
		s.err = err
		return
	}
	r.Size = info.Size()
	s.Records = append(s.Records, r)
}

// addFolder adds the pictures of a folder in byte order.
func (s *fileSource) addFolder(folder string, r Record) {
	entries, err := readFolder(filepath.Join(s.Path, folder))
	if err != nil && s.err == nil {
		s.err = err
	}
	for _, e := range entries {
		if picture.HasExtension(e.Name()) {
			r.ID = folder + "/" + e.Name()
			s.add(r)
		}
	}
}

// done returns the source, with names for its classes.
func (s *fileSource) done(classes, names []string) (*Source, error) {
	s.Classes, s.Names = classes, names
	return &s.Source, s.err
}

// classFolders are the folders in a folder, in byte order.
func classFolders(dir string) ([]string, error) {
	entries, err := readFolder(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.IsDir() {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s holds no folders of classes", displayName(dir))
	}
	return names, nil
}

// spoken writes names as people do, without underscores.
func spoken(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.ReplaceAll(n, "_", " ")
	}
	return out
}

func readCars(dir string, _ bool) (*Source, error) {
	root := filepath.Join(dir, "stanford_cars")
	meta, err := readMatlab(filepath.Join(root, "devkit", "cars_meta.mat"))
	if err != nil {
		return nil, err
	}
	var names, classes []string
	if c := meta["class_names"]; c != nil {
		for k, cell := range c.cells {
			name, err := cell.text()
			if err != nil {
				return nil, fmt.Errorf("cars_meta.mat: class %d: %w", k+1, err)
			}
			names, classes = append(names, name), append(classes, strconv.Itoa(k+1))
		}
	}
	if len(names) == 0 {
		return nil, errors.New("cars_meta.mat: lacks class_names")
	}
	s := newFileSource(root)
	for _, part := range []struct{ split, file, folder string }{
		{"train", filepath.Join("devkit", "cars_train_annos.mat"), "cars_train"}, {"test", "cars_test_annos_withlabels.mat", "cars_test"},
	} {
		v, err := readMatlab(filepath.Join(root, part.file))
		if err != nil {
			return nil, err
		}
		a := v["annotations"]
		if a == nil || a.fields == nil || len(a.fields["fname"]) != len(a.fields["class"]) || len(a.fields["fname"]) == 0 {
			return nil, fmt.Errorf("%s: lacks annotations with class and fname", part.file)
		}
		for i := range a.fields["fname"] {
			class, err1 := a.fields["class"][i].ints()
			name, err2 := a.fields["fname"][i].text()
			if err := errors.Join(err1, err2); err != nil || len(class) != 1 {
				return nil, fmt.Errorf("%s: annotation %d is not a class and a file name", part.file, i+1)
			}
			if clean, reason := cleanName(name); reason != "" || strings.Contains(clean, "/") {
				return nil, fmt.Errorf("%s: annotation %d: %q is no file name", part.file, i+1, displayName(name))
			}
			s.add(Record{ID: part.folder + "/" + name, Class: strconv.Itoa(class[0]), Split: part.split})
		}
	}
	return s.done(classes, names)
}

func readCIFAR100(dir string, _ bool) (*Source, error) {
	for _, c := range cifarForms {
		if !strings.HasPrefix(c.folder, "cifar-100") {
			continue
		}
		for _, parent := range []string{dir, filepath.Join(dir, "cifar100")} {
			folder := filepath.Join(parent, c.folder)
			if holding(folder, c.names) == "" {
				continue
			}
			s, err := c.read(folder, folder)
			if err != nil {
				return nil, err
			}
			s.Names = spoken(s.Names)
			return s, nil
		}
	}
	return nil, fmt.Errorf("%s holds neither cifar-100-python nor cifar-100-binary", displayName(dir))
}

// readDTD reads partition 1.
func readDTD(dir string, published bool) (*Source, error) {
	root := filepath.Join(dir, "dtd", "dtd")
	classes, err := classFolders(filepath.Join(root, "images"))
	if err != nil {
		return nil, err
	}
	s := newFileSource(root)
	tested := "test1.txt"
	if published {
		tested = "val1.txt"
	}
	for _, part := range []struct{ split, file string }{{"train", "train1.txt"}, {"test", tested}} {
		lines, err := relativeLines(filepath.Join(root, "labels"), part.file)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			class, _, _ := strings.Cut(l, "/")
			s.add(Record{ID: "images/" + l, Class: class, Split: part.split})
		}
	}
	return s.done(classes, spoken(classes))
}

// relativeLines reads a list of paths below a folder, with or without a slash
// in front.
func relativeLines(folder, file string) ([]string, error) {
	lines, err := readLines([]string{folder}, file)
	if err != nil {
		return nil, err
	}
	if lines == nil {
		return nil, fmt.Errorf("%s is not there", displayName(filepath.Join(folder, file)))
	}
	for i, l := range lines {
		clean, reason := cleanName(strings.TrimPrefix(l, "/"))
		if reason != "" {
			return nil, fmt.Errorf("%s, line %d: %q %s", displayName(filepath.Join(folder, file)), i+1, displayName(l), reason)
		}
		lines[i] = clean
	}
	return lines, nil
}

func readEuroSAT(dir string, _ bool) (*Source, error) {
	root := filepath.Join(dir, "eurosat", "2750")
	classes, err := classFolders(root)
	if err != nil {
		return nil, err
	}
	names := publishedLines("eurosat.txt")
	if len(classes) != len(names) {
		return nil, fmt.Errorf("%s holds %d classes, EuroSAT has %d", displayName(root), len(classes), len(names))
	}
	s := newFileSource(root)
	for _, c := range classes {
		s.addFolder(c, Record{Class: c})
	}
	return s.done(classes, names)
}

// readGTSRB reads the frames of signs: files are called SIGN_FRAME.ppm.
func readGTSRB(dir string, _ bool) (*Source, error) {
	root := filepath.Join(dir, "gtsrb")
	names := publishedLines("gtsrb.txt")
	var classes []string
	for k := range names {
		classes = append(classes, strconv.Itoa(k))
	}
	folders, err := classFolders(filepath.Join(root, "GTSRB", "Training"))
	if err != nil {
		return nil, err
	}
	s := newFileSource(root)
	for _, f := range folders {
		k, err := strconv.Atoi(f)
		if err != nil || k < 0 || k >= len(names) {
			return nil, fmt.Errorf("GTSRB/Training/%s is none of the %d classes", displayName(f), len(names))
		}
		from := len(s.Records)
		s.addFolder("GTSRB/Training/"+f, Record{Class: strconv.Itoa(k), Split: "train"})
		for i := range s.Records[from:] {
			r := &s.Records[from+i]
			sign, _, _ := strings.Cut(filepath.Base(r.ID), "_")
			r.Group = f + "/" + sign
		}
	}
	file := filepath.Join(root, "GT-final_test.csv")
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	problems := new(Problems)
	rows, err := parseList(file, data, "", problems)
	if err == nil {
		err = problems.refusal(file)
	}
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		clean, reason := cleanName(r.path)
		if reason != "" {
			return nil, fmt.Errorf("%s, line %d: %q %s", displayName(file), r.line, displayName(r.path), reason)
		}
		s.add(Record{ID: "GTSRB/Final_Test/Images/" + clean, Class: r.label, Split: "test"})
	}
	return s.done(classes, names)
}

// readRESISC45 reads the split that torchgeo and others give: files of names
// like airplane_001.jpg.
func readRESISC45(dir string, _ bool) (*Source, error) {
	root := filepath.Join(dir, "resisc45")
	classes, err := classFolders(filepath.Join(root, "NWPU-RESISC45"))
	if err != nil {
		return nil, err
	}
	s := newFileSource(root)
	for _, split := range []string{"train", "test"} {
		lines, err := relativeLines(root, "resisc45-"+split+".txt")
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			name := filepath.Base(l)
			class := name[:max(strings.LastIndexByte(name, '_'), 0)]
			s.add(Record{ID: "NWPU-RESISC45/" + class + "/" + name, Class: class, Split: split})
		}
	}
	return s.done(classes, spoken(classes))
}

// readSUN397 reads partition 1. Classes are called /a/abbey, and
// /a/apartment_building/outdoor.
func readSUN397(dir string, _ bool) (*Source, error) {
	root := filepath.Join(dir, "SUN397")
	classes, err := relativeLines(root, "ClassName.txt")
	if err != nil {
		return nil, err
	}
	names := make([]string, len(classes))
	for i, c := range classes {
		_, name, _ := strings.Cut(c, "/")
		names[i] = strings.NewReplacer("_", " ", "/", " ").Replace(name)
	}
	s := newFileSource(root)
	for _, part := range []struct{ split, file string }{{"train", "Training_01.txt"}, {"test", "Testing_01.txt"}} {
		folder := holding(root, part.file, "Partitions", filepath.Join("..", "Partitions"))
		if folder == "" {
			return nil, fmt.Errorf("%s is not there", displayName(filepath.Join(root, part.file)))
		}
		lines, err := relativeLines(folder, part.file)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			s.add(Record{ID: l, Class: filepath.ToSlash(filepath.Dir(l)), Split: part.split})
		}
	}
	return s.done(classes, names)
}

// readImageNet reads class folders called by WordNet numbers, or by labels, of
// ImageNet or one of the sets with n of its classes.
func readImageNet(n int, folders ...string) func(string, bool) (*Source, error) {
	return func(dir string, _ bool) (*Source, error) {
		root := filepath.Join(dir, filepath.FromSlash(folders[0]))
		for _, f := range folders[1:] {
			if _, err := os.Stat(root); err == nil {
				break
			}
			root = filepath.Join(dir, filepath.FromSlash(f))
		}
		found, err := classFolders(root)
		if err != nil {
			return nil, err
		}
		if len(found) != n {
			return nil, fmt.Errorf("%s holds %d classes, the set has %d", displayName(root), len(found), n)
		}
		nameOf := map[string]string{}
		for k, line := range publishedLines("imagenet.tsv") {
			wnid, name, _ := strings.Cut(line, "\t")
			nameOf[wnid], nameOf[strconv.Itoa(k)] = name, name
		}
		slices.SortFunc(found, natural)
		s := newFileSource(root)
		var names []string
		for _, c := range found {
			name, ok := nameOf[c]
			if !ok {
				return nil, fmt.Errorf("%s: %s is no class of ImageNet", displayName(root), displayName(c))
			}
			names = append(names, name)
			s.addFolder(c, Record{Class: c})
		}
		return s.done(found, names)
	}
}

// readFMoW reads the test split of the form that WILDS gives away: row i of the
// table is images/rgb_img_i.png. The split is that of the set's makers, not
// WILDS's by years.
func readFMoW(dir string, _ bool) (*Source, error) {
	root := filepath.Join(dir, "fmow_v1.1")
	f, err := os.Open(filepath.Join(root, "rgb_metadata.csv"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("rgb_metadata.csv: %w", err)
	}
	split, category := slices.Index(header, "split"), slices.Index(header, "category")
	if split < 0 || category < 0 {
		return nil, errors.New("rgb_metadata.csv lacks the columns split and category")
	}
	s := newFileSource(root)
	var classes []string
	for row := 0; ; row++ {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("rgb_metadata.csv: %w", err)
		}
		if record[category] == "" {
			continue
		}
		classes = append(classes, record[category])
		if record[split] == "test" {
			s.add(Record{ID: fmt.Sprintf("images/rgb_img_%d.png", row), Class: record[category]})
		}
	}
	slices.Sort(classes)
	classes = slices.Compact(classes)
	return s.done(classes, spoken(classes))
}
