package datasets

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/datasets/world"
)

// Sizes of a catalogue task unless LoadOptions say otherwise. A real source
// with fewer images gives what it has.
const (
	DefaultTrain = 800
	DefaultTest  = 500
)

// Entry describes a task of the catalogue without loading it.
type Entry struct {
	Name                 string // as for Load
	Group                string // distance from the pretraining captions: id, rare, composed, shift, held, real
	Domain               string
	ClassNames, Captions []string
	Quick                bool   // one of the tasks of the quick protocol
	Real                 string // the folder below LoadOptions.RealDir that is needed; empty for drawn tasks
}

// quick lists the tasks of the quick protocol: every domain and group of the
// drawn tasks, zero-shot accuracies of a prototype spread from 8 % to 100 %,
// two of them above 90 %. Fixed before results were seen.
var quick = []string{
	"world/aerial", "world/digit", "world/count", "world/bgcolour", "world/aerial-gray", "world/shape", "world/position",
	"world/letter", "world/colour-cast", "world/digit-rot", "world/defect-blur", "world/newshapes", "world/shape-noise", "world/signdigit",
}

// Quick returns the names of the tasks of the quick protocol, all drawn.
func Quick() []string { return slices.Clone(quick) }

// Catalogue returns the fixed list of tasks: the drawn ones, then the real ones.
func Catalogue() []Entry {
	var entries []Entry
	for _, t := range world.Tasks() {
		name := "world/" + t.Name
		entries = append(entries, Entry{Name: name, Group: t.Group, Domain: t.Domain,
			ClassNames: t.ClassNames, Captions: t.Captions, Quick: slices.Contains(quick, name)})
	}
	for _, r := range realTasks {
		entries = append(entries, Entry{Name: r.name, Group: "real", Domain: r.name,
			ClassNames: r.classNames(), Captions: r.captions, Real: r.folder})
	}
	return entries
}

// LoadOptions say which part of a task is wanted and where real data is.
type LoadOptions struct {
	// RealDir holds the folders of the real tasks: mnist, sign-digits, gtsrb32,
	// cifar10, neu-det, omniglot, dtd10, and what the sets of the paper need. When
	// it is empty, those of the paper are read from DataDir.
	RealDir string
	// NTrain and NTest bound the splits: 0 means DefaultTrain and DefaultTest
	// for catalogue tasks and everything for other sources. What a smaller bound
	// gives is the beginning of what a larger one gives.
	NTrain, NTest int
	// Shots, when not 0, keeps so many training images of each class, at most
	// NTrain in all.
	Shots int
	// Seed draws other pictures of drawn tasks and splits and orders other
	// sources differently.
	Seed uint64
	// Ensemble takes the usual ensemble of captions of a set of the paper.
	Ensemble bool
	// Folder holds what only folder:PATH asks for. Its Seed is ignored for Seed;
	// its TestFraction is DefaultTestFraction when 0.
	Folder FolderOptions
	// Check reads every picture of a set of the paper, whose files are trusted
	// otherwise, leaves out what cannot be used, tells copies, and takes pictures
	// that two splits have out of the lesser one unless Folder.KeepOverlap is set.
	Check bool
	// Problems, when not nil, is given what was found wrong with folder:PATH, or
	// with a set of the paper under Check.
	Problems func(Problem)
}

// DefaultTestFraction is how much of a source without splits is for testing,
// by Load.
const DefaultTestFraction = float64(DefaultTest) / (DefaultTrain + DefaultTest)

// Load reads or draws the task of the given name: one of Catalogue, paper/NAME
// (see PaperSets), or folder:PATH or just a path (see Open). Both splits come in a random order of which
// every beginning holds each class in proportion.
func Load(name string, opt LoadOptions) (*Task, error) {
	if opt.NTrain < 0 || opt.NTest < 0 {
		return nil, fmt.Errorf("task %s: cannot take %d images for training and %d for testing", name, opt.NTrain, opt.NTest)
	}
	if path, ok := strings.CutPrefix(name, "folder:"); ok {
		return loadPath(path, opt)
	}
	if set, ok := strings.CutPrefix(name, "paper/"); ok {
		return loadPaper(set, opt)
	}
	if drawn, ok := strings.CutPrefix(name, "world/"); ok {
		for _, t := range world.Tasks() {
			if t.Name == drawn {
				return drawTask(&t, opt)
			}
		}
	}
	for _, r := range realTasks {
		if r.name == name {
			return r.load(opt)
		}
	}
	if _, err := os.Stat(name); err == nil {
		return loadPath(name, opt)
	}
	return nil, fmt.Errorf("there is no task %q and no such path%s (see iimm datasets list)", name, suggestion(name))
}

