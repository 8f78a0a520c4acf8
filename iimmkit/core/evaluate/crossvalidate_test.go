package evaluate

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Values of scikit-learn 1.9.1 (see TestFitProbeAgreesWithScikitLearn) with the
// fold of image i (7 i mod 11) mod 5, StandardScaler fitted outside the fold, the
// penalty of a fold chosen by the summed log loss of the four others.
func TestValidateAgreesWithScikitLearn(t *testing.T) {
	for _, c := range []struct {
		n, d, classes int
		separation    float64
		uneven        bool
		penalty       []float64
		logLoss       float64
		right         int
	}{
		{120, 10, 3, 0.5, false, []float64{10, 10, 10, 10, 10}, 0.885529343213, 68},
		{200, 16, 6, 0.8, true, []float64{10, 10, 10, 10, 10}, 0.719415978816, 150},
		{150, 8, 2, 0.3, false, []float64{100, 10, 10, 10, 100}, 0.674481054218, 96},
	} {
		x, y := drawn(c.n, c.d, c.classes, c.separation, c.uneven)
		fold := make([]int, c.n)
		for i := range fold {
			fold[i] = i * 7 % 11 % 5
		}
		v, err := validate(x, c.d, y, c.classes, fold, 5, []float64{.1, 100, 1, 10}, func(all []int) []int { return all })
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(v.Penalty, c.penalty) {
			t.Errorf("%d classes: penalties %v, want %v", c.classes, v.Penalty, c.penalty)
		}
		// Cross-validation stops its fits a little before the optimum: see closeEnough.
		if math.Abs(v.LogLoss-c.logLoss) > 5e-5 {
			t.Errorf("%d classes: log loss %.9g, scikit-learn %.9g", c.classes, v.LogLoss, c.logLoss)
		}
		if want := float64(c.right) / float64(c.n); v.Accuracy.Top1 != want {
			t.Errorf("%d classes: accuracy %v, scikit-learn %v", c.classes, v.Accuracy.Top1, want)
		}
	}
}

func TestFoldsAreBalancedAndSeeded(t *testing.T) {
	_, y := drawn(203, 1, 6, 1, true)
	fold := Folds(y, 6, 5, 0)
	size := make([]int, 5)
	perClass := map[[2]int]int{}
	count := make([]int, 6)
	for i, f := range fold {
		size[f]++
		perClass[[2]int{y[i], f}]++
		count[y[i]]++
	}
	for f, s := range size {
		if s != 40 && s != 41 {
			t.Errorf("fold %d has %d images", f, s)
		}
		for c, n := range count {
			if got := perClass[[2]int{c, f}]; got < n/5 || got > n/5+1 {
				t.Errorf("fold %d has %d of %d images of class %d", f, got, n, c)
			}
		}
	}
	if !reflect.DeepEqual(fold, Folds(y, 6, 5, 0)) {
		t.Error("the same seed dealt different folds")
	}
	if reflect.DeepEqual(fold, Folds(y, 6, 5, 1)) {
		t.Error("another seed dealt the same folds")
	}
}

