//go:build unix

package kernels

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

func TestLabIsMadeOnceFoundAgainAndStopped(t *testing.T) {
	clone, did := fake(t)
	t.Setenv("PYTHONPATH", "/elsewhere")
	old := filepath.Join(os.Getenv("IIMM_CACHE"), "lab", "python-000000000000")
	write(t, filepath.Join(old, "complete"), "JupyterLab 3\n")
	ctx, stop := context.WithCancel(t.Context())
	notebook := filepath.Join(clone, "notebooks", "a b.ipynb")
	lab, err := OpenLab(ctx, LabOptions{Path: notebook})
	if err != nil {
		t.Fatal(err)
	}
	if !lab.Started || lab.Root != clone || !strings.HasPrefix(lab.URL, fmt.Sprintf("http://127.0.0.1:%d/lab/tree/notebooks/a%%20b.ipynb?token=", lab.Port)) {
		t.Errorf("%+v", lab)
	}
	if len(lab.server.Token) < 32 || strings.Contains(did(), lab.server.Token) {
		t.Error("the token is short, or among the arguments")
	}
	for _, want := range []string{"--require-hashes", "--no-deps", "--only-binary :all:", "PIP_USER=0 PYTHONPATH=.", "--ServerApp.ip=127.0.0.1", "--no-browser", "-m jupyterlab"} {
		if !strings.Contains(did(), want) {
			t.Errorf("no %q in\n%s", want, did())
		}
	}
	cache := os.Getenv("IIMM_CACHE")
	if spec, err := Read(filepath.Join(cache, "lab", "share", "jupyter", "kernels", "iimm-go")); err != nil || len(lab.Kernels) != 1 || spec.Env["IIMM_INSTALLED_MODULE"] != clone {
		t.Errorf("%+v, %v", spec, err)
	}
	// A gopls of the user's is left to do its work.
	completion, err := completionTools.dir()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("gopls"); err == nil {
		completion = ""
	}
	if got := lab.Kernels[0].Env["IIMM_GOPLS"]; got != completion {
		t.Errorf("IIMM_GOPLS=%q, want %q", got, completion)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the environment of another version is left: %v", err)
	}
	before := did()
	again, err := OpenLab(t.Context(), LabOptions{Path: clone})
	if err != nil {
		t.Fatal(err)
	}
	if again.Started || again.PID != lab.PID || again.URL != lab.server.page("") || did() != before {
		t.Errorf("a running Lab was not taken: %+v\n%s", again, did())
	}
	stop()
	if err := lab.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	kernel, err := strconv.Atoi(regexp.MustCompile(`kernel (\d+)`).FindStringSubmatch(did())[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{lab.PID, kernel} {
		if len(living(descendants(pid))) > 0 {
			t.Errorf("process %d is left", pid)
		}
	}
	if left, _ := os.ReadDir(lab.runtime); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	third, err := OpenLab(t.Context(), LabOptions{Path: clone})
	if err != nil {
		t.Fatal(err)
	}
	if !third.Started || strings.Count(did(), "venv") != 1 || strings.Count(did(), "-m pip") != 1 {
		t.Errorf("the environment was not kept:\n%s", did())
	}
	removed, err := RemoveLab(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(removed); !os.IsNotExist(err) || removed != filepath.Join(cache, "lab") {
		t.Errorf("removed %q: %v", removed, err)
	}
	if len(living(descendants(third.PID))) > 0 {
		t.Error("a removed Lab runs on")
	}
	if err := kernelTools.check(third.Kernels[0].Env["IIMM_TOOLS"]); err != nil {
		t.Errorf("tools that other kernels use went too: %v", err)
	}
	if removed, err := RemoveLab(t.Context()); err != nil || removed != "" {
		t.Errorf("nothing to remove: %q, %v", removed, err)
	}
}

func TestExistingJupyterIsUsedAsItIs(t *testing.T) {
	clone, did := fake(t)
	lab, err := OpenLab(t.Context(), LabOptions{Path: clone, Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(did(), "venv") || strings.Contains(did(), "pip ") || strings.Contains(did(), "extension_manager") || !strings.Contains(did(), "jupyter lab --no-browser") || lab.Environment != "" {
		t.Errorf("%+v\n%s", lab, did())
	}
	// One of our own is another Lab.
	if own, err := OpenLab(t.Context(), LabOptions{Path: clone}); err != nil || !own.Started {
		t.Errorf("%+v, %v", own, err)
	}
	if n, err := StopLabs(t.Context()); n != 2 || err != nil {
		t.Errorf("%d stopped, %v", n, err)
	}
}

func TestKernelThatCannotBeBuiltIsLeftOutAndSaid(t *testing.T) {
	clone, _ := fake(t)
	t.Setenv("CC", "/no/such/compiler")
	var said []string
	opt := LabOptions{Path: clone, Optional: []string{Go, XLACPU}, Kernels: Options{Warn: func(text string) { said = append(said, text) }}}
	lab, err := OpenLab(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if len(lab.Kernels) != 1 || len(said) != 1 || !strings.Contains(said[0], "iimm-go-xla-cpu") || !strings.Contains(said[0], "C compiler") {
		t.Errorf("%v, said %q", lab.Kernels, said)
	}
	opt.Kernels.Backends = []string{XLACPU}
	if _, err := OpenLab(t.Context(), opt); err == nil || !strings.Contains(err.Error(), "C compiler") {
		t.Errorf("asked for: %v", err)
	}
}

func TestBrowserIsNotToldTheTokenWhereOthersCanRead(t *testing.T) {
	bin, dir := t.TempDir(), t.TempDir()
	told := filepath.Join(dir, "told")
	for _, name := range []string{"xdg-open", "open"} {
		write(t, filepath.Join(bin, name), "#!/bin/sh\necho \"$@\" >"+told+".new && mv "+told+".new "+told+"\n")
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	lab := &Lab{URL: "http://127.0.0.1:8888/lab/tree/a%20b.ipynb?token=secret", PID: 7, runtime: dir}
	if err := lab.Browse(); err != nil {
		t.Fatal(err)
	}
	var argument []byte
	for deadline := time.Now().Add(20 * time.Second); argument == nil && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		argument, _ = os.ReadFile(told)
	}
	page := strings.TrimSpace(string(argument))
	if page == "" || strings.Contains(page, "secret") {
		t.Fatalf("the browser was told %q", page)
	}
	info, err := os.Stat(page)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), `content="0;url=`+lab.URL+`"`) {
		t.Errorf("%s, %v", text, err)
	}
	t.Setenv("PATH", dir)
	if err := lab.Browse(); err == nil || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("without a browser: %v", err)
	}
}

func TestAnotherPortIsAnotherLab(t *testing.T) {
	clone, did := fake(t)
	first, err := OpenLab(t.Context(), LabOptions{Path: clone})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if _, err := OpenLab(t.Context(), LabOptions{Path: clone, Port: port}); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a port that is taken: %v", err)
	}
	l.Close()
	second, err := OpenLab(t.Context(), LabOptions{Path: clone, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	if second.Port != port || second.PID == first.PID || !strings.Contains(did(), "--ServerApp.port_retries=0") {
		t.Errorf("%+v", second)
	}
}

func TestLabThatCannotBeMadeSaysWhy(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want string
		no   string
	}{
		{"old Python", map[string]string{"IIMM_TEST_PYTHON": "3 9 able", "IIMM_PYTHON": "python3"}, "is 3.9: install one", ""},
		{"no venv", map[string]string{"IIMM_TEST_PYTHON": "3 12 unable", "IIMM_PYTHON": "python3"}, "apt-get install python3-venv", ""},
		{"no Python", map[string]string{"IIMM_PYTHON": "/no/such/python"}, "--use-existing", ""},
		{"pip fails", map[string]string{"IIMM_TEST_PIP_FAILS": "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"}, "DO NOT MATCH THE HASHES", "IIMM_OFFLINE"},
		{"offline", map[string]string{"IIMM_TEST_PIP_FAILS": "ERROR: none", "IIMM_OFFLINE": "1"}, "IIMM_OFFLINE is set", ""},
		{"server fails", map[string]string{"IIMM_TEST_SERVER_FAILS": "Bad config encountered"}, "Bad config encountered", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			clone, did := fake(t)
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			_, err := OpenLab(t.Context(), LabOptions{Path: clone})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || c.no != "" && strings.Contains(err.Error(), c.no) {
				t.Errorf("%v", err)
			}
			if c.env["IIMM_OFFLINE"] != "" && !strings.Contains(did(), "--no-index") {
				t.Errorf("the network was allowed:\n%s", did())
			}
			// What failed half-way is not taken for whole, and works the next time.
			for name := range c.env {
				t.Setenv(name, map[string]string{"IIMM_TEST_PYTHON": "3 11 able"}[name])
			}
			if _, err := OpenLab(t.Context(), LabOptions{Path: clone}); err != nil {
				t.Errorf("after that: %v", err)
			}
		})
	}
	if _, err := OpenLab(t.Context(), LabOptions{Path: filepath.Join(t.TempDir(), "none.ipynb")}); !os.IsNotExist(err) {
		t.Errorf("a notebook that is not there: %v", err)
	}
}

func TestDoctorSeesTheLab(t *testing.T) {
	clone, _ := fake(t)
	for _, name := range []string{"JUPYTER_DATA_DIR", "XDG_DATA_HOME"} { // no kernel of the user's
		t.Setenv(name, t.TempDir())
	}
	finding := func(name string) Finding {
		for _, f := range Doctor(t.Context(), clone, "") {
			if f.Name == name {
				return f
			}
		}
		return Finding{}
	}
	if f := finding("lab"); f.Level != Note || !strings.Contains(f.Fix, "iimm lab") {
		t.Errorf("before: %+v", f)
	}
	lab, err := OpenLab(t.Context(), LabOptions{Path: clone})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lab", "iimm-go", "build cache", "gopls", "tools", "go"} {
		if f := finding(name); f.Level != OK {
			t.Errorf("after: %s: %+v", name, f)
		}
	}
	// The Python that the environment was made of goes away.
	if err := os.Remove(labEnvironment(filepath.Join(os.Getenv("IIMM_CACHE"), "lab")).python()); err != nil {
		t.Fatal(err)
	}
	if f := finding("lab"); f.Level != Note || !strings.Contains(f.Detail, "does not run") {
		t.Errorf("without its Python: %+v", f)
	}
	spec := lab.Kernels[0]
	spec.Env["CGO_ENABLED"] = "1"
	if err := spec.write(); err != nil {
		t.Fatal(err)
	}
	if f := finding("iimm-go"); f.Level != Error || !strings.Contains(f.Detail, "CGO_ENABLED=1") || f.Fix != "iimm lab" {
		t.Errorf("another setting: %+v", f)
	}
}

func TestRequirementsAreLocked(t *testing.T) {
	names, hashes := map[string]bool{}, 0
	// Comments aside, a requirement is a line with a version and lines with hashes.
	for line := range strings.Lines(string(labRequirements)) {
		line = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), `\`))
		switch {
		case line == "" || line[0] == '#':
		case regexp.MustCompile(`^--hash=sha256:[0-9a-f]{64}$`).MatchString(line):
			hashes++
		case regexp.MustCompile(`^[a-z0-9-]+==[0-9][^ ]*( ; .*)?$`).MatchString(line):
			if len(names) > 0 && hashes == 0 {
				t.Errorf("no hash before %q", line)
			}
			name, _, _ := strings.Cut(line, "==")
			names[name], hashes = true, 0
		default:
			t.Errorf("neither pin nor hash: %q", line)
		}
	}
	for _, want := range []string{"jupyterlab", "ipykernel", "nbconvert", "jupyter-server"} {
		if !names[want] {
			t.Errorf("%s is not locked", want)
		}
	}
	if hashes == 0 || LabVersion() != "4.6.6" {
		t.Errorf("last without hash, or JupyterLab %s", LabVersion())
	}
	if v := completionTools.versions()["gopls"]; v != "v0.23.0" || !strings.Contains(string(goplsSum), "golang.org/x/tools/gopls "+v+" h1:") {
		t.Errorf("gopls %s", v)
	}
}

func TestProcessesAreRead(t *testing.T) {
	got := parseProcesses("  1   0 Ss Sat Nov 28 18:00:00 2026\n 42  1 Z+ Sat Nov 28 18:00:01 2026\n43 1 R 777\nnonsense\n\n")
	if len(got) != 2 || got[1] != (processInfo{0, "Sat Nov 28 18:00:00 2026"}) || got[43] != (processInfo{1, "777"}) {
		t.Errorf("%v", got)
	}
	self := descendants(os.Getpid())
	if len(living(self[:1])) != 1 {
		t.Error("this process is not found")
	}
	later := process{self[0].pid, self[0].began + "1"}
	if len(living([]process{later})) != 0 {
		t.Error("a process of the same number is taken for another")
	}
}

// TestRealLab makes the environment from the package index, works in the real
// JupyterLab with a browser, starts a kernel in it, and undoes all. Where it cannot be had the test is
// skipped, or fails when IIMM_REQUIRE names jupyter.
func TestRealLab(t *testing.T) {
	tools := built(t)
	required := strings.Contains(os.Getenv("IIMM_REQUIRE"), "jupyter")
	if _, err := findPython(t.Context()); err != nil && !required {
		t.Skip(err)
	}
	// A cache of its own, so that no Lab of the user's is found or removed; what is
	// costly to build is shared.
	cache := t.TempDir()
	for _, name := range []string{"bin", "kernels", "notebooks"} {
		shared := filepath.Join(filepath.Dir(filepath.Dir(tools)), name)
		if err := os.MkdirAll(shared, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(shared, filepath.Join(cache, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("IIMM_CACHE", cache)
	dir, err := labDir()
	if err != nil {
		t.Fatal(err)
	}
	if err := labEnvironment(dir).make(t.Context(), progress.Discard); err != nil {
		if required {
			t.Fatalf("IIMM_REQUIRE names jupyter, but: %v", err)
		}
		t.Skipf("JupyterLab cannot be had here: %v", err)
	}
	t.Run("in a browser", labInBrowser)

	// gopls takes minutes to build and is tried in the browser.
	bin := t.TempDir()
	write(t, filepath.Join(bin, "gopls"), "#!/bin/sh\n")
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	lab, err := OpenLab(ctx, LabOptions{Path: filepath.Join("..", "notebooks", "01-embedding-space.ipynb")})
	if err != nil {
		t.Fatal(err)
	}
	defer RemoveLab(context.Background())
	get := func(method, path, token, body string) (int, string) {
		t.Helper()
		request, err := http.NewRequest(method, lab.server.url(path).String(), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			request.Header.Set("Authorization", "token "+token)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(data)
	}
	token := lab.server.Token
	if code, _ := get("GET", "api/kernelspecs", "", ""); code != http.StatusForbidden {
		t.Errorf("without the token: %d", code)
	}
	if code, page := get("GET", "lab/tree/notebooks/01-embedding-space.ipynb", token, ""); code != 200 || !strings.Contains(page, `"appVersion": "`+LabVersion()+`"`) {
		t.Errorf("the page: %d %.300s", code, page)
	}
	if code, text := get("GET", "api/contents/notebooks/01-embedding-space.ipynb", token, ""); code != 200 {
		t.Errorf("the notebook: %d %s", code, text)
	}
	if code, specs := get("GET", "api/kernelspecs", token, ""); code != 200 || !strings.Contains(specs, `"Go (iimm)"`) {
		t.Errorf("kernelspecs: %d %s", code, specs)
	}
	if code, settings := get("GET", "lab/api/settings/@jupyterlab/apputils-extension:notification", token, ""); code != 200 || !strings.Contains(settings, `"default": "false"`) {
		t.Errorf("news would be fetched: %d %s", code, settings)
	}
	if code, text := get("POST", "api/kernels", token, `{"name": "iimm-go"}`); code != http.StatusCreated {
		t.Fatalf("starting a kernel: %d %s", code, text)
	}
	all := descendants(lab.PID)
	if len(all) < 2 {
		t.Fatal("no kernel runs")
	}
	stop()
	if err := lab.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if left := living(all); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := RemoveLab(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("not removed: %v", err)
	}
}
