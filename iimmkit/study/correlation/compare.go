package correlation

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Williams tests that two predictors a and b, measured on the same n items,
// correlate equally with y: ay and by are their Pearson correlations with y, ab
// their own. It returns t, positive for ay > by, and the two-sided p from Student's
// t with n-3 degrees of freedom (Williams, The comparison of regression variables,
// JRSS B 1959; the test that Steiger 1980 advises for small n). To compare the
// sizes of correlations of different sign, turn one predictor's sign first, in ab too.
// It is an error for n < 4, a value beyond [-1,1], or three that no data can have;
// P is nil, and t is 0, when ay = by = 1 or -1 leaves nothing to test.
func Williams(ay, by, ab float64, n int) (t float64, p *float64, err error) {
	determinant, err := threeCorrelations(ay, by, ab, n)
	if err != nil {
		return 0, nil, err
	}
	m := (ay + by) / 2
	below := 2*float64(n-1)/float64(n-3)*determinant + m*m*math.Pow(1-ab, 3)
	t = (ay - by) * math.Sqrt(float64(n-1)*(1+ab)/below)
	if !isFinite(t) {
		return 0, nil, nil
	}
	return t, defined(studentP(t, n-3)), nil
}

// Steiger is Williams by Fisher's z: it returns the normal deviate of the
// difference with the mean of ay and by in its covariance (Steiger, Tests for
// comparing elements of a correlation matrix, Psychological Bulletin 1980), and
// its two-sided p; nil where ay or by is 1 or -1. Williams keeps its level with
// fewer items.
func Steiger(ay, by, ab float64, n int) (z float64, p *float64, err error) {
	if _, err := threeCorrelations(ay, by, ab, n); err != nil {
		return 0, nil, err
	}
	m := (ay + by) / 2
	m2 := m * m
	covariance := (ab*(1-2*m2) - m2*(1-2*m2-ab*ab)/2) / ((1 - m2) * (1 - m2))
	z = (math.Atanh(ay) - math.Atanh(by)) * math.Sqrt(float64(n-3)/(2-2*covariance))
	if !isFinite(z) {
		return 0, nil, nil
	}
	return z, defined(2 * distuv.UnitNormal.Survival(math.Abs(z))), nil
}

// threeCorrelations checks that they can be those of three variables, and
// returns the determinant of their matrix.
func threeCorrelations(ay, by, ab float64, n int) (float64, error) {
	if n < 4 {
		return 0, fmt.Errorf("correlation: %d items: comparing two correlations needs at least 4", n)
	}
	for _, r := range []float64{ay, by, ab} {
		if !(math.Abs(r) <= 1) {
			return 0, fmt.Errorf("correlation: %v is no correlation: must be in [-1,1]", r)
		}
	}
	determinant := 1 - ay*ay - by*by - ab*ab + 2*ay*by*ab
	if determinant < -1e-9 {
		return 0, fmt.Errorf("correlation: no three variables have correlations %v, %v and %v", ay, by, ab)
	}
	return max(0, determinant), nil
}
