// Package coca builds the towers of CoCa that make embeddings: CLIP's vision
// transformer with an attention pooler, and a causal text transformer that
// reads a class token behind the caption. The captioning decoder is left out.
package coca

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// Config is the shape of a CoCa model.
type Config struct {
	EmbedDim int `json:"embed_dim"` // d, of both towers' outputs

	Vision      transformer.Tower `json:"vision"`
	ImageSize   int               `json:"image_size"` // pixels a side
	PatchSize   int               `json:"patch_size"`
	PoolQueries int               `json:"pool_queries"` // of which the first makes the embedding
	PoolHeads   int               `json:"pool_heads"`

	Text          transformer.Tower `json:"text"`
	ContextLength int               `json:"context_length"` // without the class token
	VocabSize     int               `json:"vocab_size"`
	PadToken      int               `json:"pad_token"`

	Activation transformer.Activation `json:"activation"`
	Epsilon    float64                `json:"epsilon"` // of the layer norms
}

func (c Config) Family() string { return name }

func (c Config) Sizes() family.Sizes {
	return family.Sizes{
		EmbedDim: c.EmbedDim, ImageSize: c.ImageSize, ContextLength: c.ContextLength, VocabSize: c.VocabSize, Pad: c.PadToken,
		Vision: c.Activation, Text: c.Activation,
	}
}

// Network returns the graph form over weights.
func (c Config) Network(w transformer.Weights) family.Network {
	return network{c, family.Logits{Weights: w}}
}

type network struct {
	Config
	family.Logits
}

func (n network) ImageFeatures(g *Graph, pixels *Node) *Node {
	w := n.Weights.At("visual")
	x := transformer.LayerNorm(w.At("ln_pre"), transformer.EmbedImage(w, pixels, n.PatchSize), n.Epsilon)
	n.Weights.See(x, "vision.embed")
	block := transformer.Block{Heads: n.Vision.Heads, Epsilon: n.Epsilon, Activation: n.Activation}
	x = n.pool(w.At("attn_pool"), block.Repeat(n.Vision.Layers, w, x, nil, "vision"))
	n.Weights.See(x, "vision.attn_pool")
	x = transformer.LayerNorm(w.At("ln_post"), x, n.Epsilon)
	n.Weights.See(x, "vision.post_ln")
	return Dot(transformer.At(x, 0), w.Node(g, "proj")).Product()
}

// pool reads x [batch, tokens, width] by the model's queries:
// [batch, queries, d]. Queries do not see each other, so only the first, which
// makes the embedding, is computed unless the others are looked at too.
func (n network) pool(w transformer.Weights, x *Node) *Node {
	g, d := x.Graph(), n.EmbedDim
	queries := w.Node(g, "query")
	if !w.IsTapped() {
		queries = Slice(queries, AxisRange(0, 1))
	}
	attn := w.At("attn")
	bias := func(i int) *Node { return Slice(attn.Node(g, "in_proj_bias"), AxisRange(i*d, (i+1)*d)) }
	q := transformer.Dense(transformer.LayerNorm(w.At("ln_q"), queries, n.Epsilon), attn.Node(g, "q_proj_weight"), bias(0))
	x = transformer.LayerNorm(w.At("ln_k"), x, n.Epsilon)
	k := transformer.Dense(x, attn.Node(g, "k_proj_weight"), bias(1))
	v := transformer.Dense(x, attn.Node(g, "v_proj_weight"), bias(2))
	return transformer.Linear(attn.At("out_proj"), transformer.Pool(n.PoolHeads, q, k, v))
}

func (n network) TextFeatures(g *Graph, tokens *Node) *Node {
	w, captions := n.Weights, tokens.Shape().Dim(0)
	class := BroadcastToDims(Reshape(w.Node(g, "cls_emb"), 1, 1, n.Text.Width), captions, 1, n.Text.Width)
	x := Concatenate([]*Node{transformer.EmbedTokens(w, tokens), class}, 1) // [captions, context+1, width]
	x = Add(x, InsertAxes(w.Node(g, "positional_embedding"), 0))
	n.Weights.See(x, "text.embed")
	block := transformer.Block{Heads: n.Text.Heads, Epsilon: n.Epsilon, Activation: n.Activation}
	x = transformer.At(block.Repeat(n.Text.Layers, w, x, n.mask(tokens), "text"), -1)
	x = transformer.LayerNorm(w.At("ln_final"), x, n.Epsilon)
	n.Weights.See(x, "text.final_ln")
	return Dot(x, w.Node(g, "text_projection")).Product()
}

// mask is [captions, context+1, context+1], true where a query sees a key: one
// at or before it that is not padding. The checkpoints were trained with the
// padding shifted by one, so that key k is hidden when token k-1 is padding: the
// first padding is seen, and the class token, unless the caption fills the
// context, does not see itself.
func (n network) mask(tokens *Node) *Node {
	g, captions := tokens.Graph(), tokens.Shape().Dim(0)
	word := NotEqual(tokens, Scalar(g, tokens.DType(), n.PadToken)) // [captions, context]
	first := BroadcastToDims(Const(g, true), captions, 1)
	keys := Concatenate([]*Node{first, word}, 1)
	length := n.ContextLength + 1
	dims := []int{captions, length, length}
	return LogicalAnd(
		BroadcastToDims(InsertAxes(transformer.CausalMask(g, length), 0), dims...),
		BroadcastToDims(InsertAxes(keys, 1), dims...),
	)
}

// Params lists all weights, in a fixed order. Both towers have the
// initialisation that open_clip gives to the text tower, the pooler PyTorch's:
// Glorot's for the matrices of attention.
func (c Config) Params() transformer.Params {
	var l transformer.Params
	width, squares := c.Vision.Width, (c.ImageSize/c.PatchSize)*(c.ImageSize/c.PatchSize)
	scale, d := math.Pow(float64(width), -.5), c.EmbedDim
	l.Add("visual.class_embedding", scale, 0, width)
	l.Add("visual.positional_embedding", scale, 0, squares+1, width)
	l.Add("visual.conv1.weight", math.Pow(float64(3*c.PatchSize*c.PatchSize), -.5), 0, width, 3, c.PatchSize, c.PatchSize)
	l.AddNorm("visual.ln_pre", width)
	l.AddBlocks("visual.", c.Vision, transformer.OpenCLIP(c.Vision))
	pool := "visual.attn_pool."
	glorot := func(in int) float64 { return math.Sqrt(2 / float64(d+in)) }
	l.Add(pool+"query", 1, 0, c.PoolQueries, d)
	l.AddNorm(pool+"ln_q", d)
	l.AddNorm(pool+"ln_k", width)
	l.Add(pool+"attn.q_proj_weight", glorot(d), 0, d, d)
	l.Add(pool+"attn.k_proj_weight", glorot(width), 0, d, width)
	l.Add(pool+"attn.v_proj_weight", glorot(width), 0, d, width)
	l.Add(pool+"attn.in_proj_bias", 0, 0, 3*d)
	l.AddLinear(pool+"attn.out_proj", math.Pow(3*float64(d), -.5), d, d)
	l.AddNorm("visual.ln_post", d)
	l.Add("visual.proj", scale, 0, d, d)
	l.AddText(c.Text, c.ContextLength+1, c.VocabSize)
	l.Add("cls_emb", .01, 0, c.Text.Width)
	l.Add("text_projection", math.Pow(float64(c.Text.Width), -.5), 0, c.Text.Width, d)
	l.AddLogitScale()
	return l
}
