package datasets

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// jpegBytes and pngBytes encode small pictures that differ by shade throughout.
func jpegBytes(t testing.TB, shade uint8) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for i := range m.Pix {
		m.Pix[i] = shade + uint8(i*i%97)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngBytes(t testing.TB, shade uint8) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 16, 16))
	r := rand.New(rand.NewPCG(uint64(shade), 0))
	for i := range m.Pix {
		m.Pix[i] = uint8(r.Uint32())
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// crc32PNG is the checksum of a PNG chunk's type and data.
func crc32PNG(chunk []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(chunk))
}

// tree writes files below a new folder.
func tree(t testing.TB, files map[string][]byte) string {
	t.Helper()
	root := t.TempDir()
	for name, data := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			continue
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// damagedFolder holds two good classes and everything that can go wrong.
func damagedFolder(t *testing.T) string {
	good := jpegBytes(t, 10)
	root := tree(t, map[string][]byte{
		"cat/1.jpg": good, "cat/2.jpg": jpegBytes(t, 20), "cat/deep/er/3.jpg": jpegBytes(t, 30),
		"dog/1.png": pngBytes(t, 1), "dog/2.png": pngBytes(t, 2),
		"cat/broken.jpg": good[:len(good)/2],
		"cat/empty.jpg":  {},
		"dog/notes.txt":  []byte("remember the milk"),
		"dog/.DS_Store":  []byte("junk of a file manager"),
		"none/.keep":     {},
		"stray.png":      pngBytes(t, 3),
		"README.md":      []byte("a note beside the classes is nobody's business"),
	})
	os.MkdirAll(filepath.Join(root, "void"), 0o755)
	return root
}

func TestFolderNamesEveryUnusableFile(t *testing.T) {
	root := damagedFolder(t)
	task, problems, err := Open(root, FolderOptions{OnError: Skip})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range problems.List() {
		got[p.Path] = p.Kind
	}
	want := map[string]string{
		"cat/broken.jpg": Damaged, "cat/empty.jpg": EmptyFile, "dog/notes.txt": NotAPicture,
		"none": EmptyClass, "void": EmptyClass, "stray.png": OutsideClass,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("problems\n%v, want\n%v", got, want)
	}
	if !slices.Equal(task.ClassNames, []string{"cat", "dog"}) || !slices.Equal(task.Captions, []string{"a photo of a cat", "a photo of a dog"}) {
		t.Errorf("classes %q, captions %q", task.ClassNames, task.Captions)
	}
	if want := []string{"cat/1.jpg", "cat/2.jpg", "cat/deep/er/3.jpg", "dog/1.png", "dog/2.png"}; !slices.Equal(ids(task.Train), want) {
		t.Errorf("images %q, want %q", ids(task.Train), want)
	}
	if task.Test != nil {
		t.Error("a folder without splits has a test split")
	}
	for i := range task.Train.Len() {
		if _, err := task.Train.Image(i); err != nil {
			t.Errorf("image %d: %v", i, err)
		}
	}
	if got := counts(task.Train, 2); !slices.Equal(got, []int{3, 2}) {
		t.Errorf("%v images of the classes", got)
	}
}

func TestFolderRefusesUnusableFiles(t *testing.T) {
	root := damagedFolder(t)
	for _, on := range []OnError{"", Fail} {
		task, problems, err := Open(root, FolderOptions{OnError: on})
		if err == nil || task != nil {
			t.Fatal("accepted")
		}
		if problems.Len() != 6 || !strings.Contains(err.Error(), "and 5 more") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%d problems, error %v", problems.Len(), err)
		}
	}
	if _, _, err := Open(root, FolderOptions{OnError: "ignore"}); err == nil {
		t.Error("on-error ignore was accepted")
	}
}

