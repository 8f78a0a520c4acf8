package experiment

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

// Summary is what Do did.
type Summary struct {
	Schema int    `json:"schema"`
	Ledger string `json:"ledger"` // path of the ledger
	// Model, Backend and Protocol name all of the specs', joined by ", ".
	Model    string `json:"model"`
	Backend  string `json:"backend"`
	Protocol string `json:"protocol"`
	Planned  int    `json:"planned"`   // runs that the specs ask for
	Reused   int    `json:"reused"`    // of these, finished before, failed ones included
	ByOthers int    `json:"by_others"` // of these, finished by other processes meanwhile
	Failed   int    `json:"failed"`    // of these, failed now or before
	// Damaged says which files of runs were found damaged. The planned ones
	// among these runs were done again.
	Damaged []string `json:"damaged"`
	// Seconds is what this call took.
	Seconds float64 `json:"seconds"`
	// Runs are the planned runs that are finished, failed ones included, in
	// the ledger's order.
	Runs []Run `json:"runs"`
}

// Do does the runs of a spec which dir does not hold yet, and keeps each the
// moment it is finished: killed at any moment and started again, it goes on
// where it was. Runs that fail, for example because training diverges, are
// recorded with their error, and the others go on.
//
// Several processes, on one machine or on several that share dir, may do so at
// once: each run is done by one of them, and Do returns when all are done.
//
// dir then holds ledger.jsonl, one line a run, in an order and with numbers
// that depend on spec, model, tasks and backend alone (times and memory aside).
func Do(ctx context.Context, spec Spec, dir string, report progress.Reporter) (Summary, error) {
	return DoAll(ctx, []Spec{spec}, dir, report)
}

// DoAll is Do of several specs, such as those of a Design, in one folder.
func DoAll(ctx context.Context, specs []Spec, dir string, report progress.Reporter) (Summary, error) {
	return doSpecs(ctx, specs, &named{}, dir, report)
}

// DoOn is Do on an encoder and tasks that are opened already; the spec's
// model, task names and backend do not count. The encoder has the same weights
// afterwards.
func DoOn(ctx context.Context, e *encoder.Encoder, tasks []*datasets.Task, spec Spec, dir string, report progress.Reporter) (Summary, error) {
	spec.Model, spec.Tasks = e.Name, nil
	for _, t := range tasks {
		spec.Tasks = append(spec.Tasks, t.Name)
	}
	return doSpecs(ctx, []Spec{spec}, given{e.Name: opened{e, tasks}}, dir, report)
}

func doSpecs(ctx context.Context, specs []Spec, from source, dir string, report progress.Reporter) (Summary, error) {
	began := time.Now()
	w := &worker{from: from, dir: dir, report: report}
	if err := w.plan(ctx, specs); err != nil {
		return Summary{}, err
	}
	leases, err := store.OpenLeases(filepath.Join(dir, leasesFolder))
	if err != nil {
		return Summary{}, err
	}
	defer leases.Close()
	w.leases = leases
	if err := w.openBook(); err != nil {
		return Summary{}, err
	}
	if err := writePlan(dir, w.specs, w.runs); err != nil {
		return Summary{}, err
	}
	missing := len(w.missing(w.runs))
	err = w.doAll(ctx)
	if cerr := w.book.compact(); err == nil {
		err = cerr
	}
	sum := Summary{
		Schema: Schema, Ledger: filepath.Join(dir, LedgerFile),
		Model:    joined(w.runs, func(r planned) string { return r.Model }),
		Backend:  joined(w.runs, func(r planned) string { return r.Backend }),
		Protocol: joined(w.runs, func(r planned) string { return r.Protocol }),
		Planned:  len(w.runs), Reused: len(w.runs) - missing, Damaged: w.damaged, Seconds: time.Since(began).Seconds(),
	}
	for _, r := range w.runs {
		if done, ok := w.book.runs[r.RunID]; ok {
			sum.Runs = append(sum.Runs, done)
			if done.Error != "" {
				sum.Failed++
			}
		}
	}
	sum.ByOthers = len(sum.Runs) - sum.Reused - w.done
	sortRuns(sum.Runs)
	return sum, err
}

// joined names what runs have, each once, in their order.
func joined(runs []planned, of func(planned) string) string {
	var names []string
	for _, r := range runs {
		if n := of(r); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return strings.Join(names, ", ")
}

// Failures returns the failed runs.
func (s Summary) Failures() []Run {
	return slices.DeleteFunc(slices.Clone(s.Runs), func(r Run) bool { return r.Error == "" })
}

// Resume does what was last asked for in dir and is missing. real, when not "",
// is where this machine has the real data sets; other paths are those that were
// given then.
func Resume(ctx context.Context, dir, real string, retryFailed bool, report progress.Reporter) (Summary, error) {
	record, err := readPlan(dir)
	if err != nil {
		return Summary{}, err
	}
	for i := range record.Specs {
		s := &record.Specs[i]
		s.RetryFailed = retryFailed
		if real != "" {
			s.RealDir = real
		}
	}
	if len(record.Specs) == 0 {
		return Summary{}, fmt.Errorf("%s asks for no runs", filepath.Join(dir, planFile))
	}
	return DoAll(ctx, record.Specs, dir, report)
}
