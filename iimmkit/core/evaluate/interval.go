package evaluate

import "gonum.org/v1/gonum/stat/distuv"

// ExactInterval is the 95 % interval of a rate of which k of n were seen
// (Clopper and Pearson, Biometrika 26:404, 1934). It takes the n for independent.
func ExactInterval(k, n int) [2]float64 {
	ci := [2]float64{0, 1}
	if k > 0 {
		ci[0] = distuv.Beta{Alpha: float64(k), Beta: float64(n - k + 1)}.Quantile(.025)
	}
	if k < n {
		ci[1] = distuv.Beta{Alpha: float64(k + 1), Beta: float64(n - k)}.Quantile(.975)
	}
	return ci
}