func TestShotsLimitTheImagesOfEachClass(t *testing.T) {
	const n, d, classes, folds = 240, 12, 6, 4
	x, y := drawn(n, d, classes, 2, true)
	fold := Folds(y, classes, folds, 3)
	draw := make([]int, n)
	for i := range draw {
		draw[i] = (i * 77) % 241 // a permutation's worth of distinct numbers
	}
	var outside []int
	for i, f := range fold {
		if f != 0 {
			outside = append(outside, i)
		}
	}
	var before []int
	for _, shots := range []int{1, 4, n} {
		chosen := firstOfEach(y, outside, shots, draw)
		count := map[int]int{}
		for _, i := range chosen {
			count[y[i]]++
		}
		for c := range classes {
			has := 0
			for _, i := range outside {
				if y[i] == c {
					has++
				}
			}
			if count[c] != min(shots, has) {
				t.Errorf("%d shots: %d images of class %d, which has %d", shots, count[c], c, has)
			}
		}
		for _, i := range before {
			if !slices.Contains(chosen, i) {
				t.Errorf("image %d of fewer shots is not among those of %d", i, shots)
			}
		}
		before = chosen
	}
	if !slices.Equal(before, outside) {
		t.Error("with shots enough not all images are used")
	}
	whole, err := Validate(x, d, y, classes, folds, 3)
	if err != nil {
		t.Fatal(err)
	}
	last := 0.0
	for _, shots := range []int{1, 4, n} {
		v, err := ValidateShots(x, d, y, classes, folds, shots, 3)
		if err != nil {
			t.Fatal(err)
		}
		if v.Accuracy.N != n {
			t.Errorf("%d shots: %d images were recognised or not, want %d", shots, v.Accuracy.N, n)
		}
		if v.Accuracy.Top1 <= last {
			t.Errorf("%d shots: accuracy %v after %v with fewer", shots, v.Accuracy.Top1, last)
		}
		last = v.Accuracy.Top1
		if shots == n && !reflect.DeepEqual(v, whole) {
			t.Error("all shots are not Validate")
		}
	}
	if _, err := ValidateShots(x, d, y, classes, folds, 0, 3); err == nil || !strings.Contains(err.Error(), "at least 1") {
		t.Errorf("no shots: %v", err)
	}
}

func TestCrossValidateRepeatsExactly(t *testing.T) {
	x, y := drawn(300, 24, 9, 1, false)
	first, err := Validate(x, 24, y, 9, 5, 0)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Validate(x, 24, y, 9, 5, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(first, again) {
		t.Error("the same input and seed gave another result")
	}
	a, err := CrossValidate(x, 24, y, 9, 5, 0)
	if err != nil || a != first.Accuracy.Top1 {
		t.Errorf("CrossValidate %v, %v; Validate %v", a, err, first.Accuracy.Top1)
	}
}

func TestCrossValidateOfNoiseIsNearChance(t *testing.T) {
	// With 600 images of 10 classes without pattern, chance is 0.1 with standard
	// deviation 0.012; a probe judged on its own training images would be far above.
	x, y := drawn(600, 40, 10, 0, false)
	a, err := CrossValidate(x, 40, y, 10, 5, 0)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(a-.1) > .05 {
		t.Errorf("accuracy on noise %v, want 0.1 within 0.05", a)
	}
	p, err := FitProbe(x, 40, y, 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	own, err := p.Accuracy(x, y)
	if err != nil || own.Top1 < .2 {
		t.Errorf("accuracy on the training images %v, %v: expected overfitting above 0.2", own.Top1, err)
	}
}

func TestCrossValidateOfRareClasses(t *testing.T) {
	// A class of one image cannot be recognised, and its image still counts.
	x := []float32{0, .1, .2, .3, 5, 5.1, 5.2, 5.3, 20}
	y := []int{0, 0, 0, 0, 2, 2, 2, 2, 1}
	v, err := Validate(x, 1, y, 4, 4, 3)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := v.Accuracy.Top1, 8./9; got != want {
		t.Errorf("accuracy %v, want %v", got, want)
	}
	if math.IsNaN(v.LogLoss) || math.IsInf(v.LogLoss, 0) {
		t.Errorf("log loss %v", v.LogLoss)
	}
}

func TestCrossValidateRefusesBadInput(t *testing.T) {
	x, y := drawn(12, 2, 3, 1, false)
	one := make([]int, 12)
	for _, c := range []struct {
		name   string
		labels []int
		folds  int
		want   string
	}{
		{"one fold", y, 1, "1 folds of 12 images"},
		{"many folds", y, 13, "13 folds"},
		{"one class", one, 3, "fold 0: probe: 1 class"},
		{"labels", y[:2], 3, "2 labels"},
	} {
		if _, err := CrossValidate(x, 2, c.labels, 3, c.folds, 0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}
