package train

import (
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
)

// Two steps of the same weight share the state of its optimiser: what the one
// left there, Reset of the other forgets.
func TestResetForgetsWhatAnyStepLeft(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	store := model.NewStore()
	w := store.VariableWithValue("/w", []float32{1, 2})
	var steps [2]*Step
	for i := range steps {
		steps[i], err = NewStep(b, store, []*model.Variable{w}, Options{Optimizer: SGD{Momentum: .5}}, func(g *Graph, in []*Node) *Node {
			return ReduceAllSum(Mul(w.NodeValue(g), in[0])) // its gradient is the input
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	weights := []float32{1, 2}
	// Each run begins with Reset: twice 1 of gradient, .5 of momentum, rate 1.
	for _, s := range []*Step{steps[0], steps[1], steps[1], steps[0]} {
		for range 2 {
			if err := s.Reset(); err != nil { // the second finds zeros
				t.Fatal(err)
			}
		}
		if s.Steps() != 0 {
			t.Errorf("%d steps after Reset", s.Steps())
		}
		for _, moved := range []float32{1, 1.5} {
			if _, err := s.Run(1, tensors.FromFlatDataAndDimensions([]float32{1, 1}, 2)); err != nil {
				t.Fatal(err)
			}
			for i := range weights {
				weights[i] -= moved
			}
			value, err := w.Value()
			if err != nil {
				t.Fatal(err)
			}
			if got := tensors.MustCopyFlatData[float32](value); !slices.Equal(got, weights) {
				t.Fatalf("weights %v, want %v", got, weights)
			}
		}
	}
}
