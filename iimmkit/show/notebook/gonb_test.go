package notebook

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iimmkit/iimm/kernels"
)

// gonb returns the pinned kernel, built when it is not in the cache. Where it
// cannot be had the test is skipped, or fails when IIMM_REQUIRE names gonb.
func gonb(t testing.TB) kernels.Spec {
	t.Helper()
	if testing.Short() {
		t.Skip("short: no kernel is started")
	}
	spec, err := kernels.Ready(t.Context(), kernels.Go, kernels.Options{})
	if err != nil {
		if strings.Contains(os.Getenv("IIMM_REQUIRE"), "gonb") {
			t.Fatalf("IIMM_REQUIRE names gonb, but: %v", err)
		}
		t.Skipf("GoNB cannot be had here: %v", err)
	}
	return spec
}

// code makes a notebook of code cells.
func code(sources ...string) *Notebook {
	n := &Notebook{Format: 4, Minor: 5, Metadata: map[string]any{}}
	for i, s := range sources {
		n.Cells = append(n.Cells, &Cell{ID: string(rune('a' + i)), Type: "code", Source: s})
	}
	return n
}

// here is a folder in the module, so that the kernel finds the library.
func here(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func run(t *testing.T, n *Notebook, opt Options) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	opt.Kernel = gonb(t)
	if opt.Dir == "" {
		opt.Dir = here(t)
	}
	return Execute(ctx, n, opt)
}

// printed joins what a cell wrote to a stream.
func printed(c *Cell, name string) string {
	var b strings.Builder
	for _, o := range c.Outputs {
		if o.Type == "stream" && o.Name == name {
			b.WriteString(o.Text)
		}
	}
	return b.String()
}

func TestCellsRunInOrderAndShareDeclarations(t *testing.T) {
	n := code(
		"import \"fmt\"\n\nfunc twice(x int) int { return 2 * x }\n\n%%\nfmt.Println(\"first\", twice(20))",
		"",
		"%%\nfmt.Println(twice(21))",
	)
	if err := run(t, n, Options{}); err != nil {
		t.Fatal(err)
	}
	if got := printed(n.Cells[0], "stdout"); got != "first 40\n" {
		t.Errorf("first cell printed %q", got)
	}
	if got := printed(n.Cells[2], "stdout"); got != "42\n" {
		t.Errorf("third cell printed %q", got)
	}
	if c := n.Cells[2].ExecutionCount; c == nil || *c != 2 {
		t.Errorf("third cell's count %v, want 2: the empty one is not executed", c)
	}
}

func TestCompilerMessageIsTheError(t *testing.T) {
	n := code("%%\nfmt.Println(\"fine\")", "%%\nvar x int = \"text\"\nfmt.Println(x)", "%%\nfmt.Println(\"never\")")
	err := run(t, n, Options{})
	var fail *CellError
	if !errors.As(err, &fail) {
		t.Fatalf("got %v, want a CellError", err)
	}
	if fail.Cell != 2 || fail.ID != "b" || !strings.HasPrefix(fail.Message, "line 2: cannot use \"text\"") {
		t.Errorf("got %+v", fail)
	}
	if n.Cells[2].Outputs != nil || n.Cells[2].ExecutionCount != nil {
		t.Error("a cell after the failing one was executed")
	}
}

func TestUnknownImportFailsAtOnceWithoutNetwork(t *testing.T) {
	n := code("import \"github.com/iimmkit/no-such-thing/pkg\"\n\n%%\npkg.Run()")
	start := time.Now()
	err := run(t, n, Options{})
	if err == nil || !strings.Contains(err.Error(), "no-such-thing") {
		t.Errorf("got %v", err)
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("took %v", d)
	}
	t.Log(err)
}

