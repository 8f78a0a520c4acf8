package projection

import "math"

const (
	// bucket is the most points of a leaf: pairs are then quicker than cells.
	bucket = 8
	// deepest bounds the cells of points that coincide.
	deepest = 48
)

// tree is a quadtree over points of the plane.
type tree struct {
	order []int32   // places of points in the input, cell after cell
	at    []float64 // the points in that order, [n,2]
	cells []cell
}

// cell holds points order[from:to]; child[0] < 0 in a leaf, absent children
// are -1 behind the others.
type cell struct {
	x, y     float64 // mean of the points
	width2   float64 // squared
	from, to int32
	child    [4]int32
}

// newTree sorts the points y [n,2] into cells.
func newTree(y []float64) *tree {
	n := len(y) / 2
	t := &tree{order: make([]int32, n), at: make([]float64, 2*n), cells: make([]cell, 0, n/2+1)}
	lo, hi := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for i := range n {
		t.order[i] = int32(i)
		for a := range 2 {
			lo[a], hi[a] = math.Min(lo[a], y[2*i+a]), math.Max(hi[a], y[2*i+a])
		}
	}
	t.build(y, 0, int32(n), lo[0], lo[1], math.Max(hi[0]-lo[0], hi[1]-lo[1]), 0)
	for k, i := range t.order {
		t.at[2*k], t.at[2*k+1] = y[2*i], y[2*i+1]
	}
	return t
}

// build makes the cell of order[from:to] with its lower corner and width, and
// returns its place.
func (t *tree) build(y []float64, from, to int32, x0, y0, width float64, depth int) int32 {
	place := int32(len(t.cells))
	c := cell{width2: width * width, from: from, to: to, child: [4]int32{-1, -1, -1, -1}}
	for _, i := range t.order[from:to] {
		c.x += y[2*i]
		c.y += y[2*i+1]
	}
	c.x /= float64(to - from)
	c.y /= float64(to - from)
	t.cells = append(t.cells, c)
	if to-from <= bucket || depth == deepest {
		return place
	}
	half := width / 2
	mx, my := x0+half, y0+half
	upper := t.part(y, from, to, 1, my)
	left, right := t.part(y, from, upper, 0, mx), t.part(y, upper, to, 0, mx)
	children := 0
	for _, q := range [4]struct {
		from, to int32
		x, y     float64
	}{{from, left, x0, y0}, {left, upper, mx, y0}, {upper, right, x0, my}, {right, to, mx, my}} {
		if q.from < q.to {
			child := t.build(y, q.from, q.to, q.x, q.y, half, depth+1)
			t.cells[place].child[children] = child
			children++
		}
	}
	return place
}

// part puts the points of order[from:to] below a bound first and returns where
// the others begin.
func (t *tree) part(y []float64, from, to int32, axis int32, bound float64) int32 {
	next := from
	for k := from; k < to; k++ {
		if i := t.order[k]; y[2*i+axis] < bound {
			t.order[k], t.order[next] = t.order[next], i
			next++
		}
	}
	return next
}

// repulsion sums w² (y - y_j) and w over the points other than the k-th in the
// tree's order, w = 1/(1+distance²); a far cell counts as that many points at its
// mean. stack is room to work in, returned to be used again.
func (t *tree) repulsion(k int, theta float64, stack []int32) (fx, fy, weight float64, room []int32) {
	x, y := t.at[2*k], t.at[2*k+1]
	theta2 := theta * theta
	stack = append(stack[:0], 0)
	for len(stack) > 0 {
		c := &t.cells[stack[len(stack)-1]]
		stack = stack[:len(stack)-1]
		dx, dy := x-c.x, y-c.y
		distance := dx*dx + dy*dy
		inside := int32(k) >= c.from && int32(k) < c.to
		switch {
		case !inside && c.width2 < theta2*distance:
			w := 1 / (1 + distance)
			many := float64(c.to-c.from) * w
			weight += many
			fx += many * w * dx
			fy += many * w * dy
		case c.child[0] < 0:
			for j := int(c.from); j < int(c.to); j++ {
				if j == k {
					continue
				}
				dx, dy := x-t.at[2*j], y-t.at[2*j+1]
				w := 1 / (1 + dx*dx + dy*dy)
				weight += w
				fx += w * w * dx
				fy += w * w * dy
			}
		default:
			for _, child := range c.child {
				if child >= 0 {
					stack = append(stack, child)
				}
			}
		}
	}
	return fx, fy, weight, stack
}
