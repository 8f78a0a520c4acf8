package backend

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// index is a Python package index with one project.
type index struct {
	wheel    []byte
	html     bool
	unsigned bool
	requests []string
}

func (x *index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.requests = append(x.requests, r.URL.Path)
	sum := sha256.Sum256(x.wheel)
	hexSum := hex.EncodeToString(sum[:])
	const file = "my_plugin-1.0-py3-none-manylinux_2_27_x86_64.whl"
	switch r.URL.Path {
	case "/simple/my-plugin/":
		if !x.html && strings.Contains(r.Header.Get("Accept"), indexJSON) {
			w.Header().Set("Content-Type", indexJSON)
			hashes := `{"sha256": "` + hexSum + `"}`
			if x.unsigned {
				hashes = `{}`
			}
			fmt.Fprintf(w, `{"meta": {"api-version": "1.1"}, "files": [
				{"filename": "my_plugin-0.9-py3-none-any.whl", "url": "../../files/old.whl", "hashes": {"sha256": "00"}},
				{"filename": %q, "url": "../../files/%s", "hashes": %s}]}`, file, file, hashes)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fragment := "#sha256=" + hexSum
		if x.unsigned {
			fragment = ""
		}
		fmt.Fprintf(w, "<!DOCTYPE html><html><body>\n<a href=\"../../files/old.whl\">old</a><br>\n<A data-x='1'\n HREF='../../files/%s%s' rel=\"internal\">%s</A></body></html>", file, fragment, file)
	case "/files/" + file:
		w.Write(x.wheel)
	default:
		http.NotFound(w, r)
	}
}

func makeWheel(t *testing.T, member string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range map[string][]byte{"../../evil": []byte("x"), member: content} {
		f, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write(data)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func serveWheel(t *testing.T, x *index) wheel {
	t.Helper()
	s := httptest.NewServer(x)
	t.Cleanup(s.Close)
	t.Setenv("PIP_INDEX_URL", strings.Replace(s.URL, "http://", "http://me:secret@", 1)+"/simple/")
	sum := sha256.Sum256(x.wheel)
	return wheel{project: "My.Plugin", version: "1.0", sha256: hex.EncodeToString(sum[:]), member: "pkg/lib.so", source: "a test"}
}

func accept(string) error { return nil }

func TestWheelIsInstalledOnceWithItsProvenance(t *testing.T) {
	lib, err := os.ReadFile(library(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name           string
		html, unsigned bool
	}{{"json", false, false}, {"html", true, false}, {"json without checksums", false, true}, {"html without checksums", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			x := &index{wheel: makeWheel(t, "pkg/lib.so", lib), html: c.html, unsigned: c.unsigned}
			w := serveWheel(t, x)
			dir := filepath.Join(t.TempDir(), "xla")
			got, err := w.install(t.Context(), dir, false, progress.Discard, accept)
			if err != nil {
				t.Fatal(err)
			}
			if got.Already || got.Path != filepath.Join(dir, "pjrt_c_api_cpu_plugin"+libraryExt) {
				t.Errorf("%+v", got)
			}
			if data, err := os.ReadFile(got.Path); err != nil || !bytes.Equal(data, lib) {
				t.Errorf("plugin: %d bytes, %v", len(data), err)
			}
			p, err := readProvenance(got.Path)
			if err != nil || p != got.Provenance {
				t.Errorf("kept %+v, %v", p, err)
			}
			sum := sha256.Sum256(lib)
			if p.Package != "My.Plugin==1.0" || p.SHA256 != w.sha256 || p.Plugin != hex.EncodeToString(sum[:]) || p.Installed == "" ||
				!strings.HasSuffix(p.URL, "x86_64.whl") || strings.Contains(p.URL, "secret") {
				t.Errorf("provenance %+v", p)
			}
			var names []string
			filepath.WalkDir(filepath.Dir(dir), func(path string, d os.DirEntry, _ error) error {
				if !d.IsDir() {
					names = append(names, d.Name())
				}
				return nil
			})
			if len(names) != 2 {
				t.Errorf("files left: %q", names)
			}
			before := len(x.requests)
			again, err := w.install(t.Context(), dir, false, progress.Discard, accept)
			if err != nil || !again.Already || len(x.requests) != before {
				t.Errorf("second time: %+v, %v, %d requests more", again, err, len(x.requests)-before)
			}
			// A damaged plugin is not taken for installed.
			if err := os.WriteFile(got.Path, lib[:100], 0o644); err != nil {
				t.Fatal(err)
			}
			if again, err = w.install(t.Context(), dir, false, progress.Discard, accept); err != nil || again.Already {
				t.Errorf("after damage: %+v, %v", again, err)
			}
		})
	}
}

func TestWheelThatIsNotWantedInstallsNothing(t *testing.T) {
	lib, err := os.ReadFile(library(t))
	if err != nil {
		t.Fatal(err)
	}
	good := makeWheel(t, "pkg/lib.so", lib)
	for _, c := range []struct {
		name   string
		index  *index
		change func(*wheel)
		verify func(string) error
		want   string
	}{
		{"other checksum", &index{wheel: good}, func(w *wheel) { w.sha256 = strings.Repeat("a", 64) }, accept, "none of them"},
		{"other bytes than the index says", &index{wheel: good, unsigned: true}, func(w *wheel) { w.sha256 = strings.Repeat("a", 64) }, accept, "wrong bytes"},
		{"member absent", &index{wheel: makeWheel(t, "pkg/other.so", lib)}, nil, accept, "holds no pkg/lib.so"},
		{"no project", &index{wheel: good}, func(w *wheel) { w.project = "absent" }, accept, "404"},
		{"not a zip", &index{wheel: []byte("<html>")}, nil, accept, "zip"},
		{"does not work", &index{wheel: good}, nil, func(string) error { return errors.New("broken indeed") }, "broken indeed"},
		{"not a library", &index{wheel: makeWheel(t, "pkg/lib.so", []byte("text"))}, nil, accept, "not a shared library"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "not a library" && runtime.GOOS != "linux" {
				t.Skip("ELF files only")
			}
			w := serveWheel(t, c.index)
			if c.change != nil {
				c.change(&w)
			}
			dir := t.TempDir()
			_, err := w.install(t.Context(), dir, false, progress.Discard, c.verify)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v; want %q", err, c.want)
			}
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				if e.Name() != "download" {
					t.Errorf("left behind: %s", e.Name())
				}
			}
		})
	}
}

