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

	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// iimmRun runs a command line as a process would.
func iimmRun(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(args, newStreams(&o, &e))
	return code, o.String(), e.String()
}

// goldenShards writes a golden set in n arrays, and its captions.
func goldenShards(t *testing.T, g golden.Set, n int) (dir string, shards []string, captions string) {
	t.Helper()
	dir = t.TempDir()
	array := func(name string, x tensorfile.Tensor) string {
		path := filepath.Join(dir, name)
		if err := tensorfile.WriteNPY(path, x); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for k := range n {
		lo, hi := k*golden.N/n, (k+1)*golden.N/n
		y := make([]int64, hi-lo)
		for i := range y {
			y[i] = int64(g.Labels[lo+i])
		}
		array(fmt.Sprintf("s%d.labels.npy", k), tensorfile.FromInt64("", []int{hi - lo}, y))
		shards = append(shards, array(fmt.Sprintf("s%d.npy", k), tensorfile.FromFloat64("", []int{hi - lo, golden.D}, g.Images[lo*golden.D:hi*golden.D])))
	}
	return dir, shards, array("captions.npy", tensorfile.FromFloat64("", []int{golden.C, golden.D}, golden.Texts()))
}

func TestMapAndReduceComeToTheGoldenValues(t *testing.T) {
	g := golden.Mid()
	dir, shards, captions := goldenShards(t, g, 7)
	list := filepath.Join(dir, "shards.txt")
	if err := os.WriteFile(list, []byte(strings.Join(shards, "\n")+"\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, kept := range [][]string{{"--texts", captions}, {"--classes", "6"}} {
		var blobs []string
		for k := range 3 {
			blob := filepath.Join(t.TempDir(), fmt.Sprintf("%d.stats", k))
			code, out, errs := iimmRun(append([]string{"map", "--list", list, "--part", fmt.Sprintf("%d/3", k), "--out", blob, "--json"}, kept...)...)
			var got struct {
				Schema, Shards, Part, Parts, D, Classes int
				N                                       int64
				Texts, Out                              *string
			}
			if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
				t.Fatalf("exit %d, %v, %s", code, err, errs)
			}
			if got.Schema != 1 || got.Shards != []int{2, 2, 3}[k] || got.Part != k || got.Parts != 3 || got.D != golden.D || got.Classes != golden.C ||
				(got.Texts != nil) != (kept[0] == "--texts") || *got.Out != blob {
				t.Errorf("%s", out)
			}
			blobs = append(blobs, blob)
		}
		all := filepath.Join(t.TempDir(), "all.stats")
		code, out, errs := iimmRun(append([]string{"reduce", "--texts", captions, "--out", all, "--json"}, blobs...)...)
		var got struct {
			Schema, Files, Shards, Classes int
			N                              int64
			Texts, Out                     *string
			Measure                        map[string]*float64
		}
		if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
			t.Fatalf("exit %d, %v, %s", code, err, errs)
		}
		if got.Schema != 1 || got.Files != 3 || got.Shards != 7 || got.N != golden.N || len(*got.Texts) != 64 || *got.Out != all {
			t.Errorf("%s", out)
		}
		for key, want := range g.Values {
			v, there := got.Measure[key]
			if key == "inter_by_class" && kept[0] == "--texts" {
				if !there || v != nil {
					t.Errorf("inter_by_class of fused statistics: %s", out)
				}
				continue
			}
			if v == nil || math.Abs(*v-want) > 1e-12 {
				t.Errorf("%s: %v, want %v", key, v, want)
			}
		}
		code, out, _ = iimmRun("reduce", all, "--texts", captions)
		if code != 0 || !strings.Contains(out, "120 rows of width 80, 6 classes, from files: 1, shards: 7") || !strings.Contains(out, "IIMM") || !strings.Contains(out, "-0.007475") {
			t.Errorf("exit %d\n%s", code, out)
		}
		code, _, errs = iimmRun("reduce", all, blobs[1], "--texts", captions)
		if code != 1 || !strings.Contains(errs, "hold the same shard") {
			t.Errorf("exit %d, %s", code, errs)
		}
	}
}

