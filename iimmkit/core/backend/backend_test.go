package backend

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gomlx/compute"
)

// alone points every place where plugins are looked for at empty directories
// and takes the GPU away, so that a test decides what is there.
func alone(t *testing.T) (env, home, cache string) {
	t.Helper()
	env, home, cache = t.TempDir(), t.TempDir(), t.TempDir()
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", env)
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("IIMM_CACHE", cache)
	gpu := findGPU
	findGPU = func() error { return errors.New("no NVIDIA GPU found (a test)") }
	t.Cleanup(func() { findGPU = gpu })
	for _, d := range searchDirs() {
		if strings.HasPrefix(d, "/usr/local/") {
			if entries, _ := os.ReadDir(d); len(entries) > 0 {
				t.Skipf("%s holds plugins, which this test cannot hide", d)
			}
		}
	}
	return env, home, cache
}

// realPlugin returns a plugin of this machine, or skips; IIMM_REQUIRE=xla
// makes it a failure.
func realPlugin(t *testing.T) string {
	t.Helper()
	why := xlaMissing
	if why == "" {
		if path := findPlugin("cpu"); path != "" {
			return path
		}
		why = missing(XLACPU).Error()
	}
	if strings.Contains(os.Getenv("IIMM_REQUIRE"), "xla") {
		t.Fatalf("IIMM_REQUIRE wants xla: %s", why)
	}
	t.Skip(why)
	return ""
}

func openFor(t *testing.T, name string) compute.Backend {
	t.Helper()
	b, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}

func TestGoOpensAndComputes(t *testing.T) {
	b := openFor(t, "go")
	if err := try(b); err != nil {
		t.Fatal(err)
	}
	if got := Name(b); got != Go {
		t.Errorf("Name = %q", got)
	}
}

func TestNothingIsPrintedWhenOpened(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = w
	b, err := Open("go:parallelism=2")
	os.Stdout = old
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	b.Finalize()
	if text, err := io.ReadAll(r); err != nil || len(text) > 0 {
		t.Errorf("%q, %v", text, err)
	}
}

func TestXLACPUOpensAndComputes(t *testing.T) {
	path := realPlugin(t)
	for _, name := range []string{XLACPU, "xla:" + path, "xla:cpu,tf32=false"} {
		b := openFor(t, name)
		if err := try(b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := Name(b); got != XLACPU {
			t.Errorf("Open(%q): Name = %q", name, got)
		}
		if !strings.Contains(b.Description(), path) {
			t.Errorf("description %q does not name the plugin %s", b.Description(), path)
		}
	}
}

func TestAutoWithoutPluginsIsGo(t *testing.T) {
	alone(t)
	for _, name := range []string{"", "auto"} {
		if got := Name(openFor(t, name)); got != Go {
			t.Errorf("Open(%q) is %q", name, got)
		}
	}
}

func TestAutoPrefersCUDAThenXLACPU(t *testing.T) {
	if xlaMissing != "" {
		t.Skip(xlaMissing)
	}
	env, _, _ := alone(t)
	self := library(t)
	link(t, self, filepath.Join(env, "pjrt_c_api_cpu_plugin"+libraryExt))
	link(t, self, filepath.Join(env, "pjrt_c_api_cuda_plugin"+libraryExt))
	if p, err := choose(Auto); err != nil || p.name != XLACPU {
		t.Errorf("without a GPU: %v, %v", p, err)
	}
	if _, err := choose(XLACUDA); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "GPU") {
		t.Errorf("CUDA without a GPU: %v", err)
	}
	findGPU = func() error { return nil }
	if p, err := choose(Auto); err != nil || p.name != XLACUDA {
		t.Errorf("with a GPU: %v, %v", p, err)
	}
}

func TestBrokenPluginIsAnErrorNotAFallback(t *testing.T) {
	if xlaMissing != "" {
		t.Skip(xlaMissing)
	}
	env, _, _ := alone(t)
	// A real library that is no plugin passes the file checks and fails to load as one.
	link(t, library(t), filepath.Join(env, "pjrt_c_api_cpu_plugin"+libraryExt))
	for _, name := range []string{"", "xla:cpu", "xla"} {
		b, err := Open(name)
		if err == nil {
			t.Fatalf("Open(%q) opened %s", name, b.Description())
		}
		if !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), env) {
			t.Errorf("Open(%q): %v", name, err)
		}
	}
}