func TestFolderWithOnlyUnusableFiles(t *testing.T) {
	root := tree(t, map[string][]byte{"a/x.jpg": {}, "b/y.jpg": []byte("no")})
	_, problems, err := Open(root, FolderOptions{OnError: Skip})
	if err == nil || !strings.Contains(err.Error(), "no usable picture") || problems.Len() != 4 {
		t.Errorf("%v, %v", err, problems.List())
	}
}

func TestSplitFoldersAreRecognised(t *testing.T) {
	a, b := pngBytes(t, 1), pngBytes(t, 2)
	for _, tt := range []struct {
		folders     []string
		classes     string
		train, test int
	}{
		{[]string{"train", "test"}, "[x y]", 2, 2},
		{[]string{"Train", "Validation"}, "[x y]", 2, 2},
		{[]string{"train", "val", "test"}, "[x y]", 2, 2},
		{[]string{"train", "bus"}, "[bus train]", 4, 0}, // a train is a class, too
		{[]string{"train"}, "[train]", 2, 0},
	} {
		files := map[string][]byte{}
		for _, f := range tt.folders {
			files[f+"/x/1.png"], files[f+"/y/1.png"] = a, b
		}
		task, _, err := Open(tree(t, files), FolderOptions{KeepOverlap: true})
		if err != nil {
			t.Errorf("%v: %v", tt.folders, err)
			continue
		}
		test := 0
		if task.Test != nil {
			test = task.Test.Len()
		}
		if (task.Val != nil) != (len(tt.folders) == 3) {
			t.Errorf("%v: validation split %v", tt.folders, task.Val)
		}
		if fmt.Sprint(task.ClassNames) != tt.classes || task.Train.Len() != tt.train || test != tt.test {
			t.Errorf("%v: classes %v, %d and %d images", tt.folders, task.ClassNames, task.Train.Len(), test)
		}
	}
}

func TestClassesOfBothSplitsAreUnited(t *testing.T) {
	p := pngBytes(t, 1)
	root := tree(t, map[string][]byte{"train/b/1.png": p, "train/c/1.png": p, "test/a/1.png": p, "test/c/1.png": p})
	task, _, err := Open(root, FolderOptions{KeepOverlap: true})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(task.ClassNames, counts(task.Train, 3), counts(task.Test, 3)) != "[a b c] [0 1 1] [1 0 1]" {
		t.Error(task.ClassNames, counts(task.Train, 3), counts(task.Test, 3))
	}
}

func TestFolderOrderIsByteOrder(t *testing.T) {
	p := pngBytes(t, 1)
	root := tree(t, map[string][]byte{"2/a.png": p, "10/a.png": p, "b/a.png": p, "B/a.png": p, "ä/a.png": p})
	task, _, err := Open(root, FolderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"10", "2", "B", "b", "ä"}; !slices.Equal(task.ClassNames, want) {
		t.Errorf("classes %q, want %q", task.ClassNames, want)
	}
}

func TestCaptions(t *testing.T) {
	for _, tt := range []struct{ template, class, want string }{
		{DefaultTemplate, "rolled-in_scale", "a photo of a rolled in scale"},
		{"{class}, a kind of {class}", "_red--fox ", "red fox, a kind of red fox"},
		{"{class}の写真", "猫", "猫の写真"},
	} {
		if got := CaptionOf(tt.template, tt.class); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	for _, opt := range []FolderOptions{{Template: "a photo"}, {TestFraction: 1}, {TestFraction: -.1}} {
		if _, _, err := Open(t.TempDir(), opt); err == nil {
			t.Errorf("%+v was accepted", opt)
		}
	}
}

func TestNamesThatAreNotText(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux keeps file names as bytes")
	}
	p := pngBytes(t, 1)
	root := tree(t, map[string][]byte{"caf\xe9/1.png": p, "caf\xe8/2.png": p, "new\nline/3.png": p, "bad\xff/x.jpg": []byte("text")})
	task, problems, err := Open(root, FolderOptions{OnError: Skip})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{`caf\xe8`, `caf\xe9`, `new\x0aline`}; !slices.Equal(task.ClassNames, want) {
		t.Errorf("classes %q, want %q", task.ClassNames, want)
	}
	for i := range task.Train.Len() {
		if _, err := task.Train.Image(i); err != nil {
			t.Error(err)
		}
	}
	if l := problems.List(); len(l) != 2 || l[0].Path != `bad\xff/x.jpg` {
		t.Errorf("problems %v", l)
	}
}

