package transferability

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"github.com/iimmkit/iimm/iimmkit/core/matmul"
)

// The three parts of NCTI, how near the images are to neural collapse (Wang et
// al., "How Far Pre-trained Models Are from Neural Collapse on the Target
// Dataset Informs their Transferability", ICCV 2023). The score itself is
// seli01 + ncc01 - vc01, each scaled to [0,1] over the models that are compared
// on one data set: one model alone has only its parts.
//
// Z [n,64] are the coordinates on the first 64 principal axes, not whitened;
// lambda = max(exp(-the sum of the 32 largest variances, ddof 1), 1e-10); S is
// sum_c pi_c cov0(Z of class c), and S_t is cov0(Z), each shrunk by lambda towards its
// own mean variance. At least 64 images and 64 columns are needed.
const nctiAxes = 64

// NCTISeli is the nuclear norm of Z U with centred columns, U the classes-1
// leading generalised eigenvectors of (S_t - S) u = e S u, u'S u = 1 (64 at most).
func NCTISeli(s *Sample) (Result, error) {
	z, cov, lambda, err := s.ncti()
	if err != nil {
		return Result{}, err
	}
	const k = nctiAxes
	origin := make([]float64, k) // Z is centred
	between := scatter(z, func(int) []float64 { return origin })
	scale(between, 1/float64(s.n))
	shrink(between, lambda)
	for i, v := range cov.Data {
		between.Data[i] -= v
	}
	// With S = LL' the eigenvectors are u = L'^-1 q, q those of L^-1 (S_t-S) L'^-1.
	var chol mat.Cholesky
	if !chol.Factorize(symmetric(cov)) {
		return Result{}, errNoSpread
	}
	var l mat.TriDense
	chol.LTo(&l)
	var half, whole mat.Dense
	if err := half.Solve(&l, symmetric(between)); err != nil {
		return Result{}, errNoSpread
	}
	if err := whole.Solve(&l, half.T()); err != nil {
		return Result{}, errNoSpread
	}
	a := mat.NewSymDense(k, nil)
	for i := range k {
		for j := i; j < k; j++ {
			a.SetSym(i, j, (whole.At(i, j)+whole.At(j, i))/2)
		}
	}
	var e mat.EigenSym
	if !e.Factorize(a, true) {
		return Result{}, errors.New("the discriminant axes cannot be found")
	}
	var q, u mat.Dense
	e.VectorsTo(&q)
	if err := u.Solve(l.T(), &q); err != nil {
		return Result{}, errNoSpread
	}
	// Eigenvalues ascend: the leading vectors are the last columns.
	take := min(s.classes-1, k)
	f := zeros(s.n, take)
	lead := u.Slice(0, k, k-take, k).(*mat.Dense).RawMatrix()
	matmul.Gemm(blas.NoTrans, blas.NoTrans, 1, z, lead, 0, f)
	for j := range take {
		mean := 0.0
		for i := range s.n {
			mean += f.Data[i*take+j] / float64(s.n)
		}
		for i := range s.n {
			f.Data[i*take+j] -= mean
		}
	}
	norm, err := nuclear(f)
	return Result{Value: norm}, err
}

// NCTINcc is the mean probability, in [0,1], that the discriminant with
// covariance S gives the right class.
func NCTINcc(s *Sample) (Result, error) {
	z, cov, _, err := s.ncti()
	if err != nil {
		return Result{}, err
	}
	p, err := s.posteriors(z, s.groupMeans(z), cov)
	if err != nil {
		return Result{}, err
	}
	return Result{Value: s.meanOwn(p)}, nil
}

// NCTIVc is log of the sum over classes of the nuclear norm of the
// probabilities [n_c,classes] of their images. Lower is better.
func NCTIVc(s *Sample) (Result, error) {
	z, cov, _, err := s.ncti()
	if err != nil {
		return Result{}, err
	}
	c := float64(s.classes)
	if err := s.affordable(4*float64(s.n)*c*min(c, float64(s.n)/c), 0); err != nil {
		return Result{}, err
	}
	p, err := s.posteriors(z, s.groupMeans(z), cov)
	if err != nil {
		return Result{}, err
	}
	sum := 0.0
	for c := range s.classes {
		norm, err := nuclear(matrix(s.count(c), s.classes, p.Data[s.start[c]*s.classes:s.start[c+1]*s.classes]))
		if err != nil {
			return Result{}, err
		}
		sum += norm
	}
	return Result{Value: math.Log(sum)}, nil
}

var errNoSpread = errors.New("the images do not vary within their classes: their covariance has no inverse")

// ncti returns Z, the shrunk S and lambda.
func (s *Sample) ncti() (z, cov blas64.General, lambda float64, err error) {
	if s.n < nctiAxes || s.d < nctiAxes {
		return z, cov, 0, fmt.Errorf("NCTI needs at least %d images of width %d, have %d of width %d", nctiAxes, nctiAxes, s.n, s.d)
	}
	a, err := s.axes()
	if err != nil {
		return z, cov, 0, err
	}
	z = s.project(a, nctiAxes)
	sum := 0.0
	for _, v := range a.values[:nctiAxes/2] {
		sum += v * float64(s.n) / float64(s.n-1)
	}
	lambda = max(math.Exp(-sum), 1e-10)
	cov = s.within(z, s.groupMeans(z))
	shrink(cov, lambda)
	return z, cov, lambda, nil
}
