package datasets

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// paperTree lays a few pictures out as each set of the paper is given away; only
// what begins with one of the names, where there are any.
func paperTree(t *testing.T, only ...string) string {
	png, ppm := pngBytes(t, 1), append([]byte("P6 2 2 255\n"), make([]byte, 12)...)
	files := map[string][]byte{}
	put := func(data []byte, format string, args ...any) { files[fmt.Sprintf(format, args...)] = data }
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	put(read("matlab/meta.mat"), "stanford_cars/devkit/cars_meta.mat")
	put(read("matlab/cars.mat"), "stanford_cars/devkit/cars_train_annos.mat")
	put(read("matlab/annos.mat"), "stanford_cars/cars_test_annos_withlabels.mat")
	for i := range 20 {
		put(png, "stanford_cars/cars_train/%05d.jpg", i+1)
		put(png, "stanford_cars/cars_test/%05d.jpg", i+1)
	}

	hundred := make([]string, 100)
	for i := range hundred {
		hundred[i] = fmt.Sprintf("sea_lion_%d", i)
	}
	var pix []byte
	var labels []int
	for i := range 20 {
		pix, labels = append(pix, planes(i, 32, false)...), append(labels, i%2*99)
	}
	put(pickled(nil, 0, "", nil, "fine_label_names", hundred), "cifar-100-python/meta")
	put(pickled(pix, 20, "fine_labels", labels, "", nil), "cifar-100-python/train")
	put(pickled(pix[:3072], 1, "fine_labels", []int{4}, "", nil), "cifar-100-python/test")

	var lists [3]string
	for i := range 30 {
		name := fmt.Sprintf("%s/x_%02d.jpg", []string{"banded", "polka_dotted"}[i%2], i)
		put(png, "dtd/dtd/images/%s", name)
		lists[i/20+i/26] += name + "\n"
	}
	for i, file := range []string{"train1.txt", "val1.txt", "test1.txt"} {
		put([]byte(lists[i]), "dtd/dtd/labels/%s", file)
	}

	for _, c := range strings.Fields("AnnualCrop Forest HerbaceousVegetation Highway Industrial Pasture PermanentCrop Residential River SeaLake") {
		for i := range 10 {
			put(png, "eurosat/2750/%s/%s_%d.jpg", c, c, i+1)
		}
	}

	for class := range 43 {
		for sign := range 4 {
			for frame := range 5 {
				put(ppm, "gtsrb/GTSRB/Training/%05d/%05d_%05d.ppm", class, sign, frame)
			}
		}
	}
	put(ppm, "gtsrb/GTSRB/Final_Test/Images/00000.ppm")
	put(ppm, "gtsrb/GTSRB/Final_Test/Images/00001.ppm")
	put([]byte("Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n00000.ppm;53;54;6;5;48;49;16\r\n00001.ppm;42;45;5;5;36;40;1\r\n"), "gtsrb/GT-final_test.csv")

	put(idxBytes(make([]byte, 20*4), 20, 2, 2), "MNIST/raw/train-images-idx3-ubyte")
	put(idxBytes(append(make([]byte, 10), 9, 9, 9, 9, 9, 9, 9, 9, 9, 9), 20), "MNIST/raw/train-labels-idx1-ubyte")
	put(gzipped(idxBytes(make([]byte, 4), 1, 2, 2)), "MNIST/raw/t10k-images-idx3-ubyte.gz")
	put(gzipped(idxBytes([]byte{3}, 1)), "MNIST/raw/t10k-labels-idx1-ubyte.gz")

	var train, test string
	for i := range 25 {
		name := fmt.Sprintf("%s_%03d.jpg", []string{"airplane", "baseball_diamond"}[i%2], i)
		put(png, "resisc45/NWPU-RESISC45/%s/%s", name[:len(name)-8], name)
		if i < 20 {
			train += name + "\n"
		} else {
			test += name + "\n"
		}
	}
	put([]byte(train), "resisc45/resisc45-train.txt")
	put([]byte(test), "resisc45/resisc45-test.txt")

	var big []byte
	for i := range 20 {
		big = append(big, planes(i, 96, true)...)
	}
	put([]byte("airplane\nbird\ncar\ncat\ndeer\ndog\nhorse\nmonkey\nship\ntruck\n"), "stl10_binary/class_names.txt")
	put(big, "stl10_binary/train_X.bin")
	put(append(bytes.Repeat([]byte{1}, 10), bytes.Repeat([]byte{10}, 10)...), "stl10_binary/train_y.bin")
	put(planes(0, 96, true), "stl10_binary/test_X.bin")
	put([]byte{2}, "stl10_binary/test_y.bin")

	put([]byte("/a/abbey\n/a/apartment_building/outdoor\n"), "SUN397/ClassName.txt")
	train, test = "", ""
	for i := range 22 {
		name := fmt.Sprintf("/a/%s/sun_%02d.jpg", []string{"abbey", "apartment_building/outdoor"}[i%2], i)
		put(png, "SUN397%s", name)
		if i < 20 {
			train += name + "\n"
		} else {
			test += name + "\n"
		}
	}
	put([]byte(train), "SUN397/Training_01.txt")
	put([]byte(test), "SUN397/Testing_01.txt")

	put(read("matlab/svhn20.mat"), "svhn/train_32x32.mat")
	put(read("matlab/svhn.mat"), "svhn/test_32x32.mat")

	for k, line := range publishedLines("imagenet.tsv") {
		wnid, _, _ := strings.Cut(line, "\t")
		put(png, "imagenet/val/%s/1.JPEG", wnid)
		put(png, "sketch/%s/1.JPEG", wnid)
		put(png, "imagenetv2-matched-frequency-format-val/%d/1.jpeg", k)
		if k%5 == 0 {
			put(png, "imagenet-r/%s/art_1.jpg", wnid)
			put(png, "imagenet-a/%s/0.1_x.jpg", wnid)
		}
	}
	put([]byte(",split,img_filename,category\n0,train,a.jpg,airport_hangar\n1,test,b.jpg,zoo\n2,seq,c.jpg,\n3,test,d.jpg,airport_hangar\n"), "fmow_v1.1/rgb_metadata.csv")
	put(png, "fmow_v1.1/images/rgb_img_1.png")
	put(png, "fmow_v1.1/images/rgb_img_3.png")
	maps.DeleteFunc(files, func(name string, _ []byte) bool {
		return only != nil && !slices.ContainsFunc(only, func(o string) bool { return strings.HasPrefix(name, o) })
	})
	return tree(t, files)
}

