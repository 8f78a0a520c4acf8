package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/study/correlation"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

// smallLedger writes a ledger of 12 made-up tasks, tuned by full and probe, and a failed run.
func smallLedger(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	for k := range 12 {
		zeroShot := 1 - float64(k*k)/144
		forgetting := float64(k*5%7) - .5
		for _, method := range []string{"full", "probe"} {
			r := experiment.Run{
				Schema: 1, RunID: fmt.Sprint(method, k), Protocol: "quick", Model: "micro", Method: method,
				Task: fmt.Sprintf("world/task%02d", k), Domain: fmt.Sprint(k / 2),
				ZeroShotAccuracy: zeroShot, Accuracy: (1 + zeroShot) / 2, Gain: 50 * (1 - zeroShot),
				IIMM: float64(k*7%12) / 20, Intra: .5, ModalityGap: float64(k*5%11) / 10, ProbeCVAccuracy: (1 + zeroShot) / 2.1,
			}
			if method == "full" {
				r.Forgetting = &forgetting
			}
			if err := lines.Encode(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := lines.Encode(experiment.Run{Schema: 1, RunID: "x", Model: "micro", Method: "full", Task: "world/broken", Error: "no memory"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, experiment.LedgerFile), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func correlate(t *testing.T, args ...string) (code int, out, err string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(append([]string{"correlate"}, args...), newStreams(&o, &e))
	return code, o.String(), e.String()
}

func TestCorrelateJSON(t *testing.T) {
	dir := smallLedger(t)
	code, out, warnings := correlate(t, dir, "--json", "--bootstrap", "50")
	if code != 0 {
		t.Fatal(code, warnings)
	}
	if !strings.Contains(warnings, "failed runs left out: 1") {
		t.Errorf("warnings %q do not count the failed run", warnings)
	}
	var report correlation.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if report.Schema != 1 || report.Runs != 24 || report.Failed != 1 || len(report.Groups) != 2 || report.Bootstrap != 50 {
		t.Errorf("schema %d, %d runs, %d failed, %d groups, %d resamples", report.Schema, report.Runs, report.Failed, len(report.Groups), report.Bootstrap)
	}
	if c := report.Groups[0].Correlation(correlation.ZeroShotError, correlation.Gain); c == nil || c.R == nil || *c.R < .999 {
		t.Errorf("gain made half the error does not correlate with it: %+v", c)
	}
	_, again, _ := correlate(t, filepath.Join(dir, experiment.LedgerFile), "--json", "--bootstrap", "50")
	if out != again {
		t.Error("folder and file, or two calls, give different bytes")
	}
	_, other, _ := correlate(t, dir, "--json", "--bootstrap", "50", "--seed", "1")
	if out == other {
		t.Error("--seed changes nothing")
	}
}

func TestCorrelateTable(t *testing.T) {
	code, out, _ := correlate(t, smallLedger(t))
	if code != 0 {
		t.Fatal(code)
	}
	for _, want := range []string{
		"micro, method full, protocol quick\n===", "micro, method probe, protocol quick\n===",
		"pooled over 2 groups, protocol quick\n===", "r [95 % interval]", "mean of the other tasks", "zero-shot error + IIMM", "* given zero-shot error",
		"partly arithmetic", "Note: Intra is the same for all tasks", "Note: forgetting is not defined for this method.",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "NaN") || strings.Contains(out, "nil") {
		t.Errorf("output shows what is not defined:\n%s", out)
	}
	for i, line := range strings.Split(out, "\n") {
		if len([]rune(line)) > 100 {
			t.Errorf("line %d is %d wide: %s", i+1, len([]rune(line)), line)
		}
	}
	// Of the probe's part, no table of forgetting.
	if probe := out[strings.Index(out, "method probe"):strings.Index(out, "pooled over")]; strings.Contains(probe, "\nforgetting ") {
		t.Errorf("a probe's forgetting is shown:\n%s", probe)
	}
}

func TestCorrelateWritesTables(t *testing.T) {
	dir, out := smallLedger(t), t.TempDir()
	table, page := filepath.Join(out, "c.csv"), filepath.Join(out, "c.md")
	if code, _, err := correlate(t, dir, "--bootstrap", "50", "--csv", table, "--markdown", page, "--json"); code != 0 {
		t.Fatal(code, err)
	}
	first, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	// Two groups and what they come to together, each of 36 correlations, and a header.
	if n := bytes.Count(first, []byte("\n")); n != 1+3*36 {
		t.Errorf("%d lines of CSV, want 109", n)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2 groups: 1 model, 2 methods, 12 tasks each.", "| micro | full | 12 |", "| micro | (all) | 12 |", "### Forgetting"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the Markdown lacks %q:\n%s", want, text)
		}
	}
	if code, _, err := correlate(t, dir, "--bootstrap", "50", "--csv", table); code != 0 {
		t.Fatal(code, err)
	}
	if again, err := os.ReadFile(table); err != nil || !bytes.Equal(first, again) {
		t.Errorf("two calls wrote different tables, %v", err)
	}
	code, printed, text2 := correlate(t, dir, "--bootstrap", "50", "--csv", filepath.Join(table, "c.csv"))
	if code != 1 || printed != "" || !strings.Contains(text2, "file exists") {
		t.Errorf("a file for a folder: code %d, out %q, err %q", code, printed, text2)
	}
}

func TestCorrelateWrongCalls(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "ledger.jsonl")
	if err := os.WriteFile(bad, []byte("{\"schema\":1,\"run_id\":\"a\",\"task\":\"t\",\"method\":\"m\",\"model\":\"x\",\"accuracy\":93}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no ledger", nil, 2, "accepts 1 arg"},
		{"two ledgers", []string{"a", "b"}, 2, "accepts 1 arg"},
		{"no resamples", []string{bad, "--bootstrap", "0"}, 2, "--bootstrap 0"},
		{"unknown flag", []string{bad, "--boot"}, 2, "unknown flag"},
		{"missing", []string{filepath.Join(t.TempDir(), "none")}, 1, "no such file"},
		{"bad run", []string{bad}, 1, "accuracy is 93: must be a fraction"},
	} {
		code, out, err := correlate(t, c.args...)
		if code != c.code || !strings.Contains(err, c.want) || strings.Count(err, "\n") != 1 || out != "" {
			t.Errorf("%s: code %d, out %q, err %q; want %d and one line with %q", c.name, code, out, err, c.code, c.want)
		}
	}
}
