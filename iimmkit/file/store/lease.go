package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// ErrLost is the cause of a lease's context when another process took the lease
// over, having seen no sign of life of this one for the time of Expiry.
var ErrLost = errors.New("the lease was taken over by another process")

// Beat is how often a process shows in a folder of leases that it lives, Expiry
// how long another one must see no such sign before it takes leases over.
const (
	Beat   = 15 * time.Second
	Expiry = 2 * time.Minute
)

// Leases share work among processes, on one machine or on several that see one
// folder: of all processes that ask for a name, one at a time has it.
//
// A process is dead when its file is gone, when it is of this machine and its
// file is not locked, or when its file did not change for the time of Expiry by
// the clock of who looks, so that machines need not agree on the time. Leases of
// the dead are taken over; a process that was only asleep finds its leases lost.
//
// The folder holds PROCESS.process, which its process locks and changes at every
// beat, and one file a claim. The first claim of a name is the file NAME, and
// who takes over from claim C makes NAME.C: each file is made by one process
// only, and none can be taken for another, however long ago it was looked at.
type Leases struct {
	dir          string
	machine      string
	process      string
	beat, expiry time.Duration
	file         *os.File // of this process
	lock         *flock.Flock
	stop         chan struct{}
	stopped      sync.WaitGroup

	mu     sync.Mutex
	claims int
	held   map[*Lease]bool
	seen   map[string]sight // what others' files said when they were last seen to change
}

// Lease is a name that this process has.
type Lease struct {
	leases *Leases
	name   string
	claim  string
	files  []string // of all claims of the name, this one's last
	cancel context.CancelCauseFunc
	ctx    context.Context
}

// OpenLeases begins to share the leases of a folder, which is created when absent.
func OpenLeases(dir string) (*Leases, error) {
	return openLeases(dir, machine(), Beat, Expiry)
}

func openLeases(dir, machine string, beat, expiry time.Duration) (*Leases, error) {
	var id [8]byte
	rand.Read(id[:])
	host, _ := os.Hostname()
	l := &Leases{
		dir: dir, machine: machine, process: hex.EncodeToString(id[:]), beat: beat, expiry: expiry,
		stop: make(chan struct{}), held: map[*Lease]bool{}, seen: map[string]sight{},
	}
	f, err := Create(l.path(l.process + processEnding))
	if err != nil {
		return nil, fmt.Errorf("leases: %w", err)
	}
	defer f.Close()
	if machine != "" {
		// The lock is the file's, whatever its name: nobody sees it unlocked.
		l.lock = flock.New(f.Name())
		if ok, err := l.lock.TryLock(); !ok || err != nil { // a file system without locks
			l.lock.Close()
			l.lock, l.machine = nil, ""
		}
	}
	about, err := json.Marshal(Process{l.process, l.machine, host, os.Getpid(), time.Now().UTC()})
	if err == nil {
		_, err = fmt.Fprintf(f, "%s\n%016d\n", about, 0)
	}
	if err != nil {
		l.unlock()
		return nil, fmt.Errorf("leases: %w", err)
	}
	if err := f.Commit(); err != nil {
		l.unlock()
		return nil, fmt.Errorf("leases: %w", err)
	}
	if l.file, err = os.OpenFile(l.path(l.process+processEnding), os.O_WRONLY, 0); err != nil {
		l.unlock()
		return nil, fmt.Errorf("leases: %w", err)
	}
	l.sweep()
	l.stopped.Add(1)
	go l.live(int64(len(about)) + 1)
	return l, nil
}

func (l *Leases) path(name string) string { return filepath.Join(l.dir, name) }

func (l *Leases) unlock() {
	if l.lock != nil {
		l.lock.Unlock()
	}
}

func (l *Leases) holding() []*Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []*Lease
	for lease := range l.held {
		list = append(list, lease)
	}
	return list
}

// Claim takes the lease of a name, of letters, digits and hyphens, without
// waiting. The error wraps ErrLocked when another process, or this one, has it.
// The lease's context is ended with the lease.
func (l *Leases) Claim(ctx context.Context, name string) (*Lease, error) {
	files, alive, err := l.follow(name)
	if err != nil {
		return nil, err
	}
	if alive {
		return nil, fmt.Errorf("lease of %s: %w", name, ErrLocked)
	}
	return l.take(ctx, name, files)
}

