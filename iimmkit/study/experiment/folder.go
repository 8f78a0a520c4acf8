package experiment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// An experiment's folder: ledger.jsonl, made from runs/RUN_ID.json, each written
// the moment its run is finished; before/, measurements before tuning; plan.json,
// what was last asked for; leases/, by which processes divide the runs; resume/,
// from which long runs go on.
const (
	runsFolder   = "runs"
	leasesFolder = "leases"
	resumeFolder = "resume"
	planFile     = "plan.json"
)

// ledger is the runs of a folder, to which other processes add runs as well.
type ledger struct {
	dir  string
	runs map[string]Run // by id
	// sums are the checksums of the runs' files, files how these looked when
	// they were read; a run that only ledger.jsonl holds has neither.
	sums    map[string]string
	files   map[string]look
	damaged map[string]damage
	changed bool
	written time.Time
	// read is when the folder was last looked through, took how long that took.
	read time.Time
	took time.Duration
}

// look is what tells one version of a file from another without reading it.
type look struct {
	size int64
	at   time.Time
}

func openLedger(dir string) (*ledger, error) {
	l := &ledger{
		dir: dir, runs: map[string]Run{}, sums: map[string]string{}, files: map[string]look{}, damaged: map[string]damage{}, changed: true,
	}
	f, err := os.Open(filepath.Join(dir, LedgerFile))
	switch {
	case err == nil:
		runs, err := ParseLedger(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("ledger %s: %w", f.Name(), err)
		}
		for _, r := range runs {
			l.runs[r.RunID] = r
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return l, l.refresh()
}

// refresh reads the files of runs that are new or were changed, by this process
// or another one.
func (l *ledger) refresh() (err error) {
	began := time.Now()
	defer func() { l.read, l.took = time.Now(), time.Since(began) }()
	entries, err := os.ReadDir(filepath.Join(l.dir, runsFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("ledger: %w", err)
	}
	for _, e := range entries {
		id := runID(e.Name())
		if id == "" {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
		seen := look{info.Size(), info.ModTime()}
		if l.files[id] == seen {
			continue
		}
		if err := l.load(id); err != nil {
			return err
		}
		l.files[id] = seen
	}
	return nil
}

// refreshOld is refresh unless that was done just now: on a slow shared folder
// of thousands of runs it must not take the time of the runs.
func (l *ledger) refreshOld() error {
	if time.Since(l.read) < max(time.Second, 20*l.took) {
		return nil
	}
	return l.refresh()
}

// load reads the file of one run, if there is one.
func (l *ledger) load(id string) error {
	run, sum, err := readRun(l.dir, id)
	var bad damage
	switch {
	case errors.As(err, &bad):
		l.damaged[id] = bad
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	l.changed = l.changed || sum != l.sums[id]
	l.runs[id], l.sums[id] = run, sum
	delete(l.damaged, id)
	return nil
}

// add keeps a finished run: after it returns, no crash loses the run.
func (l *ledger) add(run Run) error {
	if err := writeRun(l.dir, run); err != nil {
		return err
	}
	if err := l.load(run.RunID); err != nil {
		return err
	}
	if time.Since(l.written) < time.Second { // thousands of quick runs must not rewrite it thousands of times
		return nil
	}
	return l.compact()
}

// compact writes the ledger from the runs, anew when others added runs meanwhile:
// of several processes that do so at once, the last to write thus leaves all runs.
func (l *ledger) compact() error {
	for {
		if err := l.refresh(); err != nil || !l.changed {
			return err
		}
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		for _, r := range inOrder(l.runs) {
			if err := e.Encode(r); err != nil {
				return fmt.Errorf("run %s: %w", r.RunID, err)
			}
		}
		if err := store.WriteFile(filepath.Join(l.dir, LedgerFile), b.Bytes()); err != nil {
			return err
		}
		l.changed, l.written = false, time.Now()
	}
}

// inOrder returns the runs in the ledger's order, without those that another
// one says all of and more: the same run measured on more off-target tasks, or
// successful where this one failed. Averages over runs then count none twice
// when an experiment is repeated with more tasks.
func inOrder(byID map[string]Run) []Run {
	same := map[string][]Run{}
	for _, r := range byID {
		hashes := maps.Clone(r.Hashes)
		delete(hashes, "off_target")
		key := content([]any{r.Protocol, r.Model, r.Method, r.Task, r.Seed, r.Backend, hashes})
		same[key] = append(same[key], r)
	}
	var runs []Run
	for _, group := range same {
		for _, r := range group {
			if !slices.ContainsFunc(group, func(other Run) bool { return supersedes(other, r) }) {
				runs = append(runs, r)
			}
		}
	}
	sortRuns(runs)
	return runs
}

func supersedes(more, less Run) bool {
	if more.Error != "" || len(more.OffTarget) <= len(less.OffTarget) {
		return false
	}
	for task, accuracies := range less.OffTarget {
		if a, ok := more.OffTarget[task]; !ok || a[0] != accuracies[0] {
			return false
		}
	}
	return true
}
