//go:build !unix

package backend

// Restart does nothing where a process cannot be replaced.
func Restart() {}
