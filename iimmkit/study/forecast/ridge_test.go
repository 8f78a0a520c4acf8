package forecast

import (
	"math"
	"testing"
)

// The values are those of scikit-learn 1.9.1, BayesianRidge(max_iter=100000,
// tol=1e-13) on columns divided by their standard deviations.
func TestRidgeIsBayesianRidge(t *testing.T) {
	x := [][]float64{{.001, 5.597, .26}, {-.891, 4.091, -.472}, {.06, 7.68, .268}, {-.62, 5.98, -.081}, {.105, 3.139, .369}, {.695, 2.312, .718},
		{-1.901, 2.421, -1.307}, {-.235, 2.465, .176}, {.157, 4.626, .032}, {-.539, 4.903, -.06}, {-1.53, 4.044, -.918}, {-.809, 7.122, -.388}}
	y := []float64{-.691, -1.21, -1.447, -1.769, .26, 1.374, -3.068, -.062, .391, -1.898, -2.164, -2.302}
	for k, want := range [][]float64{
		1: {1.48849743898, -.365737050293},
		2: {1.56179463366, -.307051426562, 1.05935496867},
		3: {1.92066582004, -.304798781807, -.482422682199, 1.15743545021},
	} {
		if k == 0 {
			continue
		}
		rows := make([][]float64, len(x))
		for i := range x {
			rows[i] = x[i][:k]
		}
		f := fitRidge(rows, y)
		for c, slope := range f.slope {
			if math.Abs(slope-want[c]) > 1e-6 {
				t.Errorf("%d columns: slope %d is %.9g, want %.9g", k, c, slope, want[c])
			}
		}
		if at := f.at(make([]float64, k)); math.Abs(at-want[k]) > 1e-6 {
			t.Errorf("%d columns: %.9g at 0, want %.9g", k, at, want[k])
		}
	}
}

func TestRidgeGivesNoSlopeToNoise(t *testing.T) {
	x := [][]float64{{.001}, {-.891}, {.06}, {-.62}, {.105}, {.695}, {-1.901}, {-.235}, {.157}, {-.539}, {-1.53}, {-.809}}
	y := []float64{-.641, 2, .762, -1.199, .075, .577, -.189, .683, -.067, .667, 1.439, -.676}
	f := fitRidge(x, y)
	// Least squares has .06; scikit-learn -.00082, short of its fixed point.
	if math.Abs(f.slope[0]) > .01 || math.Abs(f.height-.2859166666666666) > 1e-12 {
		t.Errorf("slope %v, height %v", f.slope, f.height)
	}
}

func TestRidgeOfColumnsThatDoNotVary(t *testing.T) {
	f := fitRidge([][]float64{{1, 2}, {1, 3}, {1, 4}, {1, 5}}, []float64{1, 2, 3, 4})
	if f.slope[0] != 0 || math.Abs(f.slope[1]-1) > 1e-3 || f.inverse != nil {
		t.Errorf("slopes %v, inverse %v", f.slope, f.inverse)
	}
	f = fitRidge([][]float64{{}, {}, {}}, []float64{1, 2, 6})
	if f.at(nil) != 3 {
		t.Errorf("the mean is %v", f.at(nil))
	}
	f = fitRidge([][]float64{{1}, {2}, {3}}, []float64{5, 5, 5})
	if at := f.at([]float64{9}); at != 5 {
		t.Errorf("constant 5 is %v elsewhere", at)
	}
}
