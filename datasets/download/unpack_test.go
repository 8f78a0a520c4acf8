package download

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/huggingface"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// unpackInto unpacks bytes into a folder of its own, and returns what lies in the
// folder above it but for the archive.
func unpackInto(t testing.TB, archive []byte, without string) (unpacked, map[string]string, error) {
	above := t.TempDir()
	path := filepath.Join(above, "archive")
	if err := os.WriteFile(path, archive, 0o644); err != nil {
		t.Fatal(err)
	}
	u, err := unpack(t.Context(), path, filepath.Join(above, "in", "folder"), without, progress.Discard)
	found := map[string]string{}
	werr := filepath.WalkDir(above, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || p == path {
			return err
		}
		inner, _ := filepath.Rel(above, p)
		b, err := os.ReadFile(p)
		found[filepath.ToSlash(inner)] = string(b)
		return err
	})
	if werr != nil {
		t.Fatal(werr)
	}
	return u, found, err
}

// evil is a tar file whose entries lead out of its folder in every way.
func evil(t testing.TB) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "../out", Size: 1}, {Name: "/abs", Size: 1}, {Name: "a/../../out2", Size: 1},
		{Name: "link", Typeflag: tar.TypeSymlink, Linkname: ".."}, {Name: "link/through", Size: 1},
		{Name: "hard", Typeflag: tar.TypeLink, Linkname: "../archive"}, {Name: "fifo", Typeflag: tar.TypeFifo}, {Name: "good/./x", Size: 1},
	} {
		h.Mode = 0o644
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			w.Write([]byte("x"))
		}
	}
	w.Close()
	return b.Bytes()
}

func TestArchivesCannotLeaveTheirFolder(t *testing.T) {
	u, found, err := unpackInto(t, evil(t), "")
	// The link was not made, so that what goes through it lies in the folder.
	if err != nil || len(found) != 2 || found["in/folder/good/x"] != "x" || found["in/folder/link/through"] != "x" || u.files != 2 || u.skipped != 6 {
		t.Errorf("%+v, %q, %v", u, found, err)
	}
	u, found, err = unpackInto(t, zipped(t, map[string][]byte{"../out": []byte("x"), "/abs": []byte("x"), "ok": []byte("y")}), "")
	if err != nil || len(found) != 1 || found["in/folder/ok"] != "y" || u.skipped != 2 {
		t.Errorf("zip: %+v, %q, %v", u, found, err)
	}
	// A link that lies in the folder already is not followed out of it.
	above := t.TempDir()
	path := filepath.Join(above, "archive")
	if err := os.WriteFile(path, tarred(t, map[string][]byte{"l/x": []byte("x")}), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(above, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..", filepath.Join(above, "folder", "l")); err != nil {
		t.Skip(err)
	}
	if _, err := unpack(t.Context(), path, filepath.Join(above, "folder"), "", progress.Discard); err == nil {
		t.Error("a link was followed")
	}
	if _, err := os.Stat(filepath.Join(above, "x")); err == nil {
		t.Error("a file was written outside")
	}
}

func TestBadArchivesAreErrors(t *testing.T) {
	good := tarred(t, map[string][]byte{"a/x": bytes.Repeat([]byte("x"), 5000), "a/unread": []byte("y")})
	zip := gzipped(t, good)
	damaged := bytes.Clone(zip)
	damaged[len(damaged)-6] ^= 1 // the checksum
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"cut tar", good[:2000], "cut off"}, {"cut gzip", zip[:len(zip)/2], "cut off"}, {"gzip with a wrong checksum", damaged, "checksum"},
		{"cut zip", zipped(t, map[string][]byte{"a": []byte("x")})[:30], "not a zip file"}, {"empty", nil, "without files"}, {"text", []byte(strings.Repeat("text ", 300)), "not a tar"},
	} {
		if _, _, err := unpackInto(t, c.data, ""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if u, found, err := unpackInto(t, zip, "unread"); err != nil || len(found) != 1 || u.bytes != 5000 {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestAnArchiveThatIsTooLargeIsRefused(t *testing.T) {
	above := t.TempDir()
	root, err := os.OpenRoot(above)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	u := &unpacker{ctx: t.Context(), root: root, left: 100, bar: progress.Discard.Start("", 0), made: map[string]bool{}}
	if err := u.tar(bytes.NewReader(tarred(t, map[string][]byte{"a": make([]byte, 60), "b": make([]byte, 60)}))); err == nil || !strings.Contains(err.Error(), "a hundred times") {
		t.Errorf("%v", err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(evil(f))
	f.Add(gzipped(f, evil(f)))
	f.Add(zipped(f, map[string][]byte{"../out": []byte("x"), "a/b": []byte("y")}))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, found, _ := unpackInto(t, data, "")
		for name := range found {
			if !strings.HasPrefix(name, "in/folder/") {
				t.Errorf("%q was written", name)
			}
		}
	})
}

func FuzzLock(f *testing.F) {
	f.Add([]byte(`{"schema":1,"sources":{"hub:a/b@main":{"commit":"0123456789abcdef0123456789abcdef01234567","recorded":"","files":{"data/x.parquet":{"size":3,"git_sha1":"0123456789abcdef0123456789abcdef01234567"}}}},"licences":{"dtd":"2026-01-01T00:00:00Z"}}`))
	f.Add([]byte(`{"schema":1,"sources":{"https://x/y":{"recorded":"","files":{"../y":{"size":-1}}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ParseLock(data, "x")
		if err != nil {
			return
		}
		for _, p := range l.Sources {
			for name, file := range p.Files {
				if !filepath.IsLocal(name) || file == (huggingface.File{}) {
					t.Errorf("%q: %+v", name, file)
				}
			}
		}
		again, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseLock(again, "x"); err != nil {
			t.Errorf("what was read is not read again: %v", err)
		}
	})
}
