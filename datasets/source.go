package datasets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// Source is what a reader found: labelled pictures, none of them decoded yet.
type Source struct {
	Path string // of the file or folder
	// Classes are what Records call the classes, in label order; nil stands for
	// their classes, numbers by value and all else in byte order.
	Classes []string
	// Names, when not nil, are the names of Classes as people write them: they
	// enter captions as they are, and classes without a picture stay. Without
	// it, classes are called as in Classes, and those without a picture dropped.
	Names     []string
	Templates []string // captions that the source brings; nil for the option's
	Records   []Record
	// Picture decodes record i; it may be called from several goroutines. Its
	// errors do not name the record, unless they are of the file system.
	Picture func(i int, options ...picture.Option) (*picture.RGB, error)
	// Identity enters a task's hash besides the records: a hash of the pixels,
	// where IDs and sizes tell little of them.
	Identity string
}

// Record is one picture of a Source.
type Record struct {
	ID    string // names it for people: its path below the source
	Class string
	Split string // train, val, test, or empty where the source has no split
	Group string // pictures of one group never come into different splits; empty for none
	Size  int64  // bytes, as encoded
}

// Format is a kind of file or folder that Open reads.
type Format struct {
	Name string // as messages call it
	// Is tells by the name, or for a folder by what it holds, whether a path is
	// of this kind.
	Is func(path string, folder bool) bool
	// Read lists the pictures. What cannot be used is added to problems; an error
	// means that nothing can.
	Read func(path string, opt FolderOptions, problems *Problems) (*Source, error)
}

// formats are tried in order; image folders are what is left.
var formats = []Format{
	{"CSV, TSV or JSON lines", func(path string, folder bool) bool { return !folder && isList(path) }, readList},
	{"zip", hasSuffix(".zip"), readZip},
	{"tar", hasSuffix(".tar", ".tar.gz", ".tgz"), readTar},
	{"SVHN", func(path string, folder bool) bool {
		return !folder && strings.EqualFold(filepath.Ext(path), ".mat") || folder && holding(path, "train_32x32.mat") != "" && holding(path, "test_32x32.mat") != ""
	}, readSVHN},
	{"CIFAR", isCIFAR, readCIFAR},
	{"STL-10", func(path string, folder bool) bool {
		return folder && holding(path, "test_X.bin", "stl10_binary") != ""
	}, readSTL10},
	{"MNIST", func(path string, folder bool) bool { return folder && mnistFolder(path) != "" }, readMNIST},
	{"webdataset", func(path string, folder bool) bool { return folder && len(shards(path)) > 0 }, readShards},
}

// hasSuffix recognises files by the ends of their names.
func hasSuffix(suffixes ...string) func(string, bool) bool {
	return func(path string, folder bool) bool {
		return !folder && slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(strings.ToLower(path), s) })
	}
}

// Register makes Open read another format. Packages whose format needs a big
// library call it when they are linked.
func Register(f Format) { formats = append(formats, f) }

// Open reads labelled pictures from a folder or file, whatever their form:
//
//   - a folder with one folder of pictures per class, at any depth below it;
//     train and test (or val) folders above them are splits;
//   - a list: CSV, TSV or JSON lines with a path and a label, and a split if there;
//   - a zip or tar file of such a folder;
//   - a webdataset: a tar file, or a folder of them, with the pictures beside
//     .cls files of the same name; classnames.txt names the classes and
//     zeroshot_classification_templates.txt has the captions;
//   - the files of MNIST (idx), CIFAR (binary or pickled), STL-10 and SVHN, or the
//     folder that torchvision keeps them in;
//   - parquet files, one or a folder of them, when package datasets/parquet is
//     linked.
//
// Every picture is decoded once, unless opt.Trust is set. Files that are not
// usable, and classes without a usable picture, are listed in Problems; with
// OnError Fail they also make the error. Problems is never nil.
func Open(path string, opt FolderOptions) (*Task, *Problems, error) {
	problems := new(Problems)
	if err := opt.check(); err != nil {
		return nil, problems, err
	}
	s, err := read(path, opt, problems)
	if err != nil {
		return nil, problems, err
	}
	t, err := s.task("folder:"+path, opt, problems)
	return t, problems, err
}

