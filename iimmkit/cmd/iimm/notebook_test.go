package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iimmkit/iimm/iimmkit/show/notebook"
	"github.com/iimmkit/iimm/kernels"
)

// iimm runs a command line as main does.
func iimmCommand(t *testing.T, args ...string) (out, complaint string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(args, newStreams(&o, &e))
	return o.String(), e.String(), code
}

// writeNotebook makes a notebook of code cells.
func writeNotebook(t *testing.T, path string, cells ...string) {
	t.Helper()
	n := &notebook.Notebook{Format: 4, Minor: 5, Metadata: map[string]any{"kernelspec": map[string]any{"name": "iimm-go", "display_name": "Go (iimm)", "language": "go"}}}
	for i, c := range cells {
		n.Cells = append(n.Cells, &notebook.Cell{ID: string(rune('a' + i)), Type: "code", Source: c})
	}
	if err := n.Write(path); err != nil {
		t.Fatal(err)
	}
}

func TestNotebookRunRefusesWrongCalls(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.ipynb")
	writeNotebook(t, good, "%%\n_ = nb.Param(\"ledger\", \"\")")
	twin := filepath.Join(dir, "other", "good.ipynb")
	writeNotebook(t, twin, "%%")
	bad := filepath.Join(dir, "bad.ipynb")
	if err := os.WriteFile(bad, []byte("no notebook"), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no notebook":       {[]string{"--out", out}, "requires at least 1 arg"},
		"no --out":          {[]string{good}, "--out DIR is required"},
		"absent":            {[]string{filepath.Join(dir, "none.ipynb"), "--out", out}, "none.ipynb"},
		"no JSON":           {[]string{bad, "--out", out}, "bad.ipynb: not a notebook"},
		"other ending":      {[]string{filepath.Join(dir, "x.txt"), "--out", out}, "is not named .ipynb"},
		"onto itself":       {[]string{good, "--out", dir}, "would be overwritten"},
		"two of one name":   {[]string{good, twin, "--out", out}, "would both be written"},
		"param form":        {[]string{good, "--out", out, "--param", "ledger"}, "NAME=VALUE expected"},
		"param name":        {[]string{good, "--out", out, "--param", "1x=2"}, "a letter first"},
		"param twice":       {[]string{good, "--out", out, "--param", "ledger=a", "--param", "ledger=b"}, "given twice"},
		"param unknown":     {[]string{good, "--out", out, "--param", "leger=a"}, "there are ledger"},
		"negative time":     {[]string{good, "--out", out, "--cell-timeout", "-1s"}, "is negative"},
		"no jobs":           {[]string{good, "--out", out, "--jobs", "0"}, "at least 1"},
		"no such parameter": {[]string{twin, "--out", out, "--param", "ledger=a"}, "have no parameters"},
	} {
		_, complaint, code := iimmCommand(t, append([]string{"notebook", "run"}, c.args...)...)
		if code != 2 || !strings.Contains(complaint, c.want) || strings.Count(complaint, "\n") != 1 {
			t.Errorf("%s: exit %d, %q", name, code, complaint)
		}
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Error("a refused call made the output folder")
	}
}

func TestKernelInstallRefusesUnknownBackends(t *testing.T) {
	_, complaint, code := iimmCommand(t, "kernel", "install", "--backend", "tpu", "--prefix", t.TempDir())
	if code != 2 || !strings.Contains(complaint, "there are go, xla:cpu, xla:cuda") {
		t.Errorf("exit %d, %q", code, complaint)
	}
	if _, complaint, code = iimmCommand(t, "kernel", "install", "--prefix", "x", "--sys-prefix"); code == 0 {
		t.Errorf("both places at once: exit %d, %q", code, complaint)
	}
}

func TestKernelDoctorIsJSON(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	out, _, code := iimmCommand(t, "kernel", "doctor", "--quick", "--json")
	var got struct {
		Schema   int
		Healthy  bool
		Findings []kernels.Finding
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if code != 1 || got.Healthy || got.Schema != 1 {
		t.Errorf("with an empty cache: exit %d, %+v", code, got)
	}
}

// requireGoNB skips where the kernel cannot be had; IIMM_REQUIRE=gonb makes it
// a failure.
func requireGoNB(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("short: no kernel is started")
	}
	if _, err := kernels.Ready(t.Context(), kernels.Go, kernels.Options{}); err != nil {
		if strings.Contains(os.Getenv("IIMM_REQUIRE"), "gonb") {
			t.Fatalf("IIMM_REQUIRE names gonb, but: %v", err)
		}
		t.Skipf("GoNB cannot be had here: %v", err)
	}
}

