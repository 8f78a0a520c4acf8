package kernels

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestToolsArePinned(t *testing.T) {
	v := ToolVersions()
	if v["gonb"] != "v0.11.4" || v["goimports"] != "v0.52.0" {
		t.Errorf("versions %v", v)
	}
	for _, want := range []string{
		"github.com/janpfeifer/gonb " + v["gonb"] + " h1:",
		"golang.org/x/tools " + v["goimports"] + " h1:",
	} {
		if !strings.Contains(string(toolsSum), want) {
			t.Errorf("no checksum %s", want)
		}
	}
}

// TestDisplayProtocolIsTheKernels compares the kernel's GoNB with the client
// package that show/nb is compiled with: they speak to each other.
func TestDisplayProtocolIsTheKernels(t *testing.T) {
	data, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`github.com/janpfeifer/gonb (v\S+)`).FindSubmatch(data)
	if m == nil || string(m[1]) != ToolVersions()["gonb"] {
		t.Errorf("go.mod has gonb %q, the kernel %s", m, ToolVersions()["gonb"])
	}
}

func TestNames(t *testing.T) {
	for backend, name := range map[string]string{"go": "iimm-go", "xla:cpu": "iimm-go-xla-cpu", "xla:cuda": "iimm-go-xla-cuda"} {
		if got, err := Name(backend); err != nil || got != name {
			t.Errorf("Name(%s) = %s, %v", backend, got, err)
		}
		if got, ok := Backend(name); !ok || got != backend {
			t.Errorf("Backend(%s) = %s, %v", name, got, ok)
		}
	}
	if _, err := Name("tpu"); err == nil || !strings.Contains(err.Error(), "xla:cuda") {
		t.Errorf("Name(tpu): %v", err)
	}
	if _, ok := Backend("python3"); ok {
		t.Error("python3 is not ours")
	}
}

