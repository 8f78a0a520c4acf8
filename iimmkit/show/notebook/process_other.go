//go:build !unix

package notebook

import (
	"os"
	"os/exec"
)

func ownGroup(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		cmd.Process.Kill()
	}
}

func interruptProcess(cmd *exec.Cmd) error { return cmd.Process.Signal(os.Interrupt) }
