package transformer

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
)

// product is a·b of each batch: a [batch, m, k], b [batch, k, n] -> [batch, m, n].
func product(a, b *Node) *Node {
	if smallOnGo(a, b) {
		return smallProduct(a, b, transpose(b))
	}
	return dot(a, b)
}

// productT is a·bᵀ of each batch: a [batch, m, k], b [batch, n, k] -> [batch, m, n].
func productT(a, b *Node) *Node {
	if smallOnGo(a, b) {
		return smallProduct(a, transpose(b), b)
	}
	return dotT(a, b)
}

func dot(a, b *Node) *Node {
	return DotGeneral(a, []int{2}, []int{0}, b, []int{1}, []int{0})
}

func dotT(a, b *Node) *Node {
	return DotGeneral(a, []int{2}, []int{0}, b, []int{2}, []int{0})
}

func transpose(x *Node) *Node { return TransposeAllAxes(x, 0, 2, 1) }

// The Go backend computes products of less than fewMultiplications by kernels of
// which one is fast: that of a [m, k]·b [k, n] with n at least fewest and a
// multiple of lanes. The one of a·bᵀ, to which it also brings the gradients that
// GoMLX derives, and every remainder of n mix scalar with vector instructions,
// which costs some 200 ns an element. With AVX-512 it counts the multiplications
// of all batches, with AVX2 those of one; laid out for the fast kernel, many
// small ones are no slower by those for large ones.
const (
	fewMultiplications = 4 << 20
	lanes              = 16
	fewest             = 2 * lanes
)

// smallOnGo reports whether GoMLX's Go backend computes the product of a [batch,
// m, k] and b [batch, k, n] or [batch, n, k], and each of a batch is a small one.
func smallOnGo(a, b *Node) bool {
	return backend.Name(a.Graph().Backend()) == backend.Go && a.Shape().Dim(1)*b.Shape().Dim(1)*b.Shape().Dim(2) < fewMultiplications
}

// smallProduct is a·b, a [batch, m, k], b [batch, k, n], t = bᵀ, for the fast
// kernel. Its gradients are products of the form a·b, too, da = dy·t and dt = dyᵀ·a.
func smallProduct(a, b, t *Node) *Node {
	value := func() *Node {
		y, n := dot(a, widen(b)), b.Shape().Dim(2)
		if y.Shape().Dim(2) != n {
			y = Slice(y, AxisRange(), AxisRange(), AxisRange(0, n))
		}
		return y
	}
	// The gradient is that of the second function's outcome, which is not computed
	// unless fusion is switched off.
	y, _ := InternalFusedOpCaller(value, func() *Node {
		a, t := widen(a), widen(t)
		like := Add(dotT(a, StopGradient(t)), transpose(dotT(t, StopGradient(a))))
		return Add(like, StopGradient(Sub(value(), like)))
	}, true)
	return y
}

// widen appends columns of zeros to x [batch, rows, columns] until their number
// suits the fast kernel.
func widen(x *Node) *Node {
	d := x.Shape().Dimensions
	missing := max(fewest, (d[2]+lanes-1)/lanes*lanes) - d[2]
	if missing == 0 {
		return x
	}
	return Concatenate([]*Node{x, Zeros(x.Graph(), shapes.Make(x.DType(), d[0], d[1], missing))}, 2)
}
