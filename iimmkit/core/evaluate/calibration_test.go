package evaluate

import (
	"math"
	"testing"
)

// The scores are closed forms; the values are those of NumPy (digitize for the
// bins) and of scikit-learn 1.9's log_loss on the same scores.
func TestCalibrationEqualsReference(t *testing.T) {
	const n, classes, scale = 200, 5, 8
	scores := make([]float64, 0, n*classes)
	labels := make([]int, n)
	for i := range n {
		labels[i] = i % classes
		for c := range classes {
			i, c := float64(i), float64(c)
			s := .3 * math.Sin(.7*i+1.3*c+.11*i*c)
			if int(c) == labels[int(i)] {
				s += .25 * math.Cos(.05*i)
			}
			scores = append(scores, s)
		}
	}
	got, err := Calibrate(scores, labels, classes, scale)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		name      string
		got, want float64
	}{
		{"ECE", got.ECE, 0.3428632120813852},
		{"log loss", got.LogLoss, 2.676699912291952},
		{"Brier", got.Brier, 1.0260687743580363},
		{"confidence", got.Confidence, 0.5873263755361434},
		{"bin 9 accuracy", *got.Bins[9].Accuracy, 0.11764705882352941},
		{"bin 9 confidence", *got.Bins[9].Confidence, 0.6293821636531145},
	} {
		if math.Abs(v.got-v.want) > 1e-12 {
			t.Errorf("%s is %v, want %v", v.name, v.got, v.want)
		}
	}
	counts := []int{0, 0, 0, 4, 6, 14, 20, 38, 36, 17, 22, 20, 12, 9, 2}
	for b, want := range counts {
		if got.Bins[b].N != want || (got.Bins[b].Accuracy == nil) != (want == 0) {
			t.Errorf("bin %d holds %d images, want %d", b, got.Bins[b].N, want)
		}
	}
}

func TestCalibrationOfTheSureAndTheUnsure(t *testing.T) {
	// Always right and sure of it.
	got, err := Calibrate([]float64{1, 0, 0, 1}, []int{0, 1}, 2, 1e4)
	if err != nil || got.ECE != 0 || got.LogLoss != 0 || got.Brier != 0 || got.Bins[14].N != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	// Indifferent among two, right half of the time: calibrated too.
	got, err = Calibrate([]float64{0, 0, 0, 0}, []int{0, 1}, 2, 3)
	if err != nil || got.ECE != 0 || got.Confidence != .5 || got.Brier != .5 {
		t.Errorf("%+v, %v", got, err)
	}
	for name, call := range map[string]func() (*Calibration, error){
		"NaN score":  func() (*Calibration, error) { return Calibrate([]float64{0, math.NaN()}, []int{0}, 2, 1) },
		"zero scale": func() (*Calibration, error) { return Calibrate([]float64{0, 1}, []int{0}, 2, 0) },
		"label":      func() (*Calibration, error) { return Calibrate([]float64{0, 1}, []int{2}, 2, 1) },
	} {
		if _, err := call(); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
