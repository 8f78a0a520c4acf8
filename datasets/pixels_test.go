package datasets

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sample is byte (y, x) of channel c of picture i of the test files below.
func sample(i, y, x, c int) byte { return byte(y*5 + x*3 + c*70 + i*11) }

// planes lays picture i out channel by channel, by rows or by columns.
func planes(i, side int, byColumn bool) []byte {
	b := make([]byte, 0, 3*side*side)
	for c := range 3 {
		for a := range side {
			for z := range side {
				if byColumn {
					b = append(b, sample(i, z, a, c))
				} else {
					b = append(b, sample(i, a, z, c))
				}
			}
		}
	}
	return b
}

func checkSamples(t *testing.T, images Images, side int, first int, labels ...int) {
	t.Helper()
	if images.Len() != len(labels) {
		t.Fatalf("%d images, want %d", images.Len(), len(labels))
	}
	for i, want := range labels {
		p, err := images.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		if p.Width != side || p.Height != side || images.Label(i) != want {
			t.Errorf("image %d: %d x %d of class %d, want %d", i, p.Width, p.Height, images.Label(i), want)
		}
		for at, v := range p.Pix {
			y, x, c := at/3/side, at/3%side, at%3
			if v != sample(first+i, y, x, c) {
				t.Fatalf("image %d, row %d, column %d, channel %d: %d, want %d", i, y, x, c, v, sample(first+i, y, x, c))
			}
		}
	}
}

// pickled writes a dict as CIFAR's: data [n,3072], a list of labels and of names,
// with the instructions of Python 2's cPickle.
func pickled(data []byte, n int, labelsKey string, labels []int, namesKey string, names []string) []byte {
	var b strings.Builder
	text := func(s string) {
		if len(s) < 256 {
			fmt.Fprintf(&b, "U%c%s", len(s), s)
			return
		}
		b.WriteString("T")
		b.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(s))))
		b.WriteString(s)
	}
	b.WriteString("\x80\x02}(")
	if data != nil {
		text("data")
		b.WriteString("cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01")
		fmt.Fprintf(&b, "K%cM\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89", n)
		text(string(data))
		b.WriteString("tb")
	}
	if labelsKey != "" {
		text(labelsKey)
		b.WriteString("](")
		for _, k := range labels {
			fmt.Fprintf(&b, "K%c", k)
		}
		b.WriteString("e")
	}
	if namesKey != "" {
		text(namesKey)
		b.WriteString("](")
		for _, s := range names {
			text(s)
		}
		b.WriteString("e")
	}
	b.WriteString("u.")
	return []byte(b.String())
}

func TestCIFARInItsFourForms(t *testing.T) {
	ten := strings.Fields("airplane automobile bird cat deer dog frog horse ship truck")
	hundred := make([]string, 100)
	for i := range hundred {
		hundred[i] = fmt.Sprintf("class_%d", i)
	}
	picture := func(i int) []byte { return planes(i, 32, false) }
	batch := func(i int) string { return fmt.Sprintf("data_batch_%d", i+1) }
	forms := map[string]map[string][]byte{
		"cifar-10-batches-py": {"batches.meta": pickled(nil, 0, "", nil, "label_names", ten),
			"test_batch": pickled(append(picture(5), picture(6)...), 2, "labels", []int{9, 0}, "filenames", []string{"a.png", "b.png"})},
		"cifar-10-batches-bin": {"batches.meta.txt": []byte(strings.Join(ten, "\n") + "\n\n"),
			"test_batch.bin": append(append([]byte{9}, picture(5)...), append([]byte{0}, picture(6)...)...)},
		"cifar-100-python": {"meta": pickled(nil, 0, "", nil, "fine_label_names", hundred),
			"train": pickled(append(picture(0), picture(1)...), 2, "fine_labels", []int{99, 7}, "", nil),
			"test":  pickled(picture(5), 1, "fine_labels", []int{0}, "", nil)},
		"cifar-100-binary": {"fine_label_names.txt": []byte(strings.Join(hundred, "\n") + "\n"),
			"train.bin": append(append([]byte{3, 99}, picture(0)...), append([]byte{4, 7}, picture(1)...)...),
			"test.bin":  append([]byte{2, 0}, picture(5)...)},
	}
	for i := range 5 {
		forms["cifar-10-batches-py"][batch(i)] = pickled(picture(i), 1, "labels", []int{i + 1}, "", nil)
		forms["cifar-10-batches-bin"][batch(i)+".bin"] = append([]byte{byte(i + 1)}, picture(i)...)
	}
	for folder, files := range forms {
		inside := map[string][]byte{}
		for name, data := range files {
			inside[folder+"/"+name] = data
		}
		for _, root := range []string{tree(t, files), tree(t, inside)} {
			task, problems, err := Open(root, FolderOptions{})
			if err != nil || problems.Len() > 0 {
				t.Fatal(folder, err, problems.List())
			}
			if strings.HasPrefix(folder, "cifar-100") {
				checkSamples(t, task.Train, 32, 0, 99, 7)
				checkSamples(t, task.Test, 32, 5, 0)
				if len(task.ClassNames) != 100 || task.ClassNames[99] != "class_99" {
					t.Errorf("%s: classes %q", folder, task.ClassNames)
				}
			} else {
				checkSamples(t, task.Train, 32, 0, 1, 2, 3, 4, 5)
				checkSamples(t, task.Test, 32, 5, 9, 0)
				if fmt.Sprint(task.ClassNames) != fmt.Sprint(ten) {
					t.Errorf("%s: classes %q", folder, task.ClassNames)
				}
			}
		}
		// Cut off or foreign files are refused by name.
		for name := range files {
			if strings.Contains(name, "names") || strings.Contains(name, "meta") {
				continue
			}
			broken := map[string][]byte{}
			for n, data := range files {
				broken[n] = data
			}
			broken[name] = files[name][:len(files[name])-20]
			if _, _, err := Open(tree(t, broken), FolderOptions{}); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s, %s cut off: %v", folder, name, err)
			}
		}
	}
}

