package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/study/forecast"
)

func call(args ...string) (code int, out, err string) {
	var o, e bytes.Buffer
	code = run(args, newStreams(&o, &e))
	return code, o.String(), e.String()
}

func TestForecastJSON(t *testing.T) {
	code, out, warnings := call("forecast", "--model", "clip-l-14", "--zero-shot", ".55", "--probe", ".9", "--classes", "20", "--retain", "dtd,mine=.4", "--max-forgetting", "40",
		"--curve", "1:.5,2:.6,4:.68,8:.74,16:.79", "--tested", "400", "--cost-per-label", "1", "--value-per-point", "1000", "--json")
	if code != 0 {
		t.Fatal(code, warnings)
	}
	var f struct {
		forecast.Forecast
		Decision forecast.Decision
		Budget   forecast.Budget
	}
	if err := json.Unmarshal([]byte(out), &f); err != nil {
		t.Fatal(err)
	}
	m := f.Methods[0]
	if f.Schema != 1 || f.Model != "ViT-L-14" || f.Calibration.Name != "clip" || len(f.Calibration.Hash) != 64 || *f.Inputs.ProbeCVAccuracy != .9 || m.Method != "full" {
		t.Errorf("%s", out)
	}
	if len(m.Retained) != 2 || m.Retained[0].Task != "dtd" || !m.Retained[0].Calibrated || m.Retained[1].Calibrated {
		t.Errorf("retained %+v", m.Retained)
	}
	if f.Decision.Verdict != forecast.Full || *f.Decision.Policy.MaxForgetting != 40 {
		t.Errorf("decision %+v", f.Decision)
	}
	if f.Budget.PerClass == nil || f.Budget.Balance == nil || f.Budget.Curve.Points[0].Tested != 400 {
		t.Errorf("budget %+v", f.Budget)
	}
	var keys map[string]any
	if err := json.Unmarshal([]byte(out), &keys); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"schema", "calibration", "model", "inputs", "methods", "decision", "budget"} {
		if _, ok := keys[key]; !ok {
			t.Errorf("no key %s", key)
		}
	}
	_, plain, _ := call("forecast", "--model", "clip", "--zero-shot", "1", "--probe", "1", "--classes", "10", "--json")
	if !strings.Contains(plain, `"budget": null`) || !strings.Contains(plain, `"scaled_gain": null`) || !strings.Contains(plain, `"max_forgetting": null`) {
		t.Errorf("what is not defined is not null:\n%s", plain)
	}
}

func TestForecastInWords(t *testing.T) {
	code, out, warnings := call("forecast", "--zero-shot", ".31", "--classes", "5", "--iimm", ".4", "--retain", "world/shape", "--curve", "1:.4,2:.5,4:.6,8:.68,16:.73", "--cost-per-label", ".1", "--value-per-point", "20")
	if code != 0 {
		t.Fatal(code, warnings)
	}
	for _, want := range []string{"micro-clip, calibration micro: ", "\nmethod ", "\nfull ", "\nprobe ", "world/shape", "Note (probe): forgetting is not defined", "Learning curve: accuracy(n) = 1 - ", "Labels: ", "Balance: labels pay from ", "Verdict: "} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "NaN") || strings.Contains(out, "nil") || strings.Contains(out, "%!") {
		t.Errorf("output:\n%s", out)
	}
}

// figures writes a CSV file of tasks whose tuned accuracy is (1 + probe accuracy)/2.
func figures(t *testing.T) string {
	var b strings.Builder
	b.WriteString("model,task,zero_shot_accuracy,probe_cv_accuracy,iimm,accuracy\n")
	for k := range 12 {
		p := .2 + .06*float64(k)
		fmt.Fprintf(&b, "v,t%d,%g,%g,%g,%g\n", k, .1+.05*float64(k*5%12), p, .3+.02*float64(k*7%12), (1+p)/2)
	}
	path := filepath.Join(t.TempDir(), "figures.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCalibrateThenForecast(t *testing.T) {
	file := filepath.Join(t.TempDir(), "v.json")
	code, out, warnings := call("calibrate", figures(t), "--name", "v", "--source", "made up", "--out", file, "--json")
	if code != 0 {
		t.Fatal(code, warnings)
	}
	var made calibrated
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err)
	}
	if made.Schema != 1 || made.N != 12 || made.Tasks != 12 || made.Source != "made up" || made.File != file {
		t.Errorf("%s", out)
	}
	code, out, warnings = call("forecast", "--calibration", file, "--zero-shot", ".3", "--probe", ".5", "--json")
	if code != 0 {
		t.Fatal(code, warnings)
	}
	var f forecast.Forecast
	if err := json.Unmarshal([]byte(out), &f); err != nil {
		t.Fatal(err)
	}
	if g := f.Methods[0].Gain.Value; math.Abs(g-45) > 3 || f.Calibration.Hash != made.Hash {
		t.Errorf("gain %v, calibration %+v", g, f.Calibration)
	}
}

