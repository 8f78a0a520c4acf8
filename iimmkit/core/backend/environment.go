package backend

import (
	"runtime"
	"strconv"
	"strings"
)

// tunables is the variable that glibc reads its settings from.
const tunables = "GLIBC_TUNABLES"

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
	preemptionOff = []setting{{"GODEBUG", ",", "asyncpreemptoff", "1"}}

	// keptMemory keeps the speed of XLA on the CPU. The results of every call, in
	// tuning all weights and the optimiser's state, are allocated anew there and the
	// old ones freed, 1.8 GB each a step of a ViT-B/32. glibc gives such memory back to
	// the kernel, which fills it with zeros page after page when it is asked for again;
	// by these settings more of it is kept, and asked for in pages of 2 MB (by glibc
	// 2.35 and later; others pass over what they do not know). The fewer arenas, the
	// less is given back; with one alone, threads wait for each other.
	keptMemory = []setting{
		{tunables, ":", "glibc.malloc.hugetlb", "1"},
		{tunables, ":", "glibc.malloc.mmap_max", "0"},
		{tunables, ":", "glibc.malloc.trim_threshold", "1099511627776"},
		{tunables, ":", "glibc.malloc.arena_max", strconv.Itoa(2 * runtime.NumCPU())},
	}
)

// Environment returns the environment of a process in which the backends that
// this binary has keep their speed, and whether that differs from env. What env
// says of a setting stays as it is. The Go runtime and glibc read their settings
// at the start of a process only.
func Environment(env []string) ([]string, bool) {
	var settings []setting
	if simd {
		settings = append(settings, preemptionOff...)
	}
	if xlaMissing == "" && runtime.GOOS == "linux" {
		settings = append(settings, keptMemory...)
	}
	changed := false
	for _, s := range settings {
		var added bool
		env, added = s.in(env)
		changed = changed || added
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
