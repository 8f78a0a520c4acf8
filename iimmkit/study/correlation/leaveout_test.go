package correlation

import (
	"fmt"
	"math"
	"testing"
)

// Values of scikit-learn 1.9.1 (cross_val_predict of LinearRegression with
// LeaveOneOut and LeaveOneGroupOut): mean absolute errors in points.
func TestLeaveOutAgreesWithScikitLearn(t *testing.T) {
	e, z := prototypeError(), wave()
	own := make([]string, 29)
	threes := make([]string, 29)
	for i := range own {
		own[i] = fmt.Sprint(i)
		threes[i] = fmt.Sprint(i / 3)
	}
	for _, c := range []struct {
		name  string
		x     [][]float64
		y     []float64
		group []string
		want  float64
	}{
		{"mean, gain", nil, prototypeGain, own, 17.9753694581281},
		{"mean, forgetting", nil, prototypeForgetting, own, 3.21477832512315},
		{"error, gain", [][]float64{e}, prototypeGain, own, 12.2588982046539},
		{"error, forgetting", [][]float64{e}, prototypeForgetting, own, 2.11511886619168},
		{"wave, gain", [][]float64{z}, prototypeGain, own, 18.8527284453148},
		{"both, gain", [][]float64{e, z}, prototypeGain, own, 12.7013600196678},
		{"both, forgetting", [][]float64{e, z}, prototypeForgetting, own, 2.14902251110685},
		{"both, gain, groups of three", [][]float64{e, z}, prototypeGain, threes, 12.9307529464926},
	} {
		forecasts, err := LeaveOut(c.x, c.y, c.group)
		if err != nil {
			t.Fatal(err)
		}
		if got := missed(forecasts, c.y); math.Abs(got-c.want) > 1e-10 {
			t.Errorf("%s: %v, scikit-learn %v", c.name, got, c.want)
		}
	}
}

func missed(forecasts, y []float64) float64 {
	sum := 0.0
	for i := range y {
		sum += math.Abs(forecasts[i] - y[i])
	}
	return sum / float64(len(y))
}

func TestForecastDoesNotSeeItsOwnItem(t *testing.T) {
	x := [][]float64{{1, 2, 3, 4, 5}}
	y := []float64{2, 4, 6, 8, 1000}
	group := []string{"a", "b", "c", "d", "e"}
	forecasts, err := LeaveOut(x, y, group)
	if err != nil || math.Abs(forecasts[4]-10) > 1e-12 {
		t.Errorf("forecasts %v, %v: the last must continue the others' line to 10", forecasts, err)
	}
}

func TestLeaveOutOfDegenerateColumns(t *testing.T) {
	y := []float64{1, 2, 3, 4, 5}
	group := []string{"a", "b", "c", "d", "e"}
	// Without its last item the column does not vary: the forecast is the mean, not a division by zero.
	forecasts, err := LeaveOut([][]float64{{7, 7, 7, 7, 9}}, y, group)
	if err != nil || forecasts[4] != 2.5 {
		t.Errorf("forecasts %v, %v, want 2.5 last", forecasts, err)
	}
	// A column twice is no more than once.
	x := []float64{1, 3, 2, 5, 4}
	once, err := LeaveOut([][]float64{x}, y, group)
	if err != nil {
		t.Fatal(err)
	}
	twice, err := LeaveOut([][]float64{x, x}, y, group)
	if err != nil {
		t.Fatal(err)
	}
	for i := range once {
		if math.Abs(once[i]-twice[i]) > 1e-12 {
			t.Errorf("item %d: %v with the column once, %v with it twice", i, once[i], twice[i])
		}
	}
	if few, err := LeaveOut([][]float64{x[:3]}, y[:3], group[:3]); few != nil || err != nil {
		t.Errorf("a line through two items forecast %v, %v", few, err)
	}
	if _, err := LeaveOut([][]float64{x}, y, group[:2]); err == nil {
		t.Error("missing groups accepted")
	}
	if _, err := LeaveOut([][]float64{x[:2]}, y, group); err == nil {
		t.Error("short column accepted")
	}
}
