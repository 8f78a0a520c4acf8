package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/core/shard"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// ScaleOptions say which sets are made, and measured by iimm map and iimm reduce.
// Every width goes with every number of rows, blobs and classes.
type ScaleOptions struct {
	Program string // iimm, which is run for every measurement
	Dir     string // of a temporary folder for the sets; os.TempDir() when empty

	Rows    []int // of sets that iimm map reads, in shards of 128 MiB
	Blobs   []int // numbers of statistics that iimm reduce merges
	Width   []int
	Classes []int
	Runs    int // of each measurement, at least 1

	Progress progress.Reporter
}

// ScaleRun is one run of a program.
type ScaleRun struct {
	Date       string   `json:"date"` // UTC
	Machine    string   `json:"machine"`
	Processors int      `json:"processors"`
	Load       *float64 `json:"load"` // of the machine in the minute before; null where that is not known

	Program string `json:"program"` // cat, map or reduce
	State   string `json:"state"`   // captions (d+3 numbers) or classes (C(d+2)); empty for cat
	From    string `json:"from"`    // disk or memory, where the files were
	N       int    `json:"n"`
	D       int    `json:"d"`
	Classes int    `json:"classes"`
	Files   int    `json:"files"`
	Bytes   int64  `json:"bytes"` // in the files

	Seconds    float64 `json:"seconds"`     // by the clock
	CPUSeconds float64 `json:"cpu_seconds"` // of all processors, the system's included
	// PeakBytes is the most memory that the process held, but not less than this
	// one holds, from which it is made: some 70 MB. Null for cat, and where it is not known.
	PeakBytes *int64 `json:"peak_bytes"`
	// Difference is how far the measures are, at most, from those of one pass over
	// all rows in one accumulator; null for cat.
	Difference *float64 `json:"difference"`
}

// Where files are when they are read, and what is kept of them.
const (
	fromDisk, fromMemory          = "disk", "memory"
	stateCaptions, stateOfClasses = "captions", "classes"
)

// Check says what is wrong with the options.
func (o ScaleOptions) Check() error {
	least := func(what string, values []int, least int) error {
		for _, v := range values {
			if v < least {
				return fmt.Errorf("%s %d: want %d or more", what, v, least)
			}
		}
		return nil
	}
	if len(o.Rows)+len(o.Blobs) == 0 || len(o.Width) == 0 || len(o.Classes) == 0 {
		return errors.New("rows or blobs, widths and classes are needed")
	}
	return errors.Join(least("rows", o.Rows, 2), least("blobs", o.Blobs, 2), least("width", o.Width, 1), least("classes", o.Classes, 2), least("runs", []int{o.Runs}, 1))
}

// Scale makes sets of embeddings, one at a time, and runs iimm on them in processes
// of its own, as users do; beside it cat, which tells how fast files can be read
// at all. Each set is read from the disk, where the system lets its files be
// dropped from memory, and from memory, where it fits. It is given to each as it is
// known, and deleted when it was measured.
func Scale(ctx context.Context, o ScaleOptions, each func(ScaleRun) error) error {
	if err := o.Check(); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if o.Progress == nil {
		o.Progress = progress.Discard
	}
	bar := o.Progress.Start("sets", (len(o.Rows)+len(o.Blobs))*len(o.Width)*len(o.Classes))
	defer bar.Done()
	for _, d := range o.Width {
		for _, classes := range o.Classes {
			for k, n := range slices.Concat(o.Rows, o.Blobs) {
				prepare, what := (*scaleSet).shards, "rows"
				if k >= len(o.Rows) {
					prepare, what = (*scaleSet).blobs, "blobs"
				}
				bar.Note(fmt.Sprintf("%d %s of width %d, %d classes", n, what, d, classes))
				if err := o.one(ctx, n, d, classes, prepare, each); err != nil {
					return err
				}
				bar.Add(1)
			}
		}
	}
	return nil
}

