package main

import (
	"net"
	"os"
	"time"
)

// runnerGone returns when the runner that a worker serves is gone: when the process
// that started it has died, or its control service could not be reached three times
// in a row. Beam's workers would wait for ever for one.
func runnerGone(control string, every time.Duration) {
	parent, failures := os.Getppid(), 0
	for failures < 3 && os.Getppid() == parent {
		time.Sleep(every)
		c, err := net.DialTimeout("tcp", control, 5*time.Second)
		if err != nil {
			failures++
			continue
		}
		c.Close()
		failures = 0
	}
}
