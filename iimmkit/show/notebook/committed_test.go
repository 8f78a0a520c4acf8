package notebook

import (
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// committed returns the notebooks of the repository, templates among them.
func committed(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("../../../notebooks/*.ipynb")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no notebooks found: %v", err)
	}
	templates, err := filepath.Glob("template/*.ipynb")
	if err != nil || len(templates) != len(Templates()) {
		t.Fatalf("templates %v: %v", templates, err)
	}
	return append(paths, templates...)
}

func TestCommittedNotebooksAreClean(t *testing.T) {
	for _, path := range committed(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		n, err := Parse(data)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		again, err := n.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if string(again) != string(data) {
			t.Errorf("%s is not as Jupyter writes it (ids, order of keys, indentation)", path)
		}
		if got := n.Kernel(); got != "iimm-go" {
			t.Errorf("%s asks for kernel %q", path, got)
		}
		if n.Title() == "" {
			t.Errorf("%s has no heading", path)
		}
		for _, c := range n.Cells {
			if len(c.Outputs) > 0 || c.ExecutionCount != nil {
				t.Errorf("%s, cell %s: committed with outputs", path, c.ID)
			}
			if c.Type == "code" {
				formatted(t, path, c)
			}
		}
	}
}

// formatted checks that a cell is as gofmt writes it: declarations, then after
// %% the statements.
func formatted(t *testing.T, path string, c *Cell) {
	t.Helper()
	head, body, _ := strings.Cut(c.Source, "%%\n")
	var want strings.Builder
	want.WriteString("package main\n\n")
	if head = strings.TrimSpace(head); head != "" {
		want.WriteString(head + "\n\n")
	}
	want.WriteString("func main() {\n")
	for line := range strings.Lines(strings.TrimRight(body, "\n") + "\n") {
		if strings.TrimSpace(line) != "" {
			line = "\t" + line
		}
		want.WriteString(line)
	}
	want.WriteString("}\n")
	got, err := format.Source([]byte(want.String()))
	if err != nil {
		t.Errorf("%s, cell %s: %v", path, c.ID, err)
		return
	}
	if string(got) != want.String() {
		t.Errorf("%s, cell %s: not as gofmt writes it:\n%s", path, c.ID, got)
	}
}

// TestFormulasOfCommittedNotebooksAreSet looks whether the page shows every
// formula as a formula.
func TestFormulasOfCommittedNotebooksAreSet(t *testing.T) {
	for _, path := range committed(t) {
		n, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		page := pageOf(t, n, PageOptions{})
		if i := strings.Index(page, `<code class="tex"`); i >= 0 {
			t.Errorf("%s: a formula is shown as its source: %.200s", path, page[i:])
		}
		if strings.Contains(path, "notebooks") && !strings.Contains(page, "<math") {
			t.Errorf("%s: no formulas on the page", path)
		}
	}
}
