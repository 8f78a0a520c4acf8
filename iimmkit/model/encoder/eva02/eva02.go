// Package eva02 builds the towers of EVA-02-CLIP: a vision transformer with
// rotary positions, norms inside its blocks and gated MLPs, and CLIP's text
// tower.
package eva02

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// Config is the shape of an EVA-02-CLIP model.
type Config struct {
	EmbedDim int `json:"embed_dim"` // d, of both towers' outputs

	Vision    transformer.Tower `json:"vision"`
	ImageSize int               `json:"image_size"` // pixels a side
	PatchSize int               `json:"patch_size"`
	// Reference is the squares a side at which rotary positions are whole numbers.
	Reference int `json:"reference_grid"`

	Text          transformer.Tower      `json:"text"`
	ContextLength int                    `json:"context_length"`
	VocabSize     int                    `json:"vocab_size"`
	Activation    transformer.Activation `json:"text_activation"`
	TextEpsilon   float64                `json:"text_epsilon"` // of the layer norms; the image tower has timm's
}

func (c Config) Family() string { return name }

func (c Config) Sizes() family.Sizes {
	return family.Sizes{
		EmbedDim: c.EmbedDim, ImageSize: c.ImageSize, ContextLength: c.ContextLength, VocabSize: c.VocabSize,
		Vision: transformer.SiLU, Text: c.Activation,
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
	block := transformer.Block{
		Heads: n.Vision.Heads, Epsilon: timmEpsilon, Activation: transformer.SiLU, SubNorm: true,
		Rotary: transformer.NewRotary(g, n.ImageSize/n.PatchSize, n.Reference, n.Vision.Width/n.Vision.Heads),
	}
	x = block.Repeat(n.Vision.Layers, w, x, nil, "vision")
	x = transformer.LayerNorm(w.At("ln_post"), transformer.At(x, 0), timmEpsilon)
	n.Weights.See(x, "vision.post_ln")
	return transformer.Linear(w.At("head"), x)
}

func (n network) TextFeatures(g *Graph, tokens *Node) *Node {
	block := transformer.Block{Heads: n.Text.Heads, Epsilon: n.TextEpsilon, Activation: n.Activation}
	x := transformer.TextStates(n.Weights, block, n.Text.Layers, tokens, transformer.CausalMask(g, n.ContextLength))
	return Dot(transformer.AtLargest(x, tokens), n.Weights.Node(g, "text_projection")).Product()
}

// Params lists all weights, in a fixed order, with timm's initialisation of the
// image tower and open_clip's of the text tower. The head starts like the other
// matrices, not 1000 times smaller as timm's classifier: features are normalised.
func (c Config) Params() transformer.Params {
	var l transformer.Params
	width, squares := c.Vision.Width, (c.ImageSize/c.PatchSize)*(c.ImageSize/c.PatchSize)
	l.Add("visual.class_embedding", transformer.TimmStd, 0, width)
	l.Add("visual.positional_embedding", transformer.TimmStd, 0, squares+1, width)
	l.AddPatches("visual.conv1", width, c.PatchSize)
	for i := range c.Vision.Layers {
		residual := transformer.TimmStd / math.Sqrt(2*float64(i+1))
		p := fmt.Sprintf("visual.transformer.resblocks.%d", i)
		l.AddNorm(p+".ln_1", width)
		l.Add(p+".attn.in_proj_weight", transformer.TimmStd, 0, 3*width, width)
		l.Add(p+".attn.q_proj.bias", 0, 0, width)
		l.Add(p+".attn.v_proj.bias", 0, 0, width)
		l.AddNorm(p+".attn.norm", width)
		l.AddLinear(p+".attn.out_proj", residual, width, width)
		l.AddNorm(p+".ln_2", width)
		l.AddLinear(p+".mlp.c_gate", transformer.TimmStd, c.Vision.MLPWidth, width)
		l.AddLinear(p+".mlp.c_fc", transformer.TimmStd, c.Vision.MLPWidth, width)
		l.AddNorm(p+".mlp.norm", c.Vision.MLPWidth)
		l.AddLinear(p+".mlp.c_proj", residual, width, c.Vision.MLPWidth)
	}
	l.AddNorm("visual.ln_post", width)
	l.AddLinear("visual.head", transformer.TimmStd, c.EmbedDim, width)
	l.AddText(c.Text, c.ContextLength, c.VocabSize)
	l.Add("text_projection", math.Pow(float64(c.Text.Width), -.5), 0, c.Text.Width, c.EmbedDim)
	l.AddLogitScale()
	return l
}
