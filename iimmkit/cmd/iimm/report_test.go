package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

// reportLedger writes a ledger of six tasks into a new folder.
func reportLedger(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var lines bytes.Buffer
	for k := range 6 {
		before, forgetting := float64(k)/8, float64(k*k%5)
		err := json.NewEncoder(&lines).Encode(experiment.Run{Schema: 1, RunID: fmt.Sprint("r", k), Model: "m", Method: "full", Task: fmt.Sprint("task-", k),
			NTest: 50, NTrain: 50, ZeroShotAccuracy: before, Accuracy: .9, Gain: 90 - 100*before, Forgetting: &forgetting,
			OffTarget: map[string][2]float64{fmt.Sprint("task-", (k+1)%6): {.5, .4}}, IIMM: .1 * float64(k*3%7), ProbeCVAccuracy: .5})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "ledger.jsonl"), lines.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReportWritesThePageAndItsCharts(t *testing.T) {
	dir := reportLedger(t)
	var out, stderr bytes.Buffer
	if code := run([]string{"report", dir, "--json"}, newStreams(&out, &stderr)); code != 0 {
		t.Fatalf("exit %d: %s", code, stderr.String())
	}
	var result struct {
		Schema int
		Report string
		Charts []string
	}
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		t.Fatal(err)
	}
	if result.Schema != 1 || result.Report != filepath.Join(dir, "report.html") || len(result.Charts) < 16 {
		t.Errorf("%+v", result)
	}
	page, err := os.ReadFile(result.Report)
	if err != nil || !bytes.Contains(page, []byte("task-3")) {
		t.Errorf("the page lacks a task: %v", err)
	}
	for _, c := range result.Charts {
		if _, err := os.Stat(c); err != nil {
			t.Error(err)
		}
	}
	if !strings.Contains(stderr.String(), "analysed anew") {
		t.Errorf("nothing said of the missing analysis: %q", stderr.String())
	}
	first := page
	if code := run([]string{"report", dir, "--out", filepath.Join(dir, "again", "r.html")}, newStreams(&out, &stderr)); code != 0 {
		t.Fatal(stderr.String())
	}
	if again, _ := os.ReadFile(filepath.Join(dir, "again", "r.html")); !bytes.Equal(first, again) {
		t.Error("the same ledger gives another page")
	}
}

func TestReportRefusesInOneLine(t *testing.T) {
	empty := t.TempDir()
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "ledger.jsonl"), []byte("{\"schema\":1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"report"}, 2}, {[]string{"report", "a", "b"}, 2}, {[]string{"report", empty, "--nonsense"}, 2},
		{[]string{"report", empty}, 1}, {[]string{"report", filepath.Join(empty, "absent")}, 1}, {[]string{"report", broken}, 1},
	} {
		var out, stderr bytes.Buffer
		if code := run(c.args, newStreams(&out, &stderr)); code != c.code || strings.Count(stderr.String(), "\n") != 1 || out.Len() > 0 {
			t.Errorf("%v: exit %d, want %d: %q", c.args, code, c.code, stderr.String())
		}
	}
	if entries, _ := os.ReadDir(empty); len(entries) > 0 {
		t.Errorf("a refused report left %v", entries)
	}
}