func read(path string, opt FolderOptions, problems *Problems) (*Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	for _, f := range formats {
		if f.Is(path, info.IsDir()) {
			return f.Read(path, opt, problems)
		}
	}
	if info.IsDir() {
		return readImageFolder(path, opt, problems)
	}
	if strings.EqualFold(filepath.Ext(path), ".parquet") {
		return nil, fmt.Errorf("%s: this program does not link the parquet reader (import _ \"github.com/iimmkit/iimm/datasets/parquet\")", displayName(path))
	}
	return nil, fmt.Errorf("%s is neither a folder nor a file of a known form (%s)", displayName(path), strings.Join(formatNames(), ", "))
}

func formatNames() []string {
	var names []string
	for _, f := range formats {
		if !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// FolderOptions say how a folder, list or archive of pictures becomes a task.
type FolderOptions struct {
	OnError  OnError // what to do with unusable files; Fail when empty
	Template string  // of captions, {class} stands for the name; the source's own or DefaultTemplate when empty
	// TestFraction splits sources without a split of their own, in proportion
	// by class; with 0 everything is Train and Test is nil.
	TestFraction float64
	Seed         uint64 // of the split
	// GroupColumn names the column of a list or table that tells what belongs
	// together: pictures with the same value never come into different splits.
	GroupColumn string
	// GroupPattern does the same by IDs: its first submatch, or else its match, is
	// the group of a picture. A picture without a match is a group of its own.
	GroupPattern *regexp.Regexp
	// KeepOverlap leaves pictures of the training split that are, or nearly are,
	// in the test split where they are. Without it they are left out and told.
	KeepOverlap bool
	Duplicates  bool              // tell of copies within a split, too
	AsStored    bool              // do not turn photographs upright by their Exif orientation
	Trust       bool              // do not decode every picture first: a damaged one is then found when it is used
	Progress    progress.Reporter // of decoding; nil for none
	Context     context.Context   // ends the reading when done; nil for never
}

func (o *FolderOptions) check() error {
	if o.Template != "" {
		if err := CheckTemplate(o.Template); err != nil {
			return err
		}
	}
	if !(o.TestFraction >= 0 && o.TestFraction < 1) {
		return fmt.Errorf("test fraction %v is not in [0,1)", o.TestFraction)
	}
	if o.Context == nil {
		o.Context = context.Background()
	}
	if o.Progress == nil {
		o.Progress = progress.Discard
	}
	var err error
	o.OnError, err = ParseOnError(string(o.OnError))
	return err
}

// group returns what a record belongs to, empty for nothing.
func (o *FolderOptions) group(r Record) string {
	if o.GroupPattern == nil {
		return r.Group
	}
	m := o.GroupPattern.FindStringSubmatch(r.ID)
	switch {
	case m == nil:
		return r.Group
	case len(m) > 1:
		return m[1]
	}
	return m[0]
}

// listed are some records of a source, with their labels.
type listed struct {
	source  *Source
	records []int
	labels  []int
	options []picture.Option
}

func (l *listed) Len() int        { return len(l.records) }
func (l *listed) Label(i int) int { return l.labels[i] }
func (l *listed) ID(i int) string { return displayName(l.source.Records[l.records[i]].ID) }

func (l *listed) Image(i int) (*picture.RGB, error) {
	if i < 0 || i >= len(l.records) {
		return nil, fmt.Errorf("there are %d images, no number %d", len(l.records), i)
	}
	p, err := l.source.Picture(l.records[i], l.options...)
	var pathError *fs.PathError
	if err == nil || errors.As(err, &pathError) { // names the path itself
		return p, err
	}
	return nil, fmt.Errorf("%s: %w", l.source.name(l.records[i]), err)
}

// name is where record i is, for people.
func (s *Source) name(i int) string {
	id := s.Records[i].ID
	if filepath.IsAbs(filepath.FromSlash(id)) {
		return displayName(id)
	}
	if info, err := os.Stat(s.Path); err == nil && !info.IsDir() && !isList(s.Path) {
		return displayName(s.Path) + ": " + displayName(id)
	}
	folder := s.Path
	if isList(s.Path) {
		folder = filepath.Dir(s.Path)
	}
	return displayName(filepath.Join(folder, filepath.FromSlash(id)))
}

// usable decodes every picture on all cores and returns the records that can be
// used, and when asked their signatures; the others are added to problems. It
// fails when opt.Context is done.
func (s *Source) usable(signing bool, opt FolderOptions, problems *Problems) ([]int, []*signature, error) {
	all := make([]int, len(s.Records))
	for i := range all {
		all[i] = i
	}
	if opt.Trust {
		return all, nil, nil
	}
	var signatures []*signature
	if signing {
		signatures = make([]*signature, len(all))
	}
	errs := make([]error, len(all))
	bar := opt.Progress.Start("reading pictures", len(all))
	defer bar.Done()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(all) && opt.Context.Err() == nil; i = int(next.Add(1)) - 1 {
				var p *picture.RGB
				if p, errs[i] = s.Picture(i); signing && errs[i] == nil {
					signatures[i] = sign(p)
				}
				bar.Add(1)
			}
		})
	}
	wg.Wait()
	if err := opt.Context.Err(); err != nil {
		return nil, nil, err
	}
	good := all[:0]
	for i, err := range errs {
		if err == nil {
			good = append(good, i)
			continue
		}
		kind, message := explain(err)
		problems.Add(kind, s.Records[i].ID, message)
	}
	return good, signatures, nil
}

