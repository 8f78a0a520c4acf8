package published

import (
	"encoding/csv"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/reference"
)

func TestGainsAreTranscribedRightly(t *testing.T) {
	rows := func(folder, name string) [][]string {
		t.Helper()
		f, err := os.Open(reference.Data(t, "tables", folder, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rows, err := csv.NewReader(f).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	same := func(g Gained, what string, got float64, cell string) {
		t.Helper()
		want, err := strconv.ParseFloat(cell, 64)
		if err != nil || math.Abs(100*got-want) > 1e-9 {
			t.Errorf("%s on %s, %s: %g, the source has %q", g.Model, g.Task, what, 100*got, cell)
		}
	}
	probes := map[string][]string{}
	for _, row := range rows("public_clip", "probe_vs_finetune.csv")[1:] {
		probes[row[0]+row[1]] = row
	}
	byModel := map[string][]Gained{}
	for _, g := range Gains() {
		byModel[g.Model] = append(byModel[g.Model], g)
	}
	seen := 0
	for _, model := range Models() {
		table := rows("fusion_bench", "pre_ft20_"+strings.ToLower(model)+".csv")
		if len(byModel[model]) != len(table[0])-1 {
			t.Fatalf("%s: %d tasks, the source has %d", model, len(byModel[model]), len(table[0])-1)
		}
		for i, g := range byModel[model] {
			if g.Task != table[0][i+1] || g.Classes < 2 {
				t.Errorf("%s with %d classes is %s in the source", g.Task, g.Classes, table[0][i+1])
			}
			same(g, "zero-shot", g.ZeroShot, table[1][i+1])
			same(g, "tuned", g.Accuracy, table[2][i+1])
			p, ok := probes[g.Model+g.Task]
			if ok != (g.Probe != nil) || ok != (g.Probe10 != nil) {
				t.Fatalf("%s on %s: a probe here %v, in the source %v", g.Model, g.Task, g.Probe != nil, ok)
			}
			if ok {
				seen++
				same(g, "probe of ten", *g.Probe10, p[3])
				same(g, "probe", *g.Probe, p[4])
			}
		}
	}
	if seen != len(probes) {
		t.Errorf("%d of the %d published probes are here", seen, len(probes))
	}
}
