package transferability

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"github.com/iimmkit/iimm/iimmkit/core/matmul"
)

// transRateEps is the squared distortion of the coding rate.
const transRateEps = 1e-4

// TransRate is the mutual information of images and classes as coding rates
// tell it (Huang et al., "Frustratingly Easy Transferability Estimation", ICML
// 2022), in nats: R(Z) - (1/C) sum_c R(Z_c), Z the images less their mean, Z_c
// those of class c (not centred again), C classes weighing equally,
//
//	R(M) = 1/2 log det(I + M'M/(n 1e-4)),  n the rows of M.
func TransRate(s *Sample) (Result, error) {
	d := float64(s.d)
	short := min(d, float64(s.n)/float64(s.classes))
	if err := s.affordable(float64(s.n)*d*d+float64(s.classes)*short*short*short, float64(s.n)*d+d*d); err != nil {
		return Result{}, err
	}
	z := zeros(s.n, s.d)
	for i := range s.n {
		for j, v := range s.row(i) {
			z.Data[i*s.d+j] = v - s.mean[j]
		}
	}
	value, err := codingRate(z)
	if err != nil {
		return Result{}, err
	}
	for c := range s.classes {
		r, err := codingRate(matrix(s.count(c), s.d, z.Data[s.start[c]*s.d:s.start[c+1]*s.d]))
		if err != nil {
			return Result{}, err
		}
		value -= r / float64(s.classes)
	}
	return Result{Value: value, Warnings: s.singles("their coding rate is that of one point")}, nil
}

// codingRate is R of TransRate, by the smaller of M'M and MM', whose non-zero eigenvalues are the same.
func codingRate(m blas64.General) (float64, error) {
	size, a, b := m.Cols, blas.Trans, blas.NoTrans
	if m.Rows < m.Cols {
		size, a, b = m.Rows, blas.NoTrans, blas.Trans
	}
	g := zeros(size, size)
	matmul.Gemm(a, b, 1/(float64(m.Rows)*transRateEps), m, m, 0, g)
	for j := range size {
		g.Data[j*size+j]++
	}
	var chol mat.Cholesky
	if !chol.Factorize(symmetric(g)) {
		return math.NaN(), errors.New("the coding rate cannot be computed: the embeddings are too large")
	}
	return chol.LogDet() / 2, nil
}
