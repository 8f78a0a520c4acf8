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