func TestSTL10(t *testing.T) {
	files := map[string][]byte{
		"class_names.txt": []byte("airplane\nbird\ncar\ncat\ndeer\ndog\nhorse\nmonkey\nship\ntruck"),
		"train_X.bin":     append(planes(0, 96, true), planes(1, 96, true)...), "train_y.bin": {10, 1},
		"test_X.bin": planes(2, 96, true), "test_y.bin": {3},
		"unlabeled_X.bin": []byte("left alone"), "fold_indices.txt": nil,
	}
	inside := map[string][]byte{}
	for name, data := range files {
		inside["stl10_binary/"+name] = data
	}
	for _, root := range []string{tree(t, files), tree(t, inside)} {
		task, problems, err := Open(root, FolderOptions{})
		if err != nil || problems.Len() > 0 {
			t.Fatal(err, problems.List())
		}
		checkSamples(t, task.Train, 96, 0, 9, 0)
		checkSamples(t, task.Test, 96, 2, 2)
		if task.Captions[9] != "a photo of a truck" {
			t.Errorf("captions %q", task.Captions)
		}
	}
	for name, change := range map[string]func(map[string][]byte){
		"train_X.bin": func(f map[string][]byte) { f["train_X.bin"] = f["train_X.bin"][:100] },
		"labels":      func(f map[string][]byte) { f["test_y.bin"] = []byte{3, 4} },
		"class 11":    func(f map[string][]byte) { f["test_y.bin"] = []byte{12} },
		"10":          func(f map[string][]byte) { f["class_names.txt"] = []byte("a\nb\n") },
	} {
		broken := map[string][]byte{}
		for n, data := range files {
			broken[n] = data
		}
		change(broken)
		if _, _, err := Open(tree(t, broken), FolderOptions{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMNISTFolder(t *testing.T) {
	files := map[string][]byte{
		"train-images-idx3-ubyte": idxBytes([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 2, 2, 3), "train-labels-idx1-ubyte": idxBytes([]byte{9, 0}, 2),
		"t10k-images-idx3-ubyte.gz": gzipped(idxBytes([]byte{1, 2, 3, 4, 5, 6}, 1, 2, 3)), "t10k-labels-idx1-ubyte.gz": gzipped(idxBytes([]byte{4}, 1)),
	}
	inside := map[string][]byte{}
	for name, data := range files {
		inside["MNIST/raw/"+name] = data
	}
	for _, root := range []string{tree(t, files), tree(t, inside)} {
		task, _, err := Open(root, FolderOptions{KeepOverlap: true})
		if err != nil {
			t.Fatal(err)
		}
		p, err := task.Train.Image(1)
		if err != nil || fmt.Sprint(p.Pix) != "[7 7 7 8 8 8 9 9 9 10 10 10 11 11 11 12 12 12]" || task.Train.Label(0) != 9 || task.Test.Label(0) != 4 {
			t.Errorf("%v, %v", p, err)
		}
	}
	files["train-labels-idx1-ubyte"] = idxBytes([]byte{10, 0}, 2)
	if _, _, err := Open(tree(t, files), FolderOptions{}); err == nil || !strings.Contains(err.Error(), "class 10") {
		t.Errorf("label 10: %v", err)
	}
}

func FuzzBinaryPictures(f *testing.F) {
	f.Add(append([]byte{9}, planes(0, 32, false)...))
	f.Add(append([]byte{3, 99}, planes(0, 32, false)...))
	f.Add([]byte{})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "x.bin")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, form := range cifarForms[2:] {
			p, err := form.batch(path)
			if err != nil {
				continue
			}
			if len(data) != p.pixels.n*(3072+form.prefix) || len(p.labels) != p.pixels.n {
				t.Errorf("%d pictures and %d labels of %d bytes", p.pixels.n, len(p.labels), len(data))
			}
			for i := range min(p.pixels.n, 4) {
				if _, err := p.pixels.picture(i); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
