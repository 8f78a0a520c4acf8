package datasets

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// realTask is a task over real pictures below LoadOptions.RealDir.
type realTask struct {
	name, folder string
	classes      []string // as the source calls them, in label order
	names        []string // for people, where classes are numbers
	captions     []string
	// open returns test nil where the source has no split.
	open func(dir string, classes []string) (train, test realImages, err error)
}

// realImages is a part of a source with its own hash input.
type realImages interface {
	Images
	hashInto(h taskHash)
}

func (f *fileImages) hashInto(h taskHash) { h.files(f.files) }
func (p *packed) hashInto(h taskHash)     { h.packed(p) }

func (r *realTask) classNames() []string {
	if r.names != nil {
		return r.names
	}
	return r.classes
}

// realTasks are the real tasks in their fixed order.
var realTasks = []*realTask{
	{name: "mnist", folder: "mnist", classes: numerals, captions: each("a photo of the number {}", numberNames), open: openMNIST},
	{name: "sign-digits", folder: "sign-digits", classes: numerals, captions: each("a hand showing the number {}", numberNames), open: openClassFolders},
	{name: "gtsrb12", folder: "gtsrb32",
		classes: []string{"00000", "00012", "00013", "00014", "00017", "00025", "00033", "00035", "00038", "00040", "00018", "00009"},
		names:   gtsrbNames, captions: each("a photo of a {} traffic sign", gtsrbNames), open: openSplitFolders},
	{name: "cifar10", folder: "cifar10", classes: cifarNames, captions: withArticles("a photo of ", cifarNames, ""), open: openSplitFolders},
	{name: "neu-det", folder: "neu-det",
		classes:  []string{"crazing", "inclusion", "patches", "pitted_surface", "rolled-in_scale", "scratches"},
		captions: each("a metal surface with {}", []string{"crazing", "inclusions", "patches", "pits", "rolled-in scale", "scratches"}),
		open:     openClassFolders},
	{name: "omniglot", folder: "omniglot", classes: greekNames, captions: each("the letter {}", greekNames), open: openOmniglot},
	{name: "dtd10", folder: "dtd10", classes: textureNames, captions: withArticles("a photo of ", textureNames, " texture"), open: openClassFolders},
}

var (
	numerals    = strings.Split("0123456789", "")
	numberNames = []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
	cifarNames  = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}
	gtsrbNames  = []string{"speed limit twenty", "priority road", "yield", "stop", "no entry", "road work", "turn right", "ahead only",
		"keep right", "roundabout", "general caution", "no passing"}
	greekNames = []string{"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu",
		"nu", "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"}
	textureNames = []string{"banded", "blotchy", "braided", "bubbly", "bumpy", "chequered", "cobwebbed", "cracked", "crosshatched", "crystalline"}
)

// each puts names into a template at {}.
func each(template string, names []string) []string {
	captions := make([]string, len(names))
	for i, n := range names {
		captions[i] = strings.ReplaceAll(template, "{}", n)
	}
	return captions
}

// withArticles is each with a or an before the name.
func withArticles(before string, names []string, after string) []string {
	captions := make([]string, len(names))
	for i, n := range names {
		article := "a "
		if strings.ContainsRune("aeiou", rune(n[0])) {
			article = "an "
		}
		captions[i] = before + article + n + after
	}
	return captions
}

// load reads the task. Sources without a split are split by DefaultTestFraction.
func (r *realTask) load(opt LoadOptions) (*Task, error) {
	if opt.RealDir == "" {
		return nil, fmt.Errorf("task %s needs real pictures: say which folder holds %s/ (--real DIR)", r.name, r.folder)
	}
	train, test, err := r.open(filepath.Join(opt.RealDir, r.folder), r.classes)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", r.name, err)
	}
	t := &Task{Name: r.name, Group: "real", Domain: r.name, ClassNames: r.classNames(), Captions: r.captions}
	h := newTaskHash(t)
	train.hashInto(h)
	if test != nil {
		test.hashInto(h)
	}
	t.Hash = h.sum()
	t.Train = train
	if test != nil {
		t.Test = test
	} else if err := t.divide(DefaultTestFraction, func(i int) int { return i }, opt.Seed); err != nil {
		return nil, fmt.Errorf("task %s: %w", r.name, err)
	}
	return t, t.limit(opt, DefaultTrain, DefaultTest)
}

