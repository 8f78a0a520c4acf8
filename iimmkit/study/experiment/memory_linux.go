package experiment

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
)

// watchMemory returns a function that gives the peak, in bytes, of the memory
// that the process has held in RAM since.
func watchMemory() func() int64 {
	// 5 resets the peak, see proc_pid_clear_refs(5). Where that is not allowed
	// the peak is that since the process began.
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	return func() int64 {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			return 0
		}
		for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
			var kB int64
			if n, _ := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &kB); n == 1 {
				return kB << 10
			}
		}
		return 0
	}
}
