package backend

import (
	"slices"
	"testing"
)

func TestPreemptionIsTurnedOffOnce(t *testing.T) {
	if !simd {
		if _, changed := WithoutPreemption([]string{"A=1"}); changed {
			t.Error("without SIMD there is nothing to change")
		}
		t.Skip("built without GOEXPERIMENT=simd")
	}
	for _, c := range []struct {
		env, want []string
		changed   bool
	}{
		{[]string{"A=1"}, []string{"A=1", "GODEBUG=asyncpreemptoff=1"}, true},
		{[]string{"GODEBUG=", "A=1"}, []string{"A=1", "GODEBUG=asyncpreemptoff=1"}, true},
		{[]string{"GODEBUG=gctrace=1"}, []string{"GODEBUG=gctrace=1,asyncpreemptoff=1"}, true},
		{[]string{"GODEBUG=asyncpreemptoff=0", "A=1"}, []string{"GODEBUG=asyncpreemptoff=0", "A=1"}, false},
	} {
		got, changed := WithoutPreemption(c.env)
		if !slices.Equal(got, c.want) || changed != c.changed {
			t.Errorf("%q: %q, %v", c.env, got, changed)
		}
		if again, changed := WithoutPreemption(got); changed || !slices.Equal(again, got) {
			t.Errorf("%q: changed again to %q", got, again)
		}
	}
}
