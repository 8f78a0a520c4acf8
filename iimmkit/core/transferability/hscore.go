package transferability

import "fmt"

// HScore is tr( pinv(cov1(X)) cov1(G) ), G the images replaced by the means of
// their classes, which so weigh by their numbers of images (Bao et al., "An
// Information-Theoretic Approach to Transferability in Task Transfer Learning",
// ICIP 2019). Both covariances have ddof 1. In [0, C-1]; what exceeds C-1 is a
// numerical failure and said to be. Eigenvalues below float64's epsilon times
// the larger of n and d, relative to the largest, are left out of the
// pseudo-inverse. When the images are not more than the columns, classes can
// always be told apart and the score says little.
func HScore(s *Sample) (Result, error) {
	a, err := s.axes()
	if err != nil {
		return Result{}, err
	}
	r := Result{}
	for k, v := range s.betweenOnAxes(a)[:a.rank] {
		r.Value += v / a.values[k]
	}
	if most := float64(s.classes - 1); r.Value > most*(1+1e-9) {
		r.Warnings = append(r.Warnings, fmt.Sprintf("above its maximum of %g: the covariance cannot be inverted reliably", most))
	}
	if a.rank < s.d {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the covariance has rank %d of %d (%d images): near the maximum whatever the classes are when images are few", a.rank, s.d, s.n))
	}
	return r, nil
}

// betweenOnAxes returns the variance of the class means along each axis,
// sum_c pi_c (a_k'(mu_c - mu))^2.
func (s *Sample) betweenOnAxes(a *principalAxes) []float64 {
	out := make([]float64, s.d)
	gap := make([]float64, s.d)
	along := make([]float64, s.d)
	for c := range s.classes {
		for j, v := range s.classMean(c) {
			gap[j] = v - s.mean[j]
		}
		clear(along)
		for j, g := range gap {
			for k, v := range a.vectors.Data[j*s.d : (j+1)*s.d] {
				along[k] += g * v
			}
		}
		for k, v := range along {
			out[k] += s.share(c) * v * v
		}
	}
	return out
}

// HScoreRegularized is the H-score with the Ledoit-Wolf estimate of the
// covariance (Ibrahim, Ponomareva and Mazumder, "Newer is not always better:
// Rethinking transferability metrics", ECML-PKDD 2022):
//
//	(1-a) tr( pinv((1-a) S + a m I) cov1(G) ),
//
// S the covariance with ddof 0 (cov1(G) has 1), m = tr S/d, a the Ledoit-Wolf
// shrinkage: min(b, delta)/delta with delta = |S - m I|^2 and
// b = (1/n)[ (1/n) sum_i |z_i|^4 - |S|^2 ], z_i the centred images. Where a reaches 1 the score is
// 0 whatever the classes are, which is said.
func HScoreRegularized(s *Sample) (Result, error) {
	a, err := s.axes()
	if err != nil {
		return Result{}, err
	}
	m, square := 0.0, 0.0
	for _, v := range a.values {
		m += v / float64(s.d)
		square += v * v
	}
	delta := 0.0
	for _, v := range a.values {
		delta += (v - m) * (v - m)
	}
	shrinkage := 0.0
	if delta > 0 {
		shrinkage = max(0, min(s.ledoitWolfNoise(square), delta)) / delta
	}
	if shrinkage == 1 {
		return Result{Warnings: []string{"the Ledoit-Wolf shrinkage is 1: too few images to tell their covariance, the score is 0 whatever the classes are"}}, nil
	}
	n := float64(s.n)
	r, keep := Result{}, 1-shrinkage
	for k, v := range s.betweenOnAxes(a) {
		if e := keep*a.values[k] + shrinkage*m; shrinkage > 0 || k < a.rank {
			r.Value += keep * v * n / (n - 1) / e
		}
	}
	if most := float64(s.classes - 1); r.Value > most*(1+1e-9)*n/(n-1) {
		r.Warnings = append(r.Warnings, fmt.Sprintf("above its maximum of %g: the covariance cannot be inverted reliably", most))
	}
	return r, nil
}

// ledoitWolfNoise is b of HScoreRegularized, square being |S|^2.
func (s *Sample) ledoitWolfNoise(square float64) float64 {
	fourth := 0.0
	for i := range s.n {
		q := 0.0
		for j, v := range s.row(i) {
			q += (v - s.mean[j]) * (v - s.mean[j])
		}
		fourth += q * q
	}
	n := float64(s.n)
	return (fourth/n - square) / n
}
