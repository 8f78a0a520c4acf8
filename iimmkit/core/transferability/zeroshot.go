package transferability

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/core/matmul"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
)

// IIMM is the Inter-Intra Modal Measure; see package measure.
func IIMM(s *Sample) (Result, error) {
	if s.texts == nil {
		return Result{}, Missing{Texts}
	}
	r, err := measure.Compute(s.x.Data, s.y, s.texts.Data, s.d)
	return Result{Value: r.IIMM}, err
}

// ZeroShotError is the fraction of images, in [0,1], whose most similar caption
// is another class's. It is the trivial predictor of gain: the higher, the more
// is left to gain.
func ZeroShotError(s *Sample) (Result, error) {
	cosines, err := s.cosines()
	if err != nil {
		return Result{}, err
	}
	a, err := evaluate.FromScores(cosines.Data, s.y, cosines.Cols)
	if err != nil {
		return Result{}, err
	}
	return Result{Value: 1 - a.Top1}, nil
}

// MeanMargin is the mean over the images of the similarity to the caption of
// their class less that to the most similar other caption. In [-2,2] for rows of
// unit norm.
func MeanMargin(s *Sample) (Result, error) {
	cosines, err := s.cosines()
	if err != nil {
		return Result{}, err
	}
	sum := 0.0
	for i, y := range s.y {
		other := math.Inf(-1)
		for c, v := range cosines.Data[i*cosines.Cols : (i+1)*cosines.Cols] {
			if c != y {
				other = max(other, v)
			}
		}
		sum += cosines.Data[i*cosines.Cols+y] - other
	}
	return Result{Value: sum / float64(s.n)}, nil
}

// TextSeparability is the mean over the captions of 1 - the similarity to the
// most similar other caption. It needs no image. In [0,2] for rows of unit norm.
func TextSeparability(s *Sample) (Result, error) {
	if s.texts == nil {
		return Result{}, Missing{Texts}
	}
	c := s.texts.Rows
	if err := s.affordable(float64(c)*float64(c)*float64(s.d), float64(c)*float64(c)); err != nil {
		return Result{}, err
	}
	similar := zeros(c, c)
	matmul.Gemm(blas.NoTrans, blas.Trans, 1, *s.texts, *s.texts, 0, similar)
	sum := 0.0
	for a := range c {
		most := math.Inf(-1)
		for b, v := range similar.Data[a*c : (a+1)*c] {
			if b != a {
				most = max(most, v)
			}
		}
		sum += 1 - most
	}
	return Result{Value: sum / float64(c)}, nil
}

// cosines are the dot products [n,captions] of images and captions.
func (s *Sample) cosines() (blas64.General, error) {
	if s.texts == nil {
		return blas64.General{}, Missing{Texts}
	}
	c := s.texts.Rows
	if err := s.affordable(float64(s.n)*float64(c)*float64(s.d), float64(s.n)*float64(c)); err != nil {
		return blas64.General{}, err
	}
	p := zeros(s.n, c)
	matmul.Gemm(blas.NoTrans, blas.Trans, 1, s.x, *s.texts, 0, p)
	return p, nil
}
