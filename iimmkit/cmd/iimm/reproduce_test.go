package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/study/correlation"
)

func TestReproduceWritesAllOfItAndResumes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	args := append([]string{"reproduce", "--tasks", "world/count,world/position,world/shape,world/digit", "--out", dir}, few...)
	code, out, log := command(append(args, "--json")...)
	if code != 0 {
		t.Fatal(code, log)
	}
	var got reproduced
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != 1 || got.Planned != 8 || got.Reused != 0 || got.Failed != 0 || got.Model != "micro-clip" || got.Backend != "go" || len(got.Statements) != 2 {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(log, "tune [") {
		t.Errorf("no progress on the error stream: %q", log)
	}
	for _, path := range append([]string{got.Ledger, got.Correlation, got.Report}, got.Charts...) {
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", path, err)
		}
	}
	data, err := os.ReadFile(got.Correlation)
	if err != nil {
		t.Fatal(err)
	}
	var analysis correlation.Report
	if err := json.Unmarshal(data, &analysis); err != nil || analysis.Runs != 8 || len(analysis.Groups) != 2 {
		t.Fatalf("%v: %+v", err, analysis)
	}
	page, err := os.ReadFile(got.Report)
	if err != nil || !strings.Contains(string(page), "zero-shot error") {
		t.Errorf("the page does not tell of the trivial predictor: %v", err)
	}

	code, out, log = command(args...)
	if code != 0 || !strings.Contains(out, "(8 done before)") || !strings.Contains(out, "4 tasks of model micro-clip, method full") {
		t.Errorf("exit code %d: %s%s", code, out, log)
	}
	if again, err := os.ReadFile(got.Report); err != nil || string(again) != string(page) {
		t.Errorf("nothing was done, and the page is another one: %v", err)
	}
	// The report of the folder is that of the command.
	if code, _, log := command("report", dir); code != 0 || strings.Contains(log, "analysed anew") {
		t.Errorf("exit code %d: %s", code, log)
	}
	if again, err := os.ReadFile(got.Report); err != nil || string(again) != string(page) {
		t.Errorf("iimm report makes another page of the same folder: %v", err)
	}
}

func TestReproduceRefusesInOneLine(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	for want, args := range map[string][]string{
		"no protocol \"slow\"":     {"reproduce", "--protocol", "slow", "--out", out},
		"no tuning method \"all\"": {"reproduce", "--methods", "all", "--out", out},
		"unknown command":          {"reproduce", "now"},
		"--out is empty":           {"reproduce", "--out", ""},
	} {
		if code, stdout, log := command(args...); code != 2 || !strings.Contains(log, want) || strings.Count(log, "\n") != 1 || stdout != "" {
			t.Errorf("%v: exit code %d, want %q: %s", args, code, want, log)
		}
	}
	for want, args := range map[string][]string{
		"there is no task \"world/cuont\"": {"reproduce", "--tasks", "world/cuont", "--backend", "go", "--out", out},
		"no such":                          {"reproduce", "--real", filepath.Join(out, "absent"), "--backend", "go", "--out", out},
	} {
		if code, stdout, log := command(args...); code != 1 || !strings.Contains(log, want) || strings.Count(log, "iimm: ") != 1 || stdout != "" {
			t.Errorf("%v: exit code %d, want %q: %s", args, code, want, log)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a refused call left something behind")
	}
}
