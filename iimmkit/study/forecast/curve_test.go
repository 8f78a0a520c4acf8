package forecast

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func curvePoints(tested int) []CurvePoint {
	var points []CurvePoint
	for k, a := range []float64{.31, .415, .502, .58, .63, .671, .688} {
		points = append(points, CurvePoint{math.Pow(2, float64(k)), a, tested})
	}
	return points
}

// The parameters are those of scipy 1.17.1, curve_fit with bounds, without weights
// and with those of 300 tested images.
func TestCurveIsTheLeastSquaresPowerLaw(t *testing.T) {
	for tested, want := range map[int][3]float64{0: {.2057343, .48803402, .38418473}, 300: {.20684944, .48663331, .38548841}} {
		c, err := FitCurve(curvePoints(tested), 0)
		if err != nil {
			t.Fatal(err)
		}
		for k, got := range []float64{c.Floor, c.Scale, c.Rate} {
			if math.Abs(got-want[k]) > 1e-5 {
				t.Errorf("tested on %d: parameter %d is %.8f, want %.8f", tested, k, got, want[k])
			}
		}
		if tested == 300 && math.Abs(c.At(256)-.735758308633006) > 1e-5 {
			t.Errorf("at 256 it is %v", c.At(256))
		}
	}
}

// Curves measured on 500 images: the band at eight times the images must hold the
// truth about as often as it says. Extrapolated curves are skew; 100 of them tell a
// share to .08.
func TestCurveBandHoldsTheTruth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	inside, n := 0, 100
	for range n {
		truth := law{.05 + .2*random.Float64(), .4 + .2*random.Float64(), .3 + .5*random.Float64()}
		var points []CurvePoint
		for _, images := range []float64{1, 2, 4, 8, 16, 32} {
			p := truth.at(images)
			points = append(points, CurvePoint{images, min(1, max(0, p+math.Sqrt(p*(1-p)/500)*random.NormFloat64())), 500})
		}
		c, err := FitCurve(points, 1)
		if err != nil {
			t.Fatal(err)
		}
		inside += within(truth.at(256), c.Band(256, .8))
	}
	share := float64(inside) / float64(n)
	t.Logf("80 %% bands hold the truth at 8 times the images in %.3f of %d", share, n)
	if share < .68 || share > .95 {
		t.Errorf("80 %% bands hold %.3f", share)
	}
}

func TestCurveIsDeterministicAndOrderDoesNotMatter(t *testing.T) {
	points := curvePoints(100)
	a, err := FitCurve(points, 7)
	if err != nil {
		t.Fatal(err)
	}
	points[0], points[5] = points[5], points[0]
	b, err := FitCurve(points, 7)
	if err != nil {
		t.Fatal(err)
	}
	if a.At(100) != b.At(100) || a.Band(100, .8) != b.Band(100, .8) {
		t.Error("the order of points changes the curve")
	}
	other, err := FitCurve(points, 8)
	if err != nil {
		t.Fatal(err)
	}
	if other.At(100) != a.At(100) || other.Band(100, .8) == a.Band(100, .8) {
		t.Error("the seed must change the band and nothing else")
	}
	if points[0].PerClass != 32 {
		t.Error("the caller's points were moved")
	}
}

func TestCurvesThatDoNotRise(t *testing.T) {
	c, err := FitCurve([]CurvePoint{{1, .5, 0}, {2, .5, 0}, {4, .5, 0}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(c.At(1000)-.5) > 1e-9 {
		t.Errorf("a flat curve is %v at 1000", c.At(1000))
	}
	if c, err = FitCurve([]CurvePoint{{1, .9, 0}, {2, .8, 0}, {4, .7, 0}}, 0); err != nil || math.Abs(c.At(1000)-.8) > 1e-9 {
		t.Errorf("a falling curve is %+v, %v", c, err)
	}
	if c, err = FitCurve([]CurvePoint{{1, .9, 0}, {10, .99, 0}, {100, .999, 0}}, 0); err != nil || c.Floor < 0 || c.At(1e9) > 1 || math.Abs(c.Rate-1) > .01 {
		t.Errorf("a curve to 1 is %+v, %v", c, err)
	}
	for _, bad := range []struct {
		points []CurvePoint
		want   string
	}{
		{nil, "three or more"},
		{[]CurvePoint{{1, .5, 0}, {1, .6, 0}, {2, .7, 0}}, "three or more"},
		{[]CurvePoint{{0, .5, 0}}, "must be at least 1"},
		{[]CurvePoint{{math.NaN(), .5, 0}}, "must be at least 1"},
		{[]CurvePoint{{1, 50, 0}}, "accuracy is 50"},
		{[]CurvePoint{{1, .5, -1}}, "tested on -1"},
	} {
		if _, err := FitCurve(bad.points, 0); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%v: error %v, want %q", bad.points, err, bad.want)
		}
	}
}

// Probes on embeddings of micro-clip, mean of ten draws, by scikit-learn 1.9.1
// (LogisticRegression, C 1, standardised features): the curve of few images must tell
// the accuracy of several times as many.
func TestCurveForecastsMeasuredProbes(t *testing.T) {
	for name, c := range map[string]struct {
		tested, fitted int
		points         []CurvePoint
	}{
		"NEU-DET steel defects": {600, 6, []CurvePoint{{1, .4647, 0}, {2, .5420, 0}, {4, .6418, 0}, {8, .7038, 0}, {16, .7603, 0}, {32, .8062, 0}, {64, .8312, 0}, {128, .8557, 0}, {200, .8677, 0}}},
		"world/shape-gray":      {216, 5, []CurvePoint{{1, .1815, 0}, {2, .2694, 0}, {4, .3801, 0}, {8, .4597, 0}, {16, .5241, 0}, {32, .5671, 0}, {48, .5981, 0}}},
	} {
		for i := range c.points {
			c.points[i].Tested = c.tested
		}
		curve, err := FitCurve(c.points[:c.fitted], 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range c.points[c.fitted:] {
			got, band := curve.At(p.PerClass), curve.Band(p.PerClass, .95)
			t.Logf("%s, %g images a class: %.3f [%.3f, %.3f], measured %.3f", name, p.PerClass, got, band[0], band[1], p.Accuracy)
			if math.Abs(got-p.Accuracy) > .03 || within(p.Accuracy, band) == 0 {
				t.Errorf("%s at %g images: %.3f %v, measured %.3f", name, p.PerClass, got, band, p.Accuracy)
			}
		}
	}
}
