package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/iimmkit/iimm/kernels"
)

func TestDoctorSaysHowToMendWhatItFinds(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	t.Setenv("IIMM_PYTHON", "/no/such/python")
	var out, complaint bytes.Buffer
	// Nothing is built in this cache: that is an error.
	if code := run([]string{"kernel", "doctor", "--quick", "--json"}, newStreams(&out, &complaint)); code != 1 {
		t.Errorf("exit code %d: %s", code, &complaint)
	}
	var report struct {
		Schema   int
		Healthy  bool
		Findings []kernels.Finding
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if report.Schema != 1 || report.Healthy {
		t.Errorf("%+v", report)
	}
	seen := map[string]string{}
	for _, f := range report.Findings {
		seen[f.Name] = f.Level
		if f.Detail == "" || (f.Level == kernels.OK) != (f.Fix == "") {
			t.Errorf("%+v", f)
		}
	}
	for _, name := range []string{"go", "bash", "cgo", "cache", "module", "tools", "gopls", "lab", "jupyter", "simd", "xla:cpu", "xla:cuda", "fonts"} {
		if seen[name] == "" {
			t.Errorf("nothing about %s in %v", name, seen)
		}
	}
	if seen["tools"] != kernels.Error || seen["lab"] != kernels.Note || seen["module"] != kernels.OK {
		t.Errorf("%v", seen)
	}
}
