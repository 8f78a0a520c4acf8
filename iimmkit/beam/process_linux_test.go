package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// beBoot, when set to the path of Beam's boot, makes this test binary run it: what a
// task manager starts as the process of its worker.
const beBoot = "IIMM_BEAM_TEST_BOOT"

func init() {
	if path := os.Getenv(beBoot); path != "" {
		os.Unsetenv(beBoot)
		fmt.Fprintln(os.Stderr, runBoot(path, os.Args[1:]))
		os.Exit(1)
	}
}

// runBoot runs boot as long as its runner is there, with its files in the working
// directory. By itself boot stays for minutes when its runner has died, since it wants
// to tell it. However this process ends, boot does too.
func runBoot(path string, args []string) error {
	runtime.LockOSThread()
	for _, a := range args {
		if address, is := strings.CutPrefix(a, "--provision_endpoint="); is {
			go func() {
				runnerGone(address, time.Second)
				os.Exit(1)
			}()
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	c := exec.Command(path, append([]string{"--semi_persist_dir=" + dir}, args...)...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c.Run()
}

// process is a program that serves while a test runs. It ends with the test, also
// when the test is killed.
type process struct {
	pid  int
	log  string
	done chan struct{}
}

// start runs a program in dir, with what it prints in dir/NAME.log.
func start(t *testing.T, dir, name string, env []string, command string, args ...string) *process {
	t.Helper()
	p := &process{log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan error)
	go func() {
		defer close(p.done)
		defer log.Close()
		// The kernel ends the program when the thread that started it ends: it must
		// last as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		c := exec.Command(command, args...)
		c.Dir, c.Env, c.Stdout, c.Stderr = dir, append(os.Environ(), env...), log, log
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		if err := c.Start(); err != nil {
			started <- err
			return
		}
		p.pid = c.Process.Pid
		started <- nil
		c.Wait()
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			b, _ := os.ReadFile(p.log)
			lines := strings.Split(string(b), "\n")
			t.Logf("%s:\n%s", name, strings.Join(lines[max(0, len(lines)-12):], "\n"))
		}
	})
	return p
}

// stop ends the program and those of its group.
func (p *process) stop() {
	select {
	case <-p.done:
		return
	default:
	}
	syscall.Kill(-p.pid, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		syscall.Kill(-p.pid, syscall.SIGKILL)
		<-p.done
	}
}

// says waits for a line in the log and returns what the pattern's group holds.
func (p *process) says(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	eventually(t, pattern, patience, func() bool {
		select {
		case <-p.done:
			t.Fatalf("it ended before it said %s", pattern)
		default:
		}
		b, _ := os.ReadFile(p.log)
		found = re.FindStringSubmatch(string(b))
		return found != nil
	})
	return found[1]
}

// patience is for machines that are busy with something else.
const patience = 3 * time.Minute

// eventually waits for a condition.
func eventually(t *testing.T, what string, patience time.Duration, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}

// parent returns the process that started another, 0 where there is none.
func parent(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// PID (NAME) STATE PARENT; the name may hold anything.
	var state string
	var up int
	fmt.Sscan(string(b[bytes.LastIndexByte(b, ')')+1:]), &state, &up)
	return up
}

// marked lists the processes that have a variable in their environment.
func marked(variable string) (pids []int) {
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environments {
		b, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(append([]byte{0}, b...), []byte("\x00"+variable+"\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			pids = append(pids, pid)
		}
	}
	return pids
}
