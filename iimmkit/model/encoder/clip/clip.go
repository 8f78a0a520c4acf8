// Package clip builds the towers of CLIP: a vision transformer with a class
// token and a causal text transformer read at the end token.
package clip

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// Tower is the size of one transformer.
type Tower struct {
	Width    int `json:"width"`
	Layers   int `json:"layers"`
	Heads    int `json:"heads"`
	MLPWidth int `json:"mlp_width"`
}

// Config is the shape of a CLIP model.
type Config struct {
	EmbedDim int `json:"embed_dim"` // d, of both towers' outputs

	Vision    Tower `json:"vision"`
	ImageSize int   `json:"image_size"` // pixels a side
	PatchSize int   `json:"patch_size"`

	Text          Tower `json:"text"`
	ContextLength int   `json:"context_length"`
	VocabSize     int   `json:"vocab_size"`
	// EndToken is the id at whose first place a caption is read. -1: at the
	// largest id, as OpenAI and open_clip do.
	EndToken int `json:"end_token"`

	Activation transformer.Activation `json:"activation"`
	Epsilon    float64                `json:"epsilon"` // of the layer norms
}

// Network is the graph form of a CLIP model whose weights are in a store under
// open_clip's names.
type Network struct {
	Config Config
	// Tap sees hidden states: vision.embed, vision.block.N, vision.post_ln,
	// text.embed, text.block.N, text.final_ln.
	Tap     transformer.Tap
	weights transformer.Weights
}

// New returns the graph form over the weights in store.
func New(cfg Config, store *model.Store) *Network {
	return &Network{Config: cfg, weights: transformer.NewWeights(store)}
}

// ImageFeatures maps normalised pixels [batch, 3, size, size] to unnormalised
// features [batch, d].
func (n *Network) ImageFeatures(g *Graph, pixels *Node) *Node {
	c, w := n.Config, n.weights.At("visual")
	batch := pixels.Shape().Dim(0)
	kernel := Reshape(w.Node(g, "conv1.weight"), c.Vision.Width, 3*c.PatchSize*c.PatchSize)
	x := DotGeneral(transformer.Patches(pixels, c.PatchSize), []int{2}, nil, kernel, []int{1}, nil) // [batch, squares, width]
	class := BroadcastToDims(Reshape(w.Node(g, "class_embedding"), 1, 1, c.Vision.Width), batch, 1, c.Vision.Width)
	x = Concatenate([]*Node{class, x}, 1)
	x = Add(x, InsertAxes(w.Node(g, "positional_embedding"), 0))
	x = transformer.LayerNorm(w.At("ln_pre"), x, c.Epsilon)
	n.Tap.See(x, "vision.embed")
	block := transformer.Block{Heads: c.Vision.Heads, Epsilon: c.Epsilon, Activation: c.Activation}
	for i := range c.Vision.Layers {
		x = block.Forward(w.At("transformer.resblocks.%d", i), x, nil)
		n.Tap.See(x, "vision.block.%d", i)
	}
	x = Reshape(Slice(x, AxisRange(), AxisElem(0)), batch, c.Vision.Width)
	x = transformer.LayerNorm(w.At("ln_post"), x, c.Epsilon)
	n.Tap.See(x, "vision.post_ln")
	return Dot(x, w.Node(g, "proj")).Product()
}

