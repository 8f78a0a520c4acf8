//go:build unix

package notebook

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps Ctrl-C in our terminal from the kernel, and lets killGroup end
// what the kernel started.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}

// interruptProcess is for kernels whose interrupt_mode is signal.
func interruptProcess(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
