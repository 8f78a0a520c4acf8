package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/datasets/world"
	"github.com/iimmkit/iimm/iimmkit/file/reference"
)

func TestCatalogueIsWellFormed(t *testing.T) {
	entries := Catalogue()
	if len(entries) < 25 {
		t.Errorf("%d tasks, at least 25 are promised", len(entries))
	}
	names := map[string]bool{}
	for _, e := range entries {
		if names[e.Name] {
			t.Errorf("two tasks are called %s", e.Name)
		}
		names[e.Name] = true
		if len(e.ClassNames) < 2 || len(e.ClassNames) != len(e.Captions) {
			t.Errorf("%s: %d classes, %d captions", e.Name, len(e.ClassNames), len(e.Captions))
		}
		for _, list := range [][]string{e.ClassNames, e.Captions} {
			sorted := slices.Sorted(slices.Values(list))
			if len(slices.Compact(sorted)) != len(list) || sorted[0] == "" {
				t.Errorf("%s: empty or equal names in %q", e.Name, list)
			}
		}
		if !slices.Contains([]string{"id", "rare", "composed", "shift", "held", "real"}, e.Group) || e.Domain == "" {
			t.Errorf("%s: group %q, domain %q", e.Name, e.Group, e.Domain)
		}
		if (e.Real != "") != (e.Group == "real") || e.Real == "" != strings.HasPrefix(e.Name, "world/") {
			t.Errorf("%s: group %s, needs %q", e.Name, e.Group, e.Real)
		}
	}
}

// The list must not follow results: a change of it is a new list, and what was
// computed with the old one does not compare.
func TestCatalogueHasNotChanged(t *testing.T) {
	h := sha256.New()
	for _, e := range Catalogue() {
		fmt.Fprintf(h, "%s|%s|%s|%q|%q|%v|%s\n", e.Name, e.Group, e.Domain, e.ClassNames, e.Captions, e.Quick, e.Real)
	}
	const want = "7e2cb0201270fb4a"
	if got := hex.EncodeToString(h.Sum(nil)[:8]); got != want {
		t.Errorf("hash of the list is %s, recorded %s", got, want)
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("the recorded hash of the pictures is of amd64; other processors may fuse multiply and add")
	}
	h.Reset()
	for _, e := range Catalogue() {
		if e.Real == "" {
			task, err := Load(e.Name, LoadOptions{NTrain: 5, NTest: 5})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(h, task.Name, task.Hash)
		}
	}
	const pictures = "c42c4f1b5d61dfbb"
	if got := hex.EncodeToString(h.Sum(nil)[:8]); got != pictures {
		t.Errorf("hash of the drawn tasks is %s, recorded %s", got, pictures)
	}
}

func TestQuickCoversDomainsAndGroups(t *testing.T) {
	names := Quick()
	if len(names) < 12 || len(names) > 14 {
		t.Errorf("%d quick tasks, want 12 to 14", len(names))
	}
	domains, groups := map[string]bool{}, map[string]bool{}
	var all = map[string]bool{}
	for _, e := range Catalogue() {
		if e.Real == "" {
			all[e.Domain], all[e.Group] = true, true
		}
		if e.Quick != slices.Contains(names, e.Name) {
			t.Errorf("%s: Quick is %v", e.Name, e.Quick)
		}
		if e.Quick {
			domains[e.Domain], groups[e.Group] = true, true
			names = slices.DeleteFunc(names, func(n string) bool { return n == e.Name })
		}
	}
	if len(names) > 0 {
		t.Errorf("quick tasks without a task: %v", names)
	}
	if len(domains)+len(groups) != len(all) {
		t.Errorf("quick tasks cover %v and %v of %v", domains, groups, all)
	}
}

func pixels(t *testing.T, images Images) []string {
	t.Helper()
	list := make([]string, images.Len())
	for i := range list {
		p, err := images.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.Sum256(p.Pix)
		list[i] = string(h[:])
	}
	return list
}

