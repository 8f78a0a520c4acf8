package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/ptest"

	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
	"github.com/iimmkit/iimm/iimmkit/core/shard"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// beProgram, when set, makes this test binary iimm-beam: the program that submits a
// job, or the worker that a runner started.
const beProgram = "IIMM_BEAM_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(beProgram) != "" {
		main()
		return
	}
	flag.Parse()
	beam.Init()
	os.Exit(ptest.MainRet(m))
}

// program runs iimm-beam as a process of its own.
func program(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Env = append(os.Environ(), beProgram+"=1", "TMPDIR="+t.TempDir())
	c.WaitDelay = time.Second
	var o, e bytes.Buffer
	c.Stdout, c.Stderr = &o, &e
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return o.String(), e.String(), c.ProcessState.ExitCode()
}

// writeShards writes rows cut[k]..cut[k+1]-1 of a golden set, in turn as arrays and
// as safetensors, and returns the pattern of each form.
func writeShards(t *testing.T, dir string, g golden.Set, cut ...int) []string {
	t.Helper()
	for k := range len(cut) - 1 {
		lo, hi := cut[k], cut[k+1]
		images := tensorfile.FromFloat64("images", []int{hi - lo, golden.D}, g.Images[lo*golden.D:hi*golden.D])
		y := make([]int32, hi-lo)
		for i := range y {
			y[i] = int32(g.Labels[lo+i])
		}
		labels := tensorfile.FromInt32("labels", []int{hi - lo}, y)
		base := filepath.Join(dir, fmt.Sprintf("part%02d", k))
		var err error
		if k%2 == 0 {
			err = errors.Join(tensorfile.WriteNPY(base+".npy", images), tensorfile.WriteNPY(base+".labels.npy", labels))
		} else {
			err = tensorfile.WriteSafetensors(base+".safetensors", []tensorfile.Tensor{images, labels}, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return []string{filepath.Join(dir, "part??.npy"), filepath.Join(dir, "part*.safetensors")}
}

// captions returns the golden captions, and the file that they are in.
func captions(t *testing.T) (*measure.Texts, string) {
	t.Helper()
	texts, err := measure.NewTexts(golden.Texts(), golden.D)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "captions.npy")
	if err := tensorfile.WriteNPY(path, tensorfile.FromFloat64("texts", []int{golden.C, golden.D}, golden.Texts())); err != nil {
		t.Fatal(err)
	}
	return texts, path
}

// wantGolden compares statistics in a file, read as iimm reduce reads them.
func wantGolden(t *testing.T, stats string, g golden.Set, shards int) {
	t.Helper()
	a, err := shard.Reduce(t.Context(), []string{stats}, nil)
	if err != nil {
		t.Fatal(err)
	}
	texts, _ := captions(t)
	r, err := a.Result(texts)
	if err != nil {
		t.Fatal(err)
	}
	if r.InterByClass == nil {
		delete(g.Values, "inter_by_class")
	}
	for _, d := range g.Differences(r, 1e-12) {
		t.Error(d)
	}
	if a.N() != golden.N || len(a.Shards()) != shards {
		t.Errorf("%d rows of %d shards, want %d of %d", a.N(), len(a.Shards()), golden.N, shards)
	}
}

// same compares statistics with those of one pass on one machine, to 1e-12.
func same(t *testing.T, got, want *measure.Accumulator, texts *measure.Texts) {
	t.Helper()
	g, err := got.Result(texts)
	if err != nil {
		t.Fatal(err)
	}
	w, err := want.Result(texts)
	if err != nil {
		t.Fatal(err)
	}
	pairs := [][2]float64{{g.IIMM, w.IIMM}, {g.Inter, w.Inter}, {g.Intra, w.Intra}, {g.Alignment, w.Alignment}, {g.ModalityGap, w.ModalityGap}}
	if (g.InterByClass == nil) != (w.InterByClass == nil) {
		t.Fatalf("%+v, want %+v", g, w)
	}
	if g.InterByClass != nil {
		pairs = append(pairs, [2]float64{*g.InterByClass, *w.InterByClass})
	}
	for _, p := range pairs {
		if !(math.Abs(p[0]-p[1]) <= 1e-12) {
			t.Errorf("%+v, want %+v", g, w)
		}
	}
	if g.N != w.N || strings.Join(got.Shards(), " ") != strings.Join(want.Shards(), " ") {
		t.Errorf("%d rows of shards %v, want %d of %v", g.N, got.Shards(), w.N, want.Shards())
	}
}

func TestProgramWritesWhatReduceReads(t *testing.T) {
	g := golden.Mid()
	dir := t.TempDir()
	patterns := writeShards(t, dir, g, 0, 30, 31, 90, 119, 120)
	_, texts := captions(t)
	list, stats := filepath.Join(dir, "list"), filepath.Join(dir, "out", "all.stats")
	if err := os.WriteFile(list, []byte(patterns[1]+"\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, code := program(t, "--texts", texts, "--out", stats, "--list", list, patterns[0])
	if code != 0 || errs != "" || !strings.HasSuffix(out, "all.stats: 120 rows of width 80, from shards: 5\n") {
		t.Fatalf("exit %d: %q %q", code, out, errs)
	}
	wantGolden(t, stats, g, 5)
	out, errs, code = program(t, "--classes", "6", "--out", stats, "--json", patterns[0], patterns[1])
	for _, want := range []string{`"schema": 1`, `"runner": "prism"`, `"shards": 5`, `"n": 120`, `"d": 80`, `"classes": 6`} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit %d: no %s in %s%s", code, want, out, errs)
		}
	}
	wantGolden(t, stats, golden.Mid(), 5)
}

func TestProgramSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	patterns := writeShards(t, dir, golden.Mid(), 0, 60, 120)
	stats := filepath.Join(dir, "all.stats")
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no out":      {[]string{"--classes", "6", patterns[0]}, 2, "give --out FILE"},
		"no captions": {[]string{"--out", stats, patterns[0]}, 2, "one of --texts FILE, --classes C"},
		"one class":   {[]string{"--out", stats, "--classes", "1", patterns[0]}, 2, "want 2 or more"},
		"no shards":   {[]string{"--out", stats, "--classes", "6"}, 2, "no shards"},
		"scheme":      {[]string{"--out", stats, "--classes", "6", "ftp://host/a.npy"}, 2, "gs:// addresses"},
		"flag":        {[]string{"--nonesuch"}, 2, "nonesuch"},
		"nothing":     {[]string{"--out", stats, "--classes", "6", filepath.Join(dir, "*.parquet")}, 1, "no files matching"},
		"label":       {[]string{"--out", stats, "--classes", "3", patterns[0]}, 1, "has label"},
		"twice":       {[]string{"--out", stats, "--classes", "6", patterns[0], filepath.Join(dir, "part00.npy")}, 1, "is in both"},
		"labels":      {[]string{"--out", stats, "--classes", "6", filepath.Join(dir, "*.labels.npy")}, 1, "labels of "},
		"list":        {[]string{"--out", stats, "--classes", "6", "--list", filepath.Join(dir, "nothing")}, 1, "nothing"},
	} {
		out, errs, code := program(t, c.args...)
		if code != c.code || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("%s: exit %d, %s%s", name, code, out, errs)
		}
		if c.code == 1 && (strings.Count(errs, "\n") != 1 || strings.Contains(errs, "DoFn")) {
			t.Errorf("%s: not one plain line: %s", name, errs)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.stats*")); left != nil {
		t.Errorf("a failed job left %v", left)
	}
}

