//go:build unix && !linux

package kernels

import "os/exec"

func processes() map[int]processInfo {
	out, _ := exec.Command("ps", "-A", "-o", "pid=,ppid=,state=,lstart=").Output()
	return parseProcesses(string(out))
}