func TestTimeoutInterruptsTheCell(t *testing.T) {
	// The first cell compiles what the second needs, so that little of its time
	// is the compiler's.
	n := code("%%\nfmt.Println(time.Duration(0))", "%%\nfmt.Println(\"before\")\ntime.Sleep(time.Hour)", "%%\nfmt.Println(\"never\")")
	err := run(t, n, Options{Timeout: 8 * time.Second})
	var fail *CellError
	if !errors.As(err, &fail) || fail.Name != Timeout || fail.Cell != 2 {
		t.Fatalf("got %v", err)
	}
	if got := printed(n.Cells[1], "stdout"); got != "before\n" {
		t.Errorf("the cell's output before the time was up is %q", got)
	}
	if last := n.Cells[1].Outputs[len(n.Cells[1].Outputs)-1]; last.Type != "error" || last.ErrorName != Timeout {
		t.Errorf("last output %+v", last)
	}
}

func TestDeadKernelIsReported(t *testing.T) {
	n := code("import \"syscall\"\n\n%%\nfmt.Println(\"last words\")\ntime.Sleep(300*time.Millisecond)\nsyscall.Kill(os.Getppid(), syscall.SIGKILL)\ntime.Sleep(time.Minute)", "%%\nfmt.Println(1)")
	err := run(t, n, Options{})
	var fail *CellError
	if !errors.As(err, &fail) || fail.Name != KernelDied {
		t.Fatalf("got %v", err)
	}
	if got := printed(n.Cells[0], "stdout"); got != "last words\n" {
		t.Errorf("printed %q", got)
	}
}

func TestProgramFailureSaysWhatItWrote(t *testing.T) {
	n := code("%%\nvar list []int\nfmt.Println(list[3])")
	err := run(t, n, Options{})
	if err == nil || !strings.Contains(err.Error(), "index out of range [3] with length 0") {
		t.Errorf("got %v", err)
	}
	t.Log(err)
}

func TestInputRequestFailsTheCell(t *testing.T) {
	n := code("import \"github.com/janpfeifer/gonb/gonbui\"\n\n%%\ngonbui.RequestInput(\"your name\", false)\nvar s string\nfmt.Scanln(&s)\nfmt.Println(s)")
	err := run(t, n, Options{Timeout: time.Minute})
	var fail *CellError
	if !errors.As(err, &fail) || fail.Name != InputRequested {
		t.Errorf("got %v", err)
	}
}

