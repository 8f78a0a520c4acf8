package transformer

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/nn"
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
)

// Valid reports whether a is a known activation.
func (a Activation) Valid() bool { return a == QuickGELU || a == GELU || a == GELUTanh }

// Apply returns the activation of x, elementwise.
func (a Activation) Apply(x *Node) *Node {
	switch a {
	case QuickGELU:
		return Mul(x, Sigmoid(MulScalar(x, 1.702)))
	case GELU:
		return MulScalar(Mul(x, AddScalar(Erf(MulScalar(x, 1/math.Sqrt2)), 1)), 0.5)
	case GELUTanh:
		cubic := Add(x, MulScalar(Mul(Square(x), x), 0.044715))
		return MulScalar(Mul(x, AddScalar(Tanh(MulScalar(cubic, math.Sqrt(2/math.Pi))), 1)), 0.5)
	}
	exceptions.Panicf("unknown activation %q", string(a))
	return nil
}

// Tap, when not nil, is called with the hidden states of a tower by name.
type Tap func(name string, x *Node)

func (t Tap) See(x *Node, format string, args ...any) {
	if t != nil {
		t(fmt.Sprintf(format, args...), x)
	}
}

// Block is a pre-norm transformer block: x + attention(norm(x)), then
// x + MLP(norm(x)).
type Block struct {
	Heads      int
	Epsilon    float64 // of both layer norms
	Activation Activation
}

// Forward applies the block to x [batch, tokens, width]. Weights: ln_1, ln_2,
// attn.in_proj_{weight,bias} with rows q, k, v, attn.out_proj, mlp.c_fc,
// mlp.c_proj. mask [tokens, tokens], true where a query (row) sees a key, is
// nil when every token sees every other.
func (b Block) Forward(w Weights, x, mask *Node) *Node {
	x = Add(x, b.attention(w.At("attn"), LayerNorm(w.At("ln_1"), x, b.Epsilon), mask))
	h := Linear(w.At("mlp.c_fc"), LayerNorm(w.At("ln_2"), x, b.Epsilon))
	return Add(x, Linear(w.At("mlp.c_proj"), b.Activation.Apply(h)))
}

func (b Block) attention(w Weights, x, mask *Node) *Node {
	g := x.Graph()
	batch, tokens, width := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	head := width / b.Heads
	qkv := nn.Dense(x, w.Node(g, "in_proj_weight"), w.Node(g, "in_proj_bias"), compute.DenseLayoutOutputsInput)
	// [3, batch, heads, tokens, head]: one transpose brings all three into the
	// layout in which the products below need none.
	qkv = TransposeAllAxes(Reshape(qkv, batch, tokens, 3, b.Heads, head), 2, 0, 3, 1, 4)
	part := func(i int) *Node {
		return Reshape(Slice(qkv, AxisElem(i)), batch*b.Heads, tokens, head)
	}
	q, k, v := MulScalar(part(0), 1/math.Sqrt(float64(head))), part(1), part(2)
	scores := DotGeneral(q, []int{2}, []int{0}, k, []int{2}, []int{0}) // [batch·heads, tokens, tokens]
	if mask != nil {
		scores = Where(BroadcastToDims(InsertAxes(mask, 0), batch*b.Heads, tokens, tokens), scores, MulScalar(OnesLike(scores), -1e9))
	}
	y := DotGeneral(Softmax(scores, -1), []int{2}, []int{0}, v, []int{1}, []int{0}) // [batch·heads, tokens, head]
	y = TransposeAllAxes(Reshape(y, batch, b.Heads, tokens, head), 0, 2, 1, 3)
	return Linear(w.At("out_proj"), Reshape(y, batch, tokens, width))
}

// LayerNorm normalises the last axis of x and applies weight and bias.
func LayerNorm(w Weights, x *Node, epsilon float64) *Node {
	g := x.Graph()
	return nn.LayerNorm(x, []int{-1}, epsilon, w.Node(g, "weight"), w.Node(g, "bias"), nil)
}

// Linear is x·weightᵀ + bias on the last axis of x, weight [out, in] as PyTorch stores it.
func Linear(w Weights, x *Node) *Node {
	g := x.Graph()
	return nn.Dense(x, w.Node(g, "weight"), w.Node(g, "bias"), compute.DenseLayoutOutputsInput)
}

// CausalMask is [tokens, tokens], true where key <= query.
func CausalMask(g *Graph, tokens int) *Node {
	return LowerTriangular(g, tokens)
}

// SelectToken returns x[i, at[i]] for every row i: x [batch, tokens, width],
// at int32 [batch] -> [batch, width].
func SelectToken(x, at *Node) *Node {
	pick := OneHot(at, x.Shape().Dim(1), x.DType()) // [batch, tokens]
	return Reshape(DotGeneral(InsertAxes(pick, 1), []int{2}, []int{0}, x, []int{1}, []int{0}), x.Shape().Dim(0), x.Shape().Dim(2))
}

// Patches cuts pixels [batch, channels, height, width] into rows of
// patch×patch squares: [batch, squares, channels·patch·patch], the order in
// which a convolution weight [out, channels, patch, patch] is stored.
func Patches(pixels *Node, patch int) *Node {
	d := pixels.Shape().Dimensions
	batch, channels, rows, columns := d[0], d[1], d[2]/patch, d[3]/patch
	x := Reshape(pixels, batch, channels, rows, patch, columns, patch)
	x = TransposeAllAxes(x, 0, 2, 4, 1, 3, 5)
	return Reshape(x, batch, rows*columns, channels*patch*patch)
}
