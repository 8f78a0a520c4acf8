//go:build unix

package kernels

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// process is a process by its number and the time at which it began, which tell
// it from a later one of the same number.
type process struct {
	pid   int
	began string
}

// ownGroup keeps Ctrl-C in our terminal from JupyterLab, which would ask whether
// it is meant.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// descendants returns a process and all that it and they started, itself first.
func descendants(pid int) []process {
	all := processes()
	children := map[int][]int{}
	for p, about := range all {
		children[about.parent] = append(children[about.parent], p)
	}
	found := []process{{pid, all[pid].began}}
	for i := 0; i < len(found); i++ {
		for _, c := range children[found[i].pid] {
			found = append(found, process{c, all[c].began})
		}
	}
	return found
}

type processInfo struct {
	parent int
	began  string
}

// living returns those of the processes that run.
func living(all []process) []process {
	now := processes()
	return slices.DeleteFunc(slices.Clone(all), func(p process) bool { return now[p.pid].began != p.began || p.began == "" })
}

func terminate(all []process) { signalAll(all, syscall.SIGTERM) }
func kill(all []process)      { signalAll(all, syscall.SIGKILL) }

func signalAll(all []process, s syscall.Signal) {
	for _, p := range living(all) {
		syscall.Kill(p.pid, s)
	}
}

// parseProcesses reads what ps -o pid=,ppid=,state=,lstart= prints. A process that
// has ended and waits for its parent to notice is none.
func parseProcesses(text string) map[int]processInfo {
	all := map[int]processInfo{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 4 || strings.HasPrefix(f[2], "Z") {
			continue
		}
		pid, err := strconv.Atoi(f[0])
		parent, err2 := strconv.Atoi(f[1])
		if err == nil && err2 == nil {
			all[pid] = processInfo{parent, strings.Join(f[3:], " ")}
		}
	}
	return all
}
