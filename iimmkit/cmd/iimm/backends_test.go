package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
)

// iimm runs a command line as a process would.
func iimm(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(args, newStreams(&o, &e))
	return code, o.String(), e.String()
}

func TestBackendsListsAllWithReasons(t *testing.T) {
	code, out, errs := iimm("backends", "--json")
	if code != 0 || errs != "" {
		t.Fatalf("exit %d, %s", code, errs)
	}
	var got struct {
		Schema   int
		Backends []backend.Status
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	auto := 0
	for i, b := range got.Backends {
		if b.Name != backend.Names()[i] || b.Usable == (b.Why != "") {
			t.Errorf("%+v", b)
		}
		if b.Auto {
			auto++
		}
	}
	if got.Schema != 1 || len(got.Backends) != len(backend.Names()) || auto != 1 {
		t.Errorf("%s", out)
	}
	_, text, _ := iimm("backends")
	for _, b := range got.Backends {
		if !strings.Contains(text, b.Name) || !strings.Contains(text, b.Why) {
			t.Errorf("%q lacks %+v", text, b)
		}
	}
}

func TestBackendsInstallRefuses(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("IIMM_OFFLINE", "1")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 2, "accepts 1 arg"},
		{[]string{"go"}, 2, "part of this binary"},
		{[]string{"xla:tpu"}, 2, "choose xla:cpu or xla:cuda"},
		{[]string{"xla:cpu", "--from-conda"}, 2, "unknown flag"},
		{[]string{"xla:cpu"}, 1, "IIMM_OFFLINE"},
		{[]string{"xla:cpu", "--from-pypi"}, 1, "IIMM_OFFLINE"},
	} {
		if _, err := backend.Source("xla:cpu", backend.InstallOptions{FromPyPI: true}); err != nil && c.code == 1 {
			t.Logf("skipped, no such installer here: %v", err)
			continue
		}
		code, out, errs := iimm(append([]string{"backends", "install"}, c.args...)...)
		if code != c.code || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%q: exit %d, %q, %q", c.args, code, out, errs)
		}
	}
}

func TestBenchJSON(t *testing.T) {
	code, out, errs := iimm("bench", "--backend", "go", "-n", "20", "--classes", "3", "--width", "8", "--duration", "2ms", "--json")
	if code != 0 {
		t.Fatalf("exit %d, %s", code, errs)
	}
	var got struct {
		Schema       int
		N, D         int
		Measurements []struct {
			Kernel, Backend string
			Runs            int
			Median          float64
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got.Schema != 1 || got.N != 20 || got.D != 8 || len(got.Measurements) == 0 {
		t.Errorf("%s", out)
	}
	for _, m := range got.Measurements {
		if m.Runs < 1 || m.Median <= 0 {
			t.Errorf("%+v", m)
		}
	}
	if code, out, _ := iimm("bench", "--backend", "go", "-n", "20", "--duration", "2ms"); code != 0 || !strings.Contains(out, "similarity image-text") {
		t.Errorf("exit %d, %s", code, out)
	}
	for args, want := range map[string]int{"-n 1": 2, "--duration 0s": 2, "--backend abacus": 1, "extra": 2} {
		if code, _, errs := iimm(append([]string{"bench"}, strings.Fields(args)...)...); code != want || errs == "" {
			t.Errorf("%s: exit %d, %s", args, code, errs)
		}
	}
}