func TestNotebookRunWritesNotebookAndPage(t *testing.T) {
	requireGoNB(t)
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.ipynb"), filepath.Join(dir, "bad.ipynb")
	writeNotebook(t, good, "import \"github.com/iimmkit/iimm/iimmkit/show/nb\"\n\n%%\nfmt.Println(\"n is\", nb.Param(\"n\", 1))")
	writeNotebook(t, bad, "%%\nfmt.Println(\"before\")", "%%\nundefinedThing()", "%%\nfmt.Println(\"after\")")
	out := filepath.Join(dir, "out")
	junit := filepath.Join(out, "junit.xml")
	text, complaint, code := iimmCommand(t, "notebook", "run", bad, good, "--out", out, "--param", "n=7", "--json", "--jobs", "2", "--junit", junit)
	if code != 1 || !strings.Contains(complaint, "1 of 2 notebooks failed: "+bad) {
		t.Errorf("exit %d, %q", code, complaint)
	}
	var got struct {
		Schema    int
		Notebooks []notebookResult
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	// With two at a time they end in any order.
	slices.SortFunc(got.Notebooks, func(a, b notebookResult) int { return strings.Compare(a.Notebook, b.Notebook) })
	if len(got.Notebooks) != 2 || got.Notebooks[0].OK || !got.Notebooks[1].OK || got.Notebooks[1].Error != nil {
		t.Fatalf("%+v", got)
	}
	if e := got.Notebooks[0].Error; e == nil || e.Cell != 2 || e.ID != "b" || e.Summary != "line 2: undefined: undefinedThing" || e.Message != e.Summary {
		t.Errorf("error %+v", e)
	}
	page, err := os.ReadFile(filepath.Join(out, "good.html"))
	if err != nil || !strings.Contains(string(page), "n is 7") {
		t.Errorf("page: %v", err)
	}
	failed, err := notebook.Read(filepath.Join(out, "bad.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	if len(failed.Cells[0].Outputs) != 1 || len(failed.Cells[1].Outputs) != 1 || len(failed.Cells[2].Outputs) != 0 {
		t.Error("the executed notebook does not show where it failed")
	}
	page, err = os.ReadFile(filepath.Join(out, "bad.html"))
	if err != nil || !strings.Contains(string(page), "undefined: undefinedThing") {
		t.Errorf("the page does not show the compiler's message: %v", err)
	}
	if report, err := os.ReadFile(junit); err != nil || !strings.Contains(string(report), `<testsuites name="iimm notebook run" tests="4" failures="1" errors="0" skipped="1"`) {
		t.Errorf("%v, JUnit's file: %s", err, report)
	}
	text, complaint, _ = iimmCommand(t, "notebook", "run", bad, "--out", out)
	if !strings.Contains(text, "failed at code cell 2") || !strings.Contains(complaint, bad+": failed at code cell 2: line 2: undefined: undefinedThing\n") {
		t.Errorf("printed %q, complained %q", text, complaint)
	}
}

func TestCtrlCSavesWhatRan(t *testing.T) {
	requireGoNB(t)
	dir := t.TempDir()
	begun := filepath.Join(dir, "begun")
	first, second := filepath.Join(dir, "first.ipynb"), filepath.Join(dir, "second.ipynb")
	writeNotebook(t, first, "%%\nfmt.Println(\"whole\")", fmt.Sprintf("%%%%\nfmt.Println(\"part\")\nos.WriteFile(%q, nil, 0o600)\ntime.Sleep(time.Hour)", begun))
	writeNotebook(t, second, "%%\nfmt.Println(\"never\")")
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range 6000 {
			if _, err := os.Stat(begun); err == nil {
				self.Signal(os.Interrupt)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	out := filepath.Join(dir, "out")
	junit := filepath.Join(out, "junit.xml")
	text, complaint, code := iimmCommand(t, "notebook", "run", first, second, "--out", out, "--cell-timeout", "2m", "--junit", junit)
	if code != 130 || !strings.Contains(complaint, first+": failed at code cell 2: interrupted\n") {
		t.Errorf("exit %d, printed %q, complained %q", code, text, complaint)
	}
	n, err := notebook.Read(filepath.Join(out, "first.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	if n.Cells[0].Outputs[0].Text != "whole\n" || n.Cells[1].Outputs[0].Text != "part\n" || n.Cells[1].Outputs[len(n.Cells[1].Outputs)-1].ErrorName != notebook.Interrupted {
		t.Errorf("saved %+v", n.Cells[1].Outputs)
	}
	if _, err := os.Stat(filepath.Join(out, "second.ipynb")); !os.IsNotExist(err) {
		t.Error("the second notebook was begun")
	}
	report, err := os.ReadFile(junit)
	if err != nil || !strings.Contains(string(report), `tests="4" failures="0" errors="2" skipped="1"`) {
		t.Errorf("%v: %s", err, report)
	}
}

func TestNotebookNewListAndExport(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir()) // without scripts of charts
	dir := t.TempDir()
	made := filepath.Join(dir, "steel-defects.ipynb")
	if out, complaint, code := iimmCommand(t, "notebook", "new", made, "--template", "blank"); code != 0 || !strings.Contains(out, "steel defects") {
		t.Fatalf("exit %d, %q, %q", code, out, complaint)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"there already":     {[]string{"new", made}, "is there already"},
		"other ending":      {[]string{"new", filepath.Join(dir, "x")}, "is not named .ipynb"},
		"unknown template":  {[]string{"new", filepath.Join(dir, "x.ipynb"), "--template", "none"}, "there are blank, measure"},
		"two lines":         {[]string{"new", filepath.Join(dir, "x.ipynb"), "--title", "a\nb"}, "is not one line"},
		"form":              {[]string{"export", made, "--to", "docx"}, "--to docx: html, pdf or markdown"},
		"code":              {[]string{"export", made, "--code", "all"}, "--code all: folded"},
		"charts":            {[]string{"export", made, "--charts", "moving"}, "--charts moving: interactive"},
		"charts in a PDF":   {[]string{"export", made, "--to", "pdf", "--charts", "interactive"}, "only HTML"},
		"absent":            {[]string{"export", filepath.Join(dir, "none.ipynb")}, "none.ipynb"},
		"export, other end": {[]string{"export", filepath.Join(dir, "x.txt")}, "is not named .ipynb"},
		"twice":             {[]string{"export", made, made}, "would both be written"},
	} {
		_, complaint, code := iimmCommand(t, append([]string{"notebook"}, c.args...)...)
		if code != 2 || !strings.Contains(complaint, c.want) || strings.Count(complaint, "\n") != 1 {
			t.Errorf("%s: exit %d, %q", name, code, complaint)
		}
	}
	text, complaint, code := iimmCommand(t, "notebook", "export", made, "--json")
	var files struct {
		Schema int
		To     string
		Files  []exportedFile
	}
	page := filepath.Join(dir, "steel-defects.html")
	if err := json.Unmarshal([]byte(text), &files); err != nil || code != 0 || !slices.Equal(files.Files, []exportedFile{{made, page, "static"}}) || !strings.Contains(complaint, "has no outputs") {
		t.Errorf("%v, exit %d, %+v, %q", err, code, files, complaint)
	}
	if data, err := os.ReadFile(page); err != nil || !strings.Contains(string(data), "steel defects</h1>") {
		t.Errorf("page: %v", err)
	}
	out := filepath.Join(dir, "md")
	if _, complaint, code := iimmCommand(t, "notebook", "export", made, "--to", "markdown", "--out", out); code != 0 {
		t.Errorf("exit %d, %q", code, complaint)
	}
	if data, err := os.ReadFile(filepath.Join(out, "steel-defects.md")); err != nil || !strings.HasPrefix(string(data), "# steel defects\n") || !strings.Contains(string(data), "```go\n") {
		t.Errorf("%v: %s", err, data)
	}
	t.Setenv("IIMM_OFFLINE", "1")
	if _, complaint, code := iimmCommand(t, "notebook", "export", made, "--charts", "interactive"); code != 1 || !strings.Contains(complaint, "IIMM_OFFLINE") {
		t.Errorf("offline: exit %d, %q", code, complaint)
	}
	if text, _, code := iimmCommand(t, "notebook", "list", dir); code != 0 || !strings.Contains(text, "steel defects") || strings.Count(text, "\n") != 2 {
		t.Errorf("list: exit %d, %q", code, text)
	}
	if err := os.WriteFile(filepath.Join(dir, "bad.ipynb"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	text, complaint, code = iimmCommand(t, "notebook", "list", dir, "--json")
	var listed struct {
		Schema    int
		Notebooks []notebook.Entry
	}
	if err := json.Unmarshal([]byte(text), &listed); err != nil || code != 1 || len(listed.Notebooks) != 2 || listed.Notebooks[0].Error == "" || !strings.Contains(complaint, "1 of 2 notebooks cannot be read") {
		t.Errorf("%v, exit %d, %+v, %q", err, code, listed, complaint)
	}
}
