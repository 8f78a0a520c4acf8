package transformer

import (
	"fmt"
	"math"
)

// Param is one weight of a model: its name, its shape, and the standard
// deviation of its initial normal values. Without one, it starts at Fill.
type Param struct {
	Name  string
	Shape []int
	Std   float64
	Fill  float64
}

// Params is a list of weights in a model's order, which its Add methods extend.
type Params []Param

// Add adds one weight.
func (l *Params) Add(name string, std, fill float64, shape ...int) {
	*l = append(*l, Param{Name: name, Shape: shape, Std: std, Fill: fill})
}

// AddNorm adds the weight and bias of a layer norm.
func (l *Params) AddNorm(name string, width int) {
	l.Add(name+".weight", 0, 1, width)
	l.Add(name+".bias", 0, 0, width)
}

// AddLinear adds the weight [out, in] and the bias of a linear layer.
func (l *Params) AddLinear(name string, std float64, out, in int) {
	l.Add(name+".weight", std, 0, out, in)
	l.Add(name+".bias", 0, 0, out)
}

// Init holds the standard deviations of a block's initial matrices: those of
// attention's input and output and of the MLP's two.
type Init struct{ In, Out, FC, Proj float64 }

// OpenCLIP is open_clip's initialisation of a tower's blocks.
func OpenCLIP(t Tower) Init {
	width := float64(t.Width)
	residual := math.Pow(width, -.5) * math.Pow(2*float64(t.Layers), -.5)
	return Init{In: math.Pow(width, -.5), Out: residual, FC: math.Pow(2*width, -.5), Proj: residual}
}

// Timm is timm's initialisation of a vision transformer's blocks.
func Timm() Init { return Init{TimmStd, TimmStd, TimmStd, TimmStd} }

// TimmStd is the standard deviation of timm's initial matrices and positions.
const TimmStd = .02

// AddBlocks adds the weights of a tower's blocks, prefix.transformer.resblocks.N.
func (l *Params) AddBlocks(prefix string, t Tower, init Init) {
	for i := range t.Layers {
		p := fmt.Sprintf("%stransformer.resblocks.%d", prefix, i)
		l.AddNorm(p+".ln_1", t.Width)
		l.AddAttention(p+".attn", t.Width, init)
		l.AddNorm(p+".ln_2", t.Width)
		l.AddMLP(p+".mlp", t.Width, t.MLPWidth, init)
	}
}

// AddAttention adds the weights of multi-head attention.
func (l *Params) AddAttention(name string, width int, init Init) {
	l.Add(name+".in_proj_weight", init.In, 0, 3*width, width)
	l.Add(name+".in_proj_bias", 0, 0, 3*width)
	l.AddLinear(name+".out_proj", init.Out, width, width)
}

// AddMLP adds the weights of MLP.
func (l *Params) AddMLP(name string, width, hidden int, init Init) {
	l.AddLinear(name+".c_fc", init.FC, hidden, width)
	l.AddLinear(name+".c_proj", init.Proj, width, hidden)
}

// AddPatches adds the projection of patch×patch squares, and its bias when it
// has one, with PyTorch's initialisation of a convolution, whose uniform values
// have the standard deviation 1/√(3·inputs).
func (l *Params) AddPatches(name string, width, patch int) {
	std := math.Pow(3*float64(3*patch*patch), -.5)
	l.Add(name+".weight", std, 0, width, 3, patch, patch)
	l.Add(name+".bias", std, 0, width)
}

// AddText adds the weights of TextStates, for so many positions, with
// open_clip's initialisation.
func (l *Params) AddText(t Tower, positions, vocabulary int) {
	l.Add("token_embedding.weight", .02, 0, vocabulary, t.Width)
	l.Add("positional_embedding", .01, 0, positions, t.Width)
	l.AddBlocks("", t, OpenCLIP(t))
	l.AddNorm("ln_final", t.Width)
}

// AddLogitScale adds logit_scale with CLIP's initial value, ln(1/0.07).
func (l *Params) AddLogitScale() { l.Add("logit_scale", 0, math.Log(1/.07)) }