func TestDrawnTasks(t *testing.T) {
	seen := map[string]string{} // where a picture was seen
	pretraining, _ := world.Pairs(2000, 0)
	for i := range 2000 {
		h := sha256.Sum256(pretraining[i*world.Bytes : (i+1)*world.Bytes])
		seen[string(h[:])] = fmt.Sprintf("pretraining picture %d", i)
	}
	for _, e := range Catalogue() {
		if e.Real != "" {
			continue
		}
		t.Run(e.Name, func(t *testing.T) {
			small, err := Load(e.Name, LoadOptions{NTrain: 30, NTest: 20})
			if err != nil {
				t.Fatal(err)
			}
			large, err := Load(e.Name, LoadOptions{NTrain: 80, NTest: 60})
			if err != nil {
				t.Fatal(err)
			}
			if small.Train.Len() != 30 || small.Test.Len() != 20 {
				t.Errorf("%d and %d images", small.Train.Len(), small.Test.Len())
			}
			if small.Hash == large.Hash {
				t.Error("sizes do not enter the hash")
			}
			train, test := pixels(t, large.Train), pixels(t, large.Test)
			if !slices.Equal(pixels(t, small.Train), train[:30]) || !slices.Equal(pixels(t, small.Test), test[:20]) {
				t.Error("the smaller task is not the beginning of the larger one")
			}
			for i, h := range append(train, test...) {
				if where, ok := seen[h]; ok {
					t.Errorf("picture %d was seen as %s", i, where)
				}
				seen[h] = fmt.Sprintf("%s %d", e.Name, i)
			}
			n := counts(large.Test, len(e.ClassNames))
			if slices.Max(n)-slices.Min(n) > 1 {
				t.Errorf("classes are not balanced: %v", n)
			}
			other, err := Load(e.Name, LoadOptions{NTrain: 30, NTest: 20, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			if slices.Equal(pixels(t, other.Train), train[:30]) || other.Hash == small.Hash {
				t.Error("the seed changes nothing")
			}
		})
	}
}

func TestStandardSizes(t *testing.T) {
	task, err := Load("world/shape", LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if task.Train.Len() != DefaultTrain || task.Test.Len() != DefaultTest {
		t.Errorf("%d and %d images", task.Train.Len(), task.Test.Len())
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		name string
		opt  LoadOptions
		want string
	}{
		{"world/shap", LoadOptions{}, "did you mean world/shape?"},
		{"shape", LoadOptions{}, "did you mean world/shape?"},
		{"dtd", LoadOptions{}, "did you mean paper/dtd?"},
		{"minst", LoadOptions{}, "did you mean mnist?"},
		{"coco-captions", LoadOptions{}, `no task "coco-captions" and no such path (`},
		{"", LoadOptions{}, "no task"},
		{"mnist", LoadOptions{}, "--real"},
		{"mnist", LoadOptions{RealDir: "nowhere"}, "nowhere/mnist/t10k-images-idx3-ubyte.gz"},
		{"omniglot", LoadOptions{RealDir: "nowhere"}, "images_background_small1.zip"},
		{"cifar10", LoadOptions{RealDir: "nowhere"}, "nowhere/cifar10/train/airplane"},
		{"world/shape", LoadOptions{NTrain: -1}, "cannot take -1"},
		{"folder:nowhere", LoadOptions{}, "nowhere"},
	} {
		_, err := Load(tt.name, tt.opt)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Load(%q): %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestRealTasks(t *testing.T) {
	dir := reference.Data(t, "images")
	for _, tt := range []struct {
		name                 string
		classes, train, test int
		domain               int // size of the pictures, 0 when they differ
	}{
		{"mnist", 10, 800, 500, 28},
		{"sign-digits", 10, 615, 385, 100},
		{"gtsrb12", 12, 480, 240, 32},
		{"cifar10", 10, 800, 500, 32},
		{"neu-det", 6, 800, 500, 200},
		{"omniglot", 24, 295, 185, 105},
		{"dtd10", 10, 98, 62, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			task, err := Load(tt.name, LoadOptions{RealDir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if len(task.ClassNames) != tt.classes || task.Train.Len() != tt.train || task.Test.Len() != tt.test {
				t.Errorf("%d classes, %d and %d images", len(task.ClassNames), task.Train.Len(), task.Test.Len())
			}
			for _, images := range []Images{task.Train, task.Test} {
				n := counts(images, tt.classes)
				if slices.Max(n)-slices.Min(n) > 1 && tt.name != "mnist" { // MNIST is not balanced itself
					t.Errorf("classes are not balanced: %v", n)
				}
				p, err := images.Image(images.Len() - 1)
				if err != nil {
					t.Fatal(err)
				}
				if tt.domain > 0 && (p.Width != tt.domain || p.Height != tt.domain) {
					t.Errorf("%s has %d x %d pixels", images.ID(images.Len()-1), p.Width, p.Height)
				}
			}
			all := append(ids(task.Train), ids(task.Test)...)
			slices.Sort(all)
			if len(slices.Compact(all)) != tt.train+tt.test {
				t.Error("the splits share images")
			}
			small, err := Load(tt.name, LoadOptions{RealDir: dir, NTrain: 40, NTest: 30})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(ids(small.Train), ids(task.Train)[:40]) || !slices.Equal(ids(small.Test), ids(task.Test)[:30]) {
				t.Error("the smaller task is not the beginning of the larger one")
			}
			if small.Hash == task.Hash {
				t.Error("sizes do not enter the hash")
			}
		})
	}
}

func BenchmarkLoadDrawn(b *testing.B) {
	for b.Loop() {
		if _, err := Load("world/shape", LoadOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*(DefaultTrain+DefaultTest)/b.Elapsed().Seconds(), "images/s")
}
