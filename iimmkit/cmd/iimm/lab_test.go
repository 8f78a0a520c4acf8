package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestLabRefusesWrongCalls(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	for _, c := range []struct{ args, want string }{
		{"--port 70000", "70000"},
		{"--port -1", "-1"},
		{"--remove a.ipynb", "name no notebook"},
		{"--stop --remove", "stop"},
		{"--backend tpu", "xla:cpu"},
		{"a.ipynb b.ipynb", "at most 1"},
	} {
		var out, complaint bytes.Buffer
		code := run(append([]string{"lab"}, strings.Fields(c.args)...), newStreams(&out, &complaint))
		if code != 2 || out.Len() > 0 || !strings.Contains(complaint.String(), c.want) {
			t.Errorf("iimm lab %s: exit code %d\n%s%s", c.args, code, &out, &complaint)
		}
	}
}

func TestLabThatIsNotThereIsRemoved(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	for _, c := range []struct{ flag, key string }{{"--remove", "removed"}, {"--stop", "stopped"}} {
		var out, complaint bytes.Buffer
		if code := run([]string{"lab", c.flag, "--json"}, newStreams(&out, &complaint)); code != 0 {
			t.Fatalf("%s: %d %s", c.flag, code, &complaint)
		}
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if value, ok := got[c.key]; got["schema"] != 1.0 || !ok || value != "" && value != 0.0 {
			t.Errorf("%s: %v", c.flag, got)
		}
	}
}
