package forecast

import (
	"math"
	"testing"
)

func identity(v float64) float64 { return v }

// The binomial intervals are those of scipy 1.17.1, binomtest(k, n).proportion_ci(.95, "exact").
func TestCoverageHasTheExactInterval(t *testing.T) {
	for _, c := range []struct {
		k, n      int
		low, high float64
	}{{16, 20, .5633859970033314, .942666002949976}, {19, 20, .7512672372279723, .998734910502044}, {20, 20, .8315665290169145, 1},
		{0, 7, 0, .4096163972250487}, {96, 120, .7171901091020598, .8674524324552813}} {
		got := coverage(c.k, c.n)
		if math.Abs(got.CI95[0]-c.low) > 1e-10 || math.Abs(got.CI95[1]-c.high) > 1e-10 || got.Share != float64(c.k)/float64(c.n) {
			t.Errorf("%d of %d: %+v, want %v to %v", c.k, c.n, got, c.low, c.high)
		}
	}
}

// Jackknife+ of 24 tasks worked out from its definition: of the 25 ranks the 80 %
// interval ends at the 5th smallest low end and the 20th smallest high end.
func TestJackknifePlusTakesTheRightOrderStatistics(t *testing.T) {
	var residuals []foldResiduals
	at := map[left]float64{}
	for k := range 24 {
		out := nothing().and(k)
		at[out] = float64(k % 3)
		residuals = append(residuals, foldResiduals{out, []float64{10 * float64(k+1)}})
	}
	q := jackknife(residuals, 1, func(out left) float64 { return at[out] }, identity, identity, 1)
	// Low ends k%3 - 10(k+1), the most negative first: k = 23, 22, ...: the 5th is k = 19; high ends: the 20th is k = 19.
	if want := [2]float64{1 - 200, 1 + 200}; q.Interval80 != want || q.Kind80 != JackknifePlus {
		t.Errorf("80 %%: %v %s, want %v", q.Interval80, q.Kind80, want)
	}
	// 95 %: rank ceil(.95*25) = 24 of 24: k = 23 on both sides.
	if want := [2]float64{2 - 240, 2 + 240}; q.Interval95 != want || q.Kind95 != JackknifePlus {
		t.Errorf("95 %%: %v %s, want %v", q.Interval95, q.Kind95, want)
	}
	wide := jackknife(residuals, 1, func(out left) float64 { return at[out] }, identity, identity, 2)
	if want := [2]float64{1 - 400, 1 + 400}; wide.Interval80 != want {
		t.Errorf("widened: %v, want %v", wide.Interval80, want)
	}
}

// With 8 residuals of 1 the 95 % interval is Student's: t(7) at .975 is 2.36462425 (scipy).
func TestFewTasksHaveStudentIntervals(t *testing.T) {
	var residuals []foldResiduals
	for k := range 8 {
		residuals = append(residuals, foldResiduals{nothing().and(k), []float64{1}})
	}
	q := jackknife(residuals, 0, func(left) float64 { return 0 }, identity, identity, 1)
	if q.Kind80 != JackknifePlus || q.Interval80 != [2]float64{-1, 1} {
		t.Errorf("80 %%: %v %s", q.Interval80, q.Kind80)
	}
	if q.Kind95 != StudentT || math.Abs(q.Interval95[1]-2.36462425) > 1e-7 || math.Abs(q.Interval95[0]+2.36462425) > 1e-7 {
		t.Errorf("95 %%: %v %s", q.Interval95, q.Kind95)
	}
}

func TestScalesAreInverses(t *testing.T) {
	for _, v := range []float64{0, .001, .3, .5, .999, 1} {
		if got := expit(logit(v)); math.Abs(got-v) > 1e-12 {
			t.Errorf("expit(logit(%v)) is %v", v, got)
		}
	}
	for _, v := range []float64{-100, -3, 0, .1, 20, 100} {
		if got := unsquash(squash(v)); math.Abs(got-v) > 1e-11 {
			t.Errorf("unsquash(squash(%v)) is %v", v, got)
		}
	}
	if a, b := expit(1e3), expit(-1e3); a != 1 || b != 0 {
		t.Errorf("far ends are %v and %v", a, b)
	}
	if a, b := unsquash(1e3), unsquash(-1e3); a != 100 || b != -100 {
		t.Errorf("far ends are %v and %v", a, b)
	}
}
