package datasets

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// PaperSet is one of the data sets of the paper, as Load reads it by the name
// paper/NAME from the files that its makers give away, laid out as torchvision
// keeps them, or from the table that stands for them on the hub, when it lies in
// HubFolder. Package download fetches both.
//
// Without @published the test part is the official test split, and the
// validation part is a tenth of the official training split, at most 5000
// pictures, in proportion by class; frames of one sign of GTSRB stay together.
// EuroSAT has no official split: a tenth is for testing. Photographs are taken
// as stored, as torchvision does, and are not looked at before they are used.
type PaperSet struct {
	Name     string   // as in paper/NAME
	Title    string   // as its makers call it
	Needs    string   // files and folders below LoadOptions.RealDir
	Template string   // of the one caption of a class
	Ensemble []string // the usual ensemble; nil where there is none
	// Classes is how many a table of the hub has that stands for the makers' files;
	// 0 for sets of which there is no such table.
	Classes int
	// Retained sets are for measuring forgetting: they have no training part.
	Retained bool
	// Published says how paper/NAME@published differs: a split that the paper's
	// code used instead of the official one. Empty where it used the official one.
	Published string

	read func(dir string, published bool) (*Source, error)
}

const photo = "a photo of a {c}"

var paperSets = []PaperSet{
	{Name: "cars", Title: "Stanford Cars", Needs: "stanford_cars/{devkit,cars_train,cars_test,cars_test_annos_withlabels.mat}", Template: photo, Classes: 196, read: readCars},
	{Name: "cifar100", Title: "CIFAR-100", Needs: "cifar-100-python/ or cifar-100-binary/", Template: photo, Classes: 100, read: readCIFAR100},
	{Name: "dtd", Title: "Describable Textures", Needs: "dtd/dtd/{images,labels}", Template: "a photo of a {c} texture", read: readDTD,
		Published: "tested on the official validation split"},
	{Name: "eurosat", Title: "EuroSAT", Needs: "eurosat/2750/CLASS", Template: "a centered satellite photo of a {c}", read: readEuroSAT},
	{Name: "gtsrb", Title: "German Traffic Signs", Needs: "gtsrb/{GTSRB/Training/CLASS,GTSRB/Final_Test/Images,GT-final_test.csv}",
		Template: `a photo of a "{c}" traffic sign`, read: readGTSRB, Published: "frames of one sign in training and validation"},
	{Name: "mnist", Title: "MNIST", Needs: "MNIST/raw/", Template: `a photo of the number: "{c}"`, Classes: 10, read: below(readMNIST, "", "mnist")},
	{Name: "resisc45", Title: "NWPU-RESISC45", Needs: "resisc45/{NWPU-RESISC45/CLASS,resisc45-train.txt,resisc45-test.txt}",
		Template: "satellite imagery of {c}", Classes: 45, read: readRESISC45},
	{Name: "stl10", Title: "STL-10", Needs: "stl10_binary/", Template: photo, read: below(readSTL10, "")},
	{Name: "sun397", Title: "SUN397", Needs: "SUN397/{ClassName.txt,Training_01.txt,Testing_01.txt,a,...}", Template: photo, Classes: 397, read: readSUN397},
	{Name: "svhn", Title: "Street View House Numbers", Needs: "{train,test}_32x32.mat, or svhn/ with them", Template: `a photo of the number: "{c}"`, Classes: 10, read: below(readSVHN, "svhn", "")},
	{Name: "imagenet", Title: "ImageNet, validation", Needs: "imagenet/val/WNID", Template: photo, Retained: true, read: readImageNet(1000, "imagenet/val", "val")},
	{Name: "imagenet-v2", Title: "ImageNet V2, matched frequency", Needs: "imagenetv2-matched-frequency-format-val/NUMBER", Template: photo, Retained: true,
		read: readImageNet(1000, "imagenetv2-matched-frequency-format-val")},
	{Name: "imagenet-sketch", Title: "ImageNet Sketch", Needs: "sketch/WNID", Template: photo, Retained: true, read: readImageNet(1000, "sketch", "imagenet-sketch")},
	{Name: "imagenet-r", Title: "ImageNet R", Needs: "imagenet-r/WNID", Template: photo, Retained: true, read: readImageNet(200, "imagenet-r")},
	{Name: "imagenet-a", Title: "ImageNet A", Needs: "imagenet-a/WNID", Template: photo, Retained: true, read: readImageNet(200, "imagenet-a")},
	{Name: "fmow", Title: "Functional Map of the World", Needs: "fmow_v1.1/{rgb_metadata.csv,images/rgb_img_N.png}", Template: "a satellite image of a {c}",
		Retained: true, read: readFMoW},
}

// PaperSets lists the paper's data sets: those tuned on, then those retained.
func PaperSets() []PaperSet {
	list := slices.Clone(paperSets)
	ensembles := publishedTemplates()
	for i := range list {
		name := list[i].Name
		if strings.HasPrefix(name, "imagenet-") {
			name = "imagenet"
		}
		list[i].Ensemble = ensembles[name]
	}
	return list
}

