package evaluate

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

// Values of scikit-learn 1.9.1, numpy 2.4.6: StandardScaler on float64, then
// LogisticRegression(C=1/l2, solver="lbfgs", tol=1e-12), intercepts centred. For
// two classes scikit-learn fits one weight vector w = w1 - w0 to which our
// penalty on both is l2/4 |w|^2: C=2/l2 there, and w halved.
func TestFitProbeAgreesWithScikitLearn(t *testing.T) {
	for _, c := range []struct {
		n, d, classes  int
		separation     float64
		uneven         bool
		l2             float64
		loss, accuracy float64
		weight, bias   []float64
	}{
		{120, 10, 3, 0.5, false, 0.1, 90.240474106, 0.625, []float64{-0.0763869247633, 0.203514286956, -0.219574710013, -0.15782170331}, []float64{0.173244338134, -0.0312387564268, -0.142005581707}},
		{120, 10, 3, 0.5, false, 1, 90.3779251093, 0.625, []float64{-0.0768925540569, 0.183806380465, -0.207028326829, -0.160641466411}, []float64{0.147811198863, -0.033149044163, -0.1146621547}},
		{120, 10, 3, 0.5, false, 10, 94.1049013774, 0.608333333333, []float64{-0.0602777599756, 0.107565040358, -0.147987795116, -0.149272231535}, []float64{0.0637428759466, -0.0266860830891, -0.0370567928575}},
		{200, 16, 6, 0.8, true, 0.1, 96.9134447248, 0.815, []float64{-0.206608692331, 0.525556901861, -0.653810692683, -0.546958526823}, []float64{-0.0771925909134, 1.42574874102, 0.484733899069, -1.83329004917}},
		{200, 16, 6, 0.8, true, 1, 98.3393736073, 0.825, []float64{-0.221683371751, 0.427317465465, -0.595272647268, -0.484433721388}, []float64{-0.208932082606, 1.15132303746, 0.374632461223, -1.31702341608}},
		{200, 16, 6, 0.8, true, 10, 114.582932759, 0.81, []float64{-0.187499788025, 0.222589884198, -0.380286174081, -0.295302395382}, []float64{-0.305777660326, 0.65777530678, 0.288240037015, -0.640237683469}},
		{150, 8, 2, 0.3, false, 0.1, 91.7537931868, 0.68, []float64{-0.261968814669, 0.0977854181094, -0.0146496448619, -0.134135142756}, []float64{-0.000763895066219, 0.000763895066219}},
		{150, 8, 2, 0.3, false, 1, 91.7572715204, 0.68, []float64{-0.257609303626, 0.0959697928186, -0.0147584658434, -0.131805032116}, []float64{-0.000736822478486, 0.000736822478486}},
		{150, 8, 2, 0.3, false, 10, 91.9973467501, 0.693333333333, []float64{-0.222453088697, 0.0816188036436, -0.0156158095812, -0.113185667236}, []float64{-0.000534844178531, 0.000534844178531}},
	} {
		x, y := drawn(c.n, c.d, c.classes, c.separation, c.uneven)
		p, err := FitProbe(x, c.d, y, c.classes, c.l2)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(p.Loss-c.loss) > 1e-6*c.loss {
			t.Errorf("%v: loss %.10g, scikit-learn %.10g", c, p.Loss, c.loss)
		}
		for k, want := range c.weight {
			if math.Abs(p.Weight[k]-want) > 1e-5 {
				t.Errorf("classes %d, l2 %g: weight %d is %.10g, scikit-learn %.10g", c.classes, c.l2, k, p.Weight[k], want)
			}
		}
		for k, want := range c.bias {
			if math.Abs(p.Bias[k]-want) > 1e-5 {
				t.Errorf("classes %d, l2 %g: bias %d is %.10g, scikit-learn %.10g", c.classes, c.l2, k, p.Bias[k], want)
			}
		}
		a, err := p.Accuracy(x, y)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(a.Top1-c.accuracy) > 1e-9 {
			t.Errorf("classes %d, l2 %g: accuracy %v, scikit-learn %v", c.classes, c.l2, a.Top1, c.accuracy)
		}
	}
}

