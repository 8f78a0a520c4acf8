package experiment

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// worker is what one process does for an experiment.
type worker struct {
	from   source
	dir    string
	report progress.Reporter

	specs  []Spec
	units  []*unit
	runs   []planned // of all units, each once
	book   *ledger
	leases *store.Leases
	// retry holds the checksums of the failed runs that are to be done again: a
	// run of another checksum was.
	retry   map[string]string
	damaged []string
	costs   *costs
	done    int // runs that this process did
	bar     progress.Bar
	counted int // runs that the bar has
}

// unit is the runs that share a model in memory and the pixels of its tasks.
type unit struct {
	spec     Spec // the first of the unit's
	protocol Protocol
	tasks    []*datasets.Task
	runs     []planned
	session  *session // nil while another unit's is in memory
	opened   bool
	costed   bool
}

// place is what tells one unit from another.
type place struct {
	Model, Backend, Real string
	Tasks, Retain        []string
	Data                 Protocol // without name and tuning
}

func placeOf(s Spec, p Protocol) string {
	data := Protocol{NTrain: p.NTrain, NTest: p.NTest, DataSeed: p.DataSeed, Folds: p.Folds, FoldSeed: p.FoldSeed}
	return content(place{s.Model, s.Backend, s.RealDir, s.Tasks, s.Retain, data})
}

// plan opens the models and tasks of the specs and lists their runs.
func (w *worker) plan(ctx context.Context, specs []Spec) error {
	at := map[string]*unit{}
	of := map[*unit][]int{} // specs by their places in the list
	protocols := make([]Protocol, len(specs))
	w.specs = slices.Clone(specs)
	for k := range w.specs {
		p, err := w.specs[k].resolve()
		if err != nil {
			return err
		}
		protocols[k] = p
		key := placeOf(w.specs[k], p)
		u := at[key]
		if u == nil {
			u = &unit{spec: w.specs[k], protocol: p}
			at[key], w.units = u, append(w.units, u)
		}
		of[u] = append(of[u], k)
	}
	for _, u := range slices.Backward(w.units) { // the first is opened last, to stay open
		var err error
		if u.tasks, err = w.from.tasks(ctx, u.spec, u.protocol, w.report); err != nil {
			return err
		}
		if err := w.enter(u); err != nil {
			return err
		}
		tuned := make([]int, len(u.spec.Tasks))
		for i := range tuned {
			tuned[i] = i
		}
		for _, k := range of[u] {
			spec := &w.specs[k]
			spec.Backend = u.session.backend // what auto means here
			runs, err := plan(*spec, protocols[k], u.session.modelHash, u.session.backend, u.tasks, tuned)
			if err != nil {
				return err
			}
			for _, r := range runs {
				r.Model = u.session.e.Name
				u.runs = append(u.runs, r)
			}
		}
	}
	seen := map[string]bool{}
	for _, u := range w.units {
		u.runs = slices.DeleteFunc(u.runs, func(r planned) bool {
			again := seen[r.RunID]
			seen[r.RunID] = true
			return again
		})
		w.runs = append(w.runs, u.runs...)
	}
	return nil
}

// enter makes the unit's session the one in memory.
func (w *worker) enter(u *unit) error {
	if u.session != nil {
		return nil
	}
	for _, other := range w.units {
		other.session, other.opened = nil, false
	}
	e, err := w.from.encoder(u.spec)
	if err != nil {
		return err
	}
	u.session, err = newSession(e, u.protocol, u.tasks)
	return err
}

func (w *worker) openBook() error {
	var err error
	if w.book, err = openLedger(w.dir); err != nil {
		return err
	}
	w.damaged = []string{}
	w.tellDamage()
	w.retry = map[string]string{}
	if slices.ContainsFunc(w.specs, func(s Spec) bool { return s.RetryFailed }) {
		for id, run := range w.book.runs {
			if run.Error != "" {
				w.retry[id] = w.book.sums[id]
			}
		}
	}
	w.costs = costsOf(w.book.runs)
	return nil
}

// tellDamage says which files of runs are damaged, each once.
func (w *worker) tellDamage() {
	for id, d := range w.book.damaged {
		text := d.Error() + ": the run is done again"
		if !slices.ContainsFunc(w.runs, func(r planned) bool { return r.RunID == id }) {
			text = d.Error() + ": it is not of this experiment; remove the file"
		}
		if !slices.Contains(w.damaged, text) {
			w.damaged = append(w.damaged, text)
			progress.Say(w.report, text)
		}
	}
	slices.Sort(w.damaged)
}

// isMissing tells whether a run is to be done.
func (w *worker) isMissing(id string) bool {
	if _, damaged := w.book.damaged[id]; damaged {
		return true
	}
	if _, ok := w.book.runs[id]; !ok {
		return true
	}
	sum, again := w.retry[id]
	return again && sum == w.book.sums[id]
}

func (w *worker) missing(runs []planned) []planned {
	return slices.DeleteFunc(slices.Clone(runs), func(r planned) bool { return !w.isMissing(r.RunID) })
}

// poll is how often a process looks whether runs that others do are finished.
const poll = 500 * time.Millisecond

func wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(poll):
		return nil
	}
}

