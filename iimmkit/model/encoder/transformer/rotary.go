package transformer

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Rotary turns pairs of a head's channels by angles that grow with the row and
// column of an image square, so that a product of query and key depends on
// their distance (Su et al., 2021; in two axes as EVA-02 does). A class token in
// front of the squares is not turned.
type Rotary struct {
	cos, sin *Node // [1, 1+grid², head]
	exchange *Node // [head, head]: x·exchange = [-x1, x0, -x3, x2, …]
}

// NewRotary returns the rotation of grid×grid squares for heads of so many
// channels, a multiple of 4. Square i of a side is at place i·reference/grid:
// reference is the squares a side at which places are counted in whole steps.
func NewRotary(g *Graph, grid, reference, head int) *Rotary {
	var cos, sin []float32
	for range head { // the class token
		cos, sin = append(cos, 1), append(sin, 0)
	}
	for y := range grid {
		for x := range grid {
			for _, i := range []int{y, x} {
				for _, a := range angles(float32(i)/float32(grid)*float32(reference), head/4) {
					c, s := float32(math.Cos(float64(a))), float32(math.Sin(float64(a)))
					cos, sin = append(cos, c, c), append(sin, s, s) // both channels of a pair
				}
			}
		}
	}
	// A product with a matrix of one ±1 a column is exact, and faster than slices
	// of single channels.
	exchange := make([]float32, head*head)
	for i := 0; i < head; i += 2 {
		exchange[(i+1)*head+i], exchange[i*head+i+1] = -1, 1
	}
	constant := func(values []float32, dims ...int) *Node {
		return ConstTensor(g, tensors.FromFlatDataAndDimensions(values, dims...))
	}
	tokens := 1 + grid*grid
	return &Rotary{constant(cos, 1, tokens, head), constant(sin, 1, tokens, head), constant(exchange, head, head)}
}

// angles returns place·10000^(-j/n) for j < n, rounded to float32 at the places
// where the reference implementation rounds.
func angles(place float32, n int) []float32 {
	list := make([]float32, n)
	for j := range list {
		list[j] = place * (1 / float32(math.Pow(10000, float64(float32(j)/float32(n)))))
	}
	return list
}

// turn rotates x [rows, 1+grid², head].
func (r *Rotary) turn(x *Node) *Node {
	exchanged := DotGeneral(x, []int{2}, nil, r.exchange, []int{0}, nil)
	return Add(Mul(x, r.cos), Mul(exchanged, r.sin))
}
