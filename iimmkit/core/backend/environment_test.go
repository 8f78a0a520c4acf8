package backend

import (
	"runtime"
	"slices"
	"testing"
)

func TestSettingsAreAddedOnce(t *testing.T) {
	off, one := preemptionOff[0], keptMemory[0]
	for _, c := range []struct {
		setting
		env, want []string
		changed   bool
	}{
		{off, []string{"A=1"}, []string{"A=1", "GODEBUG=asyncpreemptoff=1"}, true},
		{off, []string{"GODEBUG=", "A=1"}, []string{"A=1", "GODEBUG=asyncpreemptoff=1"}, true},
		{off, []string{"GODEBUG=gctrace=1"}, []string{"GODEBUG=gctrace=1,asyncpreemptoff=1"}, true},
		{off, []string{"GODEBUG=asyncpreemptoff=0", "A=1"}, []string{"GODEBUG=asyncpreemptoff=0", "A=1"}, false},
		{one, nil, []string{"GLIBC_TUNABLES=glibc.malloc.hugetlb=1"}, true},
		{one, []string{"GLIBC_TUNABLES=glibc.malloc.check=1"}, []string{"GLIBC_TUNABLES=glibc.malloc.check=1:glibc.malloc.hugetlb=1"}, true},
		{one, []string{"GLIBC_TUNABLES=glibc.malloc.hugetlb=0"}, []string{"GLIBC_TUNABLES=glibc.malloc.hugetlb=0"}, false},
	} {
		got, changed := c.in(c.env)
		if !slices.Equal(got, c.want) || changed != c.changed {
			t.Errorf("%q: %q, %v", c.env, got, changed)
		}
		if again, changed := c.in(got); changed || !slices.Equal(again, got) {
			t.Errorf("%q: changed again to %q", got, again)
		}
	}
}

func TestEnvironmentHasWhatThisBinaryNeeds(t *testing.T) {
	env, changed := Environment([]string{"A=1"})
	has := func(list []setting) bool {
		return !slices.ContainsFunc(list, func(s setting) bool { _, absent := s.in(env); return absent })
	}
	if has(preemptionOff) != simd {
		t.Errorf("%q, with SIMD: %v", env, simd)
	}
	if linux := runtime.GOOS == "linux"; has(keptMemory) != (xlaMissing == "" && linux) {
		t.Errorf("%q, without XLA: %q, on Linux: %v", env, xlaMissing, linux)
	}
	if again, twice := Environment(env); twice || changed == slices.Equal(env, []string{"A=1"}) || !slices.Equal(again, env) {
		t.Errorf("%q (%v), then %q (%v)", env, changed, again, twice)
	}
}
