// Package family says what a family of dual encoders is: how libraries write
// its configuration and store its weights, which weights it has, and its graph.
package family

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// Family is one way of building a dual encoder.
type Family struct {
	Name string
	// ModelType is the model_type of Hugging Face's config.json; empty when
	// transformers has no such model.
	ModelType string
	ParseHF   func(config []byte) (Shape, error)
	// Claims reports whether an open_clip configuration is of this family.
	Claims        func(*OpenCLIP) bool
	ParseOpenCLIP func(*OpenCLIP) (Shape, error)
	// Ignored lists tensors that checkpoints carry and the model has no use for; a
	// name that ends in a dot stands for all below it.
	Ignored []string
	// Saves is the library whose files a model of the family is written as.
	Saves Library
}

// Library is one whose files are read and written.
type Library string

const (
	HuggingFace     Library = "Hugging Face"
	OpenCLIPLibrary Library = "open_clip"
)

// Shape is everything that determines a model but its weights.
type Shape interface {
	Family() string
	Sizes() Sizes
	// Params lists all weights, in a fixed order, with the initialisation of the
	// library that trains such models. Weights of both towers' plain blocks have
	// the same names in every family: [visual.]transformer.resblocks.N, as
	// open_clip names CLIP's.
	Params() transformer.Params
	// Layout says how a library stores the weights of Params.
	Layout(Library) checkpoint.Layout
	// Config is the library's configuration, for the library of Family.Saves: all
	// of Hugging Face's config.json, the model_cfg of open_clip's.
	Config() map[string]any
	// Network returns the graph over weights of these names.
	Network(w transformer.Weights) Network
}

// Sizes are what users of a model must know of its shape.
type Sizes struct {
	EmbedDim      int // d, of both towers' outputs
	ImageSize     int // pixels a side
	ContextLength int // token ids of a caption
	VocabSize     int
	// Pad is the token id that fills a caption up.
	Pad int
	// Vision and Text are the activations of the towers' MLPs.
	Vision, Text transformer.Activation
}

// Network is the differentiable form of a dual encoder: graphs over the
// weights of the encoder's store. Its methods panic when the input's shape is
// wrong, as all graph-building code does.
//
// The logits of images and captions are exp(logit_scale)·cos + bias.
type Network interface {
	// ImageFeatures maps normalised pixels [batch, 3, size, size] to
	// unnormalised features [batch, d].
	ImageFeatures(g *graph.Graph, pixels *graph.Node) *graph.Node
	// TextFeatures maps token ids int32 [captions, context] to unnormalised
	// features [captions, d].
	TextFeatures(g *graph.Graph, tokens *graph.Node) *graph.Node
	// LogitScale is the factor on cosines, exp(logit_scale), a scalar.
	LogitScale(g *graph.Graph) *graph.Node
	// LogitBias is what is added to scaled cosines, a scalar: a weight of SigLIP,
	// 0 in the other families.
	LogitBias(g *graph.Graph) *graph.Node
}

// Logits gives networks their LogitScale and LogitBias.
type Logits struct{ Weights transformer.Weights }

func (l Logits) LogitScale(g *graph.Graph) *graph.Node {
	return graph.Exp(l.Weights.Node(g, "logit_scale"))
}

func (l Logits) LogitBias(g *graph.Graph) *graph.Node {
	if l.Weights.Has("logit_bias") {
		return l.Weights.Node(g, "logit_bias")
	}
	return graph.ScalarZero(g, dtypes.Float32)
}

// Size is a named number of a configuration.
type Size struct {
	Name string
	N    int
}

func towerSizes(name string, t transformer.Tower) []Size {
	return []Size{{name + " width", t.Width}, {name + " heads", t.Heads}, {name + " MLP width", t.MLPWidth}, {name + " layers", t.Layers}}
}

// FileName is the name of the library's configuration.
func (l Library) FileName() string {
	if l == HuggingFace {
		return HFFile
	}
	return OpenCLIPFile
}

// Most of a size that any checkpoint has, and of layers and pixels a side.
const (
	mostSize   = 1 << 20
	mostLayers = 1 << 10
	mostPixels = 1 << 14
)

// CheckSizes refuses sizes that no checkpoint has, before memory is taken for
// them. The error begins with the file's name.
func CheckSizes(file string, s Sizes, patch int, vision, text transformer.Tower, more ...Size) error {
	list := append(towerSizes("vision", vision), towerSizes("text", text)...)
	list = append(list, Size{"embedding width", s.EmbedDim}, Size{"image size", s.ImageSize}, Size{"patch size", patch},
		Size{"context length", s.ContextLength}, Size{"vocabulary size", s.VocabSize})
	for _, x := range append(list, more...) {
		if x.N < 1 || x.N > mostSize {
			return fmt.Errorf("%s: %s %d is not in 1..%d", file, x.Name, x.N, mostSize)
		}
	}
	switch {
	case s.ImageSize > mostPixels:
		return fmt.Errorf("%s: image size %d is not in 1..%d", file, s.ImageSize, mostPixels)
	case patch > s.ImageSize:
		return fmt.Errorf("%s: patch size %d is larger than the image's %d", file, patch, s.ImageSize)
	case s.VocabSize <= s.Pad || s.Pad < 0:
		return fmt.Errorf("%s: padding token %d is not in the vocabulary of %d", file, s.Pad, s.VocabSize)
	}
	for name, t := range map[string]transformer.Tower{"vision": vision, "text": text} {
		if t.Layers > mostLayers {
			return fmt.Errorf("%s: %s layers %d are not in 1..%d", file, name, t.Layers, mostLayers)
		}
		if t.Width%t.Heads != 0 {
			return fmt.Errorf("%s: %s width %d is not a multiple of %d heads", file, name, t.Width, t.Heads)
		}
	}
	return nil
}
