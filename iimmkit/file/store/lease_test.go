package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// leases opens a folder of leases as a process of a machine would.
func leases(t *testing.T, dir, machine string, expiry time.Duration) *Leases {
	t.Helper()
	l, err := openLeases(dir, machine, expiry/10, expiry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if l.file != nil {
			l.Close()
		}
	})
	return l
}

// kill ends a process's signs of life as its sudden end would.
func kill(l *Leases) {
	close(l.stop)
	l.stopped.Wait()
	l.file.Close()
	l.file = nil
	l.unlock()
}

func claim(t *testing.T, l *Leases, name string) *Lease {
	t.Helper()
	lease, err := l.Claim(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func refused(t *testing.T, l *Leases, name string) {
	t.Helper()
	if _, err := l.Claim(t.Context(), name); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), name) {
		t.Fatalf("claim of %s gave %v", name, err)
	}
	if taken, err := l.Taken(name); !taken || err != nil {
		t.Fatalf("%s is taken: %v, %v", name, taken, err)
	}
}

func TestLeaseIsHeldByOneProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "leases")
	a, b := leases(t, dir, "here", time.Minute), leases(t, dir, "here", time.Minute)
	first := claim(t, a, "x")
	refused(t, b, "x")
	refused(t, a, "x")
	claim(t, b, "y").Finish()
	first.Release()
	if first.Context().Err() == nil {
		t.Error("a lease given back still has its context")
	}
	first.Release() // gives back nothing twice
	second := claim(t, b, "x")
	refused(t, a, "x")
	if err := second.Check(); err != nil {
		t.Error(err)
	}
	second.Finish()
	claim(t, a, "x").Finish()
	// A process that ends gives back what it holds.
	claim(t, a, "z")
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	a.file = nil
	claim(t, b, "z").Finish()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	b.file = nil
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestLeasesOfTheDeadAreFree(t *testing.T) {
	t.Run("at once on the same machine", func(t *testing.T) {
		dir := t.TempDir()
		a, b := leases(t, dir, "here", time.Hour), leases(t, dir, "here", time.Hour)
		claim(t, a, "x")
		refused(t, b, "x")
		kill(a)
		claim(t, b, "x").Finish()
		c := leases(t, dir, "here", time.Hour)
		kill(b)
		leases(t, dir, "here", time.Hour)
		if left, _ := filepath.Glob(filepath.Join(dir, "*"+processEnding)); len(left) != 2 {
			t.Errorf("files of dead processes stay: %v, %s lives", left, c.process)
		}
	})
	for _, machines := range [][2]string{{"here", "there"}, {"", ""}} {
		t.Run(fmt.Sprintf("when they are silent %q", machines), func(t *testing.T) {
			// In fake time, so that a machine that stands still for a moment loses no lease.
			synctest.Test(t, func(t *testing.T) {
				dir, expiry := t.TempDir(), 300*time.Millisecond
				a, b := leases(t, dir, machines[0], expiry), leases(t, dir, machines[1], expiry)
				claim(t, a, "x")
				for end := time.Now().Add(3 * expiry); time.Now().Before(end); time.Sleep(expiry / 10) {
					refused(t, b, "x") // a beats
				}
				kill(a)
				refused(t, b, "x")
				time.Sleep(expiry / 2)
				refused(t, b, "x")
				time.Sleep(expiry)
				claim(t, b, "x").Finish()
			})
		})
	}
}

func TestProcessThatSleptFindsItsLeaseLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, expiry := t.TempDir(), 100*time.Millisecond
		a, b := leases(t, dir, "", expiry), leases(t, dir, "", expiry)
		lost := claim(t, a, "x")
		close(a.stop) // asleep: nothing of it moves
		a.stopped.Wait()
		refused(t, b, "x")
		time.Sleep(2 * expiry)
		taken := claim(t, b, "x")
		// Awake again, it is told of by its own beat.
		a.stop = make(chan struct{})
		a.stopped.Add(1)
		info, err := a.file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		go a.live(info.Size() - 17)
		select {
		case <-lost.Context().Done():
		case <-time.After(5 * time.Second):
			t.Fatal("the lease's context did not end")
		}
		if err := context.Cause(lost.Context()); !errors.Is(err, ErrLost) || !errors.Is(lost.Check(), ErrLost) {
			t.Errorf("the lease ended with %v, checked %v", err, lost.Check())
		}
		lost.Finish() // does not harm the new holder
		refused(t, a, "x")
		if err := taken.Check(); err != nil {
			t.Error(err)
		}
	})
}

