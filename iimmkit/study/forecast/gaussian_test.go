package forecast

import (
	"math"
	"testing"
)

// The values are those of scikit-learn 1.9.1: GaussianProcessRegressor with
// ConstantKernel * DotProduct(0) + ConstantKernel * RBF of each covariance of the
// grid, alpha the noise, on standardised columns; the one of highest
// log_marginal_likelihood_value_, at the noise with which that is highest.
func TestGaussianIsTheProcessOfHighestEvidence(t *testing.T) {
	x := [][]float64{{.001, 5.597, .26}, {-.891, 4.091, -.472}, {.06, 7.68, .268}, {-.62, 5.98, -.081}, {.105, 3.139, .369}, {.695, 2.312, .718},
		{-1.901, 2.421, -1.307}, {-.235, 2.465, .176}, {.157, 4.626, .032}, {-.539, 4.903, -.06}, {-1.53, 4.044, -.918}, {-.809, 7.122, -.388}}
	y := []float64{-.691, -1.21, -1.447, -1.769, .26, 1.374, -3.068, -.062, .391, -1.898, -2.164, -2.302}
	for k, want := range map[int][2]float64{
		1: {-.04489605121495743, -4.802998272670094},
		2: {.3685057435125769, -6.189603905345872},
		3: {.3676343976455143, -6.154978523953301},
	} {
		rows := make([][]float64, len(x))
		for i := range x {
			rows[i] = x[i][:k]
		}
		g := fitGaussian(rows, y)
		if (g.covariance != covariance{3, .3, 1}) {
			t.Errorf("%d columns: covariance %+v", k, g.covariance)
		}
		for i, at := range [][]float64{{.2, 3.3, .1}, {-3, 9, 1}} {
			if v := g.at(at[:k]); math.Abs(v-want[i]) > 1e-9 {
				t.Errorf("%d columns: %.12g at %v, want %.12g", k, v, at[:k], want[i])
			}
		}
	}
}

func TestGaussianBendsWhereALineCannot(t *testing.T) {
	var x [][]float64
	var y []float64
	for i := range 20 {
		v := float64(i)/5 - 2
		x, y = append(x, []float64{v}), append(y, v*v)
	}
	line, curve := fitRidge(x, y), fitGaussian(x, y)
	if math.Abs(line.at([]float64{0})-0) < 1 || math.Abs(curve.at([]float64{0})) > .2 {
		t.Errorf("at the bottom of a parabola: line %v, process %v", line.at([]float64{0}), curve.at([]float64{0}))
	}
}

func TestGaussianOfColumnsThatDoNotVary(t *testing.T) {
	g := fitGaussian([][]float64{{1, 2}, {1, 3}, {1, 4}, {1, 5}}, []float64{1, 2, 3, 4})
	if v := g.at([]float64{7, 3.5}); math.Abs(v-2.5) > 1e-9 || g.determined() {
		t.Errorf("%v in the middle, determined %v", v, g.determined())
	}
	if v := fitGaussian([][]float64{{1}, {2}, {3}}, []float64{5, 5, 5}).at([]float64{9}); v != 5 {
		t.Errorf("constant 5 is %v elsewhere", v)
	}
}