// one makes a set, measures it and deletes it.
func (o ScaleOptions) one(ctx context.Context, n, d, classes int, prepare func(*scaleSet, context.Context, int) ([]job, error), each func(ScaleRun) error) (err error) {
	dir, err := os.MkdirTemp(cmp.Or(o.Dir, os.TempDir()), "iimm-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := newScaleSet(dir, d, classes)
	if err != nil {
		return err
	}
	jobs, err := prepare(s, ctx, n)
	if err != nil {
		return err
	}
	for _, from := range []string{fromDisk, fromMemory} {
		for range o.Runs {
			for _, j := range jobs {
				r, done, err := o.run(ctx, s, j, from)
				if err != nil {
					return err
				}
				if !done {
					continue
				}
				if err := each(r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// job is a program and what it reads.
type job struct {
	program, state string
	args, files    []string
	result         func(stdout []byte) (measure.Result, error) // nil for cat
}

// run runs a job; done is false where the files cannot be in that place.
func (o ScaleOptions) run(ctx context.Context, s *scaleSet, j job, from string) (r ScaleRun, done bool, err error) {
	r = ScaleRun{
		Date: time.Now().UTC().Format("2006-01-02T15:04Z"), Machine: machine(), Processors: runtime.NumCPU(), Load: load(),
		Program: j.program, State: j.state, From: from, N: s.n, D: s.d, Classes: s.classes, Files: len(j.files),
	}
	for _, f := range j.files {
		info, err := os.Stat(filepath.Join(s.dir, f))
		if err != nil {
			return r, false, err
		}
		r.Bytes += info.Size()
	}
	switch from {
	case fromDisk:
		for _, f := range j.files {
			if !evict(filepath.Join(s.dir, f)) {
				return r, false, nil
			}
		}
	case fromMemory:
		if free, known := freeMemory(); known && r.Bytes > free/2 {
			return r, false, nil
		}
		for _, f := range j.files {
			if err := readThrough(filepath.Join(s.dir, f)); err != nil {
				return r, false, err
			}
		}
	}
	name := o.Program
	if j.program == "cat" {
		if name, err = exec.LookPath("cat"); err != nil {
			progress.Say(o.Progress, "there is no cat here to compare with")
			return r, false, nil
		}
	}
	// Linux begins the peak of a new process at that of the one that started it.
	debug.FreeOSMemory()
	forgetPeak()
	var out, complaint bytes.Buffer
	c := exec.CommandContext(ctx, name, j.args...)
	c.Dir, c.Stderr = s.dir, &complaint
	if j.result != nil { // what cat reads goes to the null device
		c.Stdout = &out
	}
	start := time.Now()
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			return r, false, context.Cause(ctx)
		}
		return r, false, fmt.Errorf("%s %s: %w: %s", filepath.Base(name), j.program, err, bytes.TrimSpace(complaint.Bytes()))
	}
	r.Seconds, r.CPUSeconds = time.Since(start).Seconds(), (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()
	if j.result != nil {
		r.PeakBytes = peak(c.ProcessState)
		got, err := j.result(out.Bytes())
		if err != nil {
			return r, false, err
		}
		if got.N != s.onePass.N {
			return r, false, fmt.Errorf("%s %s counts %d rows of %d", filepath.Base(name), j.program, got.N, s.onePass.N)
		}
		r.Difference = new(s.difference(got))
	}
	return r, true, nil
}

// difference is how far measures are from those of one pass.
func (s *scaleSet) difference(got measure.Result) float64 {
	most := 0.0
	of := func(a, b float64) { most = max(most, math.Abs(a-b)) }
	of(got.IIMM, s.onePass.IIMM)
	of(got.Inter, s.onePass.Inter)
	of(got.Intra, s.onePass.Intra)
	of(got.Alignment, s.onePass.Alignment)
	of(got.IntraText, s.onePass.IntraText)
	of(got.ModalityGap, s.onePass.ModalityGap)
	if got.InterByClass != nil {
		of(*got.InterByClass, *s.onePass.InterByClass)
	}
	return most
}

// maps are the jobs on shards.
func (s *scaleSet) maps(shards []string) []job {
	jobs := []job{{program: "cat", args: shards, files: shards}}
	for _, state := range []string{stateCaptions, stateOfClasses} {
		keep := []string{"--texts", "captions.npy"}
		if state == stateOfClasses {
			keep = []string{"--classes", strconv.Itoa(s.classes)}
		}
		out := filepath.Join(s.dir, "all.stats")
		jobs = append(jobs, job{
			program: "map", state: state, files: shards,
			args: append(append([]string{"map", "--out", out}, keep...), shards...),
			result: func([]byte) (measure.Result, error) {
				a, err := shard.Read(out)
				if err != nil {
					return measure.Result{}, err
				}
				return a.Result(s.texts)
			},
		})
	}
	return jobs
}

// reduce is the jobs on statistics.
func (s *scaleSet) reduce(state string, blobs []string) []job {
	return []job{
		{program: "cat", args: blobs, files: blobs},
		{
			program: "reduce", state: state, files: blobs,
			args: append([]string{"reduce", "--json", "--texts", "captions.npy"}, blobs...),
			result: func(stdout []byte) (measure.Result, error) {
				var r struct{ Measure measure.Result }
				err := json.Unmarshal(stdout, &r)
				return r.Measure, err
			},
		},
	}
}
