package transformer

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
)

// product is a·b of each batch: a [batch, m, k], b [batch, k, n] -> [batch, m, n].
func product(a, b *Node) *Node {
	multiply := func() *Node { return dot(a, b) }
	if onGo(a) {
		return goProduct(multiply, a, b, transpose(b))
	}
	return multiply()
}

// productT is a·bᵀ of each batch: a [batch, m, k], b [batch, n, k] -> [batch, m, n].
func productT(a, b *Node) *Node {
	multiply := func() *Node { return dotT(a, b) }
	if onGo(a) {
		return goProduct(multiply, a, transpose(b), b)
	}
	return multiply()
}

func dot(a, b *Node) *Node {
	return DotGeneral(a, []int{2}, []int{0}, b, []int{1}, []int{0})
}

func dotT(a, b *Node) *Node {
	return DotGeneral(a, []int{2}, []int{0}, b, []int{2}, []int{0})
}

func transpose(x *Node) *Node { return TransposeAllAxes(x, 0, 2, 1) }

// onGo reports whether GoMLX's Go backend computes x.
func onGo(x *Node) bool { return backend.Name(x.Graph().Backend()) == backend.Go }

// The Go backend computes products of less than smallProduct multiplications by
// kernels of which one is fast: that of a [m, k]·b [k, n] with n at least
// fewest and a multiple of lanes. The one of a·bᵀ, to which it also brings the
// gradients that GoMLX derives, and every remainder of n mix scalar with vector
// instructions, which costs some 200 ns an element.
const (
	smallProduct = 4 << 20
	lanes        = 16
	fewest       = 2 * lanes
)

// isSmall reports whether a product of a [batch, m, k] with n columns takes the
// Go backend's kernels for small ones.
func isSmall(a *Node, n int) bool { return a.Shape().Size()*n < smallProduct }

// goProduct is a·b, a [batch, m, k], b [batch, k, n], t = bᵀ, on the Go backend:
// what multiply returns when it is large. Its gradients are products of the form
// a·b, too, da = dy·t and dt = dyᵀ·a.
func goProduct(multiply func() *Node, a, b, t *Node) *Node {
	gradient := func(a, t *Node) *Node {
		return Add(dotT(a, StopGradient(t)), transpose(dotT(t, StopGradient(a))))
	}
	n := b.Shape().Dim(2)
	if !isSmall(a, n) {
		return withGradient(multiply, func() *Node { return gradient(a, t) })
	}
	return withGradient(
		func() *Node {
			y := dot(a, widen(b))
			if y.Shape().Dim(2) != n {
				y = Slice(y, AxisRange(), AxisRange(), AxisRange(0, n))
			}
			return y
		},
		func() *Node { return gradient(widen(a), widen(t)) })
}

// withGradient is value, with the gradient of like, which is not computed.
func withGradient(value, like func() *Node) *Node {
	y, _ := InternalFusedOpCaller(value, func() *Node {
		l := like()
		return Add(l, StopGradient(Sub(value(), l))) // value again, should fusion be switched off
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
