package backend

import (
	"runtime"
	"slices"
	"testing"
)

func TestSettingsAreAddedOnce(t *testing.T) {
	for _, c := range []struct {
		setting
		env, want []string
		changed   bool
	}{
		{preemptionOff, []string{"A=1"}, []string{"A=1", "GODEBUG=asyncpreemptoff=1"}, true},
		{preemptionOff, []string{"GODEBUG=", "A=1"}, []string{"A=1", "GODEBUG=asyncpreemptoff=1"}, true},
		{preemptionOff, []string{"GODEBUG=gctrace=1"}, []string{"GODEBUG=gctrace=1,asyncpreemptoff=1"}, true},
		{preemptionOff, []string{"GODEBUG=asyncpreemptoff=0", "A=1"}, []string{"GODEBUG=asyncpreemptoff=0", "A=1"}, false},
		{hugePages, nil, []string{"GLIBC_TUNABLES=glibc.malloc.hugetlb=1"}, true},
		{hugePages, []string{"GLIBC_TUNABLES=glibc.malloc.check=1"}, []string{"GLIBC_TUNABLES=glibc.malloc.check=1:glibc.malloc.hugetlb=1"}, true},
		{hugePages, []string{"GLIBC_TUNABLES=glibc.malloc.hugetlb=0"}, []string{"GLIBC_TUNABLES=glibc.malloc.hugetlb=0"}, false},
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
	for s, useful := range map[setting]bool{preemptionOff: simd, hugePages: xlaMissing == "" && runtime.GOOS == "linux"} {
		if _, absent := s.in(env); absent == useful {
			t.Errorf("%q: setting %s absent: %v, useful: %v", env, s.name, absent, useful)
		}
	}
	if again, twice := Environment(env); twice || changed == slices.Equal(env, []string{"A=1"}) || !slices.Equal(again, env) {
		t.Errorf("%q (%v), then %q (%v)", env, changed, again, twice)
	}
}