func TestOpenRefusesWithOneLine(t *testing.T) {
	env, _, _ := alone(t)
	garbage := filepath.Join(env, "pjrt_c_api_cpu_plugin"+libraryExt)
	if err := os.WriteFile(garbage, []byte("<html>404</html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	comma := filepath.Join(env, "a,b"+libraryExt)
	for _, c := range []struct{ name, want string }{
		{"torch", "unknown backend"},
		{"xla:tpu", "unknown backend"},
		{"xla:plugin" + libraryExt, "absolute"},
		{"xla:cpu", "iimm backends install xla:cpu"},
		{"xla:cuda", "iimm backends install xla:cuda"},
		{"xla", "iimm backends install xla:cpu"},
		{"xla:" + garbage, "not a shared library"},
		{"xla:" + env, "not a file"},
		{"xla:" + filepath.Join(env, "absent"+libraryExt), "no such file"},
		{"xla:" + comma, ""},
		{"go:nonsense", "unknown configuration option"},
		{"go:parallelism=many", "parallelism"},
	} {
		b, err := Open(c.name)
		if err == nil {
			t.Errorf("Open(%q) opened %s", c.name, b.Description())
			continue
		}
		if xlaMissing != "" && strings.HasPrefix(c.name, "xla") && strings.Contains(err.Error(), xlaMissing) {
			continue
		}
		if runtime.GOOS != "linux" && c.want == "not a shared library" {
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Open(%q): %q lacks %q or is not one line", c.name, err, c.want)
		}
	}
}

func TestPluginsAreFoundInOrder(t *testing.T) {
	env, home, cache := alone(t)
	self := library(t)
	gomlx, err := gomlxDir()
	if err != nil || !strings.HasPrefix(gomlx, home) {
		t.Fatalf("GoMLX's directory %s, %v", gomlx, err)
	}
	// Each found before those planted earlier.
	for _, rel := range []string{
		filepath.Join(cache, "xla", "pjrt_c_api_cpu_plugin"),
		filepath.Join(gomlx, "pjrt_c_api_cpu_v0.99.0_plugin"),
		filepath.Join(gomlx, "pjrt_c_api_cpu_v0.104.0_plugin"),
		filepath.Join(gomlx, "pjrt_c_api_cpu_plugin"),
		filepath.Join(env, "pjrt-plugin-cpu"),
	} {
		want := rel + libraryExt
		link(t, self, want)
		if got := findPlugin("cpu"); got != want {
			t.Errorf("found %s, want %s", got, want)
		}
	}
	if got := findPlugin("cuda"); got != "" {
		t.Errorf("found a CUDA plugin in %s", got)
	}
}

func TestCutOffPluginIsRefused(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("ELF files only")
	}
	whole, err := os.ReadFile(library(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "pjrt_c_api_cpu_plugin.so")
	if err := os.WriteFile(path, whole[:len(whole)/3], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := checkPluginFile(path); err == nil {
		t.Error("a third of a library passed")
	}
}

func TestOptionsAreSaidOutright(t *testing.T) {
	for _, c := range []struct {
		p    plan
		want string
	}{
		{plan{path: "/x/pjrt_c_api_cpu_plugin.so"}, "/x/pjrt_c_api_cpu_plugin.so,tf32=false,shared_buffers=true"},
		{plan{path: "/cpu/pjrt_c_api_cuda_plugin.so"}, "/cpu/pjrt_c_api_cuda_plugin.so,tf32=false,shared_buffers=false"},
		{plan{path: "/x/pjrt_c_api_cuda_plugin.so", options: "tf32,noshared_buffers"}, "/x/pjrt_c_api_cuda_plugin.so,tf32,noshared_buffers"},
		{plan{path: "/x/xla_cuda_plugin.so"}, "/x/xla_cuda_plugin.so,tf32=false"},
	} {
		if got := c.p.config(); got != c.want {
			t.Errorf("%v: %s, want %s", c.p, got, c.want)
		}
	}
}

func TestListSaysWhyNot(t *testing.T) {
	alone(t)
	all := List()
	if len(all) != len(Names()) {
		t.Fatalf("%d of %d backends listed", len(all), len(Names()))
	}
	for i, s := range all {
		switch {
		case s.Name != Names()[i]:
			t.Errorf("%d is %s", i, s.Name)
		case s.Name == Go && (!s.Usable || !s.Auto || s.Description == "" || s.Why != ""):
			t.Errorf("%+v", s)
		case s.Name != Go && (s.Usable || s.Auto || s.Why == "" || s.Description != ""):
			t.Errorf("%+v", s)
		}
	}
}

func TestListTriesXLA(t *testing.T) {
	path := realPlugin(t)
	for _, s := range List() {
		if s.Name == XLACPU && (!s.Usable || s.Path != path || s.Why != "") {
			t.Errorf("%+v", s)
		}
	}
}

func TestGuardTurnsPanicsIntoErrors(t *testing.T) {
	want := errors.New("a graph's complaint")
	if err := Guard(func() error { panic(want) }); !errors.Is(err, want) {
		t.Errorf("panic with an error: %v", err)
	}
	if err := Guard(func() error { panic("text") }); err == nil || err.Error() != "text" {
		t.Errorf("panic with text: %v", err)
	}
	if err := Guard(func() error { return want }); err != want {
		t.Errorf("returned error: %v", err)
	}
	if err := Guard(func() error { return nil }); err != nil {
		t.Errorf("nothing wrong: %v", err)
	}
}

// library returns some shared library of the system.
func library(t *testing.T) string {
	t.Helper()
	for _, pattern := range []string{"/lib/*/libm.so.6", "/usr/lib/*/libm.so.6", "/lib64/libm.so.6", "/usr/lib/libm.so.6"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 && runtime.GOOS == "linux" {
			return found[0]
		}
	}
	t.Skip("no libm.so.6 to stand for a library that is no plugin")
	return ""
}

func link(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(from, to); err != nil {
		t.Fatal(err)
	}
}
