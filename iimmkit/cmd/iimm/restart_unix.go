//go:build unix

package main

import (
	"os"
	"syscall"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
)

// restart replaces this process by itself in the environment in which backends
// keep their speed, when it is not in it. Where that is not possible, the process
// goes on.
func restart() {
	env, changed := backend.Environment(os.Environ())
	if !changed {
		return
	}
	if program, err := os.Executable(); err == nil {
		_ = syscall.Exec(program, os.Args, env)
	}
}
