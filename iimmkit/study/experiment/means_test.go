package experiment

import (
	"reflect"
	"testing"
)

func TestMeansLeaveFailedRunsOut(t *testing.T) {
	x := func(v float64) *float64 { return &v }
	got := MeansOf([]Run{
		{Model: "m", Method: "full", ZeroShotAccuracy: .25, Accuracy: .5, Gain: 20, Forgetting: x(3)},
		{Model: "m", Method: "probe", ZeroShotAccuracy: .2, Accuracy: .3, Gain: 10},
		{Model: "m", Method: "full", ZeroShotAccuracy: .5, Accuracy: 1, Gain: 60, Forgetting: x(5)},
		{Model: "m", Method: "full", Error: "diverged"},
	})
	want := []Means{
		{Model: "m", Method: "full", Runs: 2, Failed: 1, ZeroShotAccuracy: .375, Accuracy: .75, Gain: 40, Forgetting: x(4)},
		{Model: "m", Method: "probe", Runs: 1, ZeroShotAccuracy: .2, Accuracy: .3, Gain: 10},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
