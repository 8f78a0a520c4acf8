package datasets

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// testdata/webdataset was written by testdata/webdataset.py with the webdataset
// package 1.0.2 in CLIP_benchmark's layout: image i of class i%3, pixel byte j
// is j*(i+3), j*(i+23) in the test split.
func TestWebdatasetOfThePackageItself(t *testing.T) {
	task, problems, err := Open("testdata/webdataset", FolderOptions{})
	if err != nil || problems.Len() > 0 {
		t.Fatal(err, problems.List())
	}
	// Two classes may have one name: the numbers tell them apart.
	if fmt.Sprintf("%q", task.ClassNames) != `["hard-leaved orchid" "crane" "crane"]` {
		t.Errorf("classes %q", task.ClassNames)
	}
	if task.Captions[0] != "a photo of a hard-leaved orchid." || fmt.Sprintf("%q", task.Ensemble[1]) != `["a photo of a crane." "art of the crane."]` {
		t.Errorf("captions %q, ensemble %q", task.Captions, task.Ensemble)
	}
	for _, tt := range []struct {
		images    Images
		n, shift  int
		first, at string
	}{{task.Train, 5, 3, "train/0.tar/s0000000.png", "train/2.tar/s0000004.png"}, {task.Test, 2, 23, "test/0.tar/s0000000.png", "test/0.tar/s0000001.png"}} {
		if tt.images.Len() != tt.n || tt.images.ID(0) != tt.first || tt.images.ID(tt.n-1) != tt.at {
			t.Fatalf("%d images, %q", tt.images.Len(), ids(tt.images))
		}
		for i := range tt.n {
			p, err := tt.images.Image(i)
			if err != nil {
				t.Fatal(err)
			}
			if tt.images.Label(i) != i%3 || p.Width != 4 || p.Height != 4 || p.Pix[5] != uint8(5*(i+tt.shift)) || p.Pix[47] != uint8(47*(i+tt.shift)) {
				t.Errorf("image %d: label %d, %v", i, tt.images.Label(i), p.Pix)
			}
		}
	}
	for name, n := range map[string]int{"train/1.tar": 2, "train": 5} {
		part, problems, err := Open(filepath.Join("testdata/webdataset", name), FolderOptions{Template: "{class}!"})
		if err != nil || problems.Len() > 0 {
			t.Fatal(name, err, problems.List())
		}
		if part.Train.Len() != n || part.Test != nil || part.Captions[0] != "hard-leaved orchid!" || part.Ensemble != nil {
			t.Errorf("%s: %d images, captions %q", name, part.Train.Len(), part.Captions)
		}
	}
}

func TestWebdatasetWithoutNames(t *testing.T) {
	files := map[string][]byte{}
	for i, label := range []string{"10", "9", "9", "2"} {
		files[fmt.Sprintf("s%d.cls", i)], files[fmt.Sprintf("s%d.jpg", i)] = []byte(label+"\n"), jpegBytes(t, uint8(i))
		files[fmt.Sprintf("s%d.json", i)] = []byte("{}")
	}
	shard := packTar(t, files, slices.Sorted(maps.Keys(files))...)
	task, _, err := Open(pack(t, "x.tar", shard), FolderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(task.ClassNames, counts(task.Train, 3)) != "[2 9 10] [1 2 1]" {
		t.Error(task.ClassNames, counts(task.Train, 3))
	}
	files["s3.cls"] = []byte("snow leopard")
	if task, _, err = Open(pack(t, "x.tar", packTar(t, files)), FolderOptions{}); err != nil || fmt.Sprintf("%q", task.ClassNames) != `["10" "9" "snow leopard"]` {
		t.Errorf("%q, %v", task.ClassNames, err)
	}
}

func TestWebdatasetNamesWhatIsWrong(t *testing.T) {
	p := func(i uint8) []byte { return jpegBytes(t, i) }
	good := packTar(t, map[string][]byte{"s0.cls": []byte("0"), "s0.jpg": p(1), "s1.cls": []byte("1"), "s1.jpg": p(2)}, "s0.cls", "s0.jpg", "s1.cls", "s1.jpg")
	root := tree(t, map[string][]byte{
		"classnames.txt":     []byte("a\r\nb\r\n"),
		"train/0.tar":        good,
		"train/1.tar":        good[:len(good)-1024-600],
		"train/2.tar":        []byte("no tar"),
		"train/3.tar":        packTar(t, map[string][]byte{"x/1.jpg": p(3)}),
		"train/nshards.txt":  []byte("6"),
		"test/0.tar":         packTar(t, map[string][]byte{"s0.cls": []byte("2"), "s0.jpg": p(4), "s1.jpg": p(5), "s2.cls": []byte("1"), "s3.cls": []byte("0"), "s3.jpg": p(6), "s3.png": pngBytes(t, 1)}, "s0.cls", "s0.jpg", "s1.jpg", "s2.cls", "s3.cls", "s3.jpg", "s3.png"),
		"test/more/junk.txt": nil,
	})
	task, problems, err := Open(root, FolderOptions{OnError: Skip, KeepOverlap: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range problems.List() {
		got = append(got, p.Kind+" "+p.Path)
	}
	slices.Sort(got)
	want := []string{"bad-row test/0.tar/s0.jpg", "bad-row test/0.tar/s1.jpg", "bad-row test/0.tar/s2.cls", "bad-row train/1.tar/s1.cls", "bad-row train/3.tar",
		"duplicate-file test/0.tar/s3.png", "truncated train/1.tar", "truncated train/2.tar", "truncated train/nshards.txt"}
	if !slices.Equal(got, want) {
		t.Errorf("problems\n%q, want\n%q", got, want)
	}
	if fmt.Sprint(ids(task.Train), ids(task.Test)) != "[train/0.tar/s0.jpg train/0.tar/s1.jpg train/1.tar/s0.jpg] [test/0.tar/s3.jpg]" {
		t.Error(ids(task.Train), ids(task.Test))
	}
	if err := os.WriteFile(filepath.Join(root, "classnames.txt"), []byte("a\n\nb"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(root, FolderOptions{OnError: Skip}); err == nil || !strings.Contains(err.Error(), "line 2 is empty") {
		t.Errorf("a gap among the class names: %v", err)
	}
}

func TestShardsComeInTheOrderOfTheirNumbers(t *testing.T) {
	names := []string{"10.tar", "9.tar", "a-2.tar", "a-10.tar", "1.tar", "01.tar", "a-2-b.tar"}
	slices.SortFunc(names, natural)
	if want := []string{"01.tar", "1.tar", "9.tar", "10.tar", "a-2-b.tar", "a-2.tar", "a-10.tar"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	for _, tt := range []struct{ names, want string }{
		{"train-0.tar val-0.tar", "[train val]"}, {"x-train-0.tar x-1.tar", "[ ]"}, {"imagenet-test-3.tar", "[test]"},
	} {
		if got := fmt.Sprint(splitsOf(strings.Fields(tt.names))); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.names, got, tt.want)
		}
	}
}
