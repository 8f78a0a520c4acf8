// Package train fits the weights of a network: optimisers, learning-rate
// schedules, the compiled training step, and the contrastive pretraining of
// the small models that the program carries.
package train

import (
	"math"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// Optimizer turns gradients into new weights.
type Optimizer interface {
	// slots is the number of state tensors of a weight's shape.
	slots() int
	// scalars returns the numbers of step t = 0, 1, … that the graph needs,
	// computed on the host in float64.
	scalars(t int, rate float64) []float32
	// update returns a weight's new value and new state.
	update(name string, value, grad *Node, state, scalars []*Node) (*Node, []*Node)
}

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
type AdamW struct {
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64
	// Decays tells which weights decay; nil: DecaysMatrices.
	Decays func(name string, rank int) bool
}

// NewAdamW returns AdamW with betas .9 and .999 and epsilon 1e-8.
func NewAdamW(weightDecay float64) AdamW {
	return AdamW{Beta1: .9, Beta2: .999, Epsilon: 1e-8, WeightDecay: weightDecay}
}

// DecaysMatrices is the usual choice: biases, norms, embeddings of tokens and
// positions, and scalars do not decay.
func DecaysMatrices(name string, rank int) bool {
	return rank >= 2 && !strings.Contains(name, "embedding")
}

func (AdamW) slots() int { return 2 }

func (o AdamW) scalars(t int, rate float64) []float32 {
	n := float64(t + 1)
	return []float32{
		float32(rate / (1 - math.Pow(o.Beta1, n))), // of the first moment
		float32(1 / (1 - math.Pow(o.Beta2, n))),    // of the second
		float32(1 - rate*o.WeightDecay),            // of a decaying weight
	}
}

func (o AdamW) update(name string, value, grad *Node, state, s []*Node) (*Node, []*Node) {
	decays := o.Decays
	if decays == nil {
		decays = DecaysMatrices
	}
	m := Add(MulScalar(state[0], o.Beta1), MulScalar(grad, 1-o.Beta1))
	v := Add(MulScalar(state[1], o.Beta2), MulScalar(Square(grad), 1-o.Beta2))
	if o.WeightDecay != 0 && decays(name, value.Rank()) {
		value = Mul(value, s[2])
	}
	step := Div(Mul(m, s[0]), AddScalar(Sqrt(Mul(v, s[1])), o.Epsilon))
	return Sub(value, step), []*Node{m, v}
}

// SGD is stochastic gradient descent with PyTorch's momentum and coupled
// weight decay: g += decay·w; v = momentum·v + g; w -= rate·v.
type SGD struct {
	Momentum    float64
	WeightDecay float64
	// Decays tells which weights decay; nil: all, as the plain form does.
	Decays func(name string, rank int) bool
}

func (SGD) slots() int { return 1 }

func (o SGD) scalars(_ int, rate float64) []float32 { return []float32{float32(rate)} }

func (o SGD) update(name string, value, grad *Node, state, s []*Node) (*Node, []*Node) {
	if o.WeightDecay != 0 && (o.Decays == nil || o.Decays(name, value.Rank())) {
		grad = Add(grad, MulScalar(value, o.WeightDecay))
	}
	v := Add(MulScalar(state[0], o.Momentum), grad)
	return Sub(value, Mul(v, s[0])), []*Node{v}
}

// Constant returns the learning rate of step t: a linear rise over warmup
// steps to peak.
func Constant(peak float64, t, warmup int) float64 {
	if warmup <= 0 {
		return peak
	}
	return peak * min(1, float64(t+1)/float64(warmup))
}

// Cosine returns the learning rate of step t of steps: a linear rise over
// warmup steps to peak, times half a cosine that ends at 0.
func Cosine(peak float64, t, steps, warmup int) float64 {
	return Constant(peak, t, warmup) * .5 * (1 + math.Cos(math.Pi*float64(t)/float64(steps)))
}
