package correlation

import (
	"math"
	"slices"
	"testing"
)

// Figures of a prototype of this study, 29 tasks tuned fully, rounded: zero-shot
// accuracy in percent, gain and mean forgetting in points.
var (
	prototypeZeroShot   = []float64{100, 100, 97, 92, 90, 85, 84, 75, 71, 63, 57, 48, 45, 42, 41, 37, 34, 34, 28, 26, 20, 19, 15, 13, 13, 12, 9, 8, 1}
	prototypeGain       = []float64{0, 0, -1, 0, 1, 7, 11, 7, -3, 28, 5, 10, 25, 26, 16, 49, 23, 56, 25, 59, 42, 26, 24, 70, 27, 77, 57, 32, 29}
	prototypeForgetting = []float64{4.2, 7.0, 4.3, 2.0, 2.0, 2.7, 4.0, 3.8, 6.5, 5.5, 3.4, 8.1, 9.8, 2.8, 2.7, 4.2, 5.3, 9.4, 3.8, 9.4, 11.0, 7.8, 9.0, 10.4, 15.5, 10.7, 9.3, 11.4, 11.6}
)

func prototypeError() []float64 {
	e := make([]float64, len(prototypeZeroShot))
	for i, z := range prototypeZeroShot {
		e[i] = 1 - z/100
	}
	return e
}

// wave is a third variable of 29 items without meaning.
func wave() []float64 {
	z := make([]float64, 29)
	for i := range z {
		z[i] = float64((17*i*i+5*i)%29)/29 + .3*float64(i)/29
	}
	return z
}

// Values of scipy 1.17.1 (stats.pearsonr, spearmanr, kendalltau), numpy 2.4.6.
func TestCoefficientsAgreeWithScipy(t *testing.T) {
	ordered := make([]float64, 40)
	jumbled := make([]float64, 40)
	cubic := make([]float64, 33)
	for i := range ordered {
		ordered[i] = float64(i)
		jumbled[i] = float64(11 * i % 41)
	}
	for i := range cubic {
		cubic[i] = float64((5*i*i*i+i)%97) + float64(i)/100
	}
	short := []float64{1, 2, 3, 4, 5, 6, 7}
	other := []float64{2, 1, 4, 3, 7, 5, 6.5}
	for _, c := range []struct {
		name                        string
		x, y                        []float64
		r, rP, rho, rhoP, tau, tauP float64
	}{
		{"error, gain (ties)", prototypeError(), prototypeGain, 0.760894971983681, 1.65555029853628e-06, 0.825400840222634, 3.58687887884384e-08, 0.642594770988866, 1.2484215911517e-06},
		{"error, forgetting (ties)", prototypeError(), prototypeForgetting, 0.709285308725928, 1.64985528745141e-05, 0.712278128157172, 1.46359489451569e-05, 0.527364815739807, 6.82538353041318e-05},
		{"wave, gain", wave(), prototypeGain, 0.191691098675979, 0.319173271863734, 0.134598842162908, 0.486346628380972, 0.0893325000573837, 0.498987531200477},
		{"wave, forgetting", wave(), prototypeForgetting, 0.397915004010884, 0.0325369182362395, 0.372643323968446, 0.0464988489901227, 0.245357869267822, 0.0630719631640688},
		{"seven, no ties", short, other, 0.842327351111348, 0.0173835738799878, 0.821428571428572, 0.0234488083456915, 0.619047619047619, 0.0690476190476191},
		{"seven, many ties", []float64{1, 1, 2, 2, 3, 3, 3}, other, 0.9433988502363, 0.00141977495951357, 0.944911182523068, 0.00132792543499127, 0.87287156094397, 0.0100800793571913},
		{"perfect", short, []float64{3, 5, 7, 9, 11, 13, 15}, 1, 0, 1, 0, 1, 0.000396825396825397},
		{"reversed", short, []float64{-1, -2, -3, -4, -5, -6, -7}, -1, 0, -1, 0, -1, 0.000396825396825397},
		{"three", short[:3], []float64{1, 3, 2}, .5, 0.666666666666667, .5, 0.666666666666667, 0.333333333333333, 1},
		{"33, exact", ordered[:33], cubic, 0.311206153289797, 0.0779202131887166, 0.306818181818182, 0.0824326155118708, 0.231060606060606, 0.0604251720764913},
		{"40, approximate", ordered, jumbled, 0.104714062880947, 0.520197571945478, 0.106754221388368, 0.512055220042154, 0.0948717948717949, 0.388590367742019},
	} {
		x, y := slices.Clone(c.x), slices.Clone(c.y)
		for _, k := range []struct {
			name     string
			f        func(x, y []float64) (Coefficient, error)
			value, p float64
		}{{"Pearson", Pearson, c.r, c.rP}, {"Spearman", Spearman, c.rho, c.rhoP}, {"Kendall", Kendall, c.tau, c.tauP}} {
			got, err := k.f(x, y)
			if err != nil {
				t.Fatal(err)
			}
			if !near(got.Value, k.value, 1e-12) {
				t.Errorf("%s: %s %v, scipy %v", c.name, k.name, show(got.Value), k.value)
			}
			if !near(got.P, k.p, 1e-11) {
				t.Errorf("%s: %s p %v, scipy %v", c.name, k.name, show(got.P), k.p)
			}
		}
		if !slices.Equal(x, c.x) || !slices.Equal(y, c.y) {
			t.Errorf("%s: input changed", c.name)
		}
	}
}

func near(got *float64, want, tolerance float64) bool {
	return got != nil && math.Abs(*got-want) <= tolerance
}

func show(v *float64) any {
	if v == nil {
		return "nil"
	}
	return *v
}

