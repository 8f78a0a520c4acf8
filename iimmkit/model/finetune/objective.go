package finetune

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// masked is the logit of a caption that is only there to fill up: its
// probability is exactly 0 in float32, and it gets no gradient.
const masked = -1e9

// classLogits returns exp(logit_scale)·cos of every image with every caption.
// images [b, d] and texts [c, d] are unnormalised features, mask [c] is added.
func classLogits(images, texts, scale, mask *graph.Node) *graph.Node {
	cos := graph.DotGeneral(graph.L2Normalize(images, -1), []int{1}, nil, graph.L2Normalize(texts, -1), []int{1}, nil)
	return graph.Add(graph.Mul(cos, scale), graph.InsertAxes(mask, 0))
}

// crossEntropy is the mean over rows of -log softmax(logits)[label].
// logits [b, c], labels int32 [b] -> scalar.
func crossEntropy(logits, labels *graph.Node) *graph.Node {
	own := graph.OneHot(labels, logits.Shape().Dim(1), dtypes.Float32)
	return graph.Neg(graph.DivScalar(graph.ReduceAllSum(graph.Mul(own, graph.LogSoftmax(logits))), float64(logits.Shape().Dim(0))))
}
