package notebook

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/iimmkit/iimm/kernels"
)

func TestJUnitTellsEachCell(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	failure := &CellError{Cell: 2, Name: "ERROR", Summary: "panic: <no>", Message: "panic: <no>\n\x1b[31mstack\x1b[0m"}
	cut := &CellError{Cell: 1, Name: Interrupted, Summary: "interrupted", Message: "interrupted", cause: context.Canceled}
	runs := []Run{
		{Task: Task{Path: "a.ipynb", Notebook: code("one()", "", "two()", "three()")}, Began: began, Took: 3 * time.Second, Err: failure,
			Cells: []CellRun{{Cell: 1, Source: "one()", Took: time.Second}, {Cell: 2, Source: "two()", Took: 1500 * time.Millisecond, Failure: failure}}},
		{Task: Task{Path: "b.ipynb", Notebook: code("one()")}, Began: began, Err: errors.New("no kernel")},
		{Task: Task{Path: "c.ipynb", Notebook: code("one()")}, Began: began, Err: cut, Cells: []CellRun{{Cell: 1, Source: "one()", Failure: cut}}},
		{Task: Task{Path: "d.ipynb", Notebook: code("one()")}, Err: context.Canceled},
	}
	var b bytes.Buffer
	if err := WriteJUnit(&b, runs); err != nil {
		t.Fatal(err)
	}
	// Read with names of its own, so that the writer's are checked.
	type problem struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	var got struct {
		XMLName xml.Name   `xml:"testsuites"`
		Attrs   []xml.Attr `xml:",any,attr"`
		Suites  []struct {
			Name  string `xml:"name,attr"`
			Time  string `xml:"time,attr"`
			Stamp string `xml:"timestamp,attr"`
			Cases []struct {
				Name    string   `xml:"name,attr"`
				Class   string   `xml:"classname,attr"`
				Failure *problem `xml:"failure"`
				Error   *problem `xml:"error"`
				Skipped *problem `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	attrs := map[string]string{}
	for _, a := range got.Attrs {
		attrs[a.Name.Local] = a.Value
	}
	if attrs["tests"] != "8" || attrs["failures"] != "1" || attrs["errors"] != "3" || attrs["skipped"] != "3" || attrs["time"] != "3.000" {
		t.Errorf("counts %v in\n%s", attrs, b.String())
	}
	a := got.Suites[0]
	if a.Name != "a.ipynb" || a.Time != "3.000" || a.Stamp != "2026-01-02T03:04:05" || len(a.Cases) != 3 || a.Cases[0].Name != "cell 1: one()" || a.Cases[0].Class != "a.ipynb" {
		t.Errorf("%+v", a)
	}
	if f := a.Cases[1].Failure; f == nil || f.Message != "panic: <no>" || f.Text != "panic: <no>\nstack" || a.Cases[0].Failure != nil || a.Cases[2].Skipped == nil {
		t.Errorf("cases %+v", a.Cases)
	}
	if e := got.Suites[1].Cases[0].Error; e == nil || e.Message != "no kernel" || got.Suites[1].Cases[1].Skipped == nil {
		t.Errorf("%+v", got.Suites[1])
	}
	if got.Suites[2].Cases[0].Error == nil || got.Suites[3].Cases[0].Error == nil || got.Suites[3].Stamp != "" {
		t.Errorf("%+v, %+v", got.Suites[2], got.Suites[3])
	}
}

func TestNotebooksRunAtTheSameTime(t *testing.T) {
	spec := gonb(t)
	// Each waits for the other's file, so that one after the other would fail.
	dir := t.TempDir()
	source := func(mine, others string) string {
		return "%%\nos.WriteFile(\"" + filepath.Join(dir, mine) + "\", nil, 0o600)\nfor {\n\tif _, err := os.Stat(\"" + filepath.Join(dir, others) +
			"\"); err == nil {\n\t\tbreak\n\t}\n\ttime.Sleep(10 * time.Millisecond)\n}\nfmt.Println(\"" + mine + "\")"
	}
	opt := Options{Kernel: spec, Dir: here(t), Timeout: time.Minute}
	tasks := []Task{{"a", code(source("a", "b")), opt}, {"b", code(source("b", "a")), opt}, {"c", code("%%\npanic(1)"), opt}}
	var ended []string
	runs, err := ExecuteAll(t.Context(), tasks, 2, nil, func(i int, r *Run) error {
		ended = append(ended, tasks[i].Path+r.Path)
		return nil
	})
	if err != nil || len(ended) != 3 {
		t.Fatalf("%v, ended: %v", err, ended)
	}
	for i, want := range []string{"a\n", "b\n"} {
		if runs[i].Err != nil || printed(runs[i].Notebook.Cells[0], "stdout") != want || runs[i].Took == 0 || len(runs[i].Cells) != 1 || runs[i].Cells[0].Took == 0 {
			t.Errorf("%+v", runs[i])
		}
	}
	var fail *CellError
	if !errors.As(runs[2].Err, &fail) || runs[2].Cells[0].Failure != fail {
		t.Errorf("the failing one: %+v", runs[2])
	}
}

func TestCancelledNotebooksDoNotBegin(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	runs, err := ExecuteAll(ctx, []Task{{Path: "a", Notebook: code("x")}}, 1, nil, func(int, *Run) error {
		t.Error("it began")
		return nil
	})
	if err != nil || len(runs) != 1 || !errors.Is(runs[0].Err, context.Canceled) || !runs[0].Began.IsZero() {
		t.Errorf("%v, %+v", err, runs)
	}
}

func TestErrorOfWritingStopsTheOthers(t *testing.T) {
	// The kernel cannot start, which is quick and an error of each notebook.
	opt := Options{Kernel: kernels.Spec{Name: "none", Argv: []string{filepath.Join(t.TempDir(), "none")}}, Dir: here(t)}
	full := errors.New("disk full")
	runs, err := ExecuteAll(t.Context(), []Task{{"a", code("x"), opt}, {"b", code("x"), opt}}, 1, nil, func(int, *Run) error { return full })
	if err != full || !errors.Is(runs[0].Err, os.ErrNotExist) || !strings.Contains(runs[0].Err.Error(), "starting kernel none") || !runs[1].Began.IsZero() {
		t.Errorf("%v, %+v", err, runs)
	}
}
