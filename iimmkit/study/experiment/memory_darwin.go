package experiment

import "golang.org/x/sys/unix"

// watchMemory returns a function that gives the peak, in bytes, of the memory
// that the process has held in RAM since it began.
func watchMemory() func() int64 {
	return func() int64 {
		var usage unix.Rusage
		if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
			return 0
		}
		return usage.Maxrss // bytes here, unlike elsewhere
	}
}
