package notebook

import (
	"go/format"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// TestCounterpartsHaveTheSameCode compares each notebook NAME.ja.ipynb with
// NAME.ipynb: whoever changes a cell in one language changes it in the other.
func TestCounterpartsHaveTheSameCode(t *testing.T) {
	counterparts := 0
	for _, path := range committed(t) {
		of, ok := strings.CutSuffix(path, ".ja.ipynb")
		if !ok {
			continue
		}
		counterparts++
		japanese, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		english, err := Read(of + ".ipynb")
		if err != nil {
			t.Fatal(err)
		}
		if len(japanese.Cells) != len(english.Cells) {
			t.Errorf("%s has %d cells, its counterpart %d", path, len(japanese.Cells), len(english.Cells))
			continue
		}
		for i, c := range japanese.Cells {
			e := english.Cells[i]
			switch {
			case c.ID != e.ID || c.Type != e.Type:
				t.Errorf("%s, cell %d: %s %s where its counterpart has %s %s", path, i, c.Type, c.ID, e.Type, e.ID)
			case c.Type != "code":
				if c.Source == e.Source {
					t.Errorf("%s, cell %s: not translated", path, c.ID)
				}
			default:
				got, want := withoutWords(t, c.Source), withoutWords(t, e.Source)
				if !slices.Equal(got, want) {
					k := 0
					for k < len(got) && k < len(want) && got[k] == want[k] {
						k++
					}
					t.Errorf("%s, cell %s: other code than its counterpart's from …%s… on", path, c.ID, strings.Join(got[max(0, k-8):min(len(got), k+8)], " "))
				}
			}
		}
	}
	if counterparts == 0 {
		t.Error("no counterparts found")
	}
}

// verbs are what fmt replaces in a string.
var verbs = regexp.MustCompile(`%[-+#0-9.\[\]]*[a-zA-Z]`)

// withoutWords returns the tokens of a cell with what a translation changes made
// alike: comments, the language of charts, and of strings all but their verbs.
func withoutWords(t *testing.T, source string) []string {
	t.Helper()
	src := []byte(strings.Replace(source, "%%\n", "", 1))
	files := token.NewFileSet()
	var s scanner.Scanner
	s.Init(files.AddFile("", files.Base(), len(src)), src, func(at token.Position, message string) { t.Fatalf("%v: %s", at, message) }, 0)
	var all []string
	imports, several := false, false
	for {
		_, kind, text := s.Scan()
		if kind == token.EOF {
			break
		}
		if !kind.IsLiteral() && kind != token.IDENT {
			text = kind.String()
		}
		switch kind {
		case token.IMPORT:
			imports, several = true, false
		case token.LPAREN:
			several = true
		case token.RPAREN:
			imports = false
		case token.STRING:
			if !imports {
				text = `"` + strings.Join(verbs.FindAllString(strings.ReplaceAll(text, "%%", ""), -1), "") + `"`
			}
			imports = imports && several
		}
		all = append(all, text)
	}
	words := strings.ReplaceAll(strings.Join(all, " "), "Japanese", "English")
	for _, language := range []string{"Language : chart . English ,", ", Language : chart . English", "plot . Language = chart . English ;"} {
		words = strings.ReplaceAll(words, language, "")
	}
	return strings.Fields(words)
}