// module makes a folder that looks like a clone.
func module(t *testing.T, path string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module "+path+"\n\ngo 1.26\n")
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestKernelspecs(t *testing.T) {
	t.Setenv("IIMM_CACHE", "relative/cache")
	for _, v := range variants {
		spec := v.spec(filepath.Join(t.TempDir(), v.name), toolchain{Root: "/go"}, "/tools", "/clone")
		if err := spec.write(); err != nil {
			t.Fatal(err)
		}
		got, err := Read(spec.Dir)
		if err != nil {
			t.Fatal(err)
		}
		if got.Name != v.name || got.Env["IIMM_BACKEND"] != v.backend || got.Env["GOEXPERIMENT"] != "simd" || got.Language != "go" || got.InterruptMode != "message" {
			t.Errorf("%+v", got)
		}
		if want := map[bool]string{false: "0", true: "1"}[v.backend != Go]; got.Env["CGO_ENABLED"] != want {
			t.Errorf("%s: CGO_ENABLED=%s", v.name, got.Env["CGO_ENABLED"])
		}
		if !filepath.IsAbs(got.Env["IIMM_CACHE"]) {
			t.Errorf("IIMM_CACHE=%s is seen from another folder later", got.Env["IIMM_CACHE"])
		}
		cmd, err := got.Command("/c/kernel.json")
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"bash", filepath.Join(spec.Dir, "start.sh"), "/c/kernel.json"}; !slices.Equal(cmd.Args, want) {
			t.Errorf("command %v", cmd.Args)
		}
		if !slices.Contains(cmd.Env, "IIMM_BACKEND="+v.backend) {
			t.Error("the kernelspec's environment is not the command's")
		}
		raw, err := os.ReadFile(filepath.Join(spec.Dir, "kernel.json"))
		if err != nil || strings.Contains(string(raw), `\u003c`) || !json.Valid(raw) {
			t.Errorf("kernel.json: %v %s", err, raw)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(dir); !os.IsNotExist(err) {
		t.Errorf("no kernel.json: %v", err)
	}
	write(t, filepath.Join(dir, "kernel.json"), `{"argv":[]}`)
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "argv is empty") {
		t.Errorf("empty argv: %v", err)
	}
	write(t, filepath.Join(dir, "kernel.json"), `{`)
	if _, err := Read(dir); err == nil {
		t.Error("broken JSON was read")
	}
	if _, err := Find("../" + filepath.Base(dir)); err == nil {
		t.Error("a path was taken for a name")
	}
}

func TestFindFollowsJupytersPath(t *testing.T) {
	first, user := t.TempDir(), t.TempDir()
	t.Setenv("JUPYTER_PATH", first)
	t.Setenv("JUPYTER_DATA_DIR", user)
	put := func(root, display string) {
		write(t, filepath.Join(root, "kernels", "iimm-go", "kernel.json"), `{"argv":["x"],"display_name":"`+display+`"}`)
	}
	if _, err := Find("iimm-go"); err == nil || !strings.Contains(err.Error(), user) {
		t.Errorf("not installed: %v", err)
	}
	put(user, "user")
	if s, err := Find("iimm-go"); err != nil || s.DisplayName != "user" {
		t.Errorf("%+v, %v", s, err)
	}
	put(first, "path")
	if s, err := Find("iimm-go"); err != nil || s.DisplayName != "path" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestUserDataDir(t *testing.T) {
	t.Setenv("HOME", "/home/ana")
	t.Setenv("JUPYTER_DATA_DIR", "")
	t.Setenv("XDG_DATA_HOME", "")
	dir, err := UserDataDir()
	if err != nil || dir != "/home/ana/.local/share/jupyter" && dir != "/home/ana/Library/Jupyter" {
		t.Errorf("%s, %v", dir, err)
	}
	t.Setenv("JUPYTER_DATA_DIR", "/data/jupyter")
	if dir, _ := UserDataDir(); dir != "/data/jupyter" {
		t.Error(dir)
	}
}

func TestModuleIsFound(t *testing.T) {
	t.Setenv("IIMM_MODULE", "")
	clone := module(t, Module)
	deep := filepath.Join(clone, "notebooks", "mine")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	// A nested module of another name is passed.
	write(t, filepath.Join(clone, "notebooks", "go.mod"), "module "+Module+"/notebooks\n")
	if got := FindClone(deep); got != clone {
		t.Errorf("FindClone = %q, want %q", got, clone)
	}
	elsewhere := t.TempDir()
	if got := FindClone(elsewhere); got != "" {
		t.Errorf("FindClone outside = %q", got)
	}
	t.Chdir(elsewhere)
	if _, err := findModule(t.Context(), elsewhere, "devel"); err == nil || !strings.Contains(err.Error(), "IIMM_MODULE") {
		t.Errorf("outside of any clone: %v", err)
	}
	t.Setenv("IIMM_MODULE", clone)
	if got, err := findModule(t.Context(), elsewhere, ""); err != nil || got != clone {
		t.Errorf("with IIMM_MODULE: %q, %v", got, err)
	}
	t.Setenv("IIMM_MODULE", elsewhere)
	if _, err := findModule(t.Context(), elsewhere, ""); err == nil {
		t.Error("a folder without the module was taken")
	}
	t.Setenv("IIMM_MODULE", "")
	t.Chdir(deep)
	if got, err := findModule(t.Context(), elsewhere, ""); err != nil || got != clone {
		t.Errorf("from the working directory: %q, %v", got, err)
	}
}

// start runs start.sh in a folder with stand-ins for go and gonb that print what
// they were called with.
func start(t *testing.T, dir string, env ...string) (string, error) {
	t.Helper()
	bin := t.TempDir()
	write(t, filepath.Join(bin, "gonb"), "#!/bin/sh\necho gonb \"$@\"\nenv\n")
	write(t, filepath.Join(bin, "goimports"), "#!/bin/sh\n")
	script := filepath.Join(t.TempDir(), "start.sh")
	write(t, script, string(startScript))
	cmd := exec.Command("bash", script, "/c/kernel-1.json")
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "IIMM_TOOLS=" + bin}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestStartScript(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash here")
	}
	clone, other := module(t, Module), module(t, Module)
	inside := filepath.Join(clone, "notebooks")
	if err := os.Mkdir(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	outside, gopls := t.TempDir(), t.TempDir()
	write(t, filepath.Join(gopls, "gopls"), "#!/bin/sh\n")
	for _, c := range []struct {
		name, dir string
		env, want []string
		fails     bool
	}{
		{"in a clone", inside, nil, []string{"gonb --kernel /c/kernel-1.json -go_work=" + clone + " -raw_error=false", "GOPROXY=off\n", "GOEXPERIMENT=simd\n", "CGO_ENABLED=0\n", "GOFLAGS=-ldflags=-s\n", "GOTOOLCHAIN=local\n"}, false},
		{"a clone wins over IIMM_MODULE", inside, []string{"IIMM_MODULE=" + other}, []string{"-go_work=" + clone + " "}, false},
		{"outside, IIMM_MODULE", outside, []string{"IIMM_MODULE=" + other, "IIMM_INSTALLED_MODULE=" + clone}, []string{"-go_work=" + other + " "}, false},
		{"outside, as installed", outside, []string{"IIMM_INSTALLED_MODULE=" + clone}, []string{"-go_work=" + clone + " "}, false},
		{"outside, nothing known", outside, nil, []string{"set IIMM_MODULE"}, true},
		{"outside, module gone", outside, []string{"IIMM_INSTALLED_MODULE=/nowhere"}, []string{"/nowhere holds no module"}, true},
		{"unknown version", outside, []string{"IIMM_MODULE=v99.0.0"}, []string{"is not in the module cache"}, true},
		{"tools gone", inside, []string{"IIMM_TOOLS=/nowhere"}, []string{"iimm kernel install"}, true},
		{"completion", inside, []string{"IIMM_GOPLS=" + gopls}, []string{"\nPATH=" + gopls + ":"}, false},
		{"settings", inside, []string{"GOFLAGS=-p=2", "CGO_ENABLED=1", "IIMM_RAW_ERROR=true", "IIMM_GOPROXY=https://proxy.golang.org"},
			[]string{"GOFLAGS=-p=2 -ldflags=-s\n", "CGO_ENABLED=1\n", "-raw_error=true", "GOPROXY=https://proxy.golang.org\n"}, false},
	} {
		out, err := start(t, c.dir, c.env...)
		if (err != nil) != c.fails {
			t.Errorf("%s: %v\n%s", c.name, err, out)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", c.name, want, out)
			}
		}
	}
}

// TestWarmingUsesTheFlagsOfCells compares what start.sh sets with what the
// build cache is warmed with: where they differ the first cell builds all again.
func TestWarmingUsesTheFlagsOfCells(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash here")
	}
	clone := module(t, Module)
	for _, v := range variants {
		for _, flags := range []string{"", "-p=2"} {
			t.Setenv("GOFLAGS", flags)
			spec := v.spec(t.TempDir(), toolchain{}, "", "")
			out, err := start(t, clone, "GOFLAGS="+flags, "GOEXPERIMENT="+spec.Env["GOEXPERIMENT"], "CGO_ENABLED="+spec.Env["CGO_ENABLED"])
			if err != nil {
				t.Fatal(err, out)
			}
			for _, setting := range cellEnv(spec) {
				if !strings.Contains(out, "\n"+setting+"\n") {
					t.Errorf("%s, GOFLAGS=%q: cells are not built with %s\n%s", v.name, flags, setting, out)
				}
			}
		}
	}
}