func TestUndefinedIsNilNeverNaN(t *testing.T) {
	same := []float64{.3, .3, .3, .3, .3}
	// What three seeds of the same value average to may differ in the last bit.
	almost := []float64{.3, .3, math.Nextafter(.3, 1), .3, .3}
	up := []float64{1, 2, 3, 4, 5}
	for _, c := range []struct {
		name string
		x, y []float64
	}{
		{"none", nil, nil},
		{"one", up[:1], up[:1]},
		{"constant predictor", same, up},
		{"constant target", up, same},
		{"constant to rounding", almost, up},
		{"zeros", make([]float64, 5), up},
	} {
		for name, f := range map[string]func(x, y []float64) (Coefficient, error){"Pearson": Pearson, "Spearman": Spearman, "Kendall": Kendall} {
			if c.name == "constant to rounding" && name != "Pearson" {
				continue // ranks see every bit; averages of equal seeds are exact, see average
			}
			got, err := f(c.x, c.y)
			if err != nil || got.Value != nil || got.P != nil {
				t.Errorf("%s of %s: %v %v %v, want nil nil", name, c.name, show(got.Value), show(got.P), err)
			}
		}
	}
	two, err := Pearson([]float64{1, 2}, []float64{3, 1})
	if err != nil || !near(two.Value, -1, 1e-15) || two.P != nil {
		t.Errorf("two pairs: %v %v %v, want -1 and no p", show(two.Value), show(two.P), err)
	}
	line := []float64{2, 4, 6, 8, 10}
	for name, z := range map[string][]float64{"line": line, "constant": same} {
		got, err := Partial(up, []float64{1, 3, 2, 5, 4}, z)
		if err != nil || got.Value != nil || got.P != nil {
			t.Errorf("partial given %s: %v %v, want nil", name, show(got.Value), err)
		}
	}
	three, err := Partial(up[:3], []float64{1, 3, 2}, []float64{1, 0, 5})
	if err != nil || three.P != nil {
		t.Errorf("partial of three pairs has p %v, %v", show(three.P), err)
	}
}

func TestBadPairsAreRefused(t *testing.T) {
	up := []float64{1, 2, 3}
	for _, bad := range [][]float64{{1, 2}, {1, math.NaN(), 3}, {1, 2, math.Inf(1)}} {
		if _, err := Pearson(up, bad); err == nil {
			t.Errorf("Pearson accepted %v", bad)
		}
		if _, err := Spearman(bad, up); err == nil {
			t.Errorf("Spearman accepted %v", bad)
		}
		if _, err := Kendall(up, bad); err == nil {
			t.Errorf("Kendall accepted %v", bad)
		}
		if _, err := Partial(up, up, bad); err == nil {
			t.Errorf("Partial accepted %v", bad)
		}
		if _, err := Fit(up, bad); err == nil {
			t.Errorf("Fit accepted %v", bad)
		}
	}
}

func TestExactKendallAgainstAllOrders(t *testing.T) {
	for n := 2; n <= 7; n++ {
		base := make([]float64, n)
		for i := range base {
			base[i] = float64(i)
		}
		var balances []int
		permute(slices.Clone(base), 0, func(order []float64) {
			b, _, _ := concordance(base, order)
			balances = append(balances, b)
		})
		pairs := n * (n - 1) / 2
		for fewer := 0; 2*fewer <= pairs; fewer++ {
			extreme := 0
			for _, b := range balances {
				if max(b, -b) >= pairs-2*fewer {
					extreme++
				}
			}
			want := float64(extreme) / float64(len(balances))
			if got := inversionsP(n, fewer); math.Abs(got-want) > 1e-14 {
				t.Errorf("n %d, %d discordant: p %v, counting all orders %v", n, fewer, got, want)
			}
		}
	}
}

func permute(v []float64, k int, f func([]float64)) {
	if k == len(v) {
		f(v)
		return
	}
	for i := k; i < len(v); i++ {
		v[k], v[i] = v[i], v[k]
		permute(v, k+1, f)
		v[k], v[i] = v[i], v[k]
	}
}

// Values of statsmodels 0.15.0 (OLS, get_prediction at level 0.95).
func TestLineAgreesWithStatsmodels(t *testing.T) {
	l, err := Fit(prototypeError(), prototypeGain)
	if err != nil || l == nil {
		t.Fatal(l, err)
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"intercept", l.Intercept, -3.27861104963698}, {"slope", l.Slope, 53.41205194286},
		{"slope's error", l.SlopeSE, 8.76584419909573}, {"R2", l.R2, 0.578961158390047},
		{"residual sd", l.ResidualSD, 14.9229192727968},
		{"line at .5", l.At(.5), 23.427414921793},
		{"confidence at 0", l.Confidence(0, .95), 11.1208345889642}, {"prediction at 0", l.Prediction(0, .95), 32.5762883922383},
		{"confidence at .5", l.Confidence(.5, .95), 5.71380397617244}, {"prediction at .5", l.Prediction(.5, .95), 31.1478596269038},
		{"confidence at .9", l.Confidence(.9, .95), 8.73419752688006}, {"prediction at .9", l.Prediction(.9, .95), 31.8406628369721},
	} {
		if math.Abs(c.got-c.want) > 1e-10*math.Abs(c.want) {
			t.Errorf("%s %v, statsmodels %v", c.name, c.got, c.want)
		}
	}
	for name, x := range map[string][]float64{"constant": {1, 1, 1}, "two": {1, 2}} {
		if l, err := Fit(x, []float64{1, 2, 3}[:len(x)]); l != nil || err != nil {
			t.Errorf("line of %s x: %v, %v", name, l, err)
		}
	}
}
