package datasets

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// packZip packs files, in a random order as a Go map's.
func packZip(t testing.TB, files map[string][]byte, prefix string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range files {
		w, err := z.Create(prefix + name)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(data)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func packTar(t testing.TB, files map[string][]byte, names ...string) []byte {
	t.Helper()
	if names == nil {
		names = slices.Collect(maps.Keys(files))
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range names {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg, ModTime: time.Unix(1e9, 0)}
		if strings.HasSuffix(name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pack(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// describe says everything of a task that must not depend on how it is packed.
func describe(t testing.TB, task *Task) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintln(&b, task.ClassNames, task.Captions)
	for _, split := range []string{"train", "val", "test"} {
		images, err := task.Split(split)
		if err != nil {
			continue
		}
		for i := range images.Len() {
			p, err := images.Image(i)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&b, split, images.ID(i), images.Label(i), p.Width, p.Height, p.Pix[:30])
		}
	}
	return b.String()
}

func TestArchivesReadAsTheFolderTheyWereMadeOf(t *testing.T) {
	for name, files := range map[string]map[string][]byte{
		"classes": {"cat/1.jpg": jpegBytes(t, 1), "cat/deep/2.jpg": jpegBytes(t, 2), "cat.d/3.png": pngBytes(t, 3), "dog/4.png": pngBytes(t, 4),
			"dog/.DS_Store": {1}, "README.md": []byte("a note")},
		"splits": {"train/a/1.png": pngBytes(t, 1), "train/b/1.png": pngBytes(t, 2), "val/a/1.png": pngBytes(t, 3), "val/b/1.png": pngBytes(t, 4),
			"test/b/2.png": pngBytes(t, 5), "test/a/3.png": pngBytes(t, 6)},
		"list": {"1.png": pngBytes(t, 1), "2.png": pngBytes(t, 2), "x.csv": []byte("path,label\n2.png,b\n1.png,a\n")},
	} {
		root := tree(t, files)
		folder, problems, err := Open(root, FolderOptions{})
		if err != nil || problems.Len() > 0 {
			t.Fatal(err, problems.List())
		}
		want := describe(t, folder)
		deeper := map[string][]byte{}
		for name, data := range files {
			deeper["./photos/"+name] = data
		}
		macOS := maps.Clone(files)
		macOS["__MACOSX/cat/._1.jpg"] = []byte{0}
		for form, path := range map[string]string{
			"zip":              pack(t, "x.zip", packZip(t, files, "")),
			"zip of a folder":  pack(t, "x.zip", packZip(t, files, "photos/")),
			"zip of a Mac":     pack(t, "x.ZIP", packZip(t, macOS, "")),
			"zip of Windows":   pack(t, "x.zip", bytes.ReplaceAll(packZip(t, files, ""), []byte("cat/1"), []byte(`cat\1`))),
			"tar":              pack(t, "x.tar", packTar(t, files)),
			"tar of a folder":  pack(t, "x.tar", packTar(t, deeper)),
			"gzipped tar":      pack(t, "x.tar.gz", gzipped(packTar(t, deeper))),
			"gzipped tar, tgz": pack(t, "x.tgz", gzipped(packTar(t, files))),
		} {
			task, problems, err := Open(path, FolderOptions{})
			if err != nil || problems.Len() > 0 {
				t.Errorf("%s, %s: %v %v", name, form, err, problems.List())
				continue
			}
			if got := describe(t, task); got != want {
				t.Errorf("%s, %s:\n%swant\n%s", name, form, got, want)
			}
			if task.Hash != folder.Hash {
				t.Errorf("%s, %s: another hash", name, form)
			}
		}
	}
}

func TestArchivesNameEveryUnusableEntry(t *testing.T) {
	good := jpegBytes(t, 10)
	files := map[string][]byte{
		"cat/1.jpg": good, "cat/2.jpg": jpegBytes(t, 20), "dog/1.png": pngBytes(t, 1),
		"cat/broken.jpg": good[:len(good)/2], "cat/empty.jpg": {}, "dog/notes.txt": []byte("remember the milk"),
		"stray.png": pngBytes(t, 3), "void/": nil, "../../etc/evil.png": pngBytes(t, 7), "/srv/evil.png": pngBytes(t, 8),
		"dog/../../up.png": pngBytes(t, 9), "caf\xe9/1.png": pngBytes(t, 11), "dog/bomb.png": bombPNG(t),
	}
	want := []string{"cat/broken.jpg damaged", "cat/empty.jpg empty-file", "dog/notes.txt not-a-picture", "stray.png outside-class", "void empty-class",
		"../../etc/evil.png outside", "/srv/evil.png outside", "dog/../../up.png outside", "dog/bomb.png too-large"}
	slices.Sort(want)
	for form, path := range map[string]string{
		"zip": pack(t, "x.zip", packZip(t, files, "")), "tar": pack(t, "x.tar", packTar(t, files)),
	} {
		task, problems, err := Open(path, FolderOptions{OnError: Skip})
		if err != nil {
			t.Fatal(form, err)
		}
		var got []string
		for _, p := range problems.List() {
			got = append(got, p.Path+" "+p.Kind)
			if strings.Contains(p.Message, "\n") {
				t.Errorf("%s: %q is not one line", form, p.Message)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: problems\n%q, want\n%q", form, got, want)
		}
		if fmt.Sprint(task.ClassNames, ids(task.Train)) != `[caf\xe9 cat dog] [caf\xe9/1.png cat/1.jpg cat/2.jpg dog/1.png]` {
			t.Errorf("%s: %v %v", form, task.ClassNames, ids(task.Train))
		}
		if _, _, err := Open(path, FolderOptions{}); err == nil || !strings.Contains(err.Error(), "and 8 more") {
			t.Errorf("%s: stopping at problems: %v", form, err)
		}
	}
}

// bombPNG promises 10^9 pixels in a few bytes.
func bombPNG(t testing.TB) []byte {
	b := pngBytes(t, 1)
	ihdr := slices.Clone(b)
	copy(ihdr[16:], []byte{0, 0, 0x7a, 0x12, 0, 0, 0x7a, 0x12}) // 31250 x 31250
	crc := crc32PNG(ihdr[12:29])
	copy(ihdr[29:], crc)
	return ihdr
}

func TestTarLinksAndDevicesAreNotFollowed(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []*tar.Header{
		{Name: "a/link.png", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		{Name: "a/hard.png", Typeflag: tar.TypeLink, Linkname: "a/1.png"},
		{Name: "a/device.png", Typeflag: tar.TypeChar},
		{Name: "a/1.png", Typeflag: tar.TypeReg, Size: int64(len(pngBytes(t, 1)))},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	w.Write(pngBytes(t, 1))
	w.Close()
	task, problems, err := Open(pack(t, "x.tar", b.Bytes()), FolderOptions{OnError: Skip})
	if err != nil || problems.Len() != 3 || task.Train.Len() != 1 {
		t.Errorf("%v, %v", err, problems.List())
	}
}

func TestCutOffTarKeepsWhatWasBefore(t *testing.T) {
	files := map[string][]byte{"a/1.jpg": jpegBytes(t, 1), "b/2.jpg": jpegBytes(t, 2), "b/3.jpg": jpegBytes(t, 3)}
	whole := packTar(t, files, "a/1.jpg", "b/2.jpg", "b/3.jpg")
	for _, tt := range []struct {
		cut    int // bytes that are left
		images int
	}{
		{len(whole) - 1024 - 100 - 512, 2}, // inside the last picture
		{512 + 10, 0},                      // inside the first
		{100, 0},                           // inside its header
		{0, 0},
	} {
		for _, form := range []string{"x.tar", "x.tar.gz"} {
			data := whole[:tt.cut]
			if form == "x.tar.gz" {
				data = gzipped(data)
			}
			path := pack(t, form, data)
			task, problems, err := Open(path, FolderOptions{OnError: Skip})
			if tt.images == 0 {
				if err == nil || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s of %d bytes: %v", form, tt.cut, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s of %d bytes: %v", form, tt.cut, err)
			}
			if l := problems.List(); len(l) != 1 || l[0].Kind != Truncated || !strings.Contains(l[0].Message, "b/2.jpg") || task.Train.Len() != tt.images {
				t.Errorf("%s of %d bytes: %d images, problems %v", form, tt.cut, task.Train.Len(), l)
			}
			if _, _, err := Open(path, FolderOptions{}); err == nil {
				t.Error("a cut off archive was accepted")
			}
		}
	}
	cutGzip := gzipped(whole)
	task, problems, err := Open(pack(t, "x.tgz", cutGzip[:len(cutGzip)-4]), FolderOptions{OnError: Skip})
	if err != nil || task.Train.Len() != 3 || problems.Len() != 1 || problems.List()[0].Kind != Truncated {
		t.Errorf("a gzip file without its end: %v, %v", err, problems.List())
	}
	zipped := packZip(t, files, "")
	if _, _, err := Open(pack(t, "x.zip", zipped[:len(zipped)-50]), FolderOptions{OnError: Skip}); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("a cut off zip file: %v", err)
	}
}

func TestDamagedZipEntryIsNamed(t *testing.T) {
	files := map[string][]byte{"a/1.jpg": jpegBytes(t, 1), "b/2.jpg": jpegBytes(t, 2)}
	data := packZip(t, files, "")
	at := bytes.Index(data, []byte("b/2.jpg"))
	data[at+200] ^= 0x55
	task, problems, err := Open(pack(t, "x.zip", data), FolderOptions{OnError: Skip})
	if err != nil {
		t.Fatal(err)
	}
	if l := problems.List(); len(l) != 2 || l[0].Path != "b/2.jpg" || l[0].Kind != Damaged || task.Train.Len() != 1 {
		t.Errorf("%d images, %v", task.Train.Len(), l)
	}
	// A trusted archive is not decoded when opened; the error names both files.
	task, _, err = Open(pack(t, "x.zip", data), FolderOptions{Trust: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := task.Train.Image(1); err == nil || !strings.Contains(err.Error(), "x.zip: b/2.jpg: ") {
		t.Errorf("error %v", err)
	}
}

func TestArchiveWhoseListNamesAllPictures(t *testing.T) {
	files := map[string][]byte{"img/1.png": pngBytes(t, 1), "img/2.png": pngBytes(t, 2), "img/3.png": pngBytes(t, 3),
		"labels.csv": []byte("path,label,part\nimg/1.png,cat,p1\nimg/2.png,dog,p1\nimg\\3.png,cat,p2\nimg/4.png,dog,p3\n")}
	task, problems, err := Open(pack(t, "x.zip", packZip(t, files, "")), FolderOptions{OnError: Skip, GroupColumn: "part"})
	if err != nil {
		t.Fatal(err)
	}
	if l := problems.List(); len(l) != 1 || l[0].Path != "img/4.png" || fmt.Sprint(task.ClassNames, counts(task.Train, 2)) != "[cat dog] [2 1]" {
		t.Error(task.ClassNames, l)
	}
	// A list that leaves pictures out says nothing of the others: folders count.
	delete(files, "labels.csv")
	files["some.csv"] = []byte("img/1.png,cat\n")
	if task, _, err = Open(pack(t, "x.zip", packZip(t, files, "")), FolderOptions{}); err != nil || task.Train.Len() != 3 {
		t.Error(err)
	}
}

func FuzzArchives(f *testing.F) {
	files := map[string][]byte{"cat/1.png": pngBytes(f, 1), "dog/2.png": pngBytes(f, 2), "../x.png": {1}, "l.csv": []byte("cat/1.png,a\n")}
	f.Add(packZip(f, files, ""))
	f.Add(packTar(f, files))
	f.Add(packTar(f, map[string][]byte{"s0.cls": []byte("0"), "s0.png": pngBytes(f, 1), "s1.cls": []byte("1"), "s1.png": pngBytes(f, 3)}))
	opt := FolderOptions{OnError: Skip}
	if err := opt.check(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		problems := new(Problems)
		s, err := parseZip("x.zip", bytes.NewReader(data), int64(len(data)), opt, problems)
		checkListing(t, s, err, problems)
		problems = new(Problems)
		entries, err := listTar(bytes.NewReader(data), "x/", opt, problems)
		checkListing(t, nil, err, problems)
		if err != nil {
			return
		}
		open := func() (io.ReadSeekCloser, error) {
			return part{io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))}, nil
		}
		for _, m := range entries.members {
			r, err := entries.reader(open)(m)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(r); err != nil || int64(len(b)) != m.size {
				t.Errorf("%s has %d bytes of %d, %v", m.name, len(b), m.size, err)
			}
		}
		s, err = webdataset("x", []shard{{id: "x", open: open, entries: entries}}, problems)
		checkListing(t, s, err, problems)
		s, err = folderOf("x", entries.members, entries.folders, entries.reader(open), opt, problems)
		checkListing(t, s, err, problems)
	})
}

// checkListing complains of a listing that leads elsewhere and of messages that
// are no line.
func checkListing(t *testing.T, s *Source, err error, problems *Problems) {
	for _, p := range problems.List() {
		if strings.ContainsAny(p.String(), "\n\x00") {
			t.Errorf("a problem has several lines: %q", p)
		}
	}
	if err != nil && strings.ContainsAny(err.Error(), "\n\x00") {
		t.Errorf("the error has several lines: %q", err)
	}
	if err != nil || s == nil {
		return
	}
	for _, r := range s.Records {
		if clean := listedName(r.ID); strings.HasPrefix(clean, "/") || strings.HasPrefix(clean, "../") || r.Size < 0 {
			t.Errorf("record %+v", r)
		}
	}
}
