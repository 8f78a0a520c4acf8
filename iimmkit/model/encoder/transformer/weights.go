// Package transformer holds the graph blocks that the towers of every model
// family are built of: pre-norm residual blocks with multi-head attention, the
// tokens they start from and the poolings they end with, and lists of and access
// to named weights.
package transformer

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Weights gives graphs access to the weights of a store below a prefix. Weight
// names are open_clip's, such as visual.transformer.resblocks.0.ln_1.weight.
type Weights struct {
	store  *model.Store
	prefix string
	tap    Tap
	change Change
}

// Tap is called with the hidden states of towers by name: vision.embed (the
// input of block 0), vision.block.N, vision.attn_pool in CoCa, vision.post_ln,
// text.embed, text.block.N, text.final_ln.
type Tap func(name string, x *graph.Node)

// Change gets each weight when a graph reads it, and returns what the graph is
// to use in its place, of the same shape: often the weight itself.
type Change func(name string, value *graph.Node) *graph.Node

// NewWeights returns access to all weights of a store.
func NewWeights(store *model.Store) Weights { return Weights{store: store} }

// At returns access to the weights whose names begin with the formatted
// prefix and a dot.
func (w Weights) At(format string, args ...any) Weights {
	w.prefix += fmt.Sprintf(format, args...) + "."
	return w
}

// Tapped returns the same weights, whose networks show their hidden states to tap.
func (w Weights) Tapped(tap Tap) Weights {
	w.tap = tap
	return w
}

// IsTapped reports whether somebody looks at hidden states.
func (w Weights) IsTapped() bool { return w.tap != nil }

// Changed returns the same weights as seen through change.
func (w Weights) Changed(change Change) Weights {
	w.change = change
	return w
}

// See shows x to the tap, when there is one.
func (w Weights) See(x *graph.Node, format string, args ...any) {
	if w.tap != nil {
		w.tap(fmt.Sprintf(format, args...), x)
	}
}

// Has reports whether the model has a weight of that name.
func (w Weights) Has(name string) bool {
	return w.store.GetVariable("/"+w.prefix+name) != nil
}

// Node returns the weight's value in g. Graph-building code panics; a weight
// that does not exist is a programming error, since checkpoints are checked
// against the model's list of weights when they are loaded.
func (w Weights) Node(g *graph.Graph, name string) *graph.Node {
	v := w.store.GetVariable("/" + w.prefix + name)
	if v == nil {
		exceptions.Panicf("no weight named %s%s", w.prefix, name)
	}
	if w.change != nil {
		return w.change(w.prefix+name, v.NodeValue(g))
	}
	return v.NodeValue(g)
}
