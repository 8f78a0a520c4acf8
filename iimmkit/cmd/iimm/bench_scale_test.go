package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/bench"
)

// asCommand is set for processes that the test's own binary starts as iimm.
const asCommand = "IIMM_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Exit(run(os.Args[1:], newStreams(os.Stdout, os.Stderr)))
	}
	os.Exit(m.Run())
}

func TestBenchScale(t *testing.T) {
	t.Setenv(asCommand, "1")
	dir := t.TempDir()
	csv := filepath.Join(dir, "scale.csv")
	code, out, errs := iimm("bench", "scale", "--rows", "300", "--blobs", "3", "--width", "8", "--classes", "3", "--folder", dir, "--add", csv, "--json")
	if code != 0 {
		t.Fatalf("exit %d, %s", code, errs)
	}
	var got struct {
		Schema int
		Runs   []bench.ScaleRun
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.Schema != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	states := map[string]bool{}
	for _, r := range got.Runs {
		states[r.Program+" "+r.State] = true
		if r.Program != "cat" && (r.Difference == nil || *r.Difference > 1e-12) {
			t.Errorf("%+v", r)
		}
	}
	for _, want := range []string{"map captions", "map classes", "reduce captions", "reduce classes"} {
		if !states[want] {
			t.Errorf("no %s in %s", want, out)
		}
	}
	lines, err := os.ReadFile(csv)
	if err != nil || strings.Count(string(lines), "\n") != len(got.Runs)+1 {
		t.Errorf("%v, %s", err, lines)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
	if code, out, errs := iimm("bench", "scale", "--blobs", "2", "--width", "4", "--classes", "2", "--folder", dir); code != 0 || !strings.Contains(out, "reduce") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	for args, want := range map[string]int{"": 2, "--rows 1": 2, "--rows x": 2, "--rows 9 extra": 2, "--rows 9 --folder " + dir + "/absent": 1} {
		if code, _, errs := iimm(append([]string{"bench", "scale"}, strings.Fields(args)...)...); code != want || errs == "" {
			t.Errorf("%s: exit %d, %s", args, code, errs)
		}
	}
}
