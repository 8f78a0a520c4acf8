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
}

// NewWeights returns access to all weights of a store.
func NewWeights(store *model.Store) Weights { return Weights{store: store} }

// At returns access to the weights whose names begin with the formatted
// prefix and a dot.
func (w Weights) At(format string, args ...any) Weights {
	return Weights{w.store, w.prefix + fmt.Sprintf(format, args...) + "."}
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
	return v.NodeValue(g)
}
