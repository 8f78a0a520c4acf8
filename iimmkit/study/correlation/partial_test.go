package correlation

import (
	"fmt"
	"math"
	"testing"
)

// Values of statsmodels 0.15.0: correlation of the residuals of OLS on the given
// variables, or of those of x with y; p is that of x in OLS of y on x and the given.
func TestPartialAndSemiPartialAgreeWithResiduals(t *testing.T) {
	e, w := prototypeError(), wave()
	squared := make([]float64, len(w))
	twice := make([]float64, len(w))
	for i, v := range w {
		squared[i] = v * v
		twice[i] = 2*v + e[i]
	}
	for _, c := range []struct {
		name             string
		x, y             []float64
		given            [][]float64
		partial, semi, p float64
	}{
		{"one given", w, prototypeForgetting, [][]float64{e}, 0.320584475686743, 0.225986896222959, 0.0962598247028288},
		{"nothing left", w, prototypeGain, [][]float64{e}, -0.000983903639880733, -0.000638430531936475, 0.996035369294022},
		{"two given", w, prototypeForgetting, [][]float64{e, prototypeGain}, 0.321739906052234, 0.226043653031275, 0.101724081303764},
		{"two given, strong", e, prototypeForgetting, [][]float64{prototypeGain, w}, 0.488670915883295, 0.372585039726197, 0.00969817410591937},
		{"three given", e, prototypeGain, [][]float64{w, prototypeForgetting, squared}, 0.616679780885835, 0.502730424879355, 0.000793219372663601},
		// A given variable that others determine takes nothing away, no degree of freedom either.
		{"two given and their sum", w, prototypeForgetting, [][]float64{e, prototypeGain, sum(e, prototypeGain)}, 0.321739906052234, 0.226043653031275, 0.101724081303764},
	} {
		partial, err := Partial(c.x, c.y, c.given...)
		if err != nil || !near(partial.Value, c.partial, 1e-12) || !near(partial.P, c.p, 1e-11) {
			t.Errorf("%s: partial %v p %v, %v; statsmodels %v %v", c.name, show(partial.Value), show(partial.P), err, c.partial, c.p)
		}
		semi, err := SemiPartial(c.x, c.y, c.given...)
		if err != nil || !near(semi.Value, c.semi, 1e-12) || !near(semi.P, c.p, 1e-11) {
			t.Errorf("%s: semi-partial %v p %v, %v; statsmodels %v %v", c.name, show(semi.Value), show(semi.P), err, c.semi, c.p)
		}
	}
	plain, err := Pearson(e, prototypeGain)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(x, y []float64, given ...[]float64) (Coefficient, error){"partial": Partial, "semi-partial": SemiPartial} {
		if got, err := f(e, prototypeGain); err != nil || *got.Value != *plain.Value || *got.P != *plain.P {
			t.Errorf("%s given nothing: %v, %v; want Pearson's %v", name, show(got.Value), err, *plain.Value)
		}
		// x is a linear function of what is given.
		if got, err := f(twice, prototypeGain, e, w); err != nil || got.Value != nil || got.P != nil {
			t.Errorf("%s of a linear function of the given: %v, %v; want nil", name, show(got.Value), err)
		}
		if got, err := f(e[:4], prototypeGain[:4], w[:4], squared[:4]); err != nil || got.Value != nil {
			t.Errorf("%s without a degree of freedom: %v, %v; want nil", name, show(got.Value), err)
		}
		if got, err := f(nil, nil, nil, nil); err != nil || got.Value != nil {
			t.Errorf("%s of nothing: %v, %v; want nil", name, show(got.Value), err)
		}
		if _, err := f(e, prototypeGain, w, w[:3]); err == nil {
			t.Errorf("%s accepted a given variable of other length", name)
		}
	}
}

func sum(x, y []float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = x[i] + y[i]
	}
	return out
}

