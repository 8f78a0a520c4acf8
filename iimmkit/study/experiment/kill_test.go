package experiment

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// fortyRuns are those of forty: 40, but for the race detector, which is slow.
var fortyRuns = 8 * len(fortySeeds())

func fortySeeds() []int {
	if raceDetector {
		return []int{0, 1}
	}
	return []int{0, 1, 2, 3, 4}
}

// forty is an experiment of 40 short runs: two models x two tasks x two learning
// rates x five seeds.
func forty(t testing.TB) (given, []Spec) {
	t.Helper()
	tasks := tinyTasks()[:2]
	one, other := tinyEncoder(t), tinyOf(t, "siglip")
	other.Name = "tiny-siglip"
	design := Design{
		Models: []string{one.Name, other.Name}, Methods: []string{"full"}, Tasks: []string{"colour", "side"}, Seeds: fortySeeds(),
		Grid: map[string]Values{"learning_rate": {3e-3, 1e-2}, "steps": {4}, "batch": {8}},
	}
	specs, err := design.Specs()
	if err != nil {
		t.Fatal(err)
	}
	return given{one.Name: opened{one, tasks}, other.Name: opened{other, tasks}}, specs
}

// TestHelperProcess is not a test: it is what the tests below start and kill.
func TestHelperProcess(t *testing.T) {
	dir := os.Getenv("IIMM_TEST_EXPERIMENT")
	if dir == "" {
		return // in a normal run of the tests there is nothing to do
	}
	from, specs := forty(t)
	sum, err := doSpecs(t.Context(), specs, from, dir, watcher(func(note string) { fmt.Println(note) }))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("all done:", len(sum.Runs)-sum.Reused-sum.ByOthers)
}

// child is a process that works on an experiment.
type child struct {
	*exec.Cmd
	notes chan string // what it tells, until it ends
}

func start(t *testing.T, dir string) child {
	t.Helper()
	c := child{exec.Command(os.Args[0], "-test.run=^TestHelperProcess$"), make(chan string, 1000)}
	c.Env = append(os.Environ(), "IIMM_TEST_EXPERIMENT="+dir)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(3*time.Minute, func() { c.Process.Kill() })
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.notes <- lines.Text()
		}
		watchdog.Stop()
		close(c.notes)
	}()
	return c
}

