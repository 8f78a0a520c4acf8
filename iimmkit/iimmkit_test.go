package iimmkit

import (
	"math"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
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
