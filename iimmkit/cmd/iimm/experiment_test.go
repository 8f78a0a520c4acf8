package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
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
	for verb, reused := range map[string]string{"resume": "(2 done before)", "retry": "(1 done before)"} {
		if code, out, log := command("experiment", verb, dir); code != 1 || !strings.Contains(out, reused) || !strings.Contains(log, "1 of 2 runs failed") {
			t.Errorf("%s: exit code %d: %s%s", verb, code, out, log)
		}
	}
}

// An experiment of two models, stated in a file, is planned, done, damaged,
// resumed and exported.
func TestExperimentOfAFile(t *testing.T) {
	folder := t.TempDir()
	file, dir := filepath.Join(folder, "experiment.yaml"), filepath.Join(folder, "results")
	spec := `
schema: 1
models: [micro-clip, micro-siglip]
methods: [full, probe]
tasks: [world/count]
seeds: [0]
backend: go
grid: {learning_rate: [3e-4, 1e-3], steps: 2, batch: 4, n_train: 24, n_test: 20}
`
	if err := os.WriteFile(file, []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	var plan experiment.Plan
	code, out, log := command("experiment", "run", "--spec", file, "--out", dir, "--dry-run", "--json")
	if err := json.Unmarshal([]byte(out), &plan); code != 0 || err != nil || plan.Missing != 6 || plan.Estimate.Unknown != 0 || !(*plan.Estimate.Seconds > 0) {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, log)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a dry run wrote something")
	}
	code, out, log = command("experiment", "run", "--spec", file, "--out", dir)
	if code != 0 || !strings.Contains(out, "6 runs of micro-clip, micro-siglip on go") || strings.Count(out, " quick:learning_rate=0.001,steps=2,") != 3 ||
		!strings.Contains(log, "about ") {
		t.Fatalf("exit code %d: %s%s", code, out, log)
	}
	runs, err := filepath.Glob(filepath.Join(dir, "runs", "*.json"))
	if err != nil || len(runs) != 6 {
		t.Fatal(runs, err)
	}
	data, err := os.ReadFile(runs[3])
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Replace(data, []byte(`"n_test": 20`), []byte(`"n_test": 30`), 1)
	if bytes.Equal(data, damaged) {
		t.Fatal("nothing to damage")
	}
	if err := os.WriteFile(runs[3], damaged, 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, log = command("experiment", "status", dir)
	if code != 0 || !strings.Contains(log, runs[3]+" is damaged: checksum") || !strings.Contains(out, "5 runs done, 1 missing") {
		t.Errorf("exit code %d: %s%s", code, out, log)
	}
	code, out, log = command("experiment", "resume", dir)
	if code != 0 || !strings.Contains(out, "(5 done before)") || !strings.Contains(log, "warning: "+runs[3]+" is damaged") {
		t.Errorf("exit code %d: %s%s", code, out, log)
	}
	code, out, _ = command("experiment", "export", "csv", dir)
	lines, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if code != 0 || err != nil || len(lines) != 7 || !slices.Contains(lines[0], "settings.learning_rate") || !slices.Contains(lines[0], "n_test") {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
	table := filepath.Join(folder, "runs.parquet")
	code, out, log = command("experiment", "export", "parquet", dir, "--out", table, "--json")
	var e exported
	if err := json.Unmarshal([]byte(out), &e); code != 0 || err != nil || e.Runs != 6 || e.Columns != len(lines[0]) {
		t.Errorf("exit code %d, %v: %s%s", code, err, out, log)
	}
	if data, err := os.ReadFile(table); err != nil || !bytes.HasPrefix(data, []byte("PAR1")) || !bytes.HasSuffix(data, []byte("PAR1")) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

func TestExperimentInitIsRead(t *testing.T) {
	for _, args := range [][]string{nil, {"--json"}} {
		code, out, _ := command(append([]string{"experiment", "init"}, args...)...)
		if _, err := experiment.ParseDesign([]byte(out)); code != 0 || err != nil {
			t.Errorf("exit code %d, %v: %s", code, err, out)
		}
	}
}

func TestFinetuneKeepsAModelThatOpens(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tuned")
	code, out, log := command(append([]string{"finetune", "--model", "micro", "--method", "bitfit", "--task", "world/count", "--retain", "world/position", "--out", dir}, few...)...)
	if code != 0 || !strings.Contains(out, "world/count (20 test images): accuracy") || !strings.Contains(out, "forgetting on 1 other tasks") {
		t.Fatalf("exit code %d: %s%s", code, out, log)
	}
	probe, merged := filepath.Join(t.TempDir(), "probe"), filepath.Join(t.TempDir(), "merged")
	if code, _, log := command("models", "show", dir); code != 1 || !strings.Contains(log, "iimm finetune merge") {
		t.Errorf("what is no whole model: exit code %d: %s", code, log)
	}
	if code, out, log := command("finetune", "merge", dir, "--out", merged); code != 0 || !strings.Contains(out, "bitfit of micro merged") {
		t.Fatalf("exit code %d: %s%s", code, out, log)
	}
	code, out, log = command(append([]string{"finetune", "--model", merged, "--method", "probe", "--task", "world/count", "--out", probe, "--json"}, few...)...)
	var tuned experiment.Tuned
	if err := json.Unmarshal([]byte(out), &tuned); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v: %s", code, err, log)
	}
	if tuned.Run.Model != "merged" || tuned.ParameterCount != 4*65 || tuned.Run.Forgetting != nil {
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
	file := filepath.Join(t.TempDir(), "spec.yaml")
	if err := os.WriteFile(file, []byte("schema: 1\nmodels: [micro]\nmethod: full\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"line 3":                   {"experiment", "run", "--spec", file, "--out", out},
		"--seeds cannot be given":  {"experiment", "run", "--spec", file, "--seeds", "1", "--out", out},
		"no such file":             {"experiment", "run", "--spec", out + ".yaml", "--out", out},
		"--model and --models":     {"experiment", "run", "--model", "micro", "--models", "micro", "--out", out},
		"no hyper-parameter":       {"experiment", "run", "--grid", "rate=1", "--out", out},
		"steps is given twice":     {"experiment", "run", "--grid", "steps=1,2", "--steps", "3", "--out", out},
		"no format \"xlsx\"":       {"experiment", "export", "xlsx", out},
		"--out is required: the f": {"experiment", "export", "parquet", out},
		"--json needs --out":       {"experiment", "export", "csv", out, "--json"},
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
		out + " holds no experiment":       {"experiment", "resume", out},
		"no such file or directory":        {"experiment", "export", "csv", out},
	} {
		if code, _, log := command(args...); code != 1 || !strings.Contains(log, want) {
			t.Errorf("exit code %d, want %q: %s", code, want, log)
		}
	}
}
