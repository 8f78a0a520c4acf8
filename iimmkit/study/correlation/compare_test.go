package correlation

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Values of R's psych 2.2.9, r.test: Williams from its three-variable form; Steiger
// from the covariance of its four-variable form, the third variable equal to the
// first and the correlations with it equal to their mean.
func TestComparisonsOfDependentCorrelationsAgreeWithPsych(t *testing.T) {
	e, w := prototypeError(), wave()
	for _, c := range []struct {
		name         string
		ay, by, ab   float64
		n            int
		t, tP, z, zP float64
	}{
		{"error, wave: gain", pearson(e, prototypeGain), pearson(w, prototypeGain), pearson(e, w), 29, 3.47046095049806, 0.00182825169014938, 3.12585975730614, 0.00177286075700612},
		{"error, wave: forgetting", pearson(e, prototypeForgetting), pearson(w, prototypeForgetting), pearson(e, w), 29, 1.81986587412176, 0.080312304829253, 1.76607184541642, 0.0773837962239914},
		{"the documentation's", .4, .5, .1, 103, -0.891279904760541, 0.374918517491256, -0.888718469955872, 0.374154402172002},
		{"few items", -.3, .6, -.2, 12, -2.20839879817665, 0.0545876454126564, -1.93308304352161, 0.0532259685773073},
	} {
		got, p, err := Williams(c.ay, c.by, c.ab, c.n)
		if err != nil || math.Abs(got-c.t) > 1e-12 || !near(p, c.tP, 1e-12) {
			t.Errorf("%s: Williams %v p %v, %v; psych %v %v", c.name, got, show(p), err, c.t, c.tP)
		}
		got, p, err = Steiger(c.ay, c.by, c.ab, c.n)
		if err != nil || math.Abs(got-c.z) > 1e-12 || !near(p, c.zP, 1e-12) {
			t.Errorf("%s: Steiger %v p %v, %v; psych %v %v", c.name, got, show(p), err, c.z, c.zP)
		}
	}
}

// Of predictors that are equally good, 5 % must look different at the 5 % level.
func TestWilliamsKeepsItsLevel(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	const studies, n = 4000, 12
	below := 0
	a, b, y := make([]float64, n), make([]float64, n), make([]float64, n)
	for range studies {
		for i := range n {
			shared, truth := random.NormFloat64(), random.NormFloat64()
			a[i] = truth + shared + random.NormFloat64()
			b[i] = truth + shared + random.NormFloat64()
			y[i] = truth + random.NormFloat64()
		}
		if _, p, err := Williams(pearson(a, y), pearson(b, y), pearson(a, b), n); err != nil || p == nil {
			t.Fatal(p, err)
		} else if *p <= .05 {
			below++
		}
	}
	// 200 expected; the binomial standard deviation is 14.
	if below < 150 || below > 250 {
		t.Errorf("%d of %d studies have p <= .05, want about 200", below, studies)
	}
}

func TestComparisonsOfImpossibleCorrelations(t *testing.T) {
	for _, c := range []struct {
		ay, by, ab float64
		n          int
	}{{.5, .4, .1, 3}, {1.5, .4, .1, 9}, {.5, math.NaN(), .1, 9}, {.9, -.9, .9, 9}} {
		if _, _, err := Williams(c.ay, c.by, c.ab, c.n); err == nil {
			t.Errorf("Williams accepted %v", c)
		}
		if _, _, err := Steiger(c.ay, c.by, c.ab, c.n); err == nil {
			t.Errorf("Steiger accepted %v", c)
		}
	}
	// Both predictors are the target: nothing is left to test.
	if got, p, err := Williams(1, 1, 1, 9); got != 0 || p != nil || err != nil {
		t.Errorf("Williams of perfect correlations: %v %v %v", got, show(p), err)
	}
	if got, p, err := Steiger(1, .5, .5, 9); got != 0 || p != nil || err != nil {
		t.Errorf("Steiger of a perfect correlation: %v %v %v", got, show(p), err)
	}
}