// explain sorts an error of reading a picture into a kind of problem, and words
// it without the path.
func explain(err error) (kind, message string) {
	var pathError *fs.PathError
	switch {
	case errors.As(err, &pathError):
		return Unreadable, pathError.Err.Error()
	case errors.Is(err, picture.ErrEmpty):
		kind = EmptyFile
	case errors.Is(err, picture.ErrFormat):
		kind = NotAPicture
	case errors.Is(err, picture.ErrTooLarge):
		kind = TooLarge
	default:
		kind = Damaged
	}
	return kind, err.Error()
}

// classes returns the class names and the label of each of the given records.
// Classes without pictures are dropped and told, unless they have names.
func (s *Source) classes(records []int, problems *Problems) (names []string, labels []int, err error) {
	names = s.Classes
	if names == nil {
		seen := map[string]bool{}
		for _, r := range s.Records {
			if !seen[r.Class] {
				seen[r.Class] = true
				names = append(names, r.Class)
			}
		}
		slices.Sort(names)
		if !slices.ContainsFunc(names, func(n string) bool { return !isNumber(n) }) {
			slices.SortFunc(names, natural)
		}
	}
	label := make(map[string]int, len(names))
	for k, name := range names {
		label[name] = k
	}
	count := make([]int, len(names))
	for _, i := range records {
		k, ok := label[s.Records[i].Class]
		if !ok {
			return nil, nil, fmt.Errorf("%s: class %q is not in the list of classes", s.name(i), displayName(s.Records[i].Class))
		}
		labels = append(labels, k)
		count[k]++
	}
	if s.Names != nil {
		return s.Names, labels, nil
	}
	renumber := make([]int, len(names))
	var kept []string
	for k, name := range names {
		if count[k] == 0 {
			problems.Add(EmptyClass, name, "a class without a usable picture")
			continue
		}
		renumber[k] = len(kept)
		kept = append(kept, displayName(name))
	}
	for i, k := range labels {
		labels[i] = renumber[k]
	}
	return kept, labels, nil
}

// isNumber recognises a label as programs write it.
func isNumber(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0 && strconv.Itoa(n) == s
}

// SplitOf tells the split, train, val or test, that a file belongs to by one of
// its folders or a word in its name; empty when neither is the name of a split.
func SplitOf(path string) string {
	dir, name := filepath.Split(path)
	folders := strings.Split(filepath.ToSlash(dir), "/")
	slices.Reverse(folders)
	for _, s := range slices.Concat(folders, word.FindAllString(name, -1)) {
		if split := splitName(s); split != "" {
			return split
		}
	}
	return ""
}

var word = regexp.MustCompile(`[A-Za-z]+`)

