package assess

import "gonum.org/v1/gonum/stat/distuv"

// jeffreys is the equal-tailed 95 % interval of a share p of n images under
// Jeffreys' prior, Beta(1/2, 1/2); it reaches to 0 or 1 where none or all are
// right (Brown, Cai and DasGupta, 2001).
func jeffreys(p float64, n int) [2]float64 {
	right := p * float64(n)
	b := distuv.Beta{Alpha: right + .5, Beta: float64(n) - right + .5}
	ci := [2]float64{b.Quantile(.025), b.Quantile(.975)}
	if p == 0 {
		ci[0] = 0
	}
	if p == 1 {
		ci[1] = 1
	}
	return ci
}