// openMNIST reads the training file for training where it is there; else the
// test file is all there is.
func openMNIST(dir string, _ []string) (train, test realImages, err error) {
	read := func(part string) (realImages, error) {
		name := filepath.Join(dir, part+"-images-idx3-ubyte")
		labels := filepath.Join(dir, part+"-labels-idx1-ubyte")
		if _, err := os.Stat(name); err != nil {
			name, labels = name+".gz", labels+".gz"
		}
		images, err := OpenIDX(name, labels)
		if err != nil {
			return nil, err
		}
		p := images.(*packed)
		p.name = "mnist/" + part
		for i, k := range p.labels {
			if k >= len(numerals) {
				return nil, fmt.Errorf("%s: label %d of image %d is no digit", labels, k, i)
			}
		}
		return p, nil
	}
	if test, err = read("t10k"); err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "train-images-idx3-ubyte")); err != nil {
		if _, err := os.Stat(filepath.Join(dir, "train-images-idx3-ubyte.gz")); err != nil {
			return test, nil, nil
		}
	}
	train, err = read("train")
	return train, test, err
}

// openClassFolders reads one folder of pictures per class.
func openClassFolders(dir string, classes []string) (train, test realImages, err error) {
	f := &fileImages{options: []picture.Option{picture.AsStored}}
	for label, class := range classes {
		entries, err := os.ReadDir(filepath.Join(dir, class))
		if err != nil {
			return nil, nil, err
		}
		before := len(f.files)
		for _, e := range entries {
			if !picture.HasExtension(e.Name()) {
				continue
			}
			info, err := e.Info()
			if err != nil {
				return nil, nil, err
			}
			f.files = append(f.files, imageFile{path: filepath.Join(dir, class, e.Name()), id: class + "/" + e.Name(), size: info.Size(), label: label})
		}
		if len(f.files) == before {
			return nil, nil, fmt.Errorf("%s holds no pictures", filepath.Join(dir, class))
		}
	}
	return f, nil, nil
}

// openSplitFolders reads train/CLASS and test/CLASS.
func openSplitFolders(dir string, classes []string) (train, test realImages, err error) {
	read := func(split string) (realImages, error) {
		images, _, err := openClassFolders(filepath.Join(dir, split), classes)
		if err != nil {
			return nil, err
		}
		for i := range images.(*fileImages).files {
			f := &images.(*fileImages).files[i]
			f.id = split + "/" + f.id
		}
		return images, nil
	}
	if train, err = read("train"); err != nil {
		return nil, nil, err
	}
	test, err = read("test")
	return train, test, err
}

// encodedImages are pictures in memory, as encoded.
type encodedImages struct {
	ids    []string
	data   [][]byte
	labels []int
}

func (e *encodedImages) Len() int        { return len(e.ids) }
func (e *encodedImages) Label(i int) int { return e.labels[i] }
func (e *encodedImages) ID(i int) string { return e.ids[i] }

func (e *encodedImages) Image(i int) (*picture.RGB, error) {
	if i < 0 || i >= len(e.ids) {
		return nil, fmt.Errorf("there are %d images, no number %d", len(e.ids), i)
	}
	p, err := picture.Decode(bytes.NewReader(e.data[i]), picture.AsStored)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.ids[i], err)
	}
	return p, nil
}

func (e *encodedImages) hashInto(h taskHash) {
	h.strings(e.ids)
	for i, d := range e.data {
		h.number(e.labels[i])
		h.number(len(d))
	}
}

// openOmniglot reads the 24 Greek letters of the small background set 1.
func openOmniglot(dir string, classes []string) (train, test realImages, err error) {
	path := filepath.Join(dir, "images_background_small1.zip")
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	defer z.Close()
	e := new(encodedImages)
	files := slices.SortedFunc(slices.Values(z.File), func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range files {
		_, inside, ok := strings.Cut(f.Name, "/Greek/character")
		if !ok || !strings.HasSuffix(inside, ".png") {
			continue
		}
		var label int
		if _, err := fmt.Sscanf(inside, "%d/", &label); err != nil || label < 1 || label > len(classes) {
			return nil, nil, fmt.Errorf("%s: %s is none of the %d letters", path, f.Name, len(classes))
		}
		const most = 1 << 20 // a letter has 150 bytes
		r, err := f.Open()
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %s: %w", path, f.Name, err)
		}
		data, err := io.ReadAll(io.LimitReader(r, most))
		r.Close()
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %s: %w", path, f.Name, err)
		}
		e.ids, e.data, e.labels = append(e.ids, "Greek/character"+inside), append(e.data, data), append(e.labels, label-1)
	}
	if len(e.ids) == 0 {
		return nil, nil, fmt.Errorf("%s holds no Greek letters", path)
	}
	return e, nil, nil
}