func TestPaperSetsInTheirMakersLayout(t *testing.T) {
	root := paperTree(t)
	got := map[string]string{}
	for _, set := range PaperSets() {
		for _, name := range []string{set.Name, set.Name + "@published"} {
			task, err := Load("paper/"+name, LoadOptions{RealDir: root})
			if strings.HasSuffix(name, "@published") && set.Published == "" {
				if err == nil || !strings.Contains(err.Error(), "no split") {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			val := 0
			seen := map[string]bool{}
			for _, images := range []Images{task.Train, task.Val, task.Test} {
				if images == nil {
					continue
				}
				if images == task.Val {
					val = images.Len()
				}
				for i := range images.Len() {
					if seen[images.ID(i)] {
						t.Errorf("%s: %s is in two splits", name, images.ID(i))
					}
					seen[images.ID(i)] = true
					if _, err := images.Image(i); err != nil {
						t.Fatal(name, err)
					}
				}
			}
			last := len(task.Captions) - 1
			got[name] = fmt.Sprintf("%d/%d/%d of %d: %s; %s", task.Train.Len(), val, task.Test.Len(), len(task.ClassNames), task.Captions[0], task.Captions[last])
			with, err := Load("paper/"+name, LoadOptions{RealDir: root, Ensemble: true})
			if err != nil || (with.Ensemble != nil) != (len(set.Ensemble) > 1) || with.Ensemble != nil && with.Hash == task.Hash {
				t.Errorf("%s: ensemble of %d captions: %v", name, len(set.Ensemble), err)
			}
		}
	}
	want := map[string]string{
		"cars":            "18/2/2 of 2: a photo of a AM General Hummer SUV 2000; a photo of a Dodge Café/Van 2007",
		"cifar100":        "18/2/1 of 100: a photo of a sea lion 0; a photo of a sea lion 99",
		"dtd":             "18/2/4 of 2: a photo of a banded texture; a photo of a polka dotted texture",
		"dtd@published":   "18/2/6 of 2: a photo of a banded texture; a photo of a polka dotted texture",
		"eurosat":         "81/9/10 of 10: a centered satellite photo of a annual crop land; a centered satellite photo of a lake or sea",
		"gtsrb":           `774/86/2 of 43: a photo of a "red and white circle 20 kph speed limit" traffic sign; a photo of a "white circle with gray strike bar indicating no passing for trucks has ended" traffic sign`,
		"mnist":           `18/2/1 of 10: a photo of the number: "0"; a photo of the number: "9"`,
		"resisc45":        "18/2/5 of 2: satellite imagery of airplane; satellite imagery of baseball diamond",
		"stl10":           "18/2/1 of 10: a photo of a airplane; a photo of a truck",
		"sun397":          "18/2/2 of 2: a photo of a abbey; a photo of a apartment building outdoor",
		"svhn":            `18/2/3 of 10: a photo of the number: "0"; a photo of the number: "9"`,
		"imagenet":        "0/0/1000 of 1000: a photo of a tench; a photo of a toilet paper",
		"imagenet-v2":     "0/0/1000 of 1000: a photo of a tench; a photo of a toilet paper",
		"imagenet-sketch": "0/0/1000 of 1000: a photo of a tench; a photo of a toilet paper",
		"imagenet-r":      "0/0/200 of 200: a photo of a tench; a photo of a earth star fungus",
		"imagenet-a":      "0/0/200 of 200: a photo of a tench; a photo of a earth star fungus",
		"fmow":            "0/0/2 of 2: a satellite image of a airport hangar; a satellite image of a zoo",
	}
	want["gtsrb@published"] = want["gtsrb"]
	for name := range want {
		if name != "gtsrb" && got[name] != want[name] {
			t.Errorf("%s: %q,\nwant %q", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d tasks, want %d: %v", len(got), len(want), slices.Sorted(maps.Keys(got)))
	}
}

// Frames of one sign are in one split, but not in the published one.
func TestGTSRBValidationHasSignsOfItsOwn(t *testing.T) {
	root := paperTree(t, "gtsrb")
	for name, divided := range map[string]bool{"paper/gtsrb": false, "paper/gtsrb@published": true} {
		task, err := Load(name, LoadOptions{RealDir: root, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		sign := func(images Images, i int) string { return images.ID(i)[:len(images.ID(i))-len("_00000.ppm")] }
		train := map[string]bool{}
		for i := range task.Train.Len() {
			train[sign(task.Train, i)] = true
		}
		both := 0
		for i := range task.Val.Len() {
			if train[sign(task.Val, i)] {
				both++
			}
		}
		if (both > 0) != divided {
			t.Errorf("%s: %d of %d validation frames are of signs in training", name, both, task.Val.Len())
		}
		if n := task.Val.Len(); n < 70 || n > 100 {
			t.Errorf("%s: %d of 860 frames for validation", name, n)
		}
		if task.Test.Label(0)+task.Test.Label(1) != 17 {
			t.Errorf("%s: test classes %d and %d", name, task.Test.Label(0), task.Test.Label(1))
		}
	}
}

func TestPaperSetsSayWhatTheyLack(t *testing.T) {
	empty := t.TempDir()
	for _, set := range PaperSets() {
		if _, err := Load("paper/"+set.Name, LoadOptions{RealDir: empty}); err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "paper/"+set.Name) {
			t.Errorf("%s: %v", set.Name, err)
		}
		if _, err := Load("paper/"+set.Name, LoadOptions{}); err == nil || !strings.Contains(err.Error(), set.Needs) {
			t.Errorf("%s without a folder: %v", set.Name, err)
		}
	}
	if _, err := Load("paper/pets", LoadOptions{RealDir: empty}); err == nil || !strings.Contains(err.Error(), "cifar100") {
		t.Errorf("a set that is none: %v", err)
	}
	root := paperTree(t, "dtd", "SUN397", "resisc45")
	for _, file := range []string{"dtd/dtd/images/banded/x_00.jpg", "SUN397/a/abbey/sun_20.jpg", "resisc45/resisc45-test.txt"} {
		if err := os.Remove(filepath.Join(root, file)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"dtd", "sun397", "resisc45"} {
		if _, err := Load("paper/"+name, LoadOptions{RealDir: root}); err == nil {
			t.Errorf("%s with a file missing was accepted", name)
		}
	}
	// A list must not lead elsewhere.
	if err := os.WriteFile(filepath.Join(root, "SUN397/Testing_01.txt"), []byte("/../../secret.jpg\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load("paper/sun397", LoadOptions{RealDir: root}); err == nil || !strings.Contains(err.Error(), "leads out") {
		t.Errorf("a list that leads elsewhere: %v", err)
	}
}

// The sizes of the paper's code follow from the official splits: a tenth, at
// most 5000, for validation.
func TestValidationIsATenthAtMost5000(t *testing.T) {
	for name, n := range map[string][3]int{ // official training pictures, then the paper's training and validation
		"cars": {8144, 7330, 814}, "cifar100": {50000, 45000, 5000}, "dtd": {1880, 1692, 188}, "eurosat": {24300, 21870, 2430}, "mnist": {60000, 55000, 5000},
		"resisc45": {18900, 17010, 1890}, "stl10": {5000, 4500, 500}, "sun397": {19850, 17865, 1985}, "svhn": {73257, 68257, 5000},
	} {
		train := &packed{name: name, width: 1, height: 1, channels: 1, pix: make([]byte, n[0])}
		for i := range n[0] {
			train.labels = append(train.labels, i%7)
		}
		task := &Task{Train: train, Test: train}
		if err := task.holdOut(PaperSet{Name: name}, &Source{}, true, 0); err != nil {
			t.Fatal(err)
		}
		if task.Train.Len() != n[1] || task.Val.Len() != n[2] {
			t.Errorf("%s: %d and %d, want %d and %d", name, task.Train.Len(), task.Val.Len(), n[1], n[2])
		}
	}
}
