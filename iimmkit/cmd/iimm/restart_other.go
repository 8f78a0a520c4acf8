//go:build !unix

package main

// restart does nothing where a process cannot be replaced.
func restart() {}
