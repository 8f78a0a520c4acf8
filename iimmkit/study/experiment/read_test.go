package experiment

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const line = `{"schema":1,"run_id":"a","model":"m","method":"full","task":"t","seed":0,"off_target":{}}`

func TestParseLedger(t *testing.T) {
	other := strings.Replace(line, `"a"`, `"b"`, 1)
	for _, c := range []struct {
		name, text, fault string
		runs              int
	}{
		{"two lines", line + "\n" + other + "\n", "", 2},
		{"no last line break", line + "\n\n" + other, "", 2},
		{"nothing", "", "", 0},
		{"a cut line", line + "\n" + other[:20], "line 2: not a run", 0},
		{"the same run twice", line + "\n" + line, "line 2: run a is already on line 1", 0},
		{"a later schema", strings.Replace(line, `"schema":1`, `"schema":2`, 1), "line 1: not a run of schema 1: it says schema 2", 0},
		{"another object", `{"schema":1}`, "run_id, task or method is missing", 0},
		{"not an object", "[]", "line 1: not a run", 0},
	} {
		runs, err := ParseLedger(strings.NewReader(c.text))
		if len(runs) != c.runs || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %d runs, %v", c.name, len(runs), err)
		}
	}
}

func TestReadLedgerNamesWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadLedger(dir); err == nil || !strings.Contains(err.Error(), "holds no runs") {
		t.Errorf("empty folder: %v", err)
	}
	if _, err := ReadLedger(filepath.Join(dir, "absent")); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("no folder: %v", err)
	}
	path := filepath.Join(dir, LedgerFile)
	if err := os.WriteFile(path, []byte(line+"\n{"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{dir, path} {
		if _, err := ReadLedger(p); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("damaged ledger: %v", err)
		}
	}
}

// What is read is written as it was, and never panics.
func FuzzParseLedger(f *testing.F) {
	f.Add([]byte(line))
	f.Add([]byte(line + "\n" + `{"schema":1,"run_id":"b","method":"probe","task":"t","forgetting":null,"off_target":{"u":[0.5,0.25]},"hashes":{"model":"x"}}`))
	f.Add([]byte(`{"schema":1,"run_id":"c","method":"m","task":"t","iimm":1e308}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		runs, err := ParseLedger(bytes.NewReader(data))
		if err != nil {
			return
		}
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		for _, r := range runs {
			if err := e.Encode(r); err != nil {
				t.Fatal(err)
			}
		}
		again, err := ParseLedger(&b)
		if err != nil {
			t.Fatal(err)
		}
		for i := range runs { // an absent map and an empty one are written differently, phases not at all when empty
			if len(runs[i].PhaseSeconds) == 0 {
				runs[i].PhaseSeconds = nil
			}
		}
		if !reflect.DeepEqual(runs, again) {
			t.Fatalf("%+v became %+v", runs, again)
		}
	})
}
