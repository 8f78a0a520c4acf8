package notebook

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// python returns a Python that has a package: IIMM_PYTHON, the one of iimm lab's
// environment, or python3. Without one the test is skipped, or fails when
// IIMM_REQUIRE names jupyter.
func python(t *testing.T, packages ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("short: no Python is started")
	}
	names := []string{"python3"}
	if cache, err := store.CacheDir(); err == nil {
		lab, _ := filepath.Glob(filepath.Join(cache, "lab", "python-*", "bin", "python"))
		names = append(lab, names...)
	}
	if chosen := os.Getenv("IIMM_PYTHON"); chosen != "" {
		names = []string{chosen}
	}
	for _, name := range names {
		if exec.Command(name, "-c", "import "+strings.Join(packages, ", ")).Run() == nil {
			return name
		}
	}
	message := "no Python with " + strings.Join(packages, ", ") + " among " + strings.Join(names, ", ")
	if strings.Contains(os.Getenv("IIMM_REQUIRE"), "jupyter") {
		t.Fatal("IIMM_REQUIRE names jupyter, but: " + message)
	}
	t.Skip(message)
	return ""
}

// validate asks Jupyter's own validator.
func validate(t *testing.T, python string, paths ...string) (complaint string, err error) {
	t.Helper()
	const script = `import nbformat, sys, warnings
warnings.simplefilter("error")
for path in sys.argv[1:]:
    n = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(n)
    assert (n.nbformat, n.nbformat_minor) == (4, 5), (path, n.nbformat, n.nbformat_minor)`
	out, err := exec.Command(python, append([]string{"-c", script}, paths...)...).CombinedOutput()
	return string(out), err
}

func TestWhatIsWrittenIsValid(t *testing.T) {
	py := python(t, "nbformat")
	dir := t.TempDir()
	write := func(name string, n *Notebook) string {
		path := filepath.Join(dir, name)
		if err := n.Write(path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	n, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{write("sample.ipynb", n)}
	old, err := Parse([]byte(`{"nbformat":4,"nbformat_minor":2,"metadata":{},"cells":[{"cell_type":"raw","metadata":{},"source":"one"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	old.Cells = append(old.Cells, &Cell{ID: "a", Type: "code", Outputs: []*Output{
		{Type: "stream", Name: "stderr", Text: "x"}, {Type: "display_data"}, {Type: "execute_result", Data: Bundle{"text/plain": "1"}}, {Type: "error"},
	}})
	paths = append(paths, write("old.ipynb", old))
	if complaint, err := validate(t, py, paths...); err != nil {
		t.Errorf("%v: %s", err, complaint)
	}
	// The validator must be able to refuse.
	bad := write("bad.ipynb", &Notebook{Format: 4, Minor: 5, Cells: []*Cell{{ID: "not valid!", Type: "code"}}})
	if complaint, err := validate(t, py, bad); err == nil || !strings.Contains(complaint, "not valid!") {
		t.Errorf("a wrong id is accepted: %v, %s", err, complaint)
	}
}

func TestExecutedNotebooksAreValid(t *testing.T) {
	py := python(t, "nbformat")
	dir := t.TempDir()
	rich := code(`import "github.com/iimmkit/iimm/iimmkit/show/nb"

var rounds = 2

%%
for i := range rounds {
	fmt.Println("printed", i)
	nb.Markdown("*shown*")
	fmt.Fprintln(os.Stderr, "complained")
}
nb.Progress("work", 1).Done()`, "%%\npanic(\"no\")")
	rich.Cells[0].Metadata = map[string]any{"tags": []any{"parameters"}}
	if err := run(t, rich, Options{Parameters: map[string]string{"rounds": "3"}}); err == nil || !strings.Contains(err.Error(), "panic: no") {
		t.Error(err)
	}
	path := filepath.Join(dir, "rich.ipynb")
	if err := rich.Write(path); err != nil {
		t.Fatal(err)
	}
	if complaint, err := validate(t, py, path); err != nil {
		t.Errorf("%v: %s", err, complaint)
	}
}

// jupyter runs a module of Python's on a notebook with our kernel to be found.
func jupyter(t *testing.T, python, dir string, args ...string) (said string, err error) {
	t.Helper()
	spec := gonb(t)
	cmd := exec.Command(python, append([]string{"-m"}, args...)...)
	cmd.Dir = dir
	// Kernelspecs lie in kernels/ of each folder of JUPYTER_PATH.
	cmd.Env = append(os.Environ(), "JUPYTER_PATH="+filepath.Dir(filepath.Dir(spec.Dir)), "JUPYTER_RUNTIME_DIR="+filepath.Join(dir, "runtime"),
		"JUPYTER_CONFIG_DIR="+filepath.Join(dir, "config"), "IPYTHONDIR="+filepath.Join(dir, "ipython"), "IIMM_RAW_ERROR=true")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// ours gives a notebook our kernel's name and writes it.
func ours(t *testing.T, n *Notebook, path string) {
	t.Helper()
	n.Metadata = map[string]any{"kernelspec": map[string]any{"name": "iimm-go", "display_name": "Go (iimm)", "language": "go"}}
	if err := n.Write(path); err != nil {
		t.Fatal(err)
	}
}

const shows = `import "github.com/iimmkit/iimm/iimmkit/show/nb"

%%
fmt.Println("before")
nb.Markdown("shown")
fmt.Println("after")`

func TestNbconvertExecutesWithOurKernel(t *testing.T) {
	py := python(t, "nbconvert", "nbclient")
	dir := t.TempDir()
	ours(t, code(shows), filepath.Join(dir, "good.ipynb"))
	ours(t, code(shows, "%%\nundefinedThing()"), filepath.Join(dir, "bad.ipynb"))
	if said, err := jupyter(t, py, dir, "nbconvert", "--to", "notebook", "--execute", "good.ipynb", "--output", "executed.ipynb"); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	n, err := Read(filepath.Join(dir, "executed.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	outputs := n.Cells[0].Outputs
	if len(outputs) != 3 || outputs[0].Text != "before\n" || outputs[1].Data["text/markdown"] != "shown" || outputs[2].Text != "after\n" {
		t.Errorf("outputs %s", show(outputs))
	}
	if said, err := jupyter(t, py, dir, "nbconvert", "--to", "notebook", "--execute", "bad.ipynb", "--output", "failed.ipynb"); err == nil || !strings.Contains(said, "undefined: undefinedThing") {
		t.Errorf("a failing notebook: %v, %s", err, said)
	}
}

func TestNbmakeRunsWithOurKernel(t *testing.T) {
	py := python(t, "nbmake", "pytest")
	dir := t.TempDir()
	ours(t, code(shows), filepath.Join(dir, "good.ipynb"))
	ours(t, code(shows, "%%\nundefinedThing()"), filepath.Join(dir, "bad.ipynb"))
	said, err := jupyter(t, py, dir, "pytest", "-p", "no:cacheprovider", "--nbmake", "good.ipynb", "bad.ipynb")
	if err == nil || !strings.Contains(said, "1 failed, 1 passed") || !strings.Contains(said, "undefined: undefinedThing") {
		t.Errorf("%v: %s", err, said)
	}
}
