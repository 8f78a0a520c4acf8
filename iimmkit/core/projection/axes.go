package projection

import (
	"errors"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

const (
	// wide is the width from which gonum's complete decomposition, cubic and
	// not blocked, takes longer than a good part of a second.
	wide = 128
	// spare axes are iterated beside the wanted ones: the slowest wanted axis
	// then converges as the ratio of its eigenvalue to one far behind it.
	spare = 8
	// rounds of iteration; laws with k equal large eigenvalues and no gap
	// behind them need more and go to the complete decomposition.
	rounds = 400
)

// topAxes returns the k largest eigenvalues of a covariance, descending, and
// their eigenvectors as the first columns of vectors.
func topAxes(cov *mat.SymDense, k int) (values []float64, vectors *mat.Dense, err error) {
	if d := cov.SymmetricDim(); d > wide && k+spare < d/4 {
		if values, vectors := iterate(cov, k); vectors != nil {
			return values, vectors, nil
		}
	}
	return decompose(cov)
}

// decompose is the complete decomposition.
func decompose(cov *mat.SymDense) (values []float64, vectors *mat.Dense, err error) {
	var eigen mat.EigenSym
	if !eigen.Factorize(cov, true) {
		return nil, nil, errors.New("projection: the covariance's eigenvalues did not converge")
	}
	values = eigen.Values(nil) // ascending
	var v mat.Dense
	eigen.VectorsTo(&v)
	return turned(values, &v)
}

// turned puts the largest eigenvalue first.
func turned(values []float64, v *mat.Dense) ([]float64, *mat.Dense, error) {
	rows, n := v.Dims()
	out, turned := make([]float64, n), mat.NewDense(rows, n, nil)
	for a := range n {
		out[a] = values[n-1-a]
		turned.SetCol(a, mat.Col(nil, n-1-a, v))
	}
	return out, turned, nil
}

// iterate is subspace iteration with Rayleigh-Ritz projection (Golub and Van
// Loan, Matrix Computations, 8.2.4), from a fixed start. vectors is nil when
// it did not converge to C v = lambda v within 1e-12 of the largest lambda.
func iterate(cov *mat.SymDense, k int) (values []float64, vectors *mat.Dense) {
	d, p := cov.SymmetricDim(), k+spare
	random := rand.New(rand.NewPCG(1, 2))
	v := mat.NewDense(d, p, nil)
	for i := range d {
		for j := range p {
			v.Set(i, j, random.NormFloat64())
		}
	}
	var z, ritz, image mat.Dense
	for range rounds {
		if !orthonormalise(v) {
			return nil, nil // the rows span fewer axes than are iterated
		}
		q := v
		z.Mul(cov, q)
		var small mat.Dense
		small.Mul(q.T(), &z)
		inner := mat.NewSymDense(p, nil)
		for i := range p {
			for j := i; j < p; j++ {
				inner.SetSym(i, j, (small.At(i, j)+small.At(j, i))/2)
			}
		}
		lambda, u, err := decompose(inner)
		if err != nil {
			return nil, nil
		}
		ritz.Mul(q, u)
		image.Mul(&z, u)
		if residual(&image, &ritz, lambda[:k]) <= 1e-12*math.Abs(lambda[0]) {
			return lambda, &ritz
		}
		v = mat.DenseCopyOf(&image)
	}
	return nil, nil
}

// orthonormalise makes the columns orthonormal (Gram and Schmidt, twice for
// full precision); false when they are dependent.
func orthonormalise(v *mat.Dense) bool {
	rows, n := v.Dims()
	columns := make([][]float64, n)
	for a := range n {
		c := mat.Col(nil, a, v)
		before := floats.Norm(c, 2)
		for range 2 {
			for _, o := range columns[:a] {
				floats.AddScaled(c, -floats.Dot(o, c), o)
			}
		}
		norm := floats.Norm(c, 2)
		if norm <= 1e-12*before || norm == 0 {
			return false
		}
		floats.Scale(1/norm, c)
		columns[a] = c
	}
	for a, c := range columns {
		for i := range rows {
			v.Set(i, a, c[i])
		}
	}
	return true
}

// residual is the largest norm of image - lambda vector over the first columns.
func residual(image, vectors *mat.Dense, lambda []float64) float64 {
	worst := 0.0
	rows, _ := vectors.Dims()
	for a, l := range lambda {
		sum := 0.0
		for i := range rows {
			e := image.At(i, a) - l*vectors.At(i, a)
			sum += e * e
		}
		worst = math.Max(worst, math.Sqrt(sum))
	}
	return worst
}