// take makes the next claim of a name, given the files of those before and its own.
func (l *Leases) take(ctx context.Context, name string, files []string) (*Lease, error) {
	l.mu.Lock()
	l.claims++
	claim := fmt.Sprintf("%s-%d", l.process, l.claims)
	l.mu.Unlock()
	next := files[len(files)-1]
	if err := l.create(next, claim); errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("lease of %s: %w", name, ErrLocked)
	} else if err != nil {
		return nil, fmt.Errorf("lease of %s: %w", name, err)
	}
	// While this process looked away, the claims may all have been removed and
	// begun anew: then this file follows nobody's.
	again, _, err := l.follow(name)
	if err != nil || len(again) != len(files)+1 || again[len(files)-1] != next || again[len(files)] != successor(name, next, claim) {
		os.Remove(l.path(next))
		if err == nil {
			err = fmt.Errorf("lease of %s: %w", name, ErrLocked)
		}
		return nil, err
	}
	lease := &Lease{leases: l, name: name, claim: claim, files: files}
	lease.ctx, lease.cancel = context.WithCancelCause(ctx)
	l.mu.Lock()
	l.held[lease] = true
	l.mu.Unlock()
	return lease, nil
}

// create makes the file of a claim, which must not exist.
func (l *Leases) create(file, claim string) error {
	f, err := os.OpenFile(l.path(file), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(claim)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// Taken tells whether a process that lives has the lease of a name.
func (l *Leases) Taken(name string) (bool, error) {
	_, alive, err := l.follow(name)
	return alive, err
}

// follow returns the names of the files of all claims of a name and last that of
// the next claim, and whether the holder of the last claim lives.
func (l *Leases) follow(name string) (files []string, alive bool, err error) {
	file, claim := name, ""
	for {
		files = append(files, file)
		data, err := os.ReadFile(l.path(file))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, false, fmt.Errorf("lease of %s: %w", name, err)
		}
		claim = string(data)
		file = successor(name, file, claim)
	}
	if len(files) == 1 {
		return files, false, nil
	}
	last := files[len(files)-2]
	process, _, ok := strings.Cut(claim, "-")
	if !ok {
		// Its maker is just writing it, or died before: only time tells.
		alive = l.changing(last, claim)
		return files, alive, nil
	}
	alive, err = l.alive(process)
	return files, alive, err
}

// successor is the file of the claim that takes over from a claim in file.
func successor(name, file, claim string) string {
	if !strings.Contains(claim, "-") {
		return file + ".x" // a claim of which nothing is known but its file
	}
	return name + "." + claim
}

// Context ends when the lease is lost, its cause then being ErrLost, when it is
// given back, and with the context of Claim.
func (l *Lease) Context() context.Context { return l.ctx }

// Check tells whether the lease is still this process's: else the error wraps
// ErrLost, and the lease's context is ended.
func (l *Lease) Check() error {
	if cause := context.Cause(l.ctx); errors.Is(cause, ErrLost) {
		return cause
	}
	_, err := os.Lstat(l.leases.path(successor(l.name, "", l.claim)))
	if errors.Is(err, fs.ErrNotExist) {
		var data []byte
		data, err = os.ReadFile(l.leases.path(l.files[len(l.files)-1]))
		if err == nil && string(data) == l.claim {
			return nil
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("lease of %s: %w", l.name, err)
	}
	err = fmt.Errorf("lease of %s: %w", l.name, ErrLost)
	l.cancel(err)
	return err
}

// Finish gives back the lease of a name that nobody need ask for again. Who
// takes the lease in the very moment finds the work done: look after Claim.
func (l *Lease) Finish() {
	if l.give() && l.Check() == nil {
		for _, file := range l.files {
			os.Remove(l.leases.path(file)) // what stays is small and hinders nobody
		}
	}
	l.cancel(context.Canceled)
}

// Release gives the lease back to whoever asks next.
func (l *Lease) Release() {
	if l.give() {
		// A claim that takes over from this one, by a process that never was.
		l.leases.create(successor(l.name, "", l.claim), "none-"+l.claim)
	}
	l.cancel(context.Canceled)
}

func (l *Lease) give() bool {
	l.leases.mu.Lock()
	defer l.leases.mu.Unlock()
	held := l.leases.held[l]
	delete(l.leases.held, l)
	return held
}

// Close ends the sharing: leases that are still held are free for others.
func (l *Leases) Close() error {
	close(l.stop)
	l.stopped.Wait()
	for _, lease := range l.holding() {
		lease.give()
		lease.cancel(context.Canceled)
	}
	err := os.Remove(l.path(l.process + processEnding))
	if cerr := l.file.Close(); err == nil {
		err = cerr
	}
	l.unlock()
	return err
}
