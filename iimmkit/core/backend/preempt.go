package backend

import "strings"

// preemptionOff is the setting in GODEBUG that turns asynchronous preemption off.
const preemptionOff = "asyncpreemptoff"

// WithoutPreemption returns the environment of a process in which the Go backend
// keeps its speed, and whether that differs from env. SIMD must be compiled in
// (GOEXPERIMENT=simd on amd64), else nothing differs.
//
// Go 1.26 built with that experiment saves and restores the whole vector
// registers of a goroutine that it preempts asynchronously, and leaves their
// upper halves marked as used. Until something clears them, scalar SSE code such
// as math.Exp is a hundred times slower on some processors (1.5 µs instead of
// 10 ns a call on an Emerald Rapids Xeon), which made a ViT-B/32 on the Go
// backend six times slower. Nothing is preempted asynchronously with
// GODEBUG=asyncpreemptoff=1; the runtime reads that at its start only.
func WithoutPreemption(env []string) ([]string, bool) {
	if !simd {
		return env, false
	}
	out := make([]string, 0, len(env)+1)
	setting := preemptionOff + "=1"
	for _, v := range env {
		value, ok := strings.CutPrefix(v, "GODEBUG=")
		switch {
		case !ok:
			out = append(out, v)
		case strings.Contains(value, preemptionOff):
			return env, false // as the user wants it
		case value != "":
			setting = value + "," + setting
		}
	}
	return append(out, "GODEBUG="+setting), true
}
