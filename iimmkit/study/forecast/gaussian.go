package forecast

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// regression is a fit of numbers to rows of columns.
type regression interface {
	// at is the fit's value at a row.
	at(x []float64) float64
	// leverage is how far x is from the rows' center, in the metric of their spread.
	leverage(x []float64) float64
	// determined tells whether the rows give a leverage.
	determined() bool
}

// gaussian is the posterior mean of a Gaussian process with the covariance
//
//	s (linear z.z' + smooth exp(-|z-z'|^2 / (2 length^2)) + [same row])
//
// of standardised columns z, about the mean of the rows: a line that may bend.
// linear, smooth and length are those of a small grid that have the highest
// evidence with the best s (Rasmussen and Williams, Gaussian Processes for Machine
// Learning, 2006, equation 2.30).
type gaussian struct {
	ridge // for height, center, and the leverage
	unit  []float64
	rows  [][]float64 // standardised
	covariance
	weight []float64 // of each row
}

// covariance is that of two rows in units of the noise's variance.
type covariance struct{ linear, smooth, length float64 }

func (c covariance) of(dot, distance2 float64) float64 {
	return c.linear*dot + c.smooth*c.nearness(distance2)
}

func (c covariance) nearness(distance2 float64) float64 {
	return math.Exp(-distance2 / (2 * c.length * c.length))
}

// covariances is the grid. It is coarse: few rows tell no more.
var covariances = func() (all []covariance) {
	for _, length := range []float64{1, 2.5} {
		for _, linear := range []float64{.3, 3, 30} {
			for _, smooth := range []float64{.3, 3} {
				all = append(all, covariance{linear, smooth, length})
			}
		}
	}
	return all
}()

// gaussianRows bounds the rows of a Gaussian process: the time grows with their
// cube, and leaving out three folds asks for thousands of fits.
const gaussianRows = 64

// fitGaussian fits y [n] to the rows x [n][k], n > 0.
func fitGaussian(x [][]float64, y []float64) gaussian {
	g := gaussian{ridge: fitRidge(x, y)}
	n, k := len(y), len(x[0])
	g.unit = spread(x, g.center)
	g.rows = make([][]float64, n)
	residual := make([]float64, n)
	for i, row := range x {
		g.rows[i] = g.standard(row)
		residual[i] = y[i] - g.height
	}
	g.weight = make([]float64, n)
	if k == 0 || floats.Norm(residual, 2) == 0 {
		return g
	}
	dots, distances := make([]float64, n*n), make([]float64, n*n) // upper triangles
	for i := range n {
		for j := i; j < n; j++ {
			dots[i*n+j], distances[i*n+j] = g.products(g.rows[i], g.rows[j])
		}
	}
	// LAPACK itself: mat.Cholesky also estimates a condition number, which takes longer.
	matrix := blas64.Symmetric{N: n, Stride: n, Data: make([]float64, n*n), Uplo: blas.Upper}
	near, weight := make([]float64, n*n), make([]float64, n)
	best, length := math.Inf(-1), 0.
	for _, c := range covariances {
		if c.length != length {
			length = c.length
			for i := range n {
				for j := i; j < n; j++ {
					near[i*n+j] = c.nearness(distances[i*n+j])
				}
			}
		}
		for i := range n {
			for j := i; j < n; j++ {
				matrix.Data[i*n+j] = c.linear*dots[i*n+j] + c.smooth*near[i*n+j]
			}
			matrix.Data[i*n+i]++
		}
		factor, ok := lapack64.Potrf(matrix)
		if !ok {
			continue // does not happen: the noise keeps it positive
		}
		copy(weight, residual)
		for _, side := range []blas.Transpose{blas.Trans, blas.NoTrans} {
			blas64.Trsv(side, factor, blas64.Vector{N: n, Inc: 1, Data: weight})
		}
		evidence := -float64(n) / 2 * math.Log(floats.Dot(residual, weight)/float64(n))
		for i := range n {
			evidence -= math.Log(factor.Data[i*n+i])
		}
		if evidence > best {
			best, g.covariance = evidence, c
			copy(g.weight, weight)
		}
	}
	return g
}

func (g gaussian) standard(x []float64) []float64 {
	z := make([]float64, len(x))
	for c := range x {
		z[c] = (x[c] - g.center[c]) / g.unit[c]
	}
	return z
}

func (g gaussian) products(a, b []float64) (dot, distance2 float64) {
	for c := range a {
		dot += a[c] * b[c]
		distance2 += (a[c] - b[c]) * (a[c] - b[c])
	}
	return dot, distance2
}

func (g gaussian) at(x []float64) float64 {
	z := g.standard(x)
	v := g.height
	for i, row := range g.rows {
		if g.weight[i] != 0 {
			v += g.weight[i] * g.of(g.products(z, row))
		}
	}
	return v
}
