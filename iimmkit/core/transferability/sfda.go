package transferability

import (
	"math"

	"gonum.org/v1/gonum/blas/blas64"
)

// SFDA is self-challenging Fisher discriminant analysis (Shao et al., "Not All
// Models Are Equal: Predicting Model Transferability in a Self-challenging
// Fisher Space", ECCV 2022): the mean probability, in [0,1], that a regularised
// discriminant gives the right class, after images were moved towards the other
// classes as far as a first discriminant was unsure of them.
//
//  1. W = sum_c pi_c cov0(class c); lambda = max(exp(-5 l), 1e-10) where l is what five
//     power iterations from the row sums of W take for its largest eigenvalue.
//  2. p = posteriors with (1-lambda) W + lambda (tr W/d) I; q_i = entry y_i of a
//     second softmax, of the probabilities p_i.
//  3. x_i <- q_i x_i + (1-q_i) o, o the unweighted mean of the other class means.
//  4. The same with the new rows, their means and their W, and lambda as it was; the score
//     is the mean of p[i, y_i], without a second softmax.
func SFDA(s *Sample) (Result, error) {
	w := s.within(s.x, s.means)
	lambda := max(math.Exp(-5*powerIteration(w)), 1e-10)
	shrink(w, lambda)
	p, err := s.posteriors(s.x, s.means, w)
	if err != nil {
		return Result{}, err
	}
	softmax(p)

	total := make([]float64, s.d)
	for c := range s.classes {
		for j, v := range s.classMean(c) {
			total[j] += v
		}
	}
	moved := zeros(s.n, s.d)
	for i, c := range s.y {
		q, m := p.Data[i*p.Stride+c], s.classMean(c)
		to := moved.Data[i*s.d : (i+1)*s.d]
		for j, v := range s.row(i) {
			to[j] = q*v + (1-q)*(total[j]-m[j])/float64(s.classes-1)
		}
	}
	means := s.groupMeans(moved)
	w = s.within(moved, means)
	shrink(w, lambda)
	if p, err = s.posteriors(moved, means, w); err != nil {
		return Result{}, err
	}
	return Result{Value: s.meanOwn(p), Warnings: s.singles("they add nothing to the spread within classes")}, nil
}

// powerIteration returns |a v| after five steps from the row sums of a.
func powerIteration(a blas64.General) float64 {
	times := func(v []float64) ([]float64, float64) {
		out := make([]float64, len(v))
		for i := range out {
			out[i] = dot(a.Data[i*a.Stride:][:len(v)], v)
		}
		return out, math.Sqrt(dot(out, out))
	}
	ones := make([]float64, a.Rows)
	for i := range ones {
		ones[i] = 1
	}
	v, _ := times(ones)
	norm := 0.0
	for range 5 {
		v, norm = times(v)
		if norm == 0 {
			return 0
		}
		for j := range v {
			v[j] /= norm
		}
	}
	_, norm = times(v)
	return norm
}
