package transformer

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Patches cuts pixels [batch, channels, height, width] into rows of
// patch×patch squares: [batch, squares, channels·patch·patch], the order in
// which a convolution weight [out, channels, patch, patch] is stored. Pixels
// right and below of the last whole square are left out, as a convolution does.
func Patches(pixels *Node, patch int) *Node {
	d := pixels.Shape().Dimensions
	batch, channels, rows, columns := d[0], d[1], d[2]/patch, d[3]/patch
	if rows*patch != d[2] || columns*patch != d[3] {
		pixels = Slice(pixels, AxisRange(), AxisRange(), AxisRange(0, rows*patch), AxisRange(0, columns*patch))
	}
	x := Reshape(pixels, batch, channels, rows, patch, columns, patch)
	x = TransposeAllAxes(x, 0, 2, 4, 1, 3, 5)
	return Reshape(x, batch, rows*columns, channels*patch*patch)
}

// EmbedImage makes tokens [batch, tokens, width] of pixels [batch, 3, size,
// size]: the projections of their squares, a class token in front where the
// model has one, plus the positions. Weights: conv1.weight, conv1.bias and
// class_embedding where the model has them, positional_embedding.
func EmbedImage(w Weights, pixels *Node, patch int) *Node {
	g, batch := pixels.Graph(), pixels.Shape().Dim(0)
	kernel := w.Node(g, "conv1.weight")
	width := kernel.Shape().Dim(0)
	kernel = Reshape(kernel, width, kernel.Shape().Size()/width)
	x := DotGeneral(Patches(pixels, patch), []int{2}, nil, kernel, []int{1}, nil)
	if w.Has("conv1.bias") {
		x = Add(x, Reshape(w.Node(g, "conv1.bias"), 1, 1, width))
	}
	if w.Has("class_embedding") {
		class := BroadcastToDims(Reshape(w.Node(g, "class_embedding"), 1, 1, width), batch, 1, width)
		x = Concatenate([]*Node{class, x}, 1)
	}
	return Add(x, InsertAxes(w.Node(g, "positional_embedding"), 0))
}

// TextStates runs a text tower on token ids int32 [captions, context] and
// returns its normalised states [captions, context, width]. Weights:
// token_embedding, positional_embedding, transformer.resblocks, ln_final.
func TextStates(w Weights, b Block, layers int, tokens, mask *Node) *Node {
	g := tokens.Graph()
	x := Add(EmbedTokens(w, tokens), InsertAxes(w.Node(g, "positional_embedding"), 0))
	w.See(x, "text.embed")
	x = LayerNorm(w.At("ln_final"), b.Repeat(layers, w, x, mask, "text"), b.Epsilon)
	w.See(x, "text.final_ln")
	return x
}

// EmbedTokens looks token ids int32 [captions, context] up: [captions, context, width].
func EmbedTokens(w Weights, tokens *Node) *Node {
	return Gather(w.Node(tokens.Graph(), "token_embedding.weight"), InsertAxes(tokens, -1))
}

// CausalMask is [tokens, tokens], true where key <= query.
func CausalMask(g *Graph, tokens int) *Node {
	return LowerTriangular(g, tokens)
}

// AtLargest returns the states x [captions, context, width] at each caption's
// first largest token id: [captions, width]. CLIP's end token has the largest.
func AtLargest(x, tokens *Node) *Node {
	return selectToken(x, ArgMax(tokens, -1, dtypes.Int32))
}

// AtFirst is AtLargest for the first place of one token id, or place 0 without it.
func AtFirst(x, tokens *Node, id int) *Node {
	is := Equal(tokens, Scalar(tokens.Graph(), tokens.DType(), id))
	return selectToken(x, ArgMax(ConvertDType(is, tokens.DType()), -1, dtypes.Int32))
}

// At returns the states x [batch, tokens, width] of one place, counted from the
// end when negative: [batch, width].
func At(x *Node, place int) *Node {
	return Reshape(Slice(x, AxisRange(), AxisElem(place)), x.Shape().Dim(0), x.Shape().Dim(2))
}

// selectToken returns x[i, at[i]] for every row i: x [batch, tokens, width],
// at int32 [batch] -> [batch, width].
func selectToken(x, at *Node) *Node {
	pick := OneHot(at, x.Shape().Dim(1), x.DType()) // [batch, tokens]
	return Reshape(DotGeneral(InsertAxes(pick, 1), []int{2}, []int{0}, x, []int{1}, []int{0}), x.Shape().Dim(0), x.Shape().Dim(2))
}
