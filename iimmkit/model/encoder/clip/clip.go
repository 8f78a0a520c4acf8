// Package clip builds the towers of CLIP: a vision transformer with a class
// token and a causal text transformer read at the end token.
package clip

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// Config is the shape of a CLIP model.
type Config struct {
	EmbedDim int `json:"embed_dim"` // d, of both towers' outputs

	Vision    transformer.Tower `json:"vision"`
	ImageSize int               `json:"image_size"` // pixels a side
	PatchSize int               `json:"patch_size"`

	Text          transformer.Tower `json:"text"`
	ContextLength int               `json:"context_length"`
	VocabSize     int               `json:"vocab_size"`
	// EndToken is the id at whose first place a caption is read. -1: at the
	// largest id, as OpenAI and open_clip do.
	EndToken int `json:"end_token"`

	Activation transformer.Activation `json:"activation"`
	Epsilon    float64                `json:"epsilon"` // of the layer norms

	// customText: the text tower's weights are stored below "text.".
	customText bool
}

func (c Config) Family() string { return name }

func (c Config) Sizes() family.Sizes {
	return family.Sizes{
		EmbedDim: c.EmbedDim, ImageSize: c.ImageSize, ContextLength: c.ContextLength, VocabSize: c.VocabSize,
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
	x = block.Repeat(n.Vision.Layers, w, x, nil, "vision")
	x = transformer.LayerNorm(w.At("ln_post"), transformer.At(x, 0), n.Epsilon)
	n.Weights.See(x, "vision.post_ln")
	return Dot(x, w.Node(g, "proj")).Product()
}

func (n network) TextFeatures(g *Graph, tokens *Node) *Node {
	block := transformer.Block{Heads: n.Text.Heads, Epsilon: n.Epsilon, Activation: n.Activation}
	x := transformer.TextStates(n.Weights, block, n.Text.Layers, tokens, transformer.CausalMask(g, n.ContextLength))
	if n.EndToken >= 0 {
		x = transformer.AtFirst(x, tokens, n.EndToken)
	} else {
		x = transformer.AtLargest(x, tokens)
	}
	return Dot(x, n.Weights.Node(g, "text_projection")).Product()
}

// Params lists all weights, in a fixed order. Both towers have the
// initialisation that open_clip gives to the text tower.
func (c Config) Params() transformer.Params {
	var l transformer.Params
	vision := math.Pow(float64(c.Vision.Width), -.5)
	squares := (c.ImageSize / c.PatchSize) * (c.ImageSize / c.PatchSize)
	l.Add("visual.class_embedding", vision, 0, c.Vision.Width)
	l.Add("visual.positional_embedding", vision, 0, squares+1, c.Vision.Width)
	l.Add("visual.conv1.weight", math.Pow(float64(3*c.PatchSize*c.PatchSize), -.5), 0, c.Vision.Width, 3, c.PatchSize, c.PatchSize)
	l.AddNorm("visual.ln_pre", c.Vision.Width)
	l.AddBlocks("visual.", c.Vision, transformer.OpenCLIP(c.Vision))
	l.AddNorm("visual.ln_post", c.Vision.Width)
	l.Add("visual.proj", vision, 0, c.Vision.Width, c.EmbedDim)
	l.AddText(c.Text, c.ContextLength, c.VocabSize)
	l.Add("text_projection", math.Pow(float64(c.Text.Width), -.5), 0, c.Text.Width, c.EmbedDim)
	l.AddLogitScale()
	return l
}