func TestInstallStaysOffTheNetworkWhenTold(t *testing.T) {
	if xlaMissing != "" || runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("no installer in this build")
	}
	alone(t)
	t.Setenv("IIMM_OFFLINE", "1")
	for _, opts := range []InstallOptions{{}, {FromPyPI: true}} {
		if _, err := Install(t.Context(), XLACPU, opts, progress.Discard); !errors.Is(err, fetch.ErrOffline) {
			t.Errorf("%+v: %v", opts, err)
		}
	}
	if _, err := Install(t.Context(), XLACUDA, InstallOptions{Force: true}, progress.Discard); !errors.Is(err, fetch.ErrOffline) {
		t.Errorf("cuda: %v", err)
	}
	if _, err := Install(t.Context(), XLACUDA, InstallOptions{}, progress.Discard); err == nil || !strings.Contains(err.Error(), "GPU") {
		t.Errorf("cuda without a GPU: %v", err)
	}
}

func TestSourceNamesWhatWillBeFetched(t *testing.T) {
	for _, name := range []string{"go", "auto", "xla:tpu", ""} {
		if _, err := Source(name, InstallOptions{}); err == nil {
			t.Errorf("%q has a source", name)
		}
	}
	if xlaMissing != "" || runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("no installer in this build")
	}
	for _, c := range []struct {
		name string
		opts InstallOptions
		want string
	}{
		{XLACPU, InstallOptions{}, "pjrt-cpu-binaries==v0.104.0"},
		{XLACPU, InstallOptions{FromPyPI: true}, "fastatomstruct-xla-cpu==2026.6.23"},
		{XLACUDA, InstallOptions{}, "jax-cuda13-pjrt==0.10.0"},
	} {
		p, err := Source(c.name, c.opts)
		if err != nil || p.Package != c.want || p.Source == "" || p.SHA256 == "" {
			t.Errorf("%s %+v: %+v, %v", c.name, c.opts, p, err)
		}
	}
}

func TestNormalizedAsPEP503(t *testing.T) {
	for in, want := range map[string]string{"My.Plugin": "my-plugin", "a__b--c..d": "a-b-c-d", "x": "x", "_-.": "-"} {
		if got := normalized(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzIndexPage(f *testing.F) {
	f.Add([]byte(`{"files": [{"filename": "a.whl", "url": "a.whl", "hashes": {"sha256": "AB"}}]}`))
	f.Add([]byte(`<base href="https://x/y/"><a href="a.whl#sha256=00">a</a>`))
	f.Add([]byte(`<a href="%zz">`))
	f.Add([]byte(`<a href=":">`))
	base, _ := url.Parse("https://index.example/simple/p/")
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func([]byte, *url.URL) ([]indexFile, error){parseIndexJSON, parseIndexHTML} {
			files, err := parse(data, base)
			if err != nil && len(files) > 0 {
				t.Error("files beside an error")
			}
			for _, file := range files {
				if u, err := url.Parse(file.url); err != nil || !u.IsAbs() {
					t.Errorf("address %q, %v", file.url, err)
				}
			}
		}
	})
}
