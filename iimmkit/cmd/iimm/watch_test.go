package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// iimmWatch runs a command line as a process would.
func iimmWatch(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(append([]string{"watch"}, args...), newStreams(&o, &e))
	return code, o.String(), e.String()
}

// halves writes the even and the odd rows of a golden set, the latter also as an
// array, and the latter of the other golden set.
func halves(t *testing.T) (ref, same, array, other string) {
	t.Helper()
	half := func(g golden.Set, odd int, ext string) string {
		return writeGolden(t, g, ext, func(s *embedding.Set) {
			var x []float64
			var y []int
			for i := odd; i < golden.N; i += 2 {
				x, y = append(x, s.Images.F64[i*golden.D:(i+1)*golden.D]...), append(y, s.Labels[i])
			}
			s.Images, s.Labels = embedding.Float64(golden.N/2, golden.D, x), y
		})
	}
	ref, same, other = half(golden.Mid(), 0, ".safetensors"), half(golden.Mid(), 1, ".npz"), half(golden.Easy(), 1, ".csv")
	set, err := embedding.Open(same)
	if err != nil {
		t.Fatal(err)
	}
	array = filepath.Join(t.TempDir(), "new.npy")
	if err := tensorfile.WriteNPY(array, tensorfile.FromFloat64("", []int{golden.N / 2, golden.D}, set.Images.F64)); err != nil {
		t.Fatal(err)
	}
	return ref, same, array, other
}

type watchedJSON struct {
	Schema              int
	Alarm, Reassess     *bool
	P, Level, Tolerance float64
	Why                 []string
	Permutations        int
	Seed                *uint64
	Tests               []map[string]any
	Kernel              struct {
		Name      string
		Bandwidth float64
	}
	FalseAlarms *struct {
		Resamples, Alarms int
		Rate              float64
		CI95              [2]float64
	} `json:"false_alarms"`
	Reference, Batch struct{ N, Used int }
	Measure          map[string]json.RawMessage
	Provenance       embedding.Provenance
	Findings         []embedding.Finding
}

func TestWatchQuietAndAlarm(t *testing.T) {
	ref, same, array, other := halves(t)
	for batch, want := range map[string]int{same: 0, array: 0, other: 3} {
		code, out, errs := iimmWatch(ref, batch, "--json")
		var got watchedJSON
		if err := json.Unmarshal([]byte(out), &got); err != nil || code != want {
			t.Fatalf("%s: exit %d, want %d, %v, %s", batch, code, want, err, errs)
		}
		alarm := want == 3
		if *got.Alarm != alarm || *got.Reassess != alarm || got.P <= got.Level != alarm || got.Why == nil || got.Findings == nil {
			t.Errorf("%s: %s", batch, out)
		}
		if strings.Contains(errs, "iimm: the batch differs from the reference\n") != alarm {
			t.Errorf("%s: %s", batch, errs)
		}
		if got.Schema != 1 || got.Reference.N != 60 || got.Batch.Used != 60 || len(got.Tests) != 5 || got.Kernel.Name != "gaussian" ||
			got.FalseAlarms.Resamples != 200 || got.FalseAlarms.Rate > .05 || got.Permutations != 999 || got.Seed == nil || got.Provenance.Model != "sines" {
			t.Errorf("%s: %s", batch, out)
		}
	}
	code, out, _ := iimmWatch(ref, other)
	if code != 3 || !strings.HasPrefix(out, "ALARM: the batch differs (p 0.00") || !strings.Contains(out, "re-assess: ") || !strings.Contains(out, "bandwidth 1.") {
		t.Errorf("exit %d\n%s", code, out)
	}
	code, out, _ = iimmWatch(ref, same)
	if code != 0 || !strings.HasPrefix(out, "no difference was found (p ") || strings.Contains(out, "re-assess") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func TestWatchKeepsStateAndWritesPrometheus(t *testing.T) {
	ref, same, _, other := halves(t)
	dir := t.TempDir()
	state, prom := filepath.Join(dir, "line.stats"), filepath.Join(dir, "iimm.prom")
	for k, c := range []struct {
		batch   string
		batches string
		counted string
	}{{same, "1", "true"}, {other, "2", "true"}, {same, "2", "false"}} {
		_, out, errs := iimmWatch(ref, c.batch, "--json", "--state", state, "--prom", prom)
		var got watchedJSON
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%v %s", err, errs)
		}
		if string(got.Measure["batches"]) != c.batches || string(got.Measure["counted"]) != c.counted {
			t.Errorf("%d: %s %s", k, got.Measure["batches"], got.Measure["counted"])
		}
	}
	text, err := os.ReadFile(prom)
	if err != nil || !strings.Contains(string(text), "\niimm_watch_alarm{reference=") {
		t.Errorf("%v %s", err, text)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 2 {
		t.Errorf("%v: left behind %v", err, names)
	}
	code, _, errs := iimmWatch(other, same, "--state", state)
	if code != 1 || !strings.Contains(errs, "another reference") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

func TestWatchBadInputIsOneLine(t *testing.T) {
	ref, same, _, _ := halves(t)
	elsewhere := writeGolden(t, golden.Mid(), ".npz", func(s *embedding.Set) { s.Provenance.Hashes = map[string]string{"model": "4567"} })
	flat := filepath.Join(t.TempDir(), "flat.npy")
	if err := tensorfile.WriteNPY(flat, tensorfile.FromFloat64("", []int{3}, []float64{1, 0, 0})); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"one set":      {[]string{ref}, 2, "accepts 2 arg"},
		"level":        {[]string{ref, same, "--level", "1.5"}, 2, "level 1.5"},
		"level 0":      {[]string{ref, same, "--level", "0"}, 2, "--level 0"},
		"permutations": {[]string{ref, same, "--permutations", "99"}, 2, "want at least 499"},
		"format":       {[]string{ref, "x.parquet7"}, 1, "no such file"},
		"shape":        {[]string{ref, flat}, 1, "has shape [3], want [rows, width]"},
		"model":        {[]string{ref, elsewhere}, 1, "not with the same weights"},
		"strict": {[]string{writeGolden(t, golden.Mid(), ".npz", func(s *embedding.Set) { copy(s.Images.F64[golden.D:], s.Images.F64[:golden.D]) }),
			same, "--strict"}, 1, "exactly equal"},
	} {
		code, out, errs := iimmWatch(c.args...)
		if code != c.code || out != "" || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 { // before any progress
			t.Errorf("%s: exit %d, %q, %s", name, code, out, errs)
		}
	}
}
