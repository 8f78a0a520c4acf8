package main

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
)

func TestZeroShotOfASetCountsByHand(t *testing.T) {
	s := &embedding.Set{
		Images:     embedding.Float32(4, 2, []float32{1, 0, .8, .6, 0, 1, .6, .8}),
		Labels:     []int{0, 1, 1, 1},
		Texts:      embedding.Float32(2, 2, []float32{1, 0, 0, 1}),
		ClassNames: []string{"cat", "dog"},
	}
	path := filepath.Join(t.TempDir(), "s.safetensors")
	write := func() {
		t.Helper()
		if err := embedding.Write(path, s); err != nil {
			t.Fatal(err)
		}
	}
	write()
	code, out, log := command("zeroshot", path)
	if code != 0 || !strings.Contains(out, "top-1 accuracy    75.0 %") || !strings.Contains(out, "mean per class    83.3 %") ||
		!strings.Contains(out, "not computed") || !strings.Contains(out, "1 images of 1 (dog) taken for 0 (cat)") {
		t.Errorf("exit code %d: %s%s", code, out, log)
	}
	scale := 5.0
	s.Provenance.LogitScale = &scale
	write()
	code, out, log = command("zeroshot", path, "--json")
	var got struct {
		Schema      int
		N           int
		Top1        float64
		Confusion   [][]int
		Calibration *struct {
			Confidence float64
			ECE        float64
		}
	}
	if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v: %s", code, err, log)
	}
	p := func(margin float64) float64 { return 1 / (1 + math.Exp(-scale*margin)) }
	confidence := (2*p(1) + 2*p(.2)) / 4
	if got.Schema != 1 || got.N != 4 || got.Top1 != .75 || got.Confusion[1][0] != 1 || got.Calibration == nil ||
		math.Abs(got.Calibration.Confidence-confidence) > 1e-7 {
		t.Errorf("%s; want confidence %g", out, confidence)
	}
}

func TestZeroShotEmbedsFirstWithAModel(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	code, out, log := command("zeroshot", "world/aerial", "--model", "micro", "--backend", "go", "--split", "test")
	if code != 0 || !strings.Contains(out, "500 images, 7 classes") || !strings.Contains(out, "ECE") {
		t.Errorf("exit code %d: %s%s", code, out, log)
	}
}

func TestZeroShotRefusesInOneLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"zeroshot"}, 2}, {[]string{"zeroshot", "x.npz", "--logit-scale", "-1"}, 2},
		{[]string{"zeroshot", "absent.npz"}, 1}, {[]string{"zeroshot", "x", "--model", "micro", "--template", "nothing"}, 2},
		{[]string{"zeroshot", "x", "--model", "micro", "--template", "{c}", "--templates", "f"}, 2},
	} {
		code, out, log := command(c.args...)
		if code != c.code || strings.Count(log, "\n") != 1 || out != "" {
			t.Errorf("%v: exit %d, want %d: %q", c.args, code, c.code, log)
		}
	}
}

func TestCacheIsListedAndCleaned(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	out := filepath.Join(t.TempDir(), "s.npz")
	if code, _, log := command("embed", "world/count", "--backend", "go", "--out", out); code != 0 {
		t.Fatal(log)
	}
	if code, out, log := command("cache", "ls"); code != 0 || !strings.Contains(out, "embeddings") {
		t.Errorf("exit code %d: %s%s", code, out, log)
	}
	for _, wrong := range [][]string{{"cache", "clean"}, {"cache", "clean", "x", "--all"}} {
		if code, _, log := command(wrong...); code != 2 {
			t.Errorf("%v: exit code %d: %s", wrong, code, log)
		}
	}
	if code, _, log := command("cache", "clean", "nonesuch"); code != 1 || !strings.Contains(log, "holds no") {
		t.Errorf("exit code %d: %s", code, log)
	}
	if code, out, log := command("cache", "clean", "embeddings", "--json"); code != 0 || !strings.Contains(out, `"embeddings"`) {
		t.Errorf("exit code %d: %s%s", code, out, log)
	}
	if code, out, _ := command("cache", "ls"); code != 0 || strings.Contains(out, "embeddings") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