// A process reads that a claim's holder is dead and takes over only after the
// name was finished and claimed anew.
func TestLateTakeoverIsNoTakeover(t *testing.T) {
	dir := t.TempDir()
	dead, late, other, holder := leases(t, dir, "here", time.Hour), leases(t, dir, "here", time.Hour), leases(t, dir, "here", time.Hour), leases(t, dir, "here", time.Hour)
	claim(t, dead, "x")
	kill(dead)
	files, alive, err := late.follow("x")
	if alive || err != nil {
		t.Fatal(alive, err)
	}
	claim(t, other, "x").Finish()
	held := claim(t, holder, "x")
	if _, err := late.take(t.Context(), "x", files); !errors.Is(err, ErrLocked) {
		t.Errorf("taken over with %v", err)
	}
	if err := held.Check(); err != nil {
		t.Error(err)
	}
	held.Finish()
	if left, _ := filepath.Glob(filepath.Join(dir, "x*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestClaimCutShortExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, expiry := t.TempDir(), 100*time.Millisecond
		a := leases(t, dir, "here", expiry)
		if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		refused(t, a, "x")
		time.Sleep(2 * expiry)
		lease := claim(t, a, "x")
		refused(t, leases(t, dir, "here", expiry), "x")
		lease.Finish()
		if left, _ := filepath.Glob(filepath.Join(dir, "x*")); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// Processes that come, work, stop and die at random never work on one thing
// together, and all is done once.
func TestManyProcessesShareManyNames(t *testing.T) {
	dir := t.TempDir()
	const names = 40
	var working, done [names]atomic.Int32
	var group sync.WaitGroup
	for p := range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			rng := rand.New(rand.NewPCG(1, uint64(p)))
			for finished := 0; finished < names; {
				l, err := openLeases(dir, "here", time.Second, time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				fate := ""
				for finished = 0; finished < names && fate == ""; {
					finished = 0
					for _, n := range rng.Perm(names) {
						if done[n].Load() > 0 {
							finished++
							continue
						}
						lease, err := l.Claim(t.Context(), fmt.Sprint("name", n))
						if errors.Is(err, ErrLocked) {
							continue
						}
						if err != nil {
							t.Error(err)
							return
						}
						if done[n].Load() > 0 {
							lease.Finish()
							continue
						}
						if working[n].Add(1) != 1 {
							t.Errorf("two work on name %d", n)
						}
						time.Sleep(time.Duration(rng.IntN(2000)) * time.Microsecond)
						working[n].Add(-1)
						switch rng.IntN(5) {
						case 0:
							fate = "dies"
						case 1:
							lease.Release()
						case 2:
							fate = "ends"
						default:
							done[n].Add(1)
							lease.Finish()
						}
						if fate != "" {
							break
						}
					}
				}
				if fate == "dies" {
					kill(l)
				} else if err := l.Close(); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	group.Wait()
	for n := range done {
		if k := done[n].Load(); k != 1 {
			t.Errorf("name %d was done %d times", n, k)
		}
	}
}

func TestLiveProcessesAreListed(t *testing.T) {
	dir := t.TempDir()
	if live, err := LiveProcesses(filepath.Join(dir, "none")); err != nil || len(live) != 0 {
		t.Errorf("%v, %v", live, err)
	}
	a, b, far := leases(t, dir, machine(), time.Hour), leases(t, dir, machine(), time.Hour), leases(t, dir, "far", time.Hour)
	ids := func() map[string]bool {
		t.Helper()
		live, err := LiveProcesses(dir)
		if err != nil {
			t.Fatal(err)
		}
		set := map[string]bool{}
		for _, p := range live {
			if p.PID != os.Getpid() || p.Started.IsZero() {
				t.Errorf("%+v", p)
			}
			set[p.ID] = true
		}
		return set
	}
	if got := ids(); !got[a.process] || !got[b.process] || !got[far.process] {
		t.Errorf("live: %v", got)
	}
	if machine() == "" {
		return
	}
	kill(b)
	old := time.Now().Add(-2 * Expiry)
	if err := os.Chtimes(far.path(far.process+processEnding), old, old); err != nil {
		t.Fatal(err)
	}
	if got := ids(); !got[a.process] || len(got) != 1 {
		t.Errorf("live: %v, want %s alone", got, a.process)
	}
}

// What a lease costs beside the work that it is for, milliseconds at least.
func BenchmarkClaim(b *testing.B) {
	l, err := OpenLeases(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for b.Loop() {
		lease, err := l.Claim(b.Context(), "x")
		if err != nil {
			b.Fatal(err)
		}
		if err := lease.Check(); err != nil {
			b.Fatal(err)
		}
		lease.Finish()
	}
}