func TestDamagedToolsAreNoticed(t *testing.T) {
	dir := t.TempDir()
	if err := kernelTools.check(dir); !errors.Is(err, errNoTools) {
		t.Errorf("empty folder: %v", err)
	}
	m := manifest{Schema: 1, SHA256: map[string]string{}}
	for _, tool := range kernelTools.tools {
		write(t, filepath.Join(dir, tool.name), "program "+tool.name)
		sum, err := fileSum(filepath.Join(dir, tool.name))
		if err != nil {
			t.Fatal(err)
		}
		m.SHA256[tool.name] = sum
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "manifest.json"), string(data))
	if err := kernelTools.check(dir); err != nil {
		t.Errorf("whole: %v", err)
	}
	write(t, filepath.Join(dir, "gonb"), "program gon")
	if err := kernelTools.check(dir); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("cut off: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "gonb")); err != nil {
		t.Fatal(err)
	}
	if err := kernelTools.check(dir); err == nil || errors.Is(err, errNoTools) {
		t.Errorf("program missing: %v", err)
	}
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	t.Setenv("JUPYTER_PATH", "")
	t.Setenv("JUPYTER_DATA_DIR", t.TempDir())
	t.Setenv("IIMM_MODULE", "")
	t.Setenv("IIMM_PYTHON", "/no/such/python") // looking for one takes long
	dir := t.TempDir()
	t.Chdir(dir)
	level := func(name string) string {
		for _, f := range Doctor(t.Context(), dir, "") {
			if f.Name == name {
				if f.Level == Error && f.Detail == "" {
					t.Errorf("%s: an error without words", name)
				}
				return f.Level
			}
		}
		return "absent"
	}
	if got := level("module"); got != Error {
		t.Errorf("outside of a clone: module %s", got)
	}
	if got := level("tools"); got != Error {
		t.Errorf("empty cache: tools %s", got)
	}
	if got := level("iimm-go"); got != Note {
		t.Errorf("no kernelspec: %s", got)
	}
	if got := level("iimm-go-xla-cuda"); got != "absent" {
		t.Errorf("a kernel nobody asked for: %s", got)
	}
	user, err := UserDataDir()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(user, "kernels", "iimm-go", "kernel.json"), `{"argv":["gonb"]}`)
	if got := level("iimm-go"); got != Error {
		t.Errorf("a kernelspec that is not ours: %s", got)
	}
	if Healthy(Doctor(t.Context(), dir, "")) {
		t.Error("healthy with errors")
	}
}

func TestOldStartScriptIsNoticed(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	tools, err := kernelTools.dir()
	if err != nil {
		t.Fatal(err)
	}
	spec := variants[0].spec(filepath.Join(t.TempDir(), "iimm-go"), toolchain{}, tools, module(t, Module))
	if err := spec.write(); err != nil {
		t.Fatal(err)
	}
	if err := spec.check(variants[0], toolchain{}); !errors.Is(err, errNoTools) {
		t.Errorf("before the tools are built: %v", err)
	}
	write(t, filepath.Join(spec.Dir, "start.sh"), "#!/bin/bash\n")
	if err := spec.check(variants[0], toolchain{}); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("old start script: %v", err)
	}
}
