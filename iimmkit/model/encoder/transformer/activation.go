package transformer

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Activation is the non-linearity of an MLP, by the name checkpoints use.
type Activation string

const (
	// QuickGELU is x·sigmoid(1.702 x), used by OpenAI's weights.
	QuickGELU Activation = "quick_gelu"
	// GELU is x·Φ(x) with the exact error function.
	GELU Activation = "gelu"
	// GELUTanh is the tanh approximation of GELU.
	GELUTanh Activation = "gelu_pytorch_tanh"
	// SiLU is x·sigmoid(x), the gate of EVA-02's MLPs.
	SiLU Activation = "silu"
)

// IsGELU reports whether a is one of the GELUs, with which all plain MLPs of
// the supported families are made.
func (a Activation) IsGELU() bool { return a == QuickGELU || a == GELU || a == GELUTanh }

// Apply returns the activation of x, elementwise.
func (a Activation) Apply(x *Node) *Node {
	switch a {
	case QuickGELU:
		return Mul(x, Sigmoid(MulScalar(x, 1.702)))
	case GELU:
		return activation.Gelu(x) // in one pass where the backend has it
	case GELUTanh:
		cubic := Add(x, MulScalar(Mul(Square(x), x), 0.044715))
		return MulScalar(Mul(x, AddScalar(Tanh(MulScalar(cubic, math.Sqrt(2/math.Pi))), 1)), 0.5)
	case SiLU:
		return Mul(x, Sigmoid(x))
	}
	exceptions.Panicf("unknown activation %q", string(a))
	return nil
}
