package backend

import (
	"runtime"
	"strings"
)

// setting is one of several that a variable of the environment holds.
type setting struct{ variable, separator, name, value string }

var (
	// preemptionOff keeps the Go backend's speed.
	//
	// Go 1.26 built with GOEXPERIMENT=simd saves and restores the whole vector
	// registers of a goroutine that it preempts asynchronously, and leaves their
	// upper halves marked as used. Until something clears them, scalar SSE code such
	// as math.Exp is a hundred times slower on some processors (1.5 µs instead of
	// 10 ns a call on an Emerald Rapids Xeon), which made a ViT-B/32 on the Go
	// backend six times slower.
	preemptionOff = setting{"GODEBUG", ",", "asyncpreemptoff", "1"}

	// hugePages keeps the speed of XLA on the CPU: results of every call, in tuning
	// the weights and the optimiser's state, go to fresh memory there, 1.8 GB a step
	// of a ViT-B/32. glibc 2.35 and later then asks for it in pages of 2 MB, of which
	// the kernel has to make 512 times fewer.
	hugePages = setting{"GLIBC_TUNABLES", ":", "glibc.malloc.hugetlb", "1"}
)

// Environment returns the environment of a process in which the backends that
// this binary has keep their speed, and whether that differs from env. What env
// says of a setting stays as it is. The Go runtime and glibc read their settings
// at the start of a process only.
func Environment(env []string) ([]string, bool) {
	changed := false
	for _, s := range []struct {
		setting
		useful bool
	}{
		{preemptionOff, simd},
		{hugePages, xlaMissing == "" && runtime.GOOS == "linux"},
	} {
		if s.useful {
			var added bool
			env, added = s.in(env)
			changed = changed || added
		}
	}
	return env, changed
}

// in adds the setting to an environment that does not have it.
func (s setting) in(env []string) ([]string, bool) {
	out := make([]string, 0, len(env)+1)
	all := s.name + "=" + s.value
	for _, v := range env {
		value, ok := strings.CutPrefix(v, s.variable+"=")
		switch {
		case !ok:
			out = append(out, v)
		case strings.Contains(value, s.name):
			return env, false // as the user wants it
		case value != "":
			all = value + s.separator + all
		}
	}
	return append(out, s.variable+"="+all), true
}
