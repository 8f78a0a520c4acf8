//go:build !linux && !darwin

package experiment

// watchMemory returns a function that says that the peak memory is not known.
func watchMemory() func() int64 { return func() int64 { return 0 } }
