package notebook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/kernels"
)

// Options says how to execute a notebook.
type Options struct {
	Kernel kernels.Spec
	// Dir is the kernel's working directory, usually the notebook's folder.
	Dir string
	// Parameters are what nb.Param returns in the cells, by name.
	Parameters map[string]string
	// Timeout is for each cell; 0 means none.
	Timeout time.Duration
	// StartTimeout is for the kernel; 0 means a minute.
	StartTimeout time.Duration
	// Ended, when set, is told how each cell went, in their order.
	Ended func(CellRun)
	// Progress may be nil. Title names the work in it.
	Progress progress.Reporter
	Title    string
}

// CellRun is how one code cell went.
type CellRun struct {
	Cell   int    // number among the code cells, from 1
	ID     string // the cell's id
	Source string // its first line of code
	Took   time.Duration
	// Failure is nil where the cell did not fail, or was allowed to.
	Failure *CellError
}

// CellError says which cell failed, and how.
type CellError struct {
	Cell int    // number among the code cells, from 1
	ID   string // the cell's id
	// Name is the kind of failure as the kernel names it, or Timeout, KernelDied,
	// InputRequested, Interrupted.
	Name string
	// Message is what the compiler, the program or the kernel said, in full.
	Message string
	// Summary is the message's essence in one line.
	Summary string
	// Source is the cell's first line of code.
	Source string
	cause  error
}

func (e *CellError) Error() string {
	return fmt.Sprintf("code cell %d (%s) failed: %s", e.Cell, e.Source, e.Summary)
}

func (e *CellError) Unwrap() error { return e.cause }

// The names of failures that are not the kernel's.
const (
	Timeout        = "Timeout"
	KernelDied     = "KernelDied"
	InputRequested = "InputRequested"
	Interrupted    = "Interrupted"
)

// Execute runs the code cells in order and replaces their outputs. It stops at
// the first one that fails, with a *CellError; the cells after it have no
// outputs then, and what the failing one put out stays. Cells tagged
// raises-exception may fail.
func Execute(ctx context.Context, n *Notebook, opt Options) error {
	env, err := paramEnv(opt.Parameters)
	if err != nil {
		return err
	}
	env = append(env, "IIMM_RAW_ERROR=true")
	if err := n.inject(opt.Parameters); err != nil {
		return err
	}
	dir, err := filepath.Abs(opt.Dir)
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err != nil {
		return err
	} else if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	if opt.StartTimeout == 0 {
		opt.StartTimeout = time.Minute
	}
	if opt.Progress == nil {
		opt.Progress = progress.Discard
	}
	for _, c := range n.Cells {
		c.Outputs, c.ExecutionCount = nil, nil
	}
	cells := n.executable()
	// What the outputs depend on is told in the notebook.
	record := map[string]any{"kernel": opt.Kernel.Name, "backend": opt.Kernel.Env["IIMM_BACKEND"]}
	if len(opt.Parameters) > 0 {
		given := map[string]any{}
		for name, value := range opt.Parameters {
			given[name] = value
		}
		record["parameters"] = given
	}
	n.Metadata = orEmpty(n.Metadata)
	n.Metadata["iimm"] = record
	bar := opt.Progress.Start(opt.Title, len(cells))
	defer bar.Done()
	bar.Note("starting the kernel")
	client, err := startKernel(ctx, opt.Kernel, dir, env, opt.StartTimeout)
	if err != nil {
		return err
	}
	defer client.shutdown()
	x := &executor{client: client, collector: newCollector(), timeout: opt.Timeout}
	for i, c := range cells {
		r := CellRun{Cell: i + 1, ID: c.ID, Source: firstLine(c.Source)}
		bar.Note(fmt.Sprintf("cell %d: %s", r.Cell, r.Source))
		start := time.Now()
		fail := x.run(ctx, c)
		r.Took = time.Since(start)
		if fail != nil {
			fail.Cell, fail.ID, fail.Source = r.Cell, r.ID, r.Source
			fail.Summary = summary(fail.Message)
			x.settle()
			if fail.cause != nil || !c.tagged("raises-exception") {
				r.Failure = fail
			}
		}
		if opt.Ended != nil {
			opt.Ended(r)
		}
		if r.Failure != nil {
			return r.Failure
		}
		bar.Add(1)
	}
	x.settle()
	return nil
}

