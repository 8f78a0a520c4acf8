package forecast

import (
	"math"

	"gonum.org/v1/gonum/mat"
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
	return c.linear*dot + c.smooth*math.Exp(-distance2/(2*c.length*c.length))
}

// covariances is the grid. It is coarse: few rows tell no more.
var covariances = func() (all []covariance) {
	for _, linear := range []float64{.3, 3, 30} {
		for _, smooth := range []float64{.3, 3} {
			for _, length := range []float64{1, 2.5} {
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
	residual := mat.NewVecDense(n, nil)
	for i, row := range x {
		g.rows[i] = g.standard(row)
		residual.SetVec(i, y[i]-g.height)
	}
	g.weight = make([]float64, n)
	if k == 0 || mat.Norm(residual, 2) == 0 {
		return g
	}
	dots, distances := mat.NewSymDense(n, nil), mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i + 1 {
			dot, d := g.products(g.rows[i], g.rows[j])
			dots.SetSym(i, j, dot)
			distances.SetSym(i, j, d)
		}
	}
	best := math.Inf(-1)
	matrix := mat.NewSymDense(n, nil)
	var factor mat.Cholesky
	var weight mat.VecDense
	for _, c := range covariances {
		for i := range n {
			for j := range i {
				matrix.SetSym(i, j, c.of(dots.At(i, j), distances.At(i, j)))
			}
			matrix.SetSym(i, i, c.of(dots.At(i, i), 0)+1)
		}
		if !factor.Factorize(matrix) || factor.SolveVecTo(&weight, residual) != nil {
			continue // does not happen: the noise keeps it positive
		}
		evidence := -float64(n)/2*math.Log(mat.Dot(residual, &weight)/float64(n)) - factor.LogDet()/2
		if evidence > best {
			best, g.covariance = evidence, c
			copy(g.weight, weight.RawVector().Data)
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
