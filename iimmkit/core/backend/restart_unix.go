//go:build unix

package backend

import (
	"os"
	"syscall"
)

// Restart replaces the process by itself in its Environment when it is not in
// it: for the first line of main. Where that is not possible, the process goes on.
func Restart() {
	env, changed := Environment(os.Environ())
	if !changed {
		return
	}
	if program, err := os.Executable(); err == nil {
		_ = syscall.Exec(program, os.Args, env)
	}
}
