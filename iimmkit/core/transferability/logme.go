package transferability

import (
	"fmt"
	"math"
)

// logMERounds is the cap on the rounds of LogME. With little signal in the
// images it is reached, and then decides the value.
const logMERounds = 11

// LogME is the logarithm of the maximum evidence of a linear model per image,
// mean over one-against-all targets of the classes, in nats (You et al.,
// "LogME: Practical Assessment of Pre-trained Models for Transfer Learning",
// ICML 2021), by the fixed-point iteration of the authors' later code. Images as
// they are: no centring, no intercept.
//
// With X = U diag(s) V', k the number of s > 1e-10, sg = s^2, u = U't for the
// 0/1 target t of a class, lam = alpha/beta = 1 at first, at most 11 rounds of
//
//	gamma = sum sg/(sg+lam), m2 = sum sg u^2/(sg+lam)^2, e2 = sum lam^2 u^2/(sg+lam)^2 + |t|^2 - |u|^2,
//	alpha = gamma/(m2 + 1e-5), beta = (n - gamma)/(e2 + 1e-5), lam <- alpha/beta
//
// until lam changes by no more than 1e-3 of it. The evidence takes alpha and
// beta of the last round and m2, e2 of the same round:
//
//	[ d/2 log alpha + n/2 log beta - 1/2 sum_k log(alpha + beta sg) - beta/2 e2 - alpha/2 m2 - n/2 log 2pi ] / n.
//
// It is not iterated to convergence: that would change the sixth digit.
func LogME(s *Sample) (Result, error) {
	return s.logME(false)
}

// LogMEICML is LogME as the code of the ICML paper computed it: stop when lam
// changes by less than 1e-2 of it, m2 + 1e-5 and e2 + 1e-5 in the evidence, and
// the sum of logarithms over all d singular values, zeros included.
func LogMEICML(s *Sample) (Result, error) {
	return s.logME(true)
}

func (s *Sample) logME(icml bool) (Result, error) {
	f, err := s.spectrum()
	if err != nil {
		return Result{}, err
	}
	k := 0
	for k < len(f.values) && f.values[k] > 1e-10 {
		k++
	}
	if err := s.affordable(float64(s.classes)*float64(k)*float64(s.d), 0); err != nil {
		return Result{}, err
	}
	sg := make([]float64, k)
	for i, v := range f.values[:k] {
		sg[i] = v * v
	}
	r, u2 := Result{}, make([]float64, k)
	u, capped := make([]float64, k), 0
	for c := range s.classes {
		// u = U't = diag(1/s) V'(X't), and X't is the sum of the class's images.
		clear(u)
		for j, m := range s.classMean(c) {
			for i, v := range f.vectors.RawRowView(j)[:k] {
				u[i] += m * float64(s.count(c)) * v
			}
		}
		for i := range u2 {
			u2[i] = u[i] * u[i] / sg[i]
		}
		evidence, rounds := s.evidence(sg, u2, float64(s.count(c)), icml)
		r.Value += evidence / float64(s.classes)
		if rounds > logMERounds {
			capped++
		}
	}
	if capped > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("for %d of %d classes the cap of %d rounds decides the value: little signal", capped, s.classes, logMERounds))
	}
	if k < s.d {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the images span %d of %d dimensions, where the two forms of LogME differ most", k, s.d))
	}
	return r, nil
}

// evidence is of a class of count images; rounds beyond logMERounds say that the iteration did not end by itself.
func (s *Sample) evidence(sg, u2 []float64, count float64, icml bool) (value float64, rounds int) {
	n, d := float64(s.n), float64(s.d)
	rest := count
	for _, v := range u2 {
		rest -= v
	}
	rest = max(0, rest)
	lam := 1.0
	var alpha, beta, m2, e2 float64
	for rounds = 1; rounds <= logMERounds; rounds++ {
		gamma := 0.0
		m2, e2 = 0, rest
		for i, g := range sg {
			gamma += g / (g + lam)
			q := u2[i] / ((g + lam) * (g + lam))
			m2 += g * q
			e2 += lam * lam * q
		}
		alpha = gamma / (m2 + 1e-5)
		beta = (n - gamma) / (e2 + 1e-5)
		next := alpha / beta
		change := math.Abs(next-lam) / lam
		if icml && change < 1e-2 || !icml && change <= 1e-3 {
			break
		}
		lam = next
	}
	logs := 0.0
	for _, g := range sg {
		logs += math.Log(alpha + beta*g)
	}
	if icml {
		logs += (d - float64(len(sg))) * math.Log(alpha)
		m2, e2 = m2+1e-5, e2+1e-5
	}
	return (d*math.Log(alpha)/2 + n*math.Log(beta)/2 - logs/2 - beta*e2/2 - alpha*m2/2 - n*math.Log(2*math.Pi)/2) / n, rounds
}