// doAll does the missing runs, but those that other processes do, and returns
// when none is missing. A model is opened only when a run on it is free.
func (w *worker) doAll(ctx context.Context) error {
	defer func() {
		if w.bar != nil {
			w.bar.Done()
		}
	}()
	for {
		left, before := 0, w.done
		for _, u := range w.units {
			missing := w.missing(u.runs)
			free, err := w.free(missing)
			if err != nil {
				return err
			}
			if free {
				if err := w.doUnit(ctx, u); err != nil {
					return err
				}
				missing = w.missing(u.runs)
			}
			left += len(missing)
		}
		if left == 0 {
			return nil
		}
		if w.done == before {
			w.startBar()
			w.bar.Note(fmt.Sprintf("waiting for %d runs of other processes", left))
			if err := wait(ctx); err != nil {
				return err
			}
		}
		if err := w.book.refresh(); err != nil {
			return err
		}
		w.tellDamage()
		w.showProgress()
	}
}

// free tells whether one of the runs is nobody's.
func (w *worker) free(runs []planned) (bool, error) {
	for _, r := range runs {
		if taken, err := w.leases.Taken(r.RunID); !taken || err != nil {
			return err == nil, err
		}
	}
	return false, nil
}

// doUnit does runs of a unit as long as it finds free ones.
func (w *worker) doUnit(ctx context.Context, u *unit) error {
	if err := w.enter(u); err != nil {
		return err
	}
	s := u.session
	if err := w.estimate(ctx, u); err != nil {
		return err
	}
	if !u.opened {
		if err := s.open(ctx, w.report); err != nil {
			return err
		}
		u.opened = true
	}
	if err := s.measureBefore(ctx, w.dir, w.leases, w.report); err != nil {
		return err
	}
	s.resumeDir = filepath.Join(w.dir, resumeFolder)
	w.startBar()
	var last planned
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.showProgress()
		r, lease, err := w.claim(ctx, u, last)
		if err != nil || lease == nil {
			return err
		}
		last = r
		if err := w.doRun(lease, s, r); err != nil {
			if cause := context.Cause(lease.Context()); ctx.Err() == nil && errors.Is(cause, store.ErrLost) {
				progress.Say(w.report, fmt.Sprintf("%s: %v", title(r), cause))
				continue
			}
			lease.Release()
			return err
		}
		lease.Finish()
	}
}

func title(r planned) string { return fmt.Sprintf("%s %s seed %d", r.TaskName, r.MethodName, r.Seed) }

// doRun does a run whose lease this process has, unless it is finished already.
func (w *worker) doRun(lease *store.Lease, s *session, r planned) error {
	// Another process may have finished it before the lease was this one's.
	if err := w.book.load(r.RunID); err != nil || !w.isMissing(r.RunID) {
		return err
	}
	w.bar.Note(title(r))
	run, err := s.do(lease.Context(), r, func(done, steps int, loss float64) {
		w.bar.Note(fmt.Sprintf("%s: step %d/%d, loss %.3f", title(r), done, steps, loss))
	}, nil)
	if err != nil {
		return err
	}
	if err := lease.Check(); err != nil {
		return err
	}
	if err := w.book.add(run); err != nil {
		return err
	}
	w.costs.add(run)
	w.done++
	return nil
}

// claim takes the lease of the unit's next run, nil when none is free. Runs of
// the task and protocol of the last one come first: what these need is in
// memory. Then come tasks at which no other process is.
func (w *worker) claim(ctx context.Context, u *unit, last planned) (planned, *store.Lease, error) {
	if err := w.book.refreshOld(); err != nil {
		return planned{}, nil, err
	}
	missing := w.missing(u.runs)
	group := func(r planned) [2]string { return [2]string{r.TaskName, r.Protocol} }
	groups := map[[2]string][]planned{}
	order := [][2]string{group(last)}
	for _, r := range missing {
		if !slices.Contains(order, group(r)) {
			order = append(order, group(r))
		}
		groups[group(r)] = append(groups[group(r)], r)
	}
	for _, shared := range []bool{false, true} {
		for k, g := range order {
			if k > 0 && !shared {
				busy := false
				for _, r := range groups[g] {
					taken, err := w.leases.Taken(r.RunID)
					if err != nil {
						return planned{}, nil, err
					}
					busy = busy || taken
				}
				if busy {
					continue
				}
			}
			for _, r := range groups[g] {
				lease, err := w.leases.Claim(ctx, r.RunID)
				if errors.Is(err, store.ErrLocked) {
					continue
				}
				return r, lease, err
			}
		}
	}
	return planned{}, nil, nil
}

func (w *worker) startBar() {
	if w.bar == nil {
		missing := len(w.missing(w.runs))
		w.bar, w.counted = w.report.Start("tune", missing), len(w.runs)-missing
	}
}

// showProgress brings the bar up to date with all processes' runs.
func (w *worker) showProgress() {
	if w.bar == nil {
		return
	}
	missing := w.missing(w.runs)
	if done := len(w.runs) - len(missing); done > w.counted {
		w.bar.Add(done - w.counted)
		w.counted = done
	}
	if e := w.costs.estimate(missing, w.processes()); e.Seconds != nil && e.Unknown == 0 {
		progress.Expect(w.bar, time.Duration(*e.Seconds*float64(time.Second)))
	}
}

// processes returns how many processes divide the runs, this one included.
func (w *worker) processes() int {
	live, err := store.LiveProcesses(filepath.Join(w.dir, leasesFolder))
	if err != nil {
		return 1
	}
	return max(1, len(live))
}