func TestErrorsAreThoseOfTheFunctionThatFailed(t *testing.T) {
	for message, want := range map[string]string{
		"connection refused": "connection refused",
		"job j failed: bundle b: DoFn[UID:1, Name: a] failed:\nDoFn[UID:6, PID:e9, Name: main.merge] failed:\ninvoking AddInput: twice\n\tat java.base/x(Y.java:1)": "the job failed: invoking AddInput: twice",
		"plan 2: DoFn[cut": "the job failed: DoFn[cut",
	} {
		if got := cause(message); got != want {
			t.Errorf("%q: %q, want %q", message, got, want)
		}
	}
}

func TestResultOfAnEarlierJobIsNotTakenForThisOne(t *testing.T) {
	dir := t.TempDir()
	stats := filepath.Join(dir, "all.stats")
	if a, err := read(t.Context(), stats, nil); a != nil || err != nil {
		t.Errorf("absent: %v, %v", a, err)
	}
	patterns := writeShards(t, dir, golden.Mid(), 0, 60, 120)
	all := oneMachine(t, patterns, shard.Options{Classes: golden.C})
	for range 2 {
		before, _ := os.Stat(stats)
		if before != nil {
			if a, err := read(t.Context(), stats, before); a != nil || err != nil {
				t.Errorf("unchanged: %v, %v", a, err)
			}
		}
		if err := (&write{Out: stats}).ProcessElement(t.Context(), partial{all}); err != nil {
			t.Fatal(err)
		}
		if a, err := read(t.Context(), stats, before); err != nil || a == nil || a.N() != golden.N {
			t.Errorf("written: %v, %v", a, err)
		}
	}
	if err := (&write{Out: stats}).ProcessElement(t.Context(), partial{}); err == nil {
		t.Error("statistics of nothing were written")
	}
}
