package transferability

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"github.com/iimmkit/iimm/iimmkit/core/matmul"
)

// posteriors classifies x [n,d] by linear discriminant analysis with class
// means [classes,d] and within-class covariance cov [d,d]: row softmax of
//
//	score_ic = x_i' cov^-1 mu_c - 1/2 mu_c' cov^-1 mu_c + log(n_c/n).
//
// cov^-1 is the sum over all generalised eigenvectors of (S_t - cov, cov), not
// over the first classes-1 of them only, which would be another classifier.
func (s *Sample) posteriors(x, means, cov blas64.General) (blas64.General, error) {
	d := x.Cols
	if err := s.affordable(float64(s.n)*float64(d)*float64(s.classes), float64(s.n)*float64(s.classes)); err != nil {
		return blas64.General{}, err
	}
	var chol mat.Cholesky
	if !chol.Factorize(symmetric(cov)) {
		return blas64.General{}, errors.New("the images do not vary within their classes: their covariance has no inverse")
	}
	var b mat.Dense // cov^-1 mu_c in columns
	if err := chol.SolveTo(&b, mat.NewDense(s.classes, d, means.Data).T()); err != nil && !errors.As(err, new(mat.Condition)) {
		return blas64.General{}, err
	}
	p := zeros(s.n, s.classes)
	offset := make([]float64, s.classes)
	for c := range s.classes {
		for j, v := range means.Data[c*d : (c+1)*d] {
			offset[c] -= v * b.At(j, c) / 2
		}
		offset[c] += math.Log(s.share(c))
	}
	for i := range s.n {
		copy(p.Data[i*s.classes:], offset)
	}
	matmul.Gemm(blas.NoTrans, blas.NoTrans, 1, x, b.RawMatrix(), 1, p)
	softmax(p)
	return p, nil
}

// meanOwn is the mean of each image's entry of its own class in p [n,classes].
func (s *Sample) meanOwn(p blas64.General) float64 {
	sum := 0.0
	for i, c := range s.y {
		sum += p.Data[i*p.Stride+c]
	}
	return sum / float64(s.n)
}