// task makes a task of a source: it leaves out what cannot be used, numbers the
// classes, makes captions, and splits where there is no split.
func (s *Source) task(name string, opt FolderOptions, problems *Problems) (*Task, error) {
	hasSplits := slices.ContainsFunc(s.Records, func(r Record) bool { return r.Split != s.Records[0].Split })
	signing := opt.Duplicates || hasSplits && !opt.KeepOverlap || !hasSplits && opt.TestFraction > 0
	records, signatures, err := s.usable(signing, opt, problems)
	if err != nil {
		return nil, err
	}
	t := &Task{Name: displayName(name), Group: "real", Domain: displayName(name), written: s.Names != nil}
	var labels []int
	if t.ClassNames, labels, err = s.classes(records, problems); err != nil {
		return nil, err
	}
	if err := problems.refusal(s.Path); err != nil && opt.OnError == Fail {
		return nil, err
	}
	if len(records) == 0 {
		return nil, fmt.Errorf("%s holds no usable picture", displayName(s.Path))
	}
	if err := t.caption(s.Templates, opt.Template); err != nil {
		return nil, fmt.Errorf("%s: %w", displayName(s.Path), err)
	}
	parts, err := s.divide(records, labels)
	if err != nil {
		return nil, err
	}
	var joined sets
	if !hasSplits || opt.Duplicates {
		joined = s.together(records, signatures, opt, problems)
	}
	if hasSplits && !opt.KeepOverlap {
		if err := s.apart(&parts, signatures, opt, problems); err != nil {
			return nil, err
		}
	}
	h := newTaskHash(t)
	for _, captions := range t.Ensemble {
		h.strings(captions)
	}
	h.listed(parts.train)
	h.listed(parts.test)
	if parts.val != nil {
		h.listed(parts.val)
	}
	if s.Identity != "" {
		h.strings([]string{s.Identity})
	}
	if opt.AsStored { // other pixels of the same files
		h.strings([]string{"as stored"})
		parts.asStored()
	}
	t.Hash = h.sum()
	t.Train = parts.train
	if parts.val != nil {
		t.Val = parts.val
	}
	switch {
	case parts.test != nil:
		t.Test = parts.test
	case opt.TestFraction > 0:
		if err := t.divide(opt.TestFraction, func(i int) int { return joined.of(parts.train.records[i]) }, opt.Seed); err != nil {
			return nil, fmt.Errorf("%s: %w", displayName(s.Path), err)
		}
	}
	return t, nil
}

// caption fills in captions: by the user's template, else by the source's, else
// by DefaultTemplate.
func (t *Task) caption(own []string, template string) error {
	templates := own
	if template != "" {
		templates = []string{template}
	}
	if templates == nil {
		templates = []string{DefaultTemplate}
	}
	prompted, err := t.WithTemplates(templates)
	if err != nil {
		return err
	}
	t.Captions, t.Ensemble = prompted.Captions, prompted.Ensemble
	return nil
}

// parts are the splits of a source; val and test are nil where there are none.
type parts struct{ train, val, test *listed }

// divide sorts records by the source's own splits. A validation split without a
// test split is one; the only split of a source is its training split. It is an
// error when a split has no usable picture left.
func (s *Source) divide(records, labels []int) (parts, error) {
	by := map[string]*listed{}
	for _, r := range s.Records {
		if by[r.Split] == nil {
			by[r.Split] = &listed{source: s}
		}
	}
	for j, i := range records {
		l := by[s.Records[i].Split]
		l.records, l.labels = append(l.records, i), append(l.labels, labels[j])
	}
	for split, l := range by {
		if l.Len() == 0 {
			return parts{}, fmt.Errorf("%s: the split %q has no usable picture, of %d in all", displayName(s.Path), split, len(records))
		}
	}
	if l := by[""]; l != nil {
		if len(by) > 1 {
			return parts{}, fmt.Errorf("%s: %d pictures belong to no split, others do", displayName(s.Path), l.Len())
		}
		return parts{train: l}, nil
	}
	p := parts{by["train"], by["val"], by["test"]}
	if p.test == nil {
		p.val, p.test = nil, p.val
	}
	if p.train == nil {
		p.train, p.val = p.val, nil
	}
	if p.train == nil {
		p.train, p.test = p.test, nil
	}
	return p, nil
}

func (p parts) asStored() {
	for _, l := range []*listed{p.train, p.val, p.test} {
		if l != nil {
			l.options = []picture.Option{picture.AsStored}
		}
	}
}