// A process killed without warning at random moments, from its first to its
// last, loses no finished run, leaves nothing half written and no lease behind.
func TestKilledProcessLosesNoFinishedRun(t *testing.T) {
	from, specs := forty(t)
	calm, err := doSpecs(t.Context(), specs, from, t.TempDir(), watcher(func(string) {}))
	if err != nil || len(calm.Runs) != fortyRuns || calm.Failed != 0 {
		t.Fatalf("%d runs, %d failed, %v", len(calm.Runs), calm.Failed, err)
	}
	seconds := 0.
	for _, r := range calm.Runs {
		seconds += r.Seconds
	}
	aRun := time.Duration(seconds / float64(fortyRuns) * float64(time.Second))
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d; a run takes %v", seed, aRun)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	kills, finished, tuning := 30, 0, 0
	if raceDetector {
		kills = 5
	}
	startup := 300 * time.Millisecond
	for k := range kills {
		began := time.Now()
		c := start(t, dir)
		moment := time.After(time.Duration(rng.Float64() * float64(startup)))
		ready := k%3 == 0 // killed as it starts; else while it tunes
		for killed := false; !killed; {
			select {
			case note, ok := <-c.notes:
				if !ok {
					t.Fatalf("kill %d: the process ended by itself", k)
				}
				if strings.Contains(note, ": step ") && !ready {
					ready, startup, tuning = true, time.Since(began), tuning+1
					moment = time.After(time.Duration(rng.Float64() * 2.5 * float64(aRun)))
				}
			case <-moment:
				if ready {
					c.Process.Kill()
					killed = true
				}
				moment = nil
			}
		}
		for range c.notes {
		}
		c.Wait()
		book, err := openLedger(dir)
		if err != nil || len(book.damaged) > 0 {
			t.Fatalf("kill %d: %v, damaged: %v", k, err, book.damaged)
		}
		if len(book.runs) < finished {
			t.Fatalf("kill %d: %d runs, there were %d", k, len(book.runs), finished)
		}
		finished = len(book.runs)
	}
	t.Logf("%d runs were finished after %d kills, %d of them while tuning", finished, kills, tuning)
	if finished >= fortyRuns || tuning < kills/2 {
		t.Errorf("%d runs finished, %d kills while tuning: the kills did not hit the experiment", finished, tuning)
	}
	began := time.Now()
	sum, err := doSpecs(t.Context(), specs, from, dir, watcher(func(string) {}))
	if err != nil || sum.Reused != finished || !reflect.DeepEqual(untimed(sum.Runs), untimed(calm.Runs)) {
		t.Errorf("%v: %d of %d runs reused, or other numbers than without kills", err, sum.Reused, finished)
	}
	if waited := time.Since(began).Seconds(); waited > seconds+60 {
		t.Errorf("took %.0f s: it waited for the leases of dead processes", waited)
	}
	if ledger, err := ReadLedger(filepath.Join(dir, LedgerFile)); err != nil || !reflect.DeepEqual(untimed(ledger), untimed(calm.Runs)) {
		t.Errorf("%d lines, %v", len(ledger), err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, leasesFolder, "*.process")); err != nil || len(left) != 0 {
		t.Errorf("files of dead processes stay: %d, %v", len(left), err)
	}
}

// Three processes divide an experiment; one is killed, one more comes.
func TestProcessesDivideAnExperiment(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	var group sync.WaitGroup
	begun, ended, done := map[int]int{}, 0, 0 // by process, processes, runs
	tuning := make(chan bool, 100)
	follow := func(c child) {
		group.Add(1)
		go func() {
			defer group.Done()
			for note := range c.notes {
				mu.Lock()
				if strings.Contains(note, ": step 1/") {
					begun[c.Process.Pid]++
					tuning <- true
				}
				own := 0
				if n, _ := fmt.Sscanf(note, "all done: %d", &own); n == 1 {
					ended, done = ended+1, done+own
				}
				mu.Unlock()
			}
			c.Wait()
		}()
	}
	victim := start(t, dir)
	follow(victim)
	<-tuning
	for range 2 {
		follow(start(t, dir))
	}
	for range 4 {
		<-tuning
	}
	victim.Process.Kill()
	follow(start(t, dir))
	group.Wait()
	if ended != 3 {
		t.Errorf("%d processes came to the end, want 3", ended)
	}
	// Each run is done once, but for the one that the killed process was doing.
	total := 0
	for _, n := range begun {
		total += n
	}
	if killed := begun[victim.Process.Pid]; total < fortyRuns || total > fortyRuns+1 || done > fortyRuns || done < fortyRuns-killed {
		t.Errorf("%d runs were begun, %d of them by the process that was killed; %d done by the others", total, killed, done)
	}
	from, specs := forty(t)
	sum, err := doSpecs(t.Context(), specs, from, dir, watcher(func(string) {}))
	if err != nil || sum.Reused != fortyRuns {
		t.Fatalf("%d of %d runs reused, %v", sum.Reused, fortyRuns, err)
	}
	alone, err := doSpecs(t.Context(), specs, from, t.TempDir(), watcher(func(string) {}))
	if err != nil || !reflect.DeepEqual(untimed(sum.Runs), untimed(alone.Runs)) {
		t.Errorf("other numbers than of one process: %v", err)
	}
	if ledger, err := ReadLedger(filepath.Join(dir, LedgerFile)); err != nil || len(ledger) != fortyRuns {
		t.Errorf("%d lines, %v", len(ledger), err)
	}
}
