package experiment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// An experiment's folder: ledger.jsonl, made from runs/RUN_ID.json, each written
// the moment its run is finished; before/, measurements before tuning;
// plan.json, what was last asked for; .lock, held while runs are done.
const (
	runsFolder = "runs"
	planFile   = "plan.json"
	lockFile   = ".lock"
)

// ledger is the runs of a folder that this process has the lock of.
type ledger struct {
	dir     string
	runs    map[string]Run // by id
	changed bool
	written time.Time
}

func openLedger(dir string) (*ledger, error) {
	runs, err := readFolder(dir)
	if err != nil {
		return nil, err
	}
	return &ledger{dir: dir, runs: runs, changed: true}, nil
}

// add keeps a finished run: after it returns, no crash loses the run.
func (l *ledger) add(run Run) error {
	data, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		return fmt.Errorf("run %s: %w", run.RunID, err)
	}
	if err := store.WriteFile(filepath.Join(l.dir, runsFolder, run.RunID+".json"), append(data, '\n')); err != nil {
		return err
	}
	l.runs[run.RunID] = run
	l.changed = true
	if time.Since(l.written) < time.Second { // thousands of quick runs must not rewrite it thousands of times
		return nil
	}
	return l.compact()
}

// compact writes the ledger from the runs.
func (l *ledger) compact() error {
	if !l.changed {
		return nil
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
	return nil
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