// TextFeatures maps token ids int32 [captions, context] to unnormalised
// features [captions, d].
func (n *Network) TextFeatures(g *Graph, tokens *Node) *Node {
	c, w := n.Config, n.weights
	x := Gather(w.Node(g, "token_embedding.weight"), InsertAxes(tokens, -1)) // [captions, context, width]
	x = Add(x, InsertAxes(w.Node(g, "positional_embedding"), 0))
	n.Tap.See(x, "text.embed")
	mask := transformer.CausalMask(g, tokens.Shape().Dim(1))
	block := transformer.Block{Heads: c.Text.Heads, Epsilon: c.Epsilon, Activation: c.Activation}
	for i := range c.Text.Layers {
		x = block.Forward(w.At("transformer.resblocks.%d", i), x, mask)
		n.Tap.See(x, "text.block.%d", i)
	}
	x = transformer.LayerNorm(w.At("ln_final"), x, c.Epsilon)
	n.Tap.See(x, "text.final_ln")
	end := tokens
	if c.EndToken >= 0 {
		end = ConvertDType(Equal(tokens, Scalar(g, tokens.DType(), c.EndToken)), tokens.DType())
	}
	x = transformer.SelectToken(x, ArgMax(end, -1, dtypes.Int32))
	return Dot(x, w.Node(g, "text_projection")).Product()
}

// LogitScale is exp(logit_scale), the factor on cosines.
func (n *Network) LogitScale(g *Graph) *Node {
	return Exp(n.weights.Node(g, "logit_scale"))
}

// Param is one weight of the model: its open_clip name, its shape, and the
// standard deviation of its initial normal values. Without one, it starts at Fill.
type Param struct {
	Name  string
	Shape []int
	Std   float64
	Fill  float64
}

// Params lists all weights, in a fixed order, with open_clip's initialisation.
func (c Config) Params() []Param {
	var list []Param
	add := func(name string, std, fill float64, shape ...int) {
		list = append(list, Param{Name: name, Shape: shape, Std: std, Fill: fill})
	}
	norm := func(name string, width int) {
		add(name+".weight", 0, 1, width)
		add(name+".bias", 0, 0, width)
	}
	blocks := func(prefix string, t Tower) {
		width := float64(t.Width)
		residual := math.Pow(width, -.5) * math.Pow(2*float64(t.Layers), -.5)
		for i := range t.Layers {
			p := sprint(prefix, i)
			norm(p+".ln_1", t.Width)
			add(p+".attn.in_proj_weight", math.Pow(width, -.5), 0, 3*t.Width, t.Width)
			add(p+".attn.in_proj_bias", 0, 0, 3*t.Width)
			add(p+".attn.out_proj.weight", residual, 0, t.Width, t.Width)
			add(p+".attn.out_proj.bias", 0, 0, t.Width)
			norm(p+".ln_2", t.Width)
			add(p+".mlp.c_fc.weight", math.Pow(2*width, -.5), 0, t.MLPWidth, t.Width)
			add(p+".mlp.c_fc.bias", 0, 0, t.MLPWidth)
			add(p+".mlp.c_proj.weight", residual, 0, t.Width, t.MLPWidth)
			add(p+".mlp.c_proj.bias", 0, 0, t.Width)
		}
	}
	vision := math.Pow(float64(c.Vision.Width), -.5)
	squares := (c.ImageSize / c.PatchSize) * (c.ImageSize / c.PatchSize)
	add("visual.class_embedding", vision, 0, c.Vision.Width)
	add("visual.positional_embedding", vision, 0, squares+1, c.Vision.Width)
	add("visual.conv1.weight", math.Pow(float64(3*c.PatchSize*c.PatchSize), -.5), 0, c.Vision.Width, 3, c.PatchSize, c.PatchSize)
	norm("visual.ln_pre", c.Vision.Width)
	blocks("visual.transformer.resblocks.", c.Vision)
	norm("visual.ln_post", c.Vision.Width)
	add("visual.proj", vision, 0, c.Vision.Width, c.EmbedDim)
	add("token_embedding.weight", .02, 0, c.VocabSize, c.Text.Width)
	add("positional_embedding", .01, 0, c.ContextLength, c.Text.Width)
	blocks("transformer.resblocks.", c.Text)
	norm("ln_final", c.Text.Width)
	add("text_projection", math.Pow(float64(c.Text.Width), -.5), 0, c.Text.Width, c.EmbedDim)
	add("logit_scale", 0, math.Log(1/.07))
	return list
}
