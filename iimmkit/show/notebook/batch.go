package notebook

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// Task is a notebook to execute, and how.
type Task struct {
	Path     string // by which the notebook is called
	Notebook *Notebook
	Options
}

// Run is what became of a Task.
type Run struct {
	Task
	Began time.Time // zero when it did not begin
	Took  time.Duration
	Cells []CellRun // those that ended, in their order
	Err   error     // a *CellError, or what kept the kernel from running
}

// ExecuteAll executes notebooks, some at a time, each with a kernel of its own.
// A failing one does not stop the others. When ctx ends, those that run end as
// interrupted, and the others do not begin: their Err is ctx's. Ended is called
// for each that began, one call at a time, with its number; an error of it stops
// what has not begun and is returned.
func ExecuteAll(ctx context.Context, tasks []Task, atATime int, report progress.Reporter, ended func(i int, r *Run) error) ([]Run, error) {
	if atATime < 1 {
		return nil, fmt.Errorf("%d notebooks at a time: at least one", atATime)
	}
	if report == nil {
		report = progress.Discard
	}
	all := progress.Discard.Start("", 0)
	if atATime > 1 {
		// Bars of several notebooks would overwrite each other.
		all = report.Start("notebooks", len(tasks))
		report = progress.Discard
	}
	defer all.Done()
	runs := make([]Run, len(tasks))
	next := make(chan int)
	var one sync.Mutex
	var failure error
	stopped := func() bool {
		one.Lock()
		defer one.Unlock()
		return failure != nil || ctx.Err() != nil
	}
	var wait sync.WaitGroup
	for range min(atATime, len(tasks)) {
		wait.Go(func() {
			for i := range next {
				r := &runs[i]
				if stopped() {
					continue
				}
				all.Note(r.Path)
				r.execute(ctx, report)
				all.Add(1)
				one.Lock()
				if err := ended(i, r); err != nil && failure == nil {
					failure = err
				}
				one.Unlock()
			}
		})
	}
	for i, t := range tasks {
		runs[i].Task = t
	}
	for i := range tasks {
		next <- i
	}
	close(next)
	wait.Wait()
	for i := range runs {
		if runs[i].Began.IsZero() {
			runs[i].Err = ctx.Err()
		}
	}
	return runs, failure
}

func (r *Run) execute(ctx context.Context, report progress.Reporter) {
	r.Began = time.Now()
	opt := r.Options
	opt.Progress = report
	opt.Ended = func(c CellRun) {
		r.Cells = append(r.Cells, c)
		if r.Options.Ended != nil {
			r.Options.Ended(c)
		}
	}
	r.Err = Execute(ctx, r.Notebook, opt)
	r.Took = time.Since(r.Began)
}
