package experiment

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestHelperProcess is not a test: it is what TestKilledProcess… kills.
func TestHelperProcess(t *testing.T) {
	dir := os.Getenv("IIMM_TEST_EXPERIMENT")
	if dir == "" {
		return // in a normal run of the tests there is nothing to do
	}
	do := func(note string) { fmt.Println(note) }
	DoOn(t.Context(), tinyEncoder(t), tinyTasks(), tinySpec(), dir, watcher(do))
}

// A process killed without warning, again and again, loses no finished run,
// leaves nothing half written and no lock behind.
func TestKilledProcessLosesNoFinishedRun(t *testing.T) {
	e, tasks, spec := tinyEncoder(t), tinyTasks(), tinySpec()
	want := do(t, e, tasks, spec, t.TempDir())
	dir := t.TempDir()
	finished := 0
	for _, at := range []string{"colour full seed 1: step 4", "side full seed 0: step 8", "side full seed 1: step 1", "stripes probe seed 0"} {
		c := exec.Command(os.Args[0], "-test.run=^TestHelperProcess$")
		c.Env = append(os.Environ(), "IIMM_TEST_EXPERIMENT="+dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		watchdog := time.AfterFunc(time.Minute, func() { c.Process.Kill() })
		seen := false
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), at) {
				seen = true
				c.Process.Kill()
				break
			}
		}
		c.Wait()
		watchdog.Stop()
		if !seen {
			t.Fatalf("the process never came to %q", at)
		}
		runs, err := ReadLedger(dir)
		if err != nil {
			t.Fatalf("killed at %s: %v", at, err)
		}
		if len(runs) < finished {
			t.Fatalf("killed at %s: %d runs, there were %d", at, len(runs), finished)
		}
		finished = len(runs)
	}
	if finished < 10 {
		t.Errorf("%d runs were finished before the last kill, at least 10 were seen", finished)
	}
	sum := do(t, e, tasks, spec, dir)
	if sum.Reused != finished || !reflect.DeepEqual(untimed(sum.Runs), untimed(want.Runs)) {
		t.Errorf("%d of %d runs reused, or other numbers than without kills", sum.Reused, finished)
	}
	if ledger, err := ReadLedger(filepath.Join(dir, LedgerFile)); err != nil || len(ledger) != 12 {
		t.Errorf("%d lines, %v", len(ledger), err)
	}
}