func loadPath(path string, opt LoadOptions) (*Task, error) {
	o := opt.Folder
	o.Seed = opt.Seed
	if o.TestFraction == 0 {
		o.TestFraction = DefaultTestFraction
	}
	t, problems, err := Open(path, o)
	if opt.Problems != nil {
		for _, p := range problems.List() {
			opt.Problems(p)
		}
	}
	if err != nil {
		return nil, err
	}
	if len(t.ClassNames) < 2 {
		return nil, fmt.Errorf("%s has one class only, a task needs two", displayName(path))
	}
	return t, t.limit(opt, 0, 0)
}

// limit shuffles both splits, cuts them to the wanted or standard sizes, and
// makes the hash tell the difference.
func (t *Task) limit(opt LoadOptions, standardTrain, standardTest int) (err error) {
	if opt.Shots != 0 {
		if t.Train, err = Shots(t.Train, opt.Shots, opt.Seed); err != nil {
			return fmt.Errorf("task %s: %w", t.Name, err)
		}
		standardTrain = 0
	}
	t.Train = Prefix(Shuffle(t.Train, opt.Seed), sizeOr(opt.NTrain, standardTrain))
	if t.Test != nil {
		t.Test = Prefix(Shuffle(t.Test, opt.Seed), sizeOr(opt.NTest, standardTest))
	}
	h := newTaskHash(t)
	h.strings([]string{t.Hash})
	for _, split := range []Images{t.Train, t.Test} {
		if split == nil {
			continue
		}
		h.number(split.Len())
		for i := range split.Len() {
			h.strings([]string{split.ID(i)})
		}
	}
	t.Hash = h.sum()
	return nil
}

// drawTask draws both splits of a world task.
func drawTask(t *world.Task, opt LoadOptions) (*Task, error) {
	draw := func(split world.Split, label string, n int) *packed {
		pix, labels := t.Draw(split, opt.Seed, n)
		return &packed{name: "world/" + t.Name + "/" + label, width: world.Size, height: world.Size, channels: 3, pix: pix, labels: labels}
	}
	train := draw(world.Train, "train", sizeOr(opt.NTrain, DefaultTrain))
	test := draw(world.Test, "test", sizeOr(opt.NTest, DefaultTest))
	task := &Task{Name: "world/" + t.Name, Group: t.Group, Domain: t.Domain,
		ClassNames: t.ClassNames, Captions: t.Captions, Train: train, Test: test}
	h := newTaskHash(task)
	h.packed(train)
	h.packed(test)
	if opt.Shots != 0 {
		var err error
		if task.Train, err = Shots(train, opt.Shots, opt.Seed); err != nil {
			return nil, fmt.Errorf("task %s: %w", task.Name, err)
		}
		h.number(opt.Shots)
	}
	task.Hash = h.sum()
	return task, nil
}

func sizeOr(n, standard int) int {
	if n == 0 {
		return standard
	}
	return n
}

// taskHash gathers what identifies a task: names, captions and its images.
type taskHash struct{ hash.Hash }

func newTaskHash(t *Task) taskHash {
	h := taskHash{sha256.New()}
	h.strings(t.ClassNames)
	h.strings(t.Captions)
	return h
}

func (h taskHash) number(n int) { binary.Write(h, binary.LittleEndian, int64(n)) }

func (h taskHash) strings(list []string) {
	h.number(len(list))
	for _, s := range list {
		h.number(len(s))
		io.WriteString(h, s)
	}
}

func (h taskHash) packed(p *packed) {
	for _, n := range []int{p.width, p.height, p.channels, len(p.labels)} {
		h.number(n)
	}
	for _, k := range p.labels {
		h.number(k)
	}
	h.Write(p.pix)
}

// files identifies pictures by path and size.
func (h taskHash) files(list []imageFile) {
	h.number(len(list))
	for _, f := range list {
		h.strings([]string{f.id})
		h.number(int(f.size))
		h.number(f.label)
	}
}

// listed identifies pictures by ID and size; nil is no picture.
func (h taskHash) listed(l *listed) {
	if l == nil {
		h.number(0)
		return
	}
	h.number(l.Len())
	for i, r := range l.records {
		h.strings([]string{l.source.Records[r].ID})
		h.number(int(l.source.Records[r].Size))
		h.number(l.labels[i])
	}
}

func (h taskHash) sum() string { return hex.EncodeToString(h.Sum(nil)) }

// suggestion names the catalogue task that a wrong name may have meant.
func suggestion(name string) string {
	var names []string
	for _, e := range Catalogue() {
		names = append(names, e.Name)
	}
	for _, set := range PaperSets() {
		names = append(names, "paper/"+set.Name)
	}
	best, distance := "", 4
	for _, other := range names {
		_, short, _ := strings.Cut(other, "/")
		if d := min(editDistance(name, other), editDistance(name, short)); d < distance {
			best, distance = other, d
		}
	}
	if best == "" {
		return ""
	}
	return ", did you mean " + best + "?"
}

// editDistance is the number of insertions, deletions and replacements of
// bytes between two words (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