func TestFitProbeIsStationary(t *testing.T) {
	// The gradient of the documented objective, written out from its definition, vanishes at the fit.
	const n, d, classes, l2 = 90, 5, 4, .7
	x, y := drawn(n, d, classes, 1, false)
	p, err := FitProbe(x, d, y, classes, l2)
	if err != nil {
		t.Fatal(err)
	}
	scores, err := p.Scores(x)
	if err != nil {
		t.Fatal(err)
	}
	for c := range classes {
		g := make([]float64, d+1)
		for j := range d {
			g[j] = l2 * p.Weight[c*d+j]
		}
		for i := range n {
			sum := 0.0
			for k := range classes {
				sum += math.Exp(scores[i*classes+k] - scores[i*classes+c])
			}
			r := 1 / sum
			if y[i] == c {
				r--
			}
			for j := range d {
				g[j] += r * (float64(x[i*d+j]) - p.Mean[j]) / p.Scale[j]
			}
			g[d] += r
		}
		for j, v := range g {
			if math.Abs(v) > 1e-4 {
				t.Errorf("class %d: gradient %d is %v", c, j, v)
			}
		}
	}
}

func TestProbeOfDegenerateFeatures(t *testing.T) {
	// One feature is constant, one repeats another, one class has no images, one has a single image.
	const d = 4
	x := []float32{
		1, 1, 5, .1,
		1.1, 1.1, 5, .2,
		-1, -1, 5, .1,
		-1.2, -1.2, 5, .3,
		0, 0, 5, 9,
	}
	y := []int{0, 0, 3, 3, 4}
	p, err := FitProbe(x, d, y, 5, 1e-3)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p.Present, []int{0, 3, 4}) {
		t.Errorf("present %v", p.Present)
	}
	predicted, err := p.Predict(x)
	if err != nil || !reflect.DeepEqual(predicted, y) {
		t.Errorf("predicted %v, %v; want %v", predicted, err, y)
	}
	scores, _ := p.Scores(x[:d])
	if !math.IsInf(scores[1], -1) || !math.IsInf(scores[2], -1) {
		t.Errorf("classes without images score %v", scores)
	}
	if p.Scale[2] != 1 {
		t.Errorf("scale of the constant feature %v, want 1", p.Scale[2])
	}
	for _, w := range p.Weight {
		if math.IsNaN(w) {
			t.Fatal("NaN weight")
		}
	}
	// A constant that float64 sums cannot mean exactly must not become a feature.
	for i := range x {
		x[i] = .1
	}
	if p, err = FitProbe(x, d, y, 5, 1); err != nil {
		t.Fatal(err)
	}
	for k, w := range p.Weight {
		if math.Abs(w) > 1e-9 {
			t.Errorf("all features constant: weight %d is %v", k, w)
		}
	}
}

func TestFitProbeRefusesBadInput(t *testing.T) {
	x, y := drawn(12, 2, 3, 1, false)
	bad := append([]float32(nil), x...)
	bad[5] = float32(math.NaN())
	for _, c := range []struct {
		name    string
		x       []float32
		d       int
		labels  []int
		classes int
		l2      float64
		want    string
	}{
		{"no features", nil, 2, nil, 3, 1, "no rows"},
		{"labels", x, 2, y[:3], 3, 1, "3 labels for 12 images"},
		{"range", x, 2, y, 2, 1, "must be in 0..1"},
		{"NaN", bad, 2, y, 3, 1, "row 2, column 1 is NaN"},
		{"penalty 0", x, 2, y, 3, 0, "must be positive"},
		{"penalty NaN", x, 2, y, 3, math.NaN(), "must be positive"},
		{"penalty infinite", x, 2, y, 3, math.Inf(1), "must be positive"},
		{"one class", x, 2, make([]int, 12), 3, 1, "at least 2"},
	} {
		if _, err := FitProbe(c.x, c.d, c.labels, c.classes, c.l2); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	p, err := FitProbe(x, 2, y, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Predict(x[:3]); err == nil {
		t.Error("ragged features predicted")
	}
}
