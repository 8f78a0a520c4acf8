package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

func command(args ...string) (code int, out, err string) {
	var o, e bytes.Buffer
	code = run(args, newStreams(&o, &e))
	return code, o.String(), e.String()
}

// few keeps runs of the shipped model within a second or two.
var few = []string{"--backend", "go", "--steps", "2", "--batch", "4", "--train", "24", "--test", "20"}

func TestExperimentRunResumesAndIsRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	args := append([]string{"experiment", "run", "--model", "micro", "--methods", "full,probe", "--tasks", "world/count,world/position", "--seeds", "0,1", "--out", dir}, few...)
	code, out, log := command(append(args, "--json")...)
	if code != 0 {
		t.Fatal(code, log)
	}
	var sum experiment.Summary
	if err := json.Unmarshal([]byte(out), &sum); err != nil {
		t.Fatal(err)
	}
	if sum.Schema != 1 || sum.Planned != 8 || len(sum.Runs) != 8 || sum.Reused != 0 || sum.Model != "micro-clip" {
		t.Errorf("summary %+v", sum)
	}
	if !strings.Contains(log, "tune [") {
		t.Errorf("no progress on the error stream: %q", log)
	}
	code, out, _ = command(args...)
	if code != 0 || !strings.Contains(out, "8 runs of micro-clip on go") || !strings.Contains(out, "(8 done before)") || strings.Count(out, "world/count") != 4 {
		t.Errorf("exit code %d: %s", code, out)
	}
	code, out, _ = command("experiment", "status", dir)
	if code != 0 || !strings.Contains(out, "complete") {
		t.Errorf("exit code %d: %s", code, out)
	}
	var status experiment.Status
	code, out, _ = command("experiment", "status", dir, "--json")
	if err := json.Unmarshal([]byte(out), &status); code != 0 || err != nil || status.Done != 8 || status.Missing != 0 {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
}

func TestFailedRunsAreExitCode1(t *testing.T) {
	dir := t.TempDir()
	args := append([]string{"experiment", "run", "--methods", "full,probe", "--tasks", "world/count", "--out", dir, "--lr", "1e30", "--optimizer", "sgd"}, few...)
	code, out, log := command(args...)
	if code != 1 || !strings.Contains(log, "1 of 2 runs failed, such as full on world/count") || !strings.Contains(log, "--retry-failed") {
		t.Errorf("exit code %d: %s", code, log)
	}
	if !strings.Contains(out, "failed") || !strings.Contains(out, "probe") {
		t.Errorf("the table leaves a run out: %s", out)
	}
	if code, out, _ := command("experiment", "status", dir); code != 0 || !strings.Contains(out, "failed: world/count full seed 0") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestFinetuneKeepsAModelThatOpens(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tuned")
	code, out, log := command(append([]string{"finetune", "--model", "micro", "--method", "bitfit", "--task", "world/count", "--retain", "world/position", "--out", dir}, few...)...)
	if code != 0 || !strings.Contains(out, "world/count (20 test images): accuracy") || !strings.Contains(out, "forgetting on 1 other tasks") {
		t.Fatalf("exit code %d: %s%s", code, out, log)
	}
	probe := filepath.Join(t.TempDir(), "probe")
	code, out, log = command(append([]string{"finetune", "--model", dir, "--method", "probe", "--task", "world/count", "--out", probe, "--json"}, few...)...)
	var tuned experiment.Tuned
	if err := json.Unmarshal([]byte(out), &tuned); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v: %s", code, err, log)
	}
	if tuned.Run.Model != "tuned" || tuned.ParameterCount != 4*65 || tuned.Run.Forgetting != nil {
		t.Errorf("%+v", tuned)
	}
	if _, err := os.Stat(filepath.Join(probe, "probe.safetensors")); err != nil {
		t.Error(err)
	}
	if code, _, log := command(append([]string{"finetune", "--task", "world/count", "--out", dir}, few...)...); code != 1 || !strings.Contains(log, "holds a model already") {
		t.Errorf("exit code %d: %s", code, log)
	}
}

func TestWrongTuningCallsAreExitCode2(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	for want, args := range map[string][]string{
		"--out is required":        {"experiment", "run"},
		"no tuning method \"all\"": {"experiment", "run", "--methods", "all", "--out", out},
		"no protocol \"slow\"":     {"experiment", "run", "--protocol", "slow", "--out", out},
		"learning rate -1":         {"experiment", "run", "--lr", "-1", "--out", out},
		"0 steps":                  {"finetune", "--task", "world/count", "--steps", "0", "--out", out},
		"is given twice":           {"experiment", "run", "--tasks", "world/count,world/count", "--out", out},
		"seed -1":                  {"finetune", "--task", "world/count", "--seed", "-1", "--out", out},
		"--task is required":       {"finetune", "--out", out},
		"no optimizer \"adam\"":    {"finetune", "--task", "world/count", "--optimizer", "adam", "--out", out},
		"invalid argument \"one\"": {"experiment", "run", "--seeds", "one", "--out", out},
		"accepts 1 arg":            {"experiment", "status"},
	} {
		if code, _, log := command(args...); code != 2 || !strings.Contains(log, want) || strings.Count(strings.TrimSpace(log), "\n") != 0 {
			t.Errorf("exit code %d, want %q: %s", code, want, log)
		}
		if _, err := os.Stat(out); err == nil {
			t.Fatalf("%s: something was written", want)
		}
	}
	for want, args := range map[string][]string{
		"there is no task \"world/cuont\"": {"experiment", "run", "--tasks", "world/cuont", "--backend", "go", "--out", out},
		"no model \"macro\"":               {"experiment", "run", "--model", "macro", "--tasks", "world/count", "--backend", "go", "--out", out},
		"holds no experiment":              {"experiment", "status", out},
	} {
		if code, _, log := command(args...); code != 1 || !strings.Contains(log, want) {
			t.Errorf("exit code %d, want %q: %s", code, want, log)
		}
	}
}
