package evaluate

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat/combin"
)

// At the interval's ends, what was seen or more, or less, has a probability of
// one in forty, by the sum of the binomial probabilities.
func TestExactIntervalEndsWhereTailsAreTwoAndAHalfPercent(t *testing.T) {
	tail := func(from, to, n int, p float64) (sum float64) {
		for k := from; k <= to; k++ {
			sum += math.Exp(combin.LogGeneralizedBinomial(float64(n), float64(k)) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
		}
		return sum
	}
	for _, c := range []struct{ k, n int }{{3, 10}, {50, 200}, {199, 200}, {1, 7}} {
		ci := ExactInterval(c.k, c.n)
		if above, below := tail(c.k, c.n, c.n, ci[0]), tail(0, c.k, c.n, ci[1]); math.Abs(above-.025) > 1e-9 || math.Abs(below-.025) > 1e-9 {
			t.Errorf("%d of %d: %v has tails %v and %v", c.k, c.n, ci, above, below)
		}
	}
	if none, all := ExactInterval(0, 10), ExactInterval(10, 10); none[0] != 0 || all[1] != 1 || math.Abs(none[1]-(1-math.Pow(.025, .1))) > 1e-9 || math.Abs(all[0]-math.Pow(.025, .1)) > 1e-9 {
		t.Errorf("none of ten %v, all of ten %v", none, all)
	}
	if ci := ExactInterval(0, 0); ci != [2]float64{0, 1} {
		t.Errorf("of nothing %v", ci)
	}
}
