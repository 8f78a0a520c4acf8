package evaluate

import (
	"math"
	"testing"
)

func TestLogLoss(t *testing.T) {
	inf := math.Inf(-1)
	for _, c := range []struct {
		name   string
		scores []float64
		labels []int
		want   float64
	}{
		{"indifferent", []float64{3, 3, 3, 3}, []int{2}, math.Log(4)},
		{"two images", []float64{0, math.Log(3), math.Log(3), 0}, []int{1, 1}, (math.Log(4./3) + math.Log(4)) / 2},
		{"a class that cannot be predicted", []float64{0, inf}, []int{1}, -math.Log(1e-15)},
		{"large scores", []float64{1e6, 1e6}, []int{0}, math.Log(2)},
	} {
		got, err := LogLoss(c.scores, c.labels, len(c.scores)/len(c.labels))
		if err != nil || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
	}
	if _, err := LogLoss([]float64{0, 1}, []int{2}, 2); err == nil {
		t.Error("a label out of range was taken")
	}
}
