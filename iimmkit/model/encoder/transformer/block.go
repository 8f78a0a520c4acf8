package transformer

import (
	"math"
	"slices"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/nn"
)

// Tower is the size of one transformer.
type Tower struct {
	Width    int `json:"width"`
	Layers   int `json:"layers"`
	Heads    int `json:"heads"`
	MLPWidth int `json:"mlp_width"`
}

// Block is a pre-norm transformer block: x + attention(norm(x)), then
// x + MLP(norm(x)).
type Block struct {
	Heads      int
	Epsilon    float64 // of all layer norms
	Activation Activation
	// Rotary turns queries and keys by the place of their token; nil: it does not.
	Rotary *Rotary
	// SubNorm is EVA-02's form: the attention's outcome is normalised before its
	// projection, the MLP is norm(activation(gate)·x), and keys have no bias.
	SubNorm bool
}

// Repeat applies the blocks 0..layers-1 of w, transformer.resblocks.N, to x
// [batch, tokens, width]. Weights of each: ln_1, ln_2, attn.in_proj_{weight,bias}
// with rows q, k, v, attn.out_proj, mlp.c_fc, mlp.c_proj; with SubNorm
// attn.{q,v}_proj.bias in place of attn.in_proj_bias, and attn.norm, mlp.c_gate,
// mlp.norm besides. mask, [tokens, tokens] or one for each row, [batch, tokens,
// tokens], is true where a query (row) sees a key; nil when every token sees
// every other. The tap of w sees what each block returns as TOWER.block.N.
func (b Block) Repeat(layers int, w Weights, x, mask *Node, tower string) *Node {
	var hidden *Node
	if mask != nil {
		hidden = MulScalar(ConvertDType(LogicalNot(mask), x.DType()), -1e9)
	}
	for i := range layers {
		block := w.At("transformer.resblocks.%d", i)
		x = Add(x, b.attention(block.At("attn"), LayerNorm(block.At("ln_1"), x, b.Epsilon), hidden))
		x = Add(x, b.mlp(block.At("mlp"), LayerNorm(block.At("ln_2"), x, b.Epsilon)))
		w.See(x, "%s.block.%d", tower, i)
	}
	return x
}

func (b Block) attention(w Weights, x, hidden *Node) *Node {
	g := x.Graph()
	batch, tokens, width := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	head := width / b.Heads
	var bias *Node
	if b.SubNorm {
		q := w.Node(g, "q_proj.bias")
		bias = Concatenate([]*Node{q, ZerosLike(q), w.Node(g, "v_proj.bias")}, 0)
	} else {
		bias = w.Node(g, "in_proj_bias")
	}
	qkv := Dense(x, w.Node(g, "in_proj_weight"), bias)
	// [3, batch, heads, tokens, head]: one transpose brings all three into the
	// layout in which the products of attend need none.
	qkv = TransposeAllAxes(Reshape(qkv, batch, tokens, 3, b.Heads, head), 2, 0, 3, 1, 4)
	part := func(i int) *Node {
		return Reshape(Slice(qkv, AxisElem(i)), batch*b.Heads, tokens, head)
	}
	q, k, v := part(0), part(1), part(2)
	if b.Rotary != nil {
		q, k = b.Rotary.turn(q), b.Rotary.turn(k)
	}
	y := joinHeads(attend(q, k, v, hidden), b.Heads)
	if b.SubNorm {
		y = LayerNorm(w.At("norm"), y, b.Epsilon)
	}
	return Linear(w.At("out_proj"), y)
}

func (b Block) mlp(w Weights, x *Node) *Node {
	if b.SubNorm {
		h := Mul(b.Activation.Apply(Linear(w.At("c_gate"), x)), Linear(w.At("c_fc"), x))
		return Linear(w.At("c_proj"), LayerNorm(w.At("norm"), h, b.Epsilon))
	}
	return MLP(w, x, b.Activation)
}

// MLP is c_proj(activation(c_fc(x))).
func MLP(w Weights, x *Node, a Activation) *Node {
	return Linear(w.At("c_proj"), a.Apply(Linear(w.At("c_fc"), x)))
}

// attend is softmax(q·kᵀ/√head + hidden)·v of each head: q [batch·heads,
// queries, head], k, v [batch·heads, keys, head] -> [batch·heads, queries, head].
// hidden, [queries, keys], [batch, queries, keys] or nil, is 0 where a query sees
// a key, else so low that the softmax is exactly 0.
func attend(q, k, v, hidden *Node) *Node {
	rows, queries, head := q.Shape().Dim(0), q.Shape().Dim(1), q.Shape().Dim(2)
	keys := k.Shape().Dim(1)
	q = MulScalar(q, 1/math.Sqrt(float64(head)))
	scores := productT(q, k)
	switch {
	case hidden == nil:
	case hidden.Rank() == 2:
		scores = Add(scores, InsertAxes(hidden, 0))
	default:
		batch := hidden.Shape().Dim(0)
		scores = Add(Reshape(scores, batch, rows/batch, queries, keys), InsertAxes(hidden, 1))
		scores = Reshape(scores, rows, queries, keys)
	}
	return product(Softmax(scores, -1), v)
}

// joinHeads turns [batch·heads, tokens, head] into [batch, tokens, width].
func joinHeads(y *Node, heads int) *Node {
	batch, tokens, head := y.Shape().Dim(0)/heads, y.Shape().Dim(1), y.Shape().Dim(2)
	y = TransposeAllAxes(Reshape(y, batch, heads, tokens, head), 0, 2, 1, 3)
	return Reshape(y, batch, tokens, heads*head)
}

// Pool lets queries read every row's tokens: queries [n, width], the same for
// all rows, keys and values [batch, tokens, width], all projected already ->
// [batch, n, width], which is not yet.
func Pool(heads int, queries, keys, values *Node) *Node {
	batch, tokens, width := keys.Shape().Dim(0), keys.Shape().Dim(1), keys.Shape().Dim(2)
	n, head := queries.Shape().Dim(0), width/heads
	q := TransposeAllAxes(Reshape(queries, 1, n, heads, head), 0, 2, 1, 3)
	q = Reshape(BroadcastToDims(q, batch, heads, n, head), batch*heads, n, head)
	split := func(x *Node) *Node {
		return Reshape(TransposeAllAxes(Reshape(x, batch, tokens, heads, head), 0, 2, 1, 3), batch*heads, tokens, head)
	}
	return joinHeads(attend(q, split(keys), split(values), nil), heads)
}

// LayerNorm normalises the last axis of x and applies weight and bias.
func LayerNorm(w Weights, x *Node, epsilon float64) *Node {
	g := x.Graph()
	return nn.LayerNorm(x, []int{-1}, epsilon, w.Node(g, "weight"), w.Node(g, "bias"), nil)
}

// Linear is x·weightᵀ + bias on the last axis of x, weight [out, in] as PyTorch stores it.
func Linear(w Weights, x *Node) *Node {
	g := x.Graph()
	return Dense(x, w.Node(g, "weight"), w.Node(g, "bias"))
}

// Dense is Linear with the weight [out, in] and the bias [out] given.
func Dense(x, weight, bias *Node) *Node {
	d := slices.Clone(x.Shape().Dimensions)
	last := len(d) - 1
	rows, w := Reshape(x, 1, -1, d[last]), InsertAxes(weight, 0)
	if !smallOnGo(rows, w) {
		return nn.Dense(x, weight, bias, compute.DenseLayoutOutputsInput)
	}
	d[last] = weight.Shape().Dim(0)
	return Add(Reshape(productT(rows, w), d...), ExpandLeftToRank(bias, len(d)))
}
