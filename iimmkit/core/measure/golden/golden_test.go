package golden

import (
	"math"
	"testing"
)

// The entries of the sets were recorded with their values.
func TestEntriesAreTheRecordedOnes(t *testing.T) {
	mid, texts := Mid(), Texts()
	for _, c := range []struct{ got, want float64 }{
		{mid.Images[0], .1519895617337167},
		{mid.Images[1], -.08711338815120541},
		{mid.Images[2], -.19793848603293415},
		{mid.Images[3], -.005603932333514336},
		{mid.Images[N*D-1], -.023366833252418638},
		{texts[(C-1)*D], -.0822187851733517},
		{texts[(C-1)*D+1], -.0329340648157454},
		{texts[(C-1)*D+2], .13711972638220593},
	} {
		if math.Abs(c.got-c.want) > 1e-14 {
			t.Errorf("%v, recorded %v", c.got, c.want)
		}
	}
	counts := map[int]int{}
	for _, y := range mid.Labels {
		counts[y]++
	}
	for c, want := range []int{36, 22, 18, 16, 14, 14} {
		if counts[c] != want {
			t.Errorf("class %d of mid has %d images, want %d", c, counts[c], want)
		}
	}
}

func TestDifferencesAreFound(t *testing.T) {
	s := Set{Values: map[string]float64{"a": 1, "b": 2, "c": 3}}
	type result struct {
		A float64  `json:"a"`
		B *float64 `json:"b"`
		C float64  `json:"c"`
	}
	two := 2.
	if d := s.Differences(result{1, &two, 3 + 1e-9}, 1e-8); d != nil {
		t.Errorf("%q", d)
	}
	if d := s.Differences(result{1.1, nil, math.NaN()}, 1e-8); len(d) != 1 { // NaN has no JSON
		t.Errorf("%q", d)
	}
	if d := s.Differences(result{1.1, nil, 3 + 1e-7}, 1e-8); len(d) != 3 || d[1] != "b is missing" {
		t.Errorf("%q", d)
	}
}
