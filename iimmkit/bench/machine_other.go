//go:build !linux

package bench

import (
	"os"
	"runtime"
)

func machine() string { return runtime.GOOS + "/" + runtime.GOARCH }

func load() *float64 { return nil }

func freeMemory() (bytes int64, known bool) { return 0, false }

// evict says that a file cannot be dropped from memory here.
func evict(string) bool { return false }

func forgetPeak() {}

func peak(*os.ProcessState) *int64 { return nil }