func TestCalibrateReadsALedgerAndLeavesFailedRunsOut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.json")
	code, out, warnings := call("calibrate", smallLedger(t), "--out", file)
	if code != 0 || !strings.Contains(warnings, "failed runs left out: 1") || !strings.Contains(out, "24 observations (12 tasks; models micro; methods full, probe)") {
		t.Errorf("code %d, out %q, err %q", code, out, warnings)
	}
	if _, err := forecast.Read(file); err != nil {
		t.Error(err)
	}
}

func TestForecastTable(t *testing.T) {
	page := filepath.Join(t.TempDir(), "t.md")
	code, out, warnings := call("forecast", "--table", figures(t), "--markdown", page)
	if code != 0 {
		t.Fatal(code, warnings)
	}
	for _, want := range []string{"Gain and final accuracy, each task left out in turn: points that the forecast is off", "IIMM", "chosen without the task", "What intervals of chosen predictors held", "Gain: best is ", "probe + zero-shot error, off by "} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil || !strings.Contains(string(text), "| predictor | full |") {
		t.Errorf("%v\n%s", err, text)
	}
	code, out, _ = call("forecast", "--table", "clip", "--json")
	var table judgedTable
	if err := json.Unmarshal([]byte(out), &table); err != nil || code != 0 {
		t.Fatal(code, err)
	}
	if table.Calibration.Name != "clip" || len(table.Scores) < 20 || table.Statement == "" {
		t.Errorf("%+v, %d scores", table.Calibration, len(table.Scores))
	}
}

func TestForecastThresholds(t *testing.T) {
	code, out, warnings := call("forecast", "--model", "clip-b-32", "--thresholds", "--min-gain", "5", "--json")
	if code != 0 {
		t.Fatal(code, warnings)
	}
	var r thresholds
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Model != "ViT-B-32" || r.MinGain != 5 || len(r.Thresholds) != 5 || r.Thresholds[2].ZeroShotAccuracy != .5 || r.Thresholds[2].Sure == nil {
		t.Errorf("%s", out)
	}
	code, out, _ = call("forecast", "--thresholds", "--methods", "full")
	if code != 0 || !strings.Contains(out, "hopeless below") || strings.Count(out, "\nfull ") != 5 {
		t.Errorf("code %d\n%s", code, out)
	}
}

func TestForecastWrongCalls(t *testing.T) {
	csv := figures(t)
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no zero-shot", []string{"forecast", "--probe", ".5"}, 2, "--zero-shot is required"},
		{"percent", []string{"forecast", "--zero-shot", "50"}, 1, "zero_shot_accuracy is 50: must be in 0..1"},
		{"unknown model", []string{"forecast", "--model", "resnet", "--zero-shot", ".5"}, 1, "no calibration of model"},
		{"unknown method", []string{"forecast", "--zero-shot", ".5", "--methods", "prompt"}, 1, `not of method "prompt"`},
		{"unknown retained task", []string{"forecast", "--zero-shot", ".5", "--retain", "x"}, 1, "its zero-shot accuracy must be given"},
		{"bad retained task", []string{"forecast", "--zero-shot", ".5", "--retain", "x=y"}, 2, "NAME=ACCURACY"},
		{"bad curve", []string{"forecast", "--zero-shot", ".5", "--curve", "1:2:3"}, 2, "IMAGES:ACCURACY"},
		{"short curve", []string{"forecast", "--zero-shot", ".5", "--curve", "1:.3,2:.4"}, 2, "three or more"},
		{"table flags", []string{"forecast", "--zero-shot", ".5", "--pooled"}, 2, "go with --table"},
		{"no such table", []string{"forecast", "--table", filepath.Join(t.TempDir(), "none")}, 1, "no such file"},
		{"no calibration", []string{"forecast", "--calibration", csv, "--zero-shot", ".5"}, 1, "not a calibration"},
		{"calibrate nothing", []string{"calibrate", "--out", "x"}, 2, "accepts 1 arg"},
		{"calibrate to nowhere", []string{"calibrate", csv}, 2, "--out is required"},
		{"calibrate a calibration", []string{"calibrate", "c.json", "--out", "x"}, 2, "is a calibration already"},
	} {
		code, out, err := call(c.args...)
		if code != c.code || !strings.Contains(err, c.want) || strings.Count(err, "\n") != 1 || out != "" {
			t.Errorf("%s: code %d, out %q, err %q; want %d and one line with %q", c.name, code, out, err, c.code, c.want)
		}
	}
}
