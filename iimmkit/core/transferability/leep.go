package transferability

import (
	"math"

	"gonum.org/v1/gonum/blas/blas64"
)

// LEEP is the log expected empirical prediction (Nguyen et al., ICML 2020), in
// nats, at most 0: mean_i log sum_z P_iz P(y_i|z), P [n,Z] the probabilities of
// the source model and P(c|z) = J_cz / sum_c J_cz with
// J_cz = (1/n) sum over images of class c of P_iz. A perfect source gives 0, an
// uninformative one about -log C. Some repositories leave out the logarithm.
func LEEP(s *Sample) (Result, error) {
	if s.source == nil {
		return Result{}, Missing{Source}
	}
	return s.leep(*s.source)
}

func (s *Sample) leep(p blas64.General) (Result, error) {
	z := p.Cols
	if err := s.affordable(float64(s.n)*float64(z), float64(s.classes)*float64(z)); err != nil {
		return Result{}, err
	}
	joint := make([]float64, s.classes*z)
	total := make([]float64, z)
	for i, c := range s.y {
		to := joint[c*z : (c+1)*z]
		for k, v := range p.Data[i*z : (i+1)*z] {
			to[k] += v
			total[k] += v
		}
	}
	for i := range joint {
		if t := total[i%z]; t > 0 {
			joint[i] /= t
		}
	}
	sum := 0.0
	for i, c := range s.y {
		sum += math.Log(dot(p.Data[i*z:(i+1)*z], joint[c*z:(c+1)*z]))
	}
	return Result{Value: sum / float64(s.n)}, nil
}
