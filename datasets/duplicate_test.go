package datasets

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/reference"
)

func jpegOf(t testing.TB, p *picture.RGB, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, p, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngOf(t testing.TB, p *picture.RGB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.EncodePNG(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Steel surfaces and textures, a fifth of them for testing. Twelve training
// pictures are planted among the test pictures: as they are, in another format,
// compressed again, scaled, and brighter.
func TestPlantedLeaksAreFoundAndNoneInvented(t *testing.T) {
	data := reference.Data(t, "images")
	for _, name := range []string{"neu-det", "dtd10"} {
		task, err := Load(name, LoadOptions{RealDir: data, NTrain: 500, NTest: 150})
		if err != nil {
			t.Fatal(err)
		}
		files, planted := map[string][]byte{}, map[string]string{}
		put := func(split string, images Images, i int, name string, data []byte) {
			files[fmt.Sprintf("%s/%02d/%s", split, images.Label(i), name)] = data
		}
		for split, images := range map[string]Images{"train": task.Train, "test": task.Test} {
			for i := range images.Len() {
				if name == "dtd10" && slices.ContainsFunc([]string{"chequered_0045", "chequered_0055", "cobwebbed_0030"}, func(s string) bool { return strings.Contains(images.ID(i), s) }) {
					continue // near copies of chequered_0048, chequered_0051 and cobwebbed_0041 that the set itself has
				}
				b, err := os.ReadFile(filepath.Join(data, task.Name, images.ID(i)))
				if err != nil {
					t.Fatal(err)
				}
				put(split, images, i, filepath.Base(images.ID(i)), b)
			}
		}
		clean := tree(t, files)
		opened, problems, err := Open(clean, FolderOptions{AsStored: true, Duplicates: true})
		if err != nil || problems.Len() > 0 {
			t.Errorf("%s without planted pictures: %v %v", name, err, problems.List())
			continue
		}
		before := opened.Train.Len()
		for n := range 12 {
			i := n * task.Train.Len() / 12
			id := fmt.Sprintf("train/%02d/%s", task.Train.Label(i), filepath.Base(task.Train.ID(i)))
			if files[id] == nil {
				continue
			}
			p, err := task.Train.Image(i)
			if err != nil {
				t.Fatal(err)
			}
			planted[id] = ""
			file := fmt.Sprintf("planted%d", n)
			switch n % 6 {
			case 0:
				put("test", task.Train, i, file+".jpg", files[id])
			case 1:
				put("test", task.Train, i, file+".png", pngOf(t, p))
			case 2:
				put("test", task.Train, i, file+".jpg", jpegOf(t, p, 75))
			case 3:
				put("test", task.Train, i, file+".jpg", jpegOf(t, picture.Resize(p, p.Width/2, p.Height/2), 90))
			case 4:
				put("test", task.Train, i, file+".png", pngOf(t, picture.Resize(p, 224, 224)))
			case 5:
				bright := picture.New(p.Width, p.Height)
				for k, v := range p.Pix {
					bright.Pix[k] = uint8(20 + int(v)*9/10)
				}
				put("test", task.Train, i, file+".png", pngOf(t, bright))
			}
		}
		opened, problems, err = Open(tree(t, files), FolderOptions{AsStored: true})
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, p := range problems.List() {
			if p.Kind != Leak || !strings.Contains(p.Message, "planted") {
				t.Errorf("%s: %s %s", name, p.Kind, p)
			}
			found[p.Path] = ""
		}
		if len(planted) < 10 || !maps.Equal(found, planted) {
			t.Errorf("%s: found %v of\n%v", name, slices.Sorted(maps.Keys(found)), slices.Sorted(maps.Keys(planted)))
		}
		if opened.Train.Len() != before-len(planted) {
			t.Errorf("%s: %d training pictures, there were %d and %d leaks", name, opened.Train.Len(), before, len(planted))
		}
		kept, problems, err := Open(clean, FolderOptions{AsStored: true, KeepOverlap: true})
		if err != nil || problems.Len() > 0 || kept.Train.Len() != before {
			t.Errorf("%s, overlap kept: %v %v", name, err, problems.List())
		}
	}
}

// The finder must find what comparing all pairs finds.
func TestFinderMissesNothing(t *testing.T) {
	var signatures []*signature
	for i := range 400 {
		p := picture.New(20, 20)
		for k := range p.Pix { // families of alike pictures, at all distances
			p.Pix[k] = uint8(128 + (i%20)*(k/60%(3+i%7)) + (i/20)*((k*k)%(2+i%5)))
		}
		signatures = append(signatures, sign(p))
	}
	f := newFinder(signatures)
	near, far := 0, 0
	for i, s := range signatures {
		got, want := map[int]bool{}, map[int]bool{}
		f.find(i, func(j int, exact bool) bool {
			if exact != (signatures[j].exact == s.exact) {
				t.Errorf("%d and %d: exact is %v", i, j, exact)
			}
			got[j] = true
			return true
		})
		seen := map[[16]byte]bool{}
		for j := range i {
			o := signatures[j]
			if seen[o.exact] {
				continue
			}
			seen[o.exact] = true
			if o.exact == s.exact || s.near(o) {
				want[j] = true
				near++
			} else {
				far++
			}
		}
		if !maps.Equal(got, want) {
			t.Fatalf("picture %d: found %v, want %v", i, got, want)
		}
		f.add(i)
	}
	if near < 100 || far < 10000 {
		t.Errorf("%d pairs are near, %d far: the test says little", near, far)
	}
}

func TestFlatPicturesAreOnlyTheSameWhenEqual(t *testing.T) {
	a, b := picture.New(30, 30), picture.New(30, 30)
	b.Pix[0] = 1
	f := newFinder([]*signature{sign(a), sign(b), sign(a)})
	f.add(0)
	f.find(1, func(j int, _ bool) bool { t.Errorf("found %d", j); return true })
	n := 0
	f.find(2, func(j int, exact bool) bool { n++; return exact })
	if n != 1 {
		t.Errorf("%d found", n)
	}
}

// frames holds n parts of two classes, each photographed several times.
func frames(t *testing.T, n int) map[string][]byte {
	files := map[string][]byte{}
	for part := range n {
		for frame := range 3 {
			files[fmt.Sprintf("%c/part%02d_%d.png", 'a'+part%2, part, frame)] = pngBytes(t, uint8(3*part+frame))
		}
	}
	return files
}

func TestGroupsAreNotDivided(t *testing.T) {
	files := frames(t, 20)
	list := "path,label,part\n"
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list += fmt.Sprintf("%s,%s,%s\n", name, name[:1], name[2:8])
	}
	files["x.csv"] = []byte(list)
	root := tree(t, files)
	for _, tt := range []struct {
		path string
		opt  FolderOptions
	}{
		{root, FolderOptions{GroupPattern: regexp.MustCompile(`part\d+`)}},
		{root, FolderOptions{GroupPattern: regexp.MustCompile(`/(.*)_\d`)}},
		{filepath.Join(root, "x.csv"), FolderOptions{GroupColumn: "Part"}},
	} {
		tt.opt.TestFraction = 0.3
		for seed := range uint64(5) {
			tt.opt.Seed = seed
			task, problems, err := Open(tt.path, tt.opt)
			if err != nil || problems.Len() > 0 {
				t.Fatal(err, problems.List())
			}
			in := map[string]string{}
			for split, images := range map[string]Images{"train": task.Train, "test": task.Test} {
				for i := range images.Len() {
					part := images.ID(i)[2:8]
					if in[part] != "" && in[part] != split {
						t.Errorf("%s is in both splits", part)
					}
					in[part] = split
				}
			}
			if got := fmt.Sprint(counts(task.Train, 2), counts(task.Test, 2)); got != "[21 21] [9 9]" {
				t.Errorf("seed %d: %s", seed, got)
			}
		}
	}
	// Without groups, parts are divided: the test above can fail.
	task, _, err := Open(root, FolderOptions{TestFraction: 0.3})
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]bool{}
	for i := range task.Test.Len() {
		parts[task.Test.ID(i)[2:8]] = true
	}
	if len(parts) == task.Test.Len()/3 {
		t.Error("parts stay together without being asked to")
	}
}

func TestCopiesStayTogetherWhenSplit(t *testing.T) {
	files := map[string][]byte{}
	for i := range 12 {
		for _, copy := range []string{"x", "y"} {
			files[fmt.Sprintf("%c/%02d%s.png", 'a'+i%2, i, copy)] = pngBytes(t, uint8(i))
		}
	}
	task, problems, err := Open(tree(t, files), FolderOptions{TestFraction: 0.5, Seed: 4})
	if err != nil || problems.Len() > 0 {
		t.Fatal(err, problems.List())
	}
	in := map[string]bool{}
	for i := range task.Train.Len() {
		in[task.Train.ID(i)[:4]] = true
	}
	for i := range task.Test.Len() {
		if in[task.Test.ID(i)[:4]] {
			t.Errorf("a copy of %s is in the training split", task.Test.ID(i))
		}
	}
	if task.Train.Len() != 12 || task.Test.Len() != 12 {
		t.Errorf("%d and %d images", task.Train.Len(), task.Test.Len())
	}
}

func TestDuplicatesAreToldWhenAsked(t *testing.T) {
	files := map[string][]byte{"a/1.png": pngBytes(t, 1), "a/2.png": pngBytes(t, 2), "a/copy.png": pngBytes(t, 1), "b/wrong.png": pngBytes(t, 2), "b/3.png": pngBytes(t, 3)}
	root := tree(t, files)
	task, problems, err := Open(root, FolderOptions{Duplicates: true})
	if err != nil || task.Train.Len() != 5 {
		t.Fatal(err)
	}
	var got []string
	for _, p := range problems.List() {
		got = append(got, p.Kind+": "+p.String())
	}
	want := []string{"duplicate: a/copy.png: is the same picture as a/1.png", "duplicate: b/wrong.png: is the same picture as a/2.png, which is of class a"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, problems, err = Open(root, FolderOptions{}); err != nil || problems.Len() > 0 {
		t.Error("told without being asked", problems.List())
	}
}

func TestGroupsOfGivenSplitsDoNotOverlap(t *testing.T) {
	list := "path,label,split,part\n"
	files := map[string][]byte{}
	for i, row := range []string{"a,train,p1", "b,train,p2", "a,train,p3", "b,val,p4", "a,val,p5", "b,test,p4", "a,test,p1", "b,train,p6"} {
		name := fmt.Sprintf("%d.png", i)
		files[name] = pngBytes(t, uint8(i))
		list += name + "," + row + "\n"
	}
	files["x.csv"] = []byte(list)
	task, problems, err := Open(tree(t, files), FolderOptions{GroupColumn: "part"})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(ids(task.Train), ids(task.Val), ids(task.Test)); got != "[1.png 2.png 7.png] [4.png] [5.png 6.png]" {
		t.Error(got)
	}
	if l := problems.List(); len(l) != 2 || l[0].Path != "3.png" || l[1].Path != "0.png" || l[0].Kind != Leak {
		t.Errorf("%v", l)
	}
}

func TestShotsAreNestedAndEqual(t *testing.T) {
	images := &packed{name: "x", width: 1, height: 1, channels: 1, pix: make([]byte, 100)}
	for i := range 100 {
		images.labels = append(images.labels, min(i%10, 3))
	}
	var before []string
	for _, n := range []int{1, 2, 5, 10} {
		s, err := Shots(images, n, 7)
		if err != nil {
			t.Fatal(err)
		}
		if c := counts(s, 4); fmt.Sprint(c) != fmt.Sprint([]int{n, n, n, n}) {
			t.Errorf("%d shots: %v", n, c)
		}
		for _, id := range before {
			if !slices.Contains(ids(s), id) {
				t.Errorf("%s is among fewer shots but not among %d", id, n)
			}
		}
		before = ids(s)
	}
	if _, err := Shots(images, 11, 7); err == nil || !strings.Contains(err.Error(), "class 0 has 10 images") {
		t.Errorf("more than there are: %v", err)
	}
	task, err := Load("world/shape", LoadOptions{Shots: 2, NTest: 10})
	if err != nil || task.Train.Len() != 2*len(task.ClassNames) {
		t.Errorf("%v: %d images", err, task.Train.Len())
	}
}