func TestCancelInterruptsAndKeepsOutput(t *testing.T) {
	spec := gonb(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	begun := filepath.Join(t.TempDir(), "begun")
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			if _, err := os.Stat(begun); err == nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	n := code(fmt.Sprintf("%%%%\nfmt.Println(\"begun\")\nos.WriteFile(%q, nil, 0o600)\ntime.Sleep(time.Hour)", begun))
	err := Execute(ctx, n, Options{Kernel: spec, Dir: here(t)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := printed(n.Cells[0], "stdout"); got != "begun\n" {
		t.Errorf("printed %q", got)
	}
}

func TestMuchOutputArrivesWhole(t *testing.T) {
	n := code("%%\nfor i := range 20000 {\n\tfmt.Println(\"line\", i)\n}")
	if err := run(t, n, Options{}); err != nil {
		t.Fatal(err)
	}
	got := printed(n.Cells[0], "stdout")
	if lines := strings.Count(got, "\n"); lines != 20000 || !strings.HasSuffix(got, "line 19999\n") {
		t.Errorf("%d lines", lines)
	}
	if len(n.Cells[0].Outputs) != 1 {
		t.Errorf("%d outputs, want one merged stream", len(n.Cells[0].Outputs))
	}
}

func TestKernelOutsideACloneUsesTheInstalledModule(t *testing.T) {
	n := code("import \"github.com/iimmkit/iimm/iimmkit/file/progress\"\n\n%%\nfmt.Println(progress.FormatDuration(90*time.Second))")
	if err := run(t, n, Options{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if got := printed(n.Cells[0], "stdout"); got != "1 min 30 s\n" {
		t.Errorf("printed %q", got)
	}
}

func TestKernelWithoutModuleSaysWhatToDo(t *testing.T) {
	spec := gonb(t)
	spec.Env["IIMM_INSTALLED_MODULE"] = filepath.Join(t.TempDir(), "gone")
	err := Execute(t.Context(), code("%%\nfmt.Println(1)"), Options{Kernel: spec, Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "IIMM_MODULE") {
		t.Errorf("got %v", err)
	}
	t.Log(err)
}

// TestDisplaysKeepTheirOrder shows and prints alternately: without the care that
// package nb takes, displays overtake what was printed, or are lost.
func TestDisplaysKeepTheirOrder(t *testing.T) {
	const rounds = 100
	n := code(`import (
	"fmt"

	"github.com/iimmkit/iimm/iimmkit/show/nb"
)

%%
for i := range 100 {
	fmt.Println("before", i)
	nb.Markdown(fmt.Sprint("shown ", i))
	fmt.Println("after", i)
}`)
	if err := run(t, n, Options{}); err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, o := range n.Cells[0].Outputs {
		if o.Type == "stream" {
			got = append(got, strings.Split(strings.TrimSuffix(o.Text, "\n"), "\n")...)
		} else {
			s, _ := o.Data.text("text/markdown")
			got = append(got, s)
		}
	}
	for i := range rounds {
		want = append(want, fmt.Sprint("before ", i), fmt.Sprint("shown ", i), fmt.Sprint("after ", i))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// TestRichOutput shows one thing of each kind and looks at what arrives.
func TestRichOutput(t *testing.T) {
	n := code(`import (
	"github.com/iimmkit/iimm/iimmkit/show/chart"
	"github.com/iimmkit/iimm/iimmkit/show/nb"
)

%%
nb.Table([]string{"task", "iimm"}, [][]any{{"mnist", 0.25}})
nb.Chart(chart.Scatter{Title: "gain", Points: []chart.Point{{X: 0.1, Y: 1, Name: "a"}, {X: 0.2, Y: 3, Name: "b"}}})
nb.PNG([]byte{1, 2, 3}, "three bytes")
nb.SVG([]byte("<svg/>"), "nothing")
b := nb.Progress("counting", 40)
for range 40 {
	time.Sleep(20*time.Millisecond)
	b.Add(1)
}
b.Done()
fmt.Println(nb.Param("n", 1), nb.Param("ledger-folder", "none"))`,
		"%%\nnb.Check(errors.New(\"the ledger is empty\"))")
	err := run(t, n, Options{Parameters: map[string]string{"n": "5", "ledger-folder": "out/x y"}})
	var fail *CellError
	if !errors.As(err, &fail) || fail.Cell != 2 || fail.Message != "Error: the ledger is empty" {
		t.Errorf("got %v", err)
	}
	outputs := n.Cells[0].Outputs
	if len(outputs) != 6 {
		t.Fatalf("%d outputs, want 6 (the progress bar redrawn in place): %+v", len(outputs), outputs)
	}
	spec, _ := outputs[1].Data["application/vnd.vegalite.v5+json"].(map[string]any)
	if spec["$schema"] != "https://vega.github.io/schema/vega-lite/v5.json" {
		t.Errorf("chart: %v", spec["$schema"])
	}
	if svg, _ := outputs[1].Data.text("image/svg+xml"); !strings.Contains(svg, "<svg") {
		t.Error("chart without picture")
	}
	if s, _ := outputs[2].Data.text("image/png"); s != "AQID" {
		t.Errorf("png %q", s)
	}
	if s, _ := outputs[4].Data.text("text/plain"); !strings.Contains(s, "40/40") || !strings.Contains(s, "took") {
		t.Errorf("the bar's last state is %q", s)
	}
	if got := printed(n.Cells[0], "stdout"); got != "5 out/x y\n" {
		t.Errorf("parameters %q", got)
	}
	want := map[string]any{"kernel": "iimm-go", "backend": "go", "parameters": map[string]any{"n": "5", "ledger-folder": "out/x y"}}
	if !reflect.DeepEqual(n.Metadata["iimm"], want) {
		t.Errorf("the notebook tells %v of its execution", n.Metadata["iimm"])
	}
}