// Values of statsmodels 0.15.0 (OLS, get_prediction).
func TestRegressionAgreesWithStatsmodels(t *testing.T) {
	e, w := prototypeError(), wave()
	type band struct {
		x                            []float64
		level, y, confidence, single float64
	}
	for _, c := range []struct {
		name                             string
		y                                []float64
		x                                [][]float64
		parameters, se, p                []float64
		r2, adjusted, f, fP, residualStd float64
		bands                            []band
	}{
		{"forgetting on error, wave", prototypeForgetting, [][]float64{e, w},
			[]float64{1.40670341690755, 7.23651998594016, 2.48850702891995},
			[]float64{1.14266222343855, 1.50621220857363, 1.44198431621387},
			[]float64{0.229315098327091, 5.63117717245585e-05, 0.0962598247028287},
			0.554155726438922, 0.51986001308807, 16.1581629975092, 2.75030911381956e-05, 2.48091859322571,
			[]band{{[]float64{.5, .5}, .95, 6.26921692433761, 1.01520271829604, 5.19967008486538},
				{[]float64{.5, .5}, .8, 6.26921692433761, 0.649449716454376, 3.32635462988132},
				{[]float64{0, 1.2}, .95, 4.39291185161149, 2.80944674664744, 5.82227820139644}}},
		{"gain on error, wave, forgetting", prototypeGain, [][]float64{e, w, prototypeForgetting},
			[]float64{-4.0033627835346, 49.5842466483647, -1.36468219571524, 0.53057437162561},
			[]float64{7.32048974934724, 12.8879463586874, 9.48046364912963, 1.22133047361435},
			[]float64{0.589316002370309, 0.000732524882795738, 0.886696574188451, 0.667707705729898},
			0.582116147333108, 0.53197008501308, 11.608411915139, 5.89435644159059e-05, 15.4501386554861,
			[]band{{[]float64{.5, .5, 6}, .95, 23.2898656725438, 6.37068845555614, 32.4516257280704},
				{[]float64{0, 1.2, 15}, .8, 2.31763415599125, 20.4044129015003, 28.8090727406899}}},
	} {
		r, err := Regress(c.x, c.y)
		if err != nil || r == nil {
			t.Fatal(c.name, r, err)
		}
		check := func(what string, got, want float64) {
			t.Helper()
			if math.Abs(got-want) > 1e-10*max(math.Abs(want), 1e-3) {
				t.Errorf("%s: %s %v, statsmodels %v", c.name, what, got, want)
			}
		}
		check("intercept", r.Intercept, c.parameters[0])
		check("intercept's error", r.InterceptSE, c.se[0])
		check("intercept's p", r.InterceptP, c.p[0])
		for k := range c.x {
			check("slope", r.Slope[k], c.parameters[k+1])
			check("slope's error", r.SlopeSE[k], c.se[k+1])
			check("slope's p", r.SlopeP[k], c.p[k+1])
		}
		check("R2", r.R2, c.r2)
		check("adjusted R2", r.AdjustedR2, c.adjusted)
		check("F", r.F, c.f)
		check("F's p", r.FP, c.fP)
		check("residual sd", r.ResidualSD, c.residualStd)
		for _, b := range c.bands {
			check("plane", r.At(b.x), b.y)
			check("confidence", r.Confidence(b.x, b.level), b.confidence)
			check("prediction", r.Prediction(b.x, b.level), b.single)
		}
	}
}

func TestRegressionOfOneColumnIsTheLine(t *testing.T) {
	e := prototypeError()
	line, err := Fit(e, prototypeGain)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Regress([][]float64{e}, prototypeGain)
	if err != nil || r == nil {
		t.Fatal(r, err)
	}
	for _, c := range [][2]float64{
		{r.Intercept, line.Intercept}, {r.Slope[0], line.Slope}, {r.SlopeSE[0], line.SlopeSE}, {r.R2, line.R2}, {r.ResidualSD, line.ResidualSD},
		{r.Confidence([]float64{.9}, .8), line.Confidence(.9, .8)}, {r.Prediction([]float64{.9}, .8), line.Prediction(.9, .8)},
	} {
		if math.Abs(c[0]-c[1]) > 1e-12*math.Abs(c[1]) {
			t.Errorf("plane %v, line %v", c[0], c[1])
		}
	}
}

func TestRegressionNotDetermined(t *testing.T) {
	e, w := prototypeError(), wave()
	for name, c := range map[string]struct {
		x [][]float64
		y []float64
	}{
		"no column":           {nil, prototypeGain},
		"constant column":     {[][]float64{e, make([]float64, 29)}, prototypeGain},
		"columns of one line": {[][]float64{e, w, sum(e, w)}, prototypeGain},
		"constant y":          {[][]float64{e}, make([]float64, 29)},
		"no freedom":          {[][]float64{e[:3], w[:3]}, prototypeGain[:3]},
		"nothing":             {[][]float64{nil}, nil},
	} {
		if r, err := Regress(c.x, c.y); r != nil || err != nil {
			t.Errorf("%s: %+v, %v; want nil", name, r, err)
		}
	}
	if _, err := Regress([][]float64{e[:3]}, prototypeGain); err == nil {
		t.Error("a shorter column was accepted")
	}
	// A plane through all items has no error.
	exact, err := Regress([][]float64{e, w}, sum(e, w))
	if err != nil || exact == nil || math.Abs(exact.R2-1) > 1e-14 || exact.FP > 1e-100 || exact.Prediction([]float64{0, 0}, .95) > 1e-13 {
		t.Errorf("exact plane: %+v, %v", exact, err)
	}
}

func ExampleRegress() {
	zeroShotError := []float64{.1, .2, .3, .5, .6, .8}
	iimm := []float64{.30, .42, .25, .51, .38, .33}
	gain := []float64{2, 11, 12, 30, 33, 49}
	r, err := Regress([][]float64{zeroShotError, iimm}, gain)
	if err != nil || r == nil {
		fmt.Println("not determined:", err)
		return
	}
	at := []float64{.4, .35}
	fmt.Printf("gain %.1f ± %.1f for one more task (95 %%)\n", r.At(at), r.Prediction(at, .95))
	fmt.Printf("p of the slopes: %.3f, %.3f\n", r.SlopeP[0], r.SlopeP[1])
	// Output:
	// gain 21.5 ± 6.9 for one more task (95 %)
	// p of the slopes: 0.000, 0.194
}
