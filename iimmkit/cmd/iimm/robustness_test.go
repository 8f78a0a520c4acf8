package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/study/robustness"
)

func TestRobustnessBeforeAndAfterTuning(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	dir := filepath.Join(t.TempDir(), "tuned")
	if code, _, log := command(append([]string{"finetune", "--method", "bitfit", "--task", "world/count", "--out", dir}, few...)...); code != 0 {
		t.Fatal(log)
	}
	sheet := filepath.Join(t.TempDir(), "sheet.png")
	args := []string{"robustness", "--task", "world/count", "--against", dir, "--test", "20", "--kinds", "darkness,jpeg", "--severities", "1,5", "--backend", "go"}
	code, out, log := command(append(args, "--json", "--sheet", sheet)...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, log)
	}
	var c robustness.Comparison
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatal(err)
	}
	if c.Schema != 1 || c.Before.Model != "micro-clip" || c.After.Model != "tuned" || c.Before.N != 20 || len(c.Before.Kinds) != 2 ||
		c.Before.Hashes["model"] == c.After.Hashes["model"] || c.Before.Hashes["pictures"] != c.After.Hashes["pictures"] ||
		math.Abs(c.Change.CleanAccuracy-100*(c.After.CleanAccuracy-c.Before.CleanAccuracy)) > 1e-9 {
		t.Errorf("%s", out)
	}
	if p, err := picture.Open(sheet); err != nil || p.Height < 9*128 {
		t.Errorf("contact sheet: %v", err)
	}
	// The accuracy on the images as they are is what the run says.
	var run struct {
		Accuracy         float64
		ZeroShotAccuracy float64 `json:"zero_shot_accuracy"`
	}
	data, err := os.ReadFile(filepath.Join(dir, "run.json"))
	if err != nil || json.Unmarshal(data, &run) != nil || run.Accuracy != c.After.CleanAccuracy || run.ZeroShotAccuracy != c.Before.CleanAccuracy {
		t.Errorf("clean accuracy %g and %g, the run has %+v (%v)", c.Before.CleanAccuracy, c.After.CleanAccuracy, run, err)
	}
	code, out, log = command(args...)
	if code != 0 || !strings.Contains(out, "20 test images") || strings.Count(out, "darkness") != 2 || !strings.Contains(out, "tuned against micro-clip") {
		t.Errorf("exit code %d: %s%s", code, out, log)
	}
	code, out, log = command(append(args[:3:3], "--test", "20", "--kinds", "hue", "--severities", "2", "--backend", "go", "--template", "{class} things")...)
	if code != 0 || strings.Contains(out, "against") || !strings.Contains(out, "mean corruption accuracy") {
		t.Errorf("exit code %d: %s%s", code, out, log)
	}
}

func TestRobustnessRefusesInOneLine(t *testing.T) {
	task := []string{"robustness", "--task", "world/count"}
	for want, c := range map[string]struct {
		args []string
		code int
	}{
		"--task is required":    {[]string{"robustness"}, 2},
		"no corruption \"fog\"": {append(task[:3:3], "--kinds", "fog"), 2},
		"severity 6":            {append(task[:3:3], "--severities", "6"), 2},
		"lacks {class}":         {append(task[:3:3], "--template", "nothing"), 2},
		"must end in .png":      {append(task[:3:3], "--sheet", "a.jpg"), 2},
		"must not be negative":  {append(task[:3:3], "--test", "-1"), 2},
		"no model \"macro\"":    {append(task[:3:3], "--model", "macro", "--backend", "go"), 1},
		"did you mean":          {[]string{"robustness", "--task", "world/cuont"}, 1},
	} {
		code, out, log := command(c.args...)
		if code != c.code || !strings.Contains(log, want) || strings.Count(log, "\n") != 1 || out != "" {
			t.Errorf("%v: exit code %d, want %d and %q: %q", c.args, code, c.code, want, log)
		}
	}
}
