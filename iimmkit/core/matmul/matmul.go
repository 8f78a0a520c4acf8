// Package matmul multiplies dense float64 matrices. Gemm is what gonum's
// blas64.Gemm is, several times faster where the processor has vectors of four
// or eight (built with GOEXPERIMENT=simd), and the same to the last bit on
// every machine and whatever the number of processors: each element of the
// result is summed in order, from the first product to the last, each rounded.
package matmul

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

const (
	// depth and width bound the part of b that is packed at once: 2 MB, which
	// a core's cache holds while rows of a pass over it.
	depth = 256
	width = 1024
	// band is the number of rows of a that a goroutine takes at once.
	band = 64
)

// kernel adds the product of a packed strip of a and a packed strip of b to a
// tile of c: rows x cols elements, rows of c stride apart.
//
//	c[i*stride+j] += sum_l a[l*rows+i] * b[l*cols+j]
type kernel struct {
	rows, cols int
	add        func(depth int, a, b, c []float64, stride int)
}

// plain is the kernel of a processor without vectors. A product is rounded
// before it is added, as the vector kernels do: no fused multiply-add.
var plain = kernel{4, 4, func(depth int, a, b, c []float64, stride int) {
	for i := range 4 {
		row := c[i*stride : i*stride+4 : i*stride+4]
		c0, c1, c2, c3 := row[0], row[1], row[2], row[3]
		for l := range depth {
			v, w := a[4*l+i], b[4*l:4*l+4:4*l+4]
			c0 += float64(v * w[0])
			c1 += float64(v * w[1])
			c2 += float64(v * w[2])
			c3 += float64(v * w[3])
		}
		row[0], row[1], row[2], row[3] = c0, c1, c2, c3
	}
}}

var best = bestKernel()

// Gemm computes c = alpha op(a) op(b) + beta c, op being the matrix or its
// transpose. c must not overlap a or b. With beta 0, what c holds is not read.
// It panics when the shapes do not fit, as blas64.Gemm does.
func Gemm(ta, tb blas.Transpose, alpha float64, a, b blas64.General, beta float64, c blas64.General) {
	best.gemm(ta, tb, alpha, a, b, beta, c)
}

// view is a matrix read by row and column steps.
type view struct {
	rows, cols       int
	rowStep, colStep int
	data             []float64
}

func viewOf(t blas.Transpose, m blas64.General) view {
	if t == blas.NoTrans {
		return view{m.Rows, m.Cols, m.Stride, 1, m.Data}
	}
	return view{m.Cols, m.Rows, 1, m.Stride, m.Data}
}

func (k kernel) gemm(ta, tb blas.Transpose, alpha float64, ma, mb blas64.General, beta float64, c blas64.General) {
	a, b := viewOf(ta, ma), viewOf(tb, mb)
	if a.cols != b.rows || a.rows != c.Rows || b.cols != c.Cols {
		panic(fmt.Sprintf("matmul: [%d,%d] times [%d,%d] into [%d,%d]", a.rows, a.cols, b.rows, b.cols, c.Rows, c.Cols))
	}
	for i := range c.Rows {
		row := c.Data[i*c.Stride : i*c.Stride+c.Cols]
		switch beta {
		case 0:
			clear(row)
		case 1:
		default:
			for j := range row {
				row[j] *= beta
			}
		}
	}
	if a.rows == 0 || a.cols == 0 || b.cols == 0 {
		return
	}
	packed := make([]float64, min(depth, a.cols)*ceil(min(width, b.cols), k.cols))
	bands := (a.rows + band - 1) / band
	strips := make([][]float64, min(bands, runtime.GOMAXPROCS(0)))
	for w := range strips {
		strips[w] = make([]float64, min(depth, a.cols)*ceil(min(band, a.rows), k.rows)+k.rows*k.cols)
	}
	for j := 0; j < b.cols; j += width {
		cols := min(width, b.cols-j)
		for l := 0; l < a.cols; l += depth {
			d := min(depth, a.cols-l)
			pack(packed, b.transposed(), j, cols, l, d, k.cols, 1)
			inParallel(len(strips), bands, func(worker, r int) {
				i := r * band
				rows := min(band, a.rows-i)
				strip := strips[worker]
				tile := strip[len(strip)-k.rows*k.cols:]
				pack(strip, a, i, rows, l, d, k.rows, alpha)
				for q := 0; q < cols; q += k.cols {
					for p := 0; p < rows; p += k.rows {
						at := c.Data[(i+p)*c.Stride+j+q:]
						x, y := strip[p*d:(p+k.rows)*d], packed[q*d:(q+k.cols)*d]
						h, w := min(k.rows, rows-p), min(k.cols, cols-q)
						if h == k.rows && w == k.cols {
							k.add(d, x, y, at, c.Stride)
							continue
						}
						// A tile that reaches over the edge is worked on aside.
						for r := range h {
							copy(tile[r*k.cols:], at[r*c.Stride:r*c.Stride+w])
						}
						k.add(d, x, y, tile, k.cols)
						for r := range h {
							copy(at[r*c.Stride:r*c.Stride+w], tile[r*k.cols:])
						}
					}
				}
			})
		}
	}
}

func (v view) transposed() view {
	return view{v.cols, v.rows, v.colStep, v.rowStep, v.data}
}

// pack copies rows of v, scaled, columns from..from+depth, in strips of height
// rows: strip after strip, column after column. The last strip is filled up
// with zeros.
func pack(to []float64, v view, first, rows, from, depth, height int, scale float64) {
	for p := 0; p < rows; p += height {
		strip := to[p*depth : (p+height)*depth]
		h := min(height, rows-p)
		if h < height {
			clear(strip)
		}
		base := (first+p)*v.rowStep + from*v.colStep
		if v.rowStep == 1 {
			for l := range depth {
				for i, x := range v.data[base+l*v.colStep:][:h] {
					strip[l*height+i] = scale * x
				}
			}
			continue
		}
		for i := range h {
			row := v.data[base+i*v.rowStep:]
			for l := range depth {
				strip[l*height+i] = scale * row[l*v.colStep]
			}
		}
	}
}

func ceil(n, of int) int { return (n + of - 1) / of * of }

// inParallel calls f(worker, i) for i in 0..n-1, from workers goroutines.
func inParallel(workers, n int, f func(worker, i int)) {
	if workers <= 1 {
		for i := range n {
			f(0, i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(w, i)
			}
		})
	}
	wg.Wait()
}