// loadPaper reads the data set of a name like dtd or dtd@published.
func loadPaper(name string, opt LoadOptions) (*Task, error) {
	short, variant, changed := strings.Cut(name, "@")
	list := PaperSets()
	at := slices.IndexFunc(list, func(p PaperSet) bool { return p.Name == short })
	switch {
	case at < 0:
		var names []string
		for _, p := range list {
			names = append(names, p.Name)
		}
		return nil, fmt.Errorf("there is no task paper/%s; the paper's are %s", short, strings.Join(names, ", "))
	case changed && (variant != "published" || list[at].Published == ""):
		return nil, fmt.Errorf("task paper/%s has no split %q", short, variant)
	}
	set := list[at]
	dir, fetched := opt.RealDir, true
	if dir == "" {
		var err error
		if dir, err = DataDir(); err != nil {
			return nil, err
		}
		_, err = os.Stat(ReceiptPath(dir, set.Name))
		fetched = err == nil
	}
	read := set.read
	if info, err := os.Stat(filepath.Join(dir, HubFolder(set.Name))); err == nil && info.IsDir() {
		read = set.readHub
	}
	s, err := read(dir, changed)
	switch {
	case err != nil && !fetched:
		return nil, fmt.Errorf("task paper/%s needs its pictures: iimm datasets fetch %s, or say which folder holds %s (--real DIR)", short, short, set.Needs)
	case err != nil:
		return nil, fmt.Errorf("task paper/%s: %w", name, err)
	}
	s.Templates = []string{set.Template}
	if opt.Ensemble && set.Ensemble != nil {
		s.Templates = set.Ensemble
	}
	// The makers' files are trusted: decoding them all would take minutes each time.
	folder := FolderOptions{Trust: true, KeepOverlap: true, AsStored: true, Template: opt.Folder.Template}
	if opt.Check {
		folder.Trust, folder.KeepOverlap, folder.Duplicates, folder.OnError = false, opt.Folder.KeepOverlap, true, Skip
		folder.Progress, folder.Context = opt.Folder.Progress, opt.Folder.Context
	}
	if err := folder.check(); err != nil {
		return nil, err
	}
	problems := new(Problems)
	t, err := s.task("paper/"+name, folder, problems)
	if opt.Problems != nil {
		for _, p := range problems.List() {
			opt.Problems(p)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := t.holdOut(set, s, changed, opt.Seed); err != nil {
		return nil, fmt.Errorf("task paper/%s: %w", name, err)
	}
	return t, t.limit(opt, 0, 0)
}

// holdOut makes the parts that a set does not come with.
func (t *Task) holdOut(set PaperSet, s *Source, published bool, seed uint64) (err error) {
	if set.Retained {
		t.Train, t.Test = Subset(t.Train, nil), t.Train
		return nil
	}
	group := func(i int) int { return i }
	if t.Test == nil {
		if set.Name != "eurosat" {
			return fmt.Errorf("there is no test split: it needs %s", set.Needs)
		}
		if t.Train, t.Test, err = SplitGroups(t.Train, group, t.Train.Len()/10, seed); err != nil {
			return err
		}
	}
	if !published {
		number := map[string]int{}
		of := map[string]int{} // by ID
		for _, r := range s.Records {
			g := r.Group
			if g == "" {
				g = "\x00" + r.ID
			}
			if _, ok := number[g]; !ok {
				number[g] = len(number)
			}
			of[displayName(r.ID)] = number[g]
		}
		train := t.Train
		group = func(i int) int { return of[train.ID(i)] }
	}
	t.Train, t.Val, err = SplitGroups(t.Train, group, min(t.Train.Len()/10, 5000), seed)
	return err
}

//go:embed published
var published embed.FS

// publishedLines are the lines of one of the embedded files.
func publishedLines(name string) []string {
	b, err := published.ReadFile("published/" + name)
	if err != nil {
		panic(err) // a programming error: the file is part of the program
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// publishedTemplates are the usual ensembles of captions by data set.
func publishedTemplates() map[string][]string {
	ensembles := map[string][]string{}
	set := ""
	for _, line := range publishedLines("templates.txt") {
		if strings.HasPrefix(line, "[") {
			set = strings.Trim(line, "[]")
			continue
		}
		ensembles[set] = append(ensembles[set], line)
	}
	return ensembles
}

// below makes a reader of one that reads a folder, of the first of the given
// folders that is there and can be read.
func below(read func(string, FolderOptions, *Problems) (*Source, error), folders ...string) func(string, bool) (*Source, error) {
	return func(dir string, _ bool) (s *Source, err error) {
		for _, f := range folders {
			path := filepath.Join(dir, f)
			if _, err = os.Stat(path); err == nil {
				if s, err = read(path, FolderOptions{}, new(Problems)); err == nil {
					return s, nil
				}
			}
		}
		return nil, err
	}
}
