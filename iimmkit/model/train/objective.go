package train

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// objective is a loss of n pairs of images and texts: as a graph of unit rows
// images, texts [n, d], scale and bias; and in plain float64 of the logits
// [n, n] = scale·cos + bias, for validation.
type objective struct {
	name  string
	graph func(images, texts, scale, bias *Node) *Node
	plain func(logits []float64, n int) float64
}

var (
	contrastive = objective{"contrastive", func(images, texts, scale, _ *Node) *Node { return Contrastive(images, texts, scale) }, contrastiveLoss}
	sigmoid     = objective{"sigmoid", Sigmoidal, sigmoidLoss}
)

func objectiveOf(familyName string) objective { return microFamilies[familyName].objective }

// Contrastive is the symmetric contrastive loss of n pairs of unit rows
// images, texts [n, d]: the mean of the cross-entropies of each image over all
// texts and of each text over all images. scale multiplies the cosines.
func Contrastive(images, texts, scale *Node) *Node {
	logits := Mul(DotGeneral(images, []int{1}, nil, texts, []int{1}, nil), scale) // [images, texts]
	n := logits.Shape().Dim(0)
	right := ReduceAllSum(Mul(images, texts)) // of the cosines of the pairs
	total := Add(ReduceAllSum(logSumExp(logits, 1)), ReduceAllSum(logSumExp(logits, 0)))
	return DivScalar(Sub(total, MulScalar(Mul(right, scale), 2)), 2*float64(n))
}

func logSumExp(x *Node, axis int) *Node {
	most := StopGradient(ReduceAndKeep(x, ReduceMax, axis))
	return Add(Log(ReduceAndKeep(Exp(Sub(x, most)), ReduceSum, axis)), most)
}

// Sigmoidal is SigLIP's loss of n pairs of unit rows images, texts [n, d]: every
// image with every text is a yes-or-no question of its own, answered by
// sigmoid(scale·cos + bias); the sum of the n² log losses over n (Zhai et al.,
// 2023, algorithm 1).
func Sigmoidal(images, texts, scale, bias *Node) *Node {
	logits := Add(Mul(DotGeneral(images, []int{1}, nil, texts, []int{1}, nil), scale), bias) // [images, texts]
	g, n := logits.Graph(), logits.Shape().Dim(0)
	own := DiagonalWithValue(ScalarOne(g, dtypes.Float32), n)
	// -log sigmoid(±z) = softplus(∓z)
	z := Mul(logits, AddScalar(MulScalar(own, -2), 1)) // own pairs turned around
	softplus := Add(MaxScalar(z, 0), Log1P(Exp(Neg(Abs(z)))))
	return DivScalar(ReduceAllSum(softplus), float64(n))
}

// pairLogits returns scale·cos + bias [n, n] of unit rows images, texts [n, d].
func pairLogits(images, texts []float32, d int, scale, bias float64) []float64 {
	n := len(images) / d
	logits := make([]float64, n*n)
	for i := range n {
		for j := range n {
			var dot float64
			for k := range d {
				dot += float64(images[i*d+k]) * float64(texts[j*d+k])
			}
			logits[i*n+j] = scale*dot + bias
		}
	}
	return logits
}

// firstPlaces counts the images whose own text is the nearest.
func firstPlaces(logits []float64, n int) int {
	first := 0
	for i := range n {
		best := true
		for j := range n {
			best = best && (j == i || logits[i*n+j] < logits[i*n+i])
		}
		if best {
			first++
		}
	}
	return first
}

// contrastiveLoss is Contrastive of logits [n, n].
func contrastiveLoss(logits []float64, n int) (loss float64) {
	for i := range n {
		var row, column float64 // sums of exp relative to the own pair
		own := logits[i*n+i]
		for j := range n {
			row += math.Exp(logits[i*n+j] - own)
			column += math.Exp(logits[j*n+i] - own)
		}
		loss += (math.Log(row) + math.Log(column)) / 2 / float64(n)
	}
	return loss
}

// sigmoidLoss is Sigmoidal of logits [n, n].
func sigmoidLoss(logits []float64, n int) (loss float64) {
	for i := range n {
		for j := range n {
			z := logits[i*n+j]
			if i == j {
				z = -z
			}
			loss -= math.Log(1/(1+math.Exp(z))) / float64(n)
		}
	}
	return loss
}
