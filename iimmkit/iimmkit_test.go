package iimmkit

import (
	"math"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/study/assess"
	"github.com/iimmkit/iimm/iimmkit/study/forecast"
)

func TestOpenTakesTheKernelsBackend(t *testing.T) {
	t.Setenv("IIMM_BACKEND", "go")
	e, err := Open("micro")
	if err != nil {
		t.Fatal(err)
	}
	if e.Config().EmbedDim < 1 {
		t.Errorf("config %+v", e.Config())
	}
	t.Setenv("IIMM_BACKEND", "abacus")
	if _, err := Open("micro"); err == nil || !strings.Contains(err.Error(), "abacus") {
		t.Errorf("an unknown backend: %v", err)
	}
}

func TestAssessTakesTheKernelsBackend(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	o := assess.Options{Model: "micro", Load: datasets.LoadOptions{NTrain: 50, NTest: 20}, Policy: forecast.DefaultPolicy(), Resamples: 10}
	t.Setenv("IIMM_BACKEND", "abacus")
	if _, err := Assess(t.Context(), "world/defect", o, progress.Discard); err == nil || !strings.Contains(err.Error(), "abacus") {
		t.Errorf("an unknown backend: %v", err)
	}
	t.Setenv("IIMM_BACKEND", "go")
	a, err := Assess(t.Context(), "world/defect", o, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if a.Backend != "go" || a.Data.Train != 50 || a.Decision == nil {
		t.Errorf("on %s, %d images, decision %v", a.Backend, a.Data.Train, a.Decision)
	}
}

func TestTensorsAreOfTheSet(t *testing.T) {
	t.Setenv("IIMM_BACKEND", "go")
	set := &embedding.Set{
		Images: embedding.Float32(3, 2, []float32{1, 0, 0, 1, 0.6, 0.8}),
		Labels: []int{0, 1, 1},
		Texts:  embedding.Float32(2, 2, []float32{1, 0, 0, 1}),
	}
	tensors, err := Tensors(set)
	if err != nil {
		t.Fatal(err)
	}
	defer tensors.Close()
	// Inter: 0, 0, 0.6; Intra: 0, 0.6, 0.8.
	m, err := tensors.IIMM(t.Context())
	if err != nil || math.Abs(m.Inter-0.2) > 1e-6 || math.Abs(m.Intra-1.4/3) > 1e-6 {
		t.Errorf("%+v, %v", m, err)
	}
}