// executable returns the code cells that are not empty.
func (n *Notebook) executable() []*Cell {
	return slices.DeleteFunc(slices.Clone(n.Cells), func(c *Cell) bool { return c.Type != "code" || strings.TrimSpace(c.Source) == "" })
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// firstLine returns the first statement of a cell, shortened: what comes after
// %% when there is something, else the first declaration.
func firstLine(source string) string {
	if _, statements, ok := strings.Cut(source, "%%\n"); ok && strings.TrimSpace(statements) != "" {
		source = statements
	}
	first := ""
	for line := range strings.Lines(source) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "//") || strings.HasPrefix(line, "import ") || line == ")" || strings.HasPrefix(line, `"`) {
			continue
		}
		first = line
		break
	}
	if r := []rune(first); len(r) > 60 {
		first = string(r[:57]) + "..."
	}
	return first
}

// executor is the state of one execution.
type executor struct {
	*client
	*collector
	timeout time.Duration
}

// run executes one cell and waits until the kernel has answered and is idle
// again.
func (x *executor) run(ctx context.Context, c *Cell) *CellError {
	id, err := x.send(x.shell, "execute_request", map[string]any{
		"code": c.Source, "silent": false, "store_history": true,
		"user_expressions": map[string]any{}, "allow_stdin": false, "stop_on_error": true,
	})
	if err != nil {
		return x.fail(c, KernelDied, fmt.Sprintf("the kernel cannot be reached: %v", err), err)
	}
	x.requests[id] = c
	var reply *message
	var idle bool
	var stop *CellError // why the cell was interrupted
	var limit, patience <-chan time.Time
	if x.timeout > 0 {
		timer := time.NewTimer(x.timeout)
		defer timer.Stop()
		limit = timer.C
	}
	cancelled := ctx.Done()
	interrupt := func(name, message string, cause error) {
		limit, cancelled = nil, nil
		stop = &CellError{Name: name, Message: message, cause: cause}
		x.interrupt()
		patience = time.After(interruptGrace)
	}
	for reply == nil || !idle {
		select {
		case m := <-x.published:
			x.add(m)
			if m.parent == id && m.kind == "status" && m.str("execution_state") == "idle" {
				idle = true
			}
		case m := <-x.replies:
			if m.parent == id && m.kind == "execute_reply" {
				reply = &m
			}
		case m := <-x.questions:
			if m.parent == id && stop == nil {
				interrupt(InputRequested, fmt.Sprintf("the cell asks for input (%q), which nobody can give here", m.str("prompt")), nil)
			}
		case <-limit:
			interrupt(Timeout, fmt.Sprintf("the cell ran longer than %v and was interrupted", x.timeout), nil)
		case <-cancelled:
			interrupt(Interrupted, "interrupted", ctx.Err())
		case <-patience:
			killGroup(x.cmd)
			<-x.dead
			stop.Message += "; the kernel did not react and was killed"
			return x.fail(c, stop.Name, stop.Message, stopCause(stop, errKilled))
		case <-x.dead:
			x.drain()
			if stop != nil {
				return x.fail(c, stop.Name, stop.Message, stopCause(stop, errKilled))
			}
			err := x.death()
			return x.fail(c, KernelDied, err.Error(), err)
		}
	}
	if n, ok := number(reply.content["execution_count"]); ok {
		c.ExecutionCount = &n
	}
	switch {
	case stop != nil:
		return x.fail(c, stop.Name, stop.Message, stop.cause)
	case reply.str("status") != "ok":
		x.settle()
		return &CellError{Name: cmpOr(reply.str("ename"), "error"), Message: failureText(c, reply)}
	}
	return nil
}

var errKilled = errors.New("kernel killed")

func stopCause(stop *CellError, otherwise error) error {
	if stop.cause != nil {
		return stop.cause
	}
	return otherwise
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// fail records in the cell's outputs why it was ended from outside.
func (x *executor) fail(c *Cell, name, text string, cause error) *CellError {
	x.drain()
	c.Outputs = append(c.Outputs, &Output{Type: "error", ErrorName: name, ErrorValue: text, Traceback: []string{text}})
	return &CellError{Name: name, Message: text, cause: cause}
}

// drain takes what was published already.
func (x *executor) drain() {
	for {
		select {
		case m := <-x.published:
			x.add(m)
		default:
			return
		}
	}
}

// settle takes late output until there is none for a while. GoNB passes on what
// a program displays through another pipe than what it prints, and may do so
// after it has said to be idle.
func (x *executor) settle() {
	const quiet, longest = 100 * time.Millisecond, 2 * time.Second
	end := time.After(longest)
	for {
		select {
		case m := <-x.published:
			x.add(m)
		case <-time.After(quiet):
			return
		case <-x.dead:
			x.drain()
			return
		case <-end:
			return
		}
	}
}