func TestLinks(t *testing.T) {
	p := pngBytes(t, 1)
	root := tree(t, map[string][]byte{"a/1.png": p, "b/2.png": p, "elsewhere.d/3.png": p})
	elsewhere := tree(t, map[string][]byte{"9.png": p})
	for link, target := range map[string]string{
		"a/loop":     "..",                              // up, for ever
		"a/self":     ".",                               // into itself
		"a/round":    "round",                           // a link to itself
		"b/dangling": "nowhere.png",                     // to nothing
		"b/good":     elsewhere,                         // to a folder outside: read
		"b/file.png": filepath.Join(elsewhere, "9.png"), // to a file: read
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Skip("no links here: ", err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		task, problems, err := Open(root, FolderOptions{OnError: Skip})
		if err != nil {
			t.Error(err)
			return
		}
		kinds := map[string]string{}
		for _, p := range problems.List() {
			kinds[p.Path] = p.Kind
		}
		want := map[string]string{"a/loop": LinkLoop, "a/self": LinkLoop, "a/round": Unreadable, "b/dangling": Unreadable}
		if fmt.Sprint(kinds) != fmt.Sprint(want) {
			t.Errorf("problems %v, want %v", kinds, want)
		}
		if want := []string{"a/1.png", "b/2.png", "b/file.png", "b/good/9.png", "elsewhere.d/3.png"}; !slices.Equal(ids(task.Train), want) {
			t.Errorf("images %q, want %q", ids(task.Train), want)
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("links are followed for ever")
	}
}

func TestUnreadableFolderAndFile(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	p := pngBytes(t, 1)
	root := tree(t, map[string][]byte{"a/1.png": p, "b/2.png": p, "b/secret.png": p, "c/3.png": p})
	secret, folder := filepath.Join(root, "b", "secret.png"), filepath.Join(root, "c")
	for _, f := range []string{secret, folder} {
		if err := os.Chmod(f, 0); err != nil {
			t.Fatal(err)
		}
	}
	defer os.Chmod(folder, 0o755)
	task, problems, err := Open(root, FolderOptions{OnError: Skip})
	if err != nil {
		t.Fatal(err)
	}
	if l := problems.List(); len(l) != 3 || l[0].Kind != Unreadable || l[1].Kind != Unreadable || task.Train.Len() != 2 {
		t.Errorf("%d images, problems %v", task.Train.Len(), l)
	}
}

func TestFolderSplitAndHash(t *testing.T) {
	files := map[string][]byte{}
	for i := range 20 {
		files[fmt.Sprintf("a/%02d.png", i)], files[fmt.Sprintf("b/%02d.png", i)] = pngBytes(t, uint8(i)), pngBytes(t, uint8(100+i))
	}
	root := tree(t, files)
	task, _, err := Open(root, FolderOptions{TestFraction: 0.25, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(counts(task.Train, 2), counts(task.Test, 2)) != "[15 15] [5 5]" {
		t.Error(counts(task.Train, 2), counts(task.Test, 2))
	}
	again, _, err := Open(root, FolderOptions{Template: "{class}"})
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash == task.Hash {
		t.Error("captions do not enter the hash")
	}
	loaded, err := Load("folder:"+root, LoadOptions{NTest: 7, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Train.Len() != 25 || loaded.Test.Len() != 7 || loaded.Name != "folder:"+root {
		t.Errorf("%s: %d and %d images", loaded.Name, loaded.Train.Len(), loaded.Test.Len())
	}
	if err := os.WriteFile(filepath.Join(root, "a", "00.png"), jpegBytes(t, 1), 0o644); err != nil {
		t.Fatal(err)
	}
	changed, err := Load("folder:"+root, LoadOptions{NTest: 7, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if changed.Hash == loaded.Hash {
		t.Error("the files do not enter the hash")
	}
}

func TestLoadTellsProblemsOfAFolder(t *testing.T) {
	root := damagedFolder(t)
	var told []string
	tell := func(p Problem) { told = append(told, p.Path) }
	task, err := Load("folder:"+root, LoadOptions{Folder: FolderOptions{OnError: Skip}, Problems: tell})
	if err != nil {
		t.Fatal(err)
	}
	if len(told) != 6 || task.Train.Len()+task.Test.Len() != 5 {
		t.Errorf("told %v, %d and %d images", told, task.Train.Len(), task.Test.Len())
	}
	told = nil
	if _, err := Load("folder:"+root, LoadOptions{Problems: tell}); err == nil || len(told) != 6 {
		t.Errorf("%v, told %v", err, told)
	}
	one := tree(t, map[string][]byte{"only/1.png": pngBytes(t, 1), "only/2.png": pngBytes(t, 2), "only/3.png": pngBytes(t, 3)})
	if _, err := Load("folder:"+one, LoadOptions{}); err == nil || !strings.Contains(err.Error(), "one class only") {
		t.Errorf("one class: %v", err)
	}
}

func TestFolderWithoutClasses(t *testing.T) {
	for name, files := range map[string]map[string][]byte{
		"empty":         {},
		"pictures only": {"1.png": pngBytes(t, 1)},
	} {
		if _, _, err := Open(tree(t, files), FolderOptions{}); err == nil || !strings.Contains(err.Error(), "class folders") {
			t.Errorf("%s: %v", name, err)
		}
	}
	file := filepath.Join(tree(t, map[string][]byte{"x.txt": []byte("x")}), "x.txt")
	if _, _, err := Open(file, FolderOptions{}); err == nil || !strings.Contains(err.Error(), "neither a folder") {
		t.Errorf("a file: %v", err)
	}
}

func TestDamagedPictureOfATrustedFolderNamesTheFile(t *testing.T) {
	root := damagedFolder(t)
	task, _, err := Open(root, FolderOptions{OnError: Skip, Trust: true})
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(ids(task.Train), "cat/broken.jpg")
	if at < 0 {
		t.Fatal("a trusted folder was decoded")
	}
	if _, err := task.Train.Image(at); err == nil || !strings.Contains(err.Error(), filepath.Join("cat", "broken.jpg")) {
		t.Errorf("error %v does not name the file", err)
	}
}

func TestFolderStopsWithItsContext(t *testing.T) {
	root := tree(t, map[string][]byte{"a/1.png": pngBytes(t, 1), "b/1.png": pngBytes(t, 2)})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Open(root, FolderOptions{Context: ctx}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
}

func TestOrientationIsAppliedUnlessIgnored(t *testing.T) {
	turned, err := os.ReadFile("../iimmkit/file/picture/testdata/exif6.png") // stored as 9 x 5
	if err != nil {
		t.Fatal(err)
	}
	dir := tree(t, map[string][]byte{"a/turned.png": turned, "b/plain.png": pngBytes(t, 9)})
	hashes := map[string]bool{}
	for _, asStored := range []bool{false, true} {
		task, _, err := Open(dir, FolderOptions{AsStored: asStored})
		if err != nil {
			t.Fatal(err)
		}
		p, err := task.Train.Image(0)
		if err != nil {
			t.Fatal(err)
		}
		if (p.Width > p.Height) != asStored {
			t.Errorf("as stored %v: %d x %d", asStored, p.Width, p.Height)
		}
		hashes[task.Hash] = true
	}
	if len(hashes) != 2 {
		t.Error("the hash does not tell whether orientation was applied")
	}
}