func TestMapTakesItsPartFromTheEnvironment(t *testing.T) {
	dir, shards, captions := goldenShards(t, golden.Mid(), 2)
	out := filepath.Join(dir, "x.stats")
	args := append([]string{"map", "--texts", captions, "--out", out, "--json"}, shards...)
	t.Setenv("IIMM_PARTS", "3")
	for index, shardsOf := range map[string]int{"0": 0, "1": 1, "2": 1} {
		t.Setenv("JOB_COMPLETION_INDEX", index)
		os.Remove(out)
		code, text, errs := iimmRun(args...)
		var got struct {
			Shards, Parts int
			Out           *string
		}
		if err := json.Unmarshal([]byte(text), &got); code != 0 || err != nil || got.Shards != shardsOf || got.Parts != 3 {
			t.Fatalf("index %s: exit %d, %v, %s %s", index, code, err, text, errs)
		}
		if _, err := os.Stat(out); (err == nil) != (shardsOf > 0) || (got.Out != nil) != (shardsOf > 0) {
			t.Errorf("index %s: %v, %s", index, err, text)
		}
	}
	t.Setenv("JOB_COMPLETION_INDEX", "7")
	if code, _, errs := iimmRun(args...); code != 2 || !strings.Contains(errs, "not one of the 3 parts") {
		t.Errorf("exit %d, %s", code, errs)
	}
	if code, text, _ := iimmRun(append(args, "--part", "0/1")...); code != 0 || !strings.Contains(text, `"shards": 2`) {
		t.Errorf("the flag does not win: %s", text)
	}
}

func TestMapAndReduceBadInputIsOneLine(t *testing.T) {
	dir, shards, captions := goldenShards(t, golden.Mid(), 2)
	out := filepath.Join(dir, "x.stats")
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no out":       {[]string{"map", shards[0], "--classes", "6"}, 2, "--out is required"},
		"nothing kept": {[]string{"map", shards[0], "--out", out}, 2, "give the captions"},
		"both kept":    {[]string{"map", shards[0], "--out", out, "--classes", "6", "--texts", captions}, 2, "give the captions"},
		"one class":    {[]string{"map", shards[0], "--out", out, "--classes", "1"}, 2, "want 2 or more"},
		"no shards":    {[]string{"map", "--out", out, "--classes", "6"}, 2, "no shards"},
		"part":         {[]string{"map", shards[0], "--out", out, "--classes", "6", "--part", "1"}, 2, "want INDEX/COUNT"},
		"part of":      {[]string{"map", shards[0], "--out", out, "--classes", "6", "--part", "1/2x"}, 2, "want INDEX/COUNT"},
		"part beyond":  {[]string{"map", shards[0], "--out", out, "--classes", "6", "--part", "2/2"}, 2, "counted from 0"},
		"twice":        {[]string{"map", shards[0], shards[0], "--out", out, "--classes", "6"}, 1, "listed twice"},
		"few classes":  {[]string{"map", shards[0], "--out", out, "--classes", "3"}, 1, "want 0..2"},
		"format":       {[]string{"map", "x.csv", "--out", out, "--classes", "6"}, 1, "no such file"},
		"known format": {[]string{"map", "map_test.go", "--out", out, "--classes", "6"}, 2, "read by blocks from"},
		"captions":     {[]string{"map", shards[0], "--out", out, "--texts", "map_test.go"}, 2, "a table is"},
		"scheme":       {[]string{"map", "s3://bucket/x.npy", "--out", out, "--classes", "6"}, 1, "presigned"},
		"reduce alone": {[]string{"reduce", shards[0]}, 2, "give the captions"},
		"no blobs":     {[]string{"reduce", "--out", out}, 2, "at least 1 arg"},
		"no blob":      {[]string{"reduce", shards[0], "--out", out}, 1, "not in the form"},
	} {
		code, text, errs := iimmRun(c.args...)
		last := errs[strings.LastIndex(strings.TrimSuffix(errs, "\n"), "\n")+1:]
		if code != c.code || text != "" || !strings.HasPrefix(last, "iimm: ") || !strings.Contains(last, c.want) {
			t.Errorf("%s: exit %d, %q, %s", name, code, text, errs)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: a file was left", name)
		}
	}
}
