// Package siglip builds the towers of SigLIP and of SigLIP 2 at a fixed
// resolution: a vision transformer without a class token, pooled by attention,
// and a bidirectional text transformer read at its last place. Logits have a
// bias.
package siglip

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// Config is the shape of a SigLIP model. The width of its image tower is d,
// the width of the embedding.
type Config struct {
	Vision           transformer.Tower      `json:"vision"`
	ImageSize        int                    `json:"image_size"` // pixels a side
	PatchSize        int                    `json:"patch_size"`
	VisionActivation transformer.Activation `json:"vision_activation"`
	VisionEpsilon    float64                `json:"vision_epsilon"` // of the layer norms

	Text           transformer.Tower      `json:"text"`
	ContextLength  int                    `json:"context_length"`
	VocabSize      int                    `json:"vocab_size"`
	PadToken       int                    `json:"pad_token"`
	TextActivation transformer.Activation `json:"text_activation"`
	TextEpsilon    float64                `json:"text_epsilon"`
}

func (c Config) Family() string { return name }

func (c Config) Sizes() family.Sizes {
	return family.Sizes{
		EmbedDim: c.Vision.Width, ImageSize: c.ImageSize, ContextLength: c.ContextLength, VocabSize: c.VocabSize, Pad: c.PadToken,
		Vision: c.VisionActivation, Text: c.TextActivation,
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
	x := transformer.EmbedImage(w, pixels, n.PatchSize)
	n.Weights.See(x, "vision.embed")
	block := transformer.Block{Heads: n.Vision.Heads, Epsilon: n.VisionEpsilon, Activation: n.VisionActivation}
	x = block.Repeat(n.Vision.Layers, w, x, nil, "vision")
	x = transformer.LayerNorm(w.At("ln_post"), x, n.VisionEpsilon)
	n.Weights.See(x, "vision.post_ln")
	return n.pool(w.At("attn_pool"), x)
}

// pool reads x [batch, squares, width] by one query and passes what it read
// through an MLP: [batch, width].
func (n network) pool(w transformer.Weights, x *Node) *Node {
	g, width := x.Graph(), n.Vision.Width
	attn := w.At("attn")
	matrix, bias := attn.Node(g, "in_proj_weight"), attn.Node(g, "in_proj_bias")
	part := func(x *Node, i int) *Node { // of rows q, k, v
		rows := AxisRange(i*width, (i+1)*width)
		return transformer.Dense(x, Slice(matrix, rows), Slice(bias, rows))
	}
	probe := part(Reshape(w.Node(g, "probe"), 1, width), 0)
	y := transformer.Linear(attn.At("out_proj"), transformer.Pool(n.Vision.Heads, probe, part(x, 1), part(x, 2)))
	y = transformer.At(y, 0)
	return Add(y, transformer.MLP(w.At("mlp"), transformer.LayerNorm(w.At("ln"), y, n.VisionEpsilon), n.VisionActivation))
}

func (n network) TextFeatures(_ *Graph, tokens *Node) *Node {
	block := transformer.Block{Heads: n.Text.Heads, Epsilon: n.TextEpsilon, Activation: n.TextActivation}
	x := transformer.TextStates(n.Weights, block, n.Text.Layers, tokens, nil)
	return transformer.Linear(n.Weights.At("text_projection"), transformer.At(x, -1))
}

// Params lists all weights, in a fixed order, with timm's initialisation of the
// image tower and open_clip's of the text tower. Logits start at 10·cos - 10, as
// Zhai et al. (2023) train them.
func (c Config) Params() transformer.Params {
	var l transformer.Params
	width, squares := c.Vision.Width, (c.ImageSize/c.PatchSize)*(c.ImageSize/c.PatchSize)
	init := transformer.Timm()
	l.AddPatches("visual.conv1", width, c.PatchSize)
	l.Add("visual.positional_embedding", transformer.TimmStd, 0, squares, width)
	l.AddBlocks("visual.", c.Vision, init)
	l.AddNorm("visual.ln_post", width)
	l.Add("visual.attn_pool.probe", math.Pow(float64(width), -.5), 0, 1, 1, width)
	l.AddAttention("visual.attn_pool.attn", width, init)
	l.AddNorm("visual.attn_pool.ln", width)
	l.AddMLP("visual.attn_pool.mlp", width, c.Vision.MLPWidth, init)
	l.AddText(c.Text, c.ContextLength, c.VocabSize)
	l.AddLinear("text_projection", math.Pow(float64(c.Text.Width), -.5), width, c.Text.Width)
	l.Add("logit_scale", 0, math.Log(10))
	l.Add("logit_bias", 0, -10)
	return l
}
