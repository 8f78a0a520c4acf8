package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Process is a process that shares a folder of leases.
type Process struct {
	ID      string    `json:"id"`
	Machine string    `json:"machine,omitempty"` // "" where machines cannot be told apart
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
}

const processEnding = ".process"

// sight is what a file said when it was last seen to change.
type sight struct {
	text string
	at   time.Time
}

// live shows signs of life and looks whether leases were lost.
func (l *Leases) live(at int64) {
	defer l.stopped.Done()
	tick := time.NewTicker(l.beat)
	defer tick.Stop()
	last := time.Now()
	for beats := 1; ; beats++ {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		_, err := fmt.Fprintf(offset{l.file, at}, "%016d\n", beats)
		if err == nil {
			err = l.file.Sync() // other machines see what is written back only
		}
		if err == nil {
			last = time.Now()
		}
		unseen := time.Since(last) > l.expiry/2
		for _, lease := range l.holding() {
			if unseen {
				lease.cancel(fmt.Errorf("%w: no sign of life could be left in %s: %v", ErrLost, l.dir, err))
			}
			lease.Check() // ends the lease's context when it is lost
		}
	}
}

type offset struct {
	f  *os.File
	at int64
}

func (o offset) Write(p []byte) (int, error) { return o.f.WriteAt(p, o.at) }

// alive tells whether a process lives, as far as can be known.
func (l *Leases) alive(process string) (bool, error) {
	if process == l.process {
		return true, nil
	}
	path := l.path(process + processEnding)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("leases: %w", err)
	}
	if known, locked := lockTells(path, data, l.machine); known {
		if !locked {
			os.Remove(path) // it never comes back
		}
		return locked, nil
	}
	return l.changing(process, string(data)), nil
}

// sweep removes the files of this machine's processes that are dead.
func (l *Leases) sweep() {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return // what stays is small and hinders nobody
	}
	for _, e := range entries {
		process, ok := strings.CutSuffix(e.Name(), processEnding)
		if !ok || strings.HasPrefix(process, ".") || process == l.process {
			continue
		}
		if data, err := os.ReadFile(l.path(e.Name())); err == nil {
			if known, locked := lockTells(l.path(e.Name()), data, l.machine); known && !locked {
				os.Remove(l.path(e.Name()))
			}
		}
	}
}

// lockTells tells whether the file of a process is locked, when it is of this
// machine: then the lock ended with the process.
func lockTells(path string, data []byte, machine string) (known, locked bool) {
	var p Process
	line, _, _ := strings.Cut(string(data), "\n")
	if json.Unmarshal([]byte(line), &p) != nil || p.Machine == "" || p.Machine != machine {
		return false, false
	}
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	defer lock.Close()
	ok, err := lock.TryRLock()
	return err == nil, !ok
}

// changing tells whether what is read under a name became another text within
// the time of Expiry, or was not looked at before.
func (l *Leases) changing(name, text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.seen[name]
	if !ok || s.text != text {
		l.seen[name] = sight{text, time.Now()}
		return true
	}
	return time.Since(s.at) < l.expiry
}

// LiveProcesses returns the processes that share a folder now. Of another
// machine's it counts those whose files changed within Expiry by the clock of
// the folder's machine, which is taken to agree with this one's.
func LiveProcesses(dir string) ([]Process, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("leases: %w", err)
	}
	var live []Process
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), processEnding) || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		var p Process
		line, _, _ := strings.Cut(string(data), "\n")
		if json.Unmarshal([]byte(line), &p) != nil {
			continue
		}
		known, alive := lockTells(path, data, machine())
		if info, err := e.Info(); !known && err == nil {
			alive = time.Since(info.ModTime()) < Expiry
		}
		if alive {
			live = append(live, p)
		}
	}
	return live, nil
}
