package finetune

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

const (
	// logitScale is the weight that only Options.TrainLogitScale moves.
	logitScale = "logit_scale"
	// logitBias, of SigLIP, moves with the sigmoid objective only: adding a number
	// to all logits leaves the softmax as it is.
	logitBias = "logit_bias"
)

// clampScale keeps exp(logit_scale) at most 100, as CLIP's training does.
func clampScale(name string, value *graph.Node) *graph.Node {
	if name == logitScale {
		return graph.MinScalar(value, math.Log(100))
	}
	return value
}

// masked is the logit of a caption that is only there to fill up: its
// probability is exactly 0 in float32, and it gets no gradient.
const masked = -1e9

// classLogits returns exp(logit_scale)·cos of every image with every caption,
// [b, c]. images [b, d] and texts [c, d] are unnormalised features.
func classLogits(images, texts, scale *graph.Node) *graph.Node {
	cos := graph.DotGeneral(graph.L2Normalize(images, -1), []int{1}, nil, graph.L2Normalize(texts, -1), []int{1}, nil)
	return graph.Mul(cos, scale)
}

// crossEntropy is the mean over rows of -log softmax(logits)[label].
// logits [b, c], labels int32 [b] -> scalar.
func crossEntropy(logits, labels *graph.Node) *graph.Node {
	own := graph.OneHot(labels, logits.Shape().Dim(1), dtypes.Float32)
	return graph.Neg(graph.DivScalar(graph.ReduceAllSum(graph.Mul(own, graph.LogSoftmax(logits))), float64(logits.Shape().Dim(0))))
}

// sigmoidLoss is the mean over rows of the summed log losses of the questions
// whether the image is of each class, answered by sigmoid(logits): SigLIP's
// objective (Zhai et al., 2023) with class captions in place of the batch's.
// logits [b, c], labels int32 [b]; mask [c] is 0 or masked -> scalar.
func sigmoidLoss(logits, labels, mask *graph.Node) *graph.Node {
	own := graph.OneHot(labels, logits.Shape().Dim(1), dtypes.Float32)
	z := graph.Mul(logits, graph.AddScalar(graph.MulScalar(own, -2), 1)) // -log sigmoid(±x) = softplus(∓x)
	softplus := graph.Add(graph.MaxScalar(z, 0), graph.Log1P(graph.Exp(graph.Neg(graph.Abs(z)))))
	counted := graph.AddScalar(graph.DivScalar(mask, -masked), 1) // 1, or 0 where masked
	sum := graph.ReduceAllSum(graph.Mul(softplus, graph.InsertAxes(counted, 0)))
	return graph.DivScalar(sum, float64(logits.Shape().Dim(0)))
}
