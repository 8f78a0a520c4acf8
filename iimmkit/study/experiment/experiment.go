package experiment

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

// Summary is what Do did.
type Summary struct {
	Schema   int    `json:"schema"`
	Ledger   string `json:"ledger"` // path of the ledger
	Model    string `json:"model"`
	Backend  string `json:"backend"`
	Protocol string `json:"protocol"`
	Planned  int    `json:"planned"` // runs that the spec asks for
	Reused   int    `json:"reused"`  // of these, finished before, failed ones included
	Failed   int    `json:"failed"`  // of these, failed now or before
	// Seconds is what this call took.
	Seconds float64 `json:"seconds"`
	// Runs are the runs of the spec that are finished, failed ones included, in
	// the ledger's order.
	Runs []Run `json:"runs"`
}

// Do does the runs of a spec which dir does not hold yet, and keeps each the
// moment it is finished: killed at any moment and started again, it goes on
// where it was. Runs that fail, for example because training diverges, are
// recorded with their error, and the others go on.
//
// dir then holds ledger.jsonl, one line a run, in an order and with numbers
// that depend on spec, model, tasks and backend alone (times aside).
func Do(ctx context.Context, spec Spec, dir string, report progress.Reporter) (Summary, error) {
	p, err := spec.resolve()
	if err != nil {
		return Summary{}, err
	}
	e, tasks, err := open(ctx, spec, p, report)
	if err != nil {
		return Summary{}, err
	}
	return DoOn(ctx, e, tasks, spec, dir, report)
}

// open opens the spec's model on its backend and loads its tasks.
func open(ctx context.Context, spec Spec, p Protocol, report progress.Reporter) (*encoder.Encoder, []*datasets.Task, error) {
	b, err := backend.Open(spec.Backend)
	if err != nil {
		return nil, nil, err
	}
	e, err := encoder.Open(b, spec.Model)
	if err != nil {
		return nil, nil, err
	}
	bar := report.Start("load tasks", len(spec.Tasks))
	defer bar.Done()
	var tasks []*datasets.Task
	for _, name := range spec.Tasks {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		bar.Note(name)
		t, err := datasets.Load(name, datasets.LoadOptions{RealDir: spec.RealDir, NTrain: p.NTrain, NTest: p.NTest, Seed: p.DataSeed})
		if err != nil {
			return nil, nil, err
		}
		tasks = append(tasks, t)
		bar.Add(1)
	}
	return e, tasks, nil
}

// DoOn is Do on an encoder and tasks that are opened already; the spec's
// model, task names and backend do not count. The encoder has the same weights
// afterwards.
func DoOn(ctx context.Context, e *encoder.Encoder, tasks []*datasets.Task, spec Spec, dir string, report progress.Reporter) (Summary, error) {
	began := time.Now()
	spec.Model, spec.Tasks = e.Name, nil
	for _, t := range tasks {
		spec.Tasks = append(spec.Tasks, t.Name)
	}
	p, err := spec.resolve()
	if err != nil {
		return Summary{}, err
	}
	unlock, err := store.Lock(filepath.Join(dir, lockFile))
	if errors.Is(err, store.ErrLocked) {
		return Summary{}, fmt.Errorf("%s: another process is running an experiment there: wait for it or choose another folder", dir)
	}
	if err != nil {
		return Summary{}, err
	}
	defer unlock()
	s, err := newSession(e, p, tasks)
	if err != nil {
		return Summary{}, err
	}
	all := make([]int, len(tasks))
	for i := range all {
		all[i] = i
	}
	runs, err := plan(spec, p, s.modelHash, s.backend, tasks, all)
	if err != nil {
		return Summary{}, err
	}
	book, err := openLedger(dir)
	if err != nil {
		return Summary{}, err
	}
	if err := writePlan(dir, spec, p.Name, s.backend, runs); err != nil {
		return Summary{}, err
	}
	var missing []planned
	for _, r := range runs {
		if done, ok := book.runs[r.RunID]; !ok || done.Error != "" && spec.RetryFailed {
			missing = append(missing, r)
		}
	}
	err = s.doAll(ctx, missing, book, report)
	if cerr := book.compact(); err == nil {
		err = cerr
	}
	sum := Summary{
		Schema: Schema, Ledger: filepath.Join(dir, LedgerFile), Model: e.Name, Backend: s.backend, Protocol: p.Name,
		Planned: len(runs), Reused: len(runs) - len(missing), Seconds: time.Since(began).Seconds(),
	}
	for _, r := range runs {
		if done, ok := book.runs[r.RunID]; ok {
			sum.Runs = append(sum.Runs, done)
			if done.Error != "" {
				sum.Failed++
			}
		}
	}
	sortRuns(sum.Runs)
	return sum, err
}

// doAll does the missing runs and keeps them in the ledger.
func (s *session) doAll(ctx context.Context, missing []planned, book *ledger, report progress.Reporter) error {
	if len(missing) == 0 {
		return nil
	}
	if err := s.open(ctx, report); err != nil {
		return err
	}
	if err := s.measureBefore(ctx, book.dir, report); err != nil {
		return err
	}
	bar := report.Start("tune", len(missing))
	defer bar.Done()
	for _, r := range missing {
		if err := ctx.Err(); err != nil {
			return err
		}
		title := fmt.Sprintf("%s %s seed %d", r.TaskName, r.MethodName, r.Seed)
		bar.Note(title)
		run, err := s.do(ctx, r, func(done, steps int, loss float64) {
			bar.Note(fmt.Sprintf("%s: step %d/%d, loss %.3f", title, done, steps, loss))
		}, nil)
		if err != nil {
			return err
		}
		if err := book.add(run); err != nil {
			return err
		}
		bar.Add(1)
	}
	return nil
}

// Failures returns the failed runs.
func (s Summary) Failures() []Run {
	return slices.DeleteFunc(slices.Clone(s.Runs), func(r Run) bool { return r.Error == "" })
}
