package experiment

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// tableRuns are three runs: one of a tower method, a probe and a failed one.
func tableRuns() []Run {
	return []Run{
		{Schema: 1, RunID: "a", Model: "m", Method: "full", Task: "t", Seed: 3, Settings: map[string]any{"learning_rate": 3e-4, "optimizer": "adamw", "fixed_text": false},
			ZeroShotAccuracy: .25, Accuracy: 1. / 3, Gain: 25. / 3, ScaledGain: value(1. / 9), Forgetting: value(-2.5), RelativeForgetting: value(-.1),
			OffTarget: map[string][2]float64{"world/u": {.5, .525}, "b,\"c\"": {.25, .25}}, InterByClass: value(.2), PhaseSeconds: map[string]float64{"tune": 2},
			PeakMemory: 1 << 33, Hashes: map[string]string{"model": "x"}},
		{Schema: 1, RunID: "b", Model: "m", Method: "probe", Task: "t", Settings: map[string]any{"penalties": []any{1., 2.}}, Accuracy: 1, Gain: 75, ZeroShotAccuracy: .25},
		{Schema: 1, RunID: "c", Model: "m", Method: "full", Task: "t", ZeroShotAccuracy: .25, IIMM: .5, Error: "step 3: loss is NaN"},
	}
}

func TestCSVHoldsEveryKeyOfTheLedger(t *testing.T) {
	runs := tableRuns()
	var b bytes.Buffer
	if err := WriteCSV(&b, runs); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(lines) != 4 {
		t.Fatal(len(lines), err)
	}
	cells := func(row int) map[string]string {
		m := map[string]string{}
		for k, name := range lines[0] {
			if _, twice := m[name]; twice {
				t.Errorf("two columns %s", name)
			}
			m[name] = lines[row+1][k]
		}
		return m
	}
	// Every value of the ledger's JSON has its cell, and the cell its value.
	failedHasNot := map[string]bool{"accuracy": true, "gain": true, "scaled_gain": true, "forgetting": true, "relative_forgetting": true}
	for row, run := range runs {
		data, err := json.Marshal(run)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(data, &fields); err != nil {
			t.Fatal(err)
		}
		have := cells(row)
		var check func(name string, v any)
		check = func(name string, v any) {
			cell, ok := have[name]
			switch v := v.(type) {
			case map[string]any:
				for k, x := range v {
					check(name+"."+k, x)
				}
				return
			case []any:
				if strings.HasPrefix(name, "off_target") {
					check(name+".before", v[0])
					check(name+".after", v[1])
					return
				}
				ok = ok && cell == fmt.Sprint(v)
			case nil:
				ok = cell == "" // a map that is absent has no column
			case string:
				ok = ok && cell == v
			case bool:
				ok = ok && cell == strconv.FormatBool(v)
			case float64:
				if run.Error != "" && failedHasNot[name] {
					ok = ok && cell == ""
					break
				}
				x, err := strconv.ParseFloat(cell, 64)
				ok = ok && err == nil && x == v
			}
			if !ok {
				t.Errorf("row %d: %s is %q, the ledger has %v", row, name, cell, v)
			}
		}
		for name, v := range fields {
			check(name, v)
		}
	}
	if have := cells(1); have["off_target.world/u.after"] != "" || have["settings.learning_rate"] != "" || have["peak_memory_bytes"] != "" {
		t.Errorf("the probe's row: %v", have)
	}
	// Names of one kind stand together, in alphabetical order, before before after.
	joined := strings.Join(lines[0], "|")
	if !strings.Contains(joined, `|off_target.b,"c".before|off_target.b,"c".after|off_target.world/u.before|off_target.world/u.after|iimm|`) ||
		!strings.Contains(joined, "|seed|settings.fixed_text|settings.learning_rate|settings.optimizer|settings.penalties|n_train|") {
		t.Errorf("columns %s", joined)
	}
}

func TestTableIsOneTypeAColumn(t *testing.T) {
	columns := Table([]Run{
		{RunID: "a", Settings: map[string]any{"rank": 4., "x": "y"}},
		{RunID: "b", Settings: map[string]any{"rank": "all", "x": nil}},
	})
	kinds := map[string]ColumnKind{}
	for _, c := range columns {
		kinds[c.Name] = c.Kind
		if len(c.Values) != 2 {
			t.Errorf("%s has %d values", c.Name, len(c.Values))
		}
		if c.Name == "settings.rank" && (c.Values[0] != "4" || c.Values[1] != "all") {
			t.Errorf("ranks %v", c.Values)
		}
	}
	for name, want := range map[string]ColumnKind{"settings.rank": Text, "run_id": Text, "seed": Integer, "gain": Number, "forgetting": Number, "peak_memory_bytes": Integer} {
		if got, ok := kinds[name]; !ok || got != want {
			t.Errorf("%s is of kind %v, want %v", name, got, want)
		}
	}
	if columns := Table(nil); len(columns) != 0 {
		t.Errorf("nothing gave %d columns", len(columns))
	}
}

func TestChosenColumnsComeInTheirOrder(t *testing.T) {
	runs := []Run{{Method: "full", Task: "a", Gain: 2}, {Method: "probe", Task: "b", Gain: -1}}
	var b bytes.Buffer
	if err := WriteCSV(&b, runs, "gain", "task"); err != nil || b.String() != "gain,task\n2,a\n-1,b\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
	if err := WriteCSV(&b, runs, "gain", "gian"); err == nil || !strings.Contains(err.Error(), "gian") {
		t.Errorf("error %v", err)
	}
}
