//go:build !unix

package kernels

import "os/exec"

// GoNB does not run here, and so no Lab is started.

type process struct{ pid int }

func ownGroup(*exec.Cmd)            {}
func descendants(pid int) []process { return []process{{pid}} }
func living([]process) []process    { return nil }
func terminate([]process)           {}
func kill([]process)                {}
