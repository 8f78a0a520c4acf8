package projection

import (
	"cmp"
	"context"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/iimmkit/iimm/iimmkit/core/matmul"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// neighbours are the k nearest other rows of each of n rows, nearest first.
type neighbours struct {
	k        int
	index    []int32   // [n,k]
	distance []float64 // squared, [n,k]
}

// nearest finds them by all distances, a block of rows at a time. Equal
// distances are in the order of the rows.
func nearest(ctx context.Context, x []float32, d, k int, report progress.Reporter) (*neighbours, error) {
	n := len(x) / d
	// Centred rows: |a|² + |b|² - 2ab then loses fewer digits.
	rows := make([]float64, n*d)
	mean := make([]float64, d)
	for i, v := range x {
		mean[i%d] += float64(v) / float64(n)
	}
	squares := make([]float64, n)
	for i, v := range x {
		rows[i] = float64(v) - mean[i%d]
		squares[i/d] += rows[i] * rows[i]
	}
	out := &neighbours{k: k, index: make([]int32, n*k), distance: make([]float64, n*k)}
	all := blas64.General{Rows: n, Cols: d, Stride: d, Data: rows}
	bar := report.Start("neighbours", n)
	defer bar.Done()
	products := make([]float64, min(n, block)*n)
	for from := 0; from < n; from += block {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		to := min(n, from+block)
		some := blas64.General{Rows: to - from, Cols: d, Stride: d, Data: rows[from*d : to*d]}
		gram := blas64.General{Rows: to - from, Cols: n, Stride: n, Data: products[:(to-from)*n]}
		matmul.Gemm(blas.NoTrans, blas.Trans, 1, some, all, 0, gram)
		inParallel(to-from, func(a, b int) {
			order := make([]int32, 0, n)
			for r := a; r < b; r++ {
				i, distance := from+r, gram.Data[r*n:(r+1)*n]
				order = order[:0]
				for j := range distance {
					distance[j] = math.Max(0, squares[i]+squares[j]-2*distance[j])
					if j != i {
						order = append(order, int32(j))
					}
				}
				nearer := func(a, b int32) int {
					return cmp.Or(cmp.Compare(distance[a], distance[b]), cmp.Compare(a, b))
				}
				smallest(order, k, nearer)
				for c, j := range order[:k] {
					out.index[i*k+c], out.distance[i*k+c] = j, distance[j]
				}
			}
		})
		bar.Add(to - from)
	}
	return out, nil
}

// smallest puts the k smallest elements first, in order: a heap of the k best
// so far, then sorted.
func smallest(list []int32, k int, compare func(a, b int32) int) {
	heap := list[:k]
	down := func(i int) {
		for {
			largest := i
			for c := 2*i + 1; c <= 2*i+2 && c < k; c++ {
				if compare(heap[c], heap[largest]) > 0 {
					largest = c
				}
			}
			if largest == i {
				return
			}
			heap[i], heap[largest] = heap[largest], heap[i]
			i = largest
		}
	}
	for i := k/2 - 1; i >= 0; i-- {
		down(i)
	}
	for j := k; j < len(list); j++ {
		if compare(list[j], heap[0]) < 0 {
			list[j], heap[0] = heap[0], list[j]
			down(0)
		}
	}
	slices.SortFunc(heap, compare)
}

// affinities are the symmetric probabilities p_ij that sum to 1 over ordered
// pairs, those above 0 row after row.
type affinities struct {
	begin  []int
	column []int32
	value  []float64
}

func (a affinities) row(i int) ([]int32, []float64) {
	return a.column[a.begin[i]:a.begin[i+1]], a.value[a.begin[i]:a.begin[i+1]]
}

// affinities gives each row a normal law over its neighbours, as wide as makes
// its entropy log(perplexity), and takes the mean of both directions.
func (nb *neighbours) affinities(perplexity float64) affinities {
	k := nb.k
	n := len(nb.index) / k
	conditional := make([]float64, n*k)
	inParallel(n, func(from, to int) {
		for i := from; i < to; i++ {
			spread(conditional[i*k:(i+1)*k], nb.distance[i*k:(i+1)*k], math.Log(perplexity))
		}
	})
	type entry struct {
		column int32
		value  float64
	}
	rows := make([][]entry, n)
	for i := range n {
		for c, j := range nb.index[i*k : (i+1)*k] {
			v := conditional[i*k+c] / float64(2*n)
			rows[i] = append(rows[i], entry{j, v})
			rows[j] = append(rows[j], entry{int32(i), v})
		}
	}
	a := affinities{begin: make([]int, 1, n+1)}
	for i, row := range rows {
		slices.SortStableFunc(row, func(p, q entry) int { return cmp.Compare(p.column, q.column) })
		for _, e := range row {
			switch last := len(a.column) - 1; {
			case e.value == 0: // beyond float64: no pull, and no logarithm
			case last >= a.begin[i] && a.column[last] == e.column:
				a.value[last] += e.value
			default:
				a.column, a.value = append(a.column, e.column), append(a.value, e.value)
			}
		}
		a.begin = append(a.begin, len(a.column))
	}
	return a
}

// spread sets p to exp(-beta distance) over its sum, beta by bisection so that
// the entropy is the one wanted.
func spread(p, distance []float64, entropy float64) {
	lo, hi, beta := 0.0, math.Inf(1), 1.0
	for range 100 {
		sum, weighted := 0.0, 0.0
		for c, d := range distance {
			// Distances from the nearest: the sum cannot be 0.
			p[c] = math.Exp(-beta * (d - distance[0]))
			sum += p[c]
			weighted += p[c] * (d - distance[0])
		}
		for c := range p {
			p[c] /= sum
		}
		off := math.Log(sum) + beta*weighted/sum - entropy
		if math.Abs(off) < 1e-5 {
			return
		}
		if off > 0 {
			lo = beta
			if math.IsInf(hi, 1) {
				beta *= 2
			} else {
				beta = (lo + hi) / 2
			}
		} else {
			hi = beta
			beta = (lo + hi) / 2
		}
	}
}
