package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
)

func TestSQLQueryAndDecode(t *testing.T) {
	code, out, errs := iimmRun("sql", "query", "duckdb", "--from", "read_parquet('x.parquet')", "--embedding", "my e", "--width", "3")
	if code != 0 || !strings.Contains(out, `CAST("my e" AS DOUBLE[])`) || !strings.Contains(out, "sum(v[3])]") || !strings.Contains(out, "FROM read_parquet('x.parquet')") {
		t.Errorf("exit %d, %s\n%s", code, errs, out)
	}
	code, out, _ = iimmRun("sql", "query", "clickhouse", "--from", "t", "--width", "3", "--json")
	var q struct {
		Schema        int
		Engine, Query string
	}
	if err := json.Unmarshal([]byte(out), &q); code != 0 || err != nil || q.Schema != 1 || q.Engine != "clickhouse" || !strings.HasSuffix(q.Query, "FORMAT JSONEachRow\n") {
		t.Errorf("exit %d, %v\n%s", code, err, out)
	}

	// What an engine would answer for the golden set mid.
	g := golden.Mid()
	var lines strings.Builder
	for c := range golden.C {
		n, q, s := 0, 0.0, make([]float64, golden.D)
		for i, y := range g.Labels {
			if y == c {
				n++
				for j, v := range g.Images[i*golden.D : (i+1)*golden.D] {
					s[j] += v
					q += v * v
				}
			}
		}
		if err := json.NewEncoder(&lines).Encode(map[string]any{"label": c, "n": n, "bad": 0, "q": q, "s": s}); err != nil {
			t.Fatal(err)
		}
	}
	dir, _, captions := goldenShards(t, g, 1)
	result, stats := filepath.Join(dir, "result.json"), filepath.Join(dir, "x.stats")
	if err := os.WriteFile(result, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs = iimmRun("sql", "decode", result, "--classes", "6", "--out", stats)
	if code != 0 || !strings.Contains(out, "120 rows of width 80, 6 classes, 0 of them empty") {
		t.Fatalf("exit %d, %s %s", code, out, errs)
	}
	code, out, errs = iimmRun("reduce", stats, "--texts", captions, "--json")
	var got struct{ Measure map[string]float64 }
	if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
		t.Fatalf("exit %d, %v %s", code, err, errs)
	}
	for key, want := range g.Values {
		if math.Abs(got.Measure[key]-want) > 1e-12 {
			t.Errorf("%s: %v, want %v", key, got.Measure[key], want)
		}
	}
	code, out, _ = iimmRun("sql", "decode", result, "--classes", "8", "--out", stats, "--json")
	if code != 0 || !strings.Contains(out, `"empty_classes": 2`) {
		t.Errorf("exit %d, %s", code, out)
	}
	if code, _, errs = iimmRun("reduce", stats, stats, "--out", filepath.Join(dir, "y")); code != 1 || !strings.Contains(errs, "same shard") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

func TestSQLBadInputIsOneLine(t *testing.T) {
	out := filepath.Join(t.TempDir(), "x.stats")
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"engine":  {[]string{"query", "oracle", "--from", "t", "--width", "3"}, 2, "no queries are written for"},
		"from":    {[]string{"query", "duckdb", "--width", "3"}, 2, "no table"},
		"width":   {[]string{"query", "duckdb", "--from", "t"}, 2, "width 0"},
		"out":     {[]string{"decode", "sql.go", "--classes", "3"}, 2, "--out is required"},
		"classes": {[]string{"decode", "sql.go", "--out", out}, 2, "want 2 or more"},
		"absent":  {[]string{"decode", "absent.json", "--classes", "3", "--out", out}, 1, "no such file"},
		"result":  {[]string{"decode", "sql.go", "--classes", "3", "--out", out}, 1, "sql.go: row 1: not JSON"},
	} {
		code, text, errs := iimmRun(append([]string{"sql"}, c.args...)...)
		if code != c.code || text != "" || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit %d, %q, %s", name, code, text, errs)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a file was left")
	}
}
