package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/show/notebook"
	"github.com/iimmkit/iimm/kernels"
)

type notebookRunOptions struct {
	notebooks []string
	out       string
	timeout   time.Duration
	jobs      int
	params    []string
	kernel    string
	charts    string
	junit     string
	json      bool
}

func newNotebookRun(s *streams) *cobra.Command {
	o := &notebookRunOptions{}
	c := &cobra.Command{
		Use:   "run NOTEBOOK...",
		Short: "Execute notebooks; write the executed .ipynb and one offline HTML page each",
		Long: `Executes the cells with the pinned Go kernel, which is built into the cache at
first use; Jupyter is not needed. Relative paths in cells and parameters are seen
from the notebook's folder.

A failing cell ends its notebook, not the others, and makes exit code 1; what ran
until then is written all the same, as it is after Ctrl-C (exit code 130). Cells
tagged raises-exception may fail.

A parameter is what cells read with nb.Param, or what a cell tagged "parameters"
declares (var task = "world/shape"): then a cell behind it, tagged
"injected-parameters", declares it anew.`,
		Example: `  iimm notebook run notebooks/*.ipynb --out out/notebooks --jobs 2 --junit out/notebooks.xml
  iimm notebook run notebooks/02-learning-and-forgetting.ipynb --out nb --param ledger=/tmp/r --cell-timeout 5m`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.notebooks = args
			return o.run(c.Context(), s)
		},
	}
	f := c.Flags()
	f.StringVar(&o.out, "out", "", "folder for the results (required)")
	f.DurationVar(&o.timeout, "cell-timeout", 30*time.Minute, "longest time for one cell; 0 is no limit")
	f.StringArrayVar(&o.params, "param", nil, "parameter `NAME=VALUE` of the notebooks; may be repeated")
	f.IntVar(&o.jobs, "jobs", 1, "notebooks that run at a time, each with a kernel of its own")
	f.StringVar(&o.kernel, "kernel", "", "kernelspec to use instead of the notebook's own: iimm-go, iimm-go-xla-cpu, ...")
	f.StringVar(&o.charts, "charts", "auto", "charts on the page: interactive, static or auto, as with iimm notebook export")
	f.StringVar(&o.junit, "junit", "", "also write the results to this `FILE` as JUnit XML, a case for each cell")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

// notebookResult is what became of one notebook.
type notebookResult struct {
	Notebook string         `json:"notebook"`
	OK       bool           `json:"ok"`
	Executed string         `json:"executed"`
	HTML     string         `json:"html"`
	Cells    int            `json:"cells"` // that were executed
	Seconds  float64        `json:"seconds"`
	Error    *notebookError `json:"error"`
}

type notebookError struct {
	Cell    int    `json:"cell"` // among the code cells, from 1; 0 when it was no cell
	ID      string `json:"id"`
	Name    string `json:"name"`
	Summary string `json:"summary"` // the message in one line
	Message string `json:"message"`
}

// place is where the results of a notebook go.
type place struct{ executed, page string }

func (o *notebookRunOptions) run(ctx context.Context, s *streams) error {
	switch {
	case o.out == "":
		return usagef("--out DIR is required: where the executed notebooks go")
	case o.timeout < 0:
		return usagef("--cell-timeout %v is negative", o.timeout)
	case o.jobs < 1:
		return usagef("--jobs %d: at least 1", o.jobs)
	}
	params, err := o.parameters()
	if err != nil {
		return err
	}
	tasks, places, err := o.tasks(params)
	if err != nil {
		return err
	}
	vega, err := vegaFor(ctx, s, o.charts)
	if err != nil {
		return err
	}
	for i := range tasks {
		if tasks[i].Kernel, err = o.spec(ctx, s, tasks[i].Notebook, tasks[i].Dir); err != nil {
			return err
		}
	}
	results := []notebookResult{}
	var failed []string
	runs, err := notebook.ExecuteAll(ctx, tasks, o.jobs, s.progress(), func(i int, r *notebook.Run) error {
		result, err := places[i].write(r, vega)
		if err != nil {
			return err
		}
		results = append(results, result)
		if !result.OK {
			failed = append(failed, r.Path)
		}
		if !o.json {
			result.print(s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if o.junit != "" {
		var b bytes.Buffer
		if err := notebook.WriteJUnit(&b, runs); err != nil {
			return err
		}
		if err := store.WriteFile(o.junit, b.Bytes()); err != nil {
			return err
		}
	}
	if o.json {
		if err := s.json(struct {
			Schema    int              `json:"schema"`
			Notebooks []notebookResult `json:"notebooks"`
		}{1, results}); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d notebooks failed: %s", len(failed), len(runs), strings.Join(failed, ", "))
	}
	return nil
}

func (o *notebookRunOptions) parameters() (map[string]string, error) {
	params := map[string]string{}
	for _, p := range o.params {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return nil, usagef("--param %s: NAME=VALUE expected", p)
		}
		if err := notebook.CheckParamName(name); err != nil {
			return nil, usagef("--param %s: %v", p, err)
		}
		if _, twice := params[name]; twice {
			return nil, usagef("--param %s is given twice", name)
		}
		params[name] = value
	}
	return params, nil
}

// tasks reads the notebooks and refuses, before anything runs, what cannot end
// well.
func (o *notebookRunOptions) tasks(params map[string]string) ([]notebook.Task, []place, error) {
	var tasks []notebook.Task
	var places []place
	var known []string
	taken := map[string]string{}
	for _, path := range o.notebooks {
		name := filepath.Base(path)
		stem, ok := strings.CutSuffix(name, ".ipynb")
		if !ok {
			return nil, nil, usagef("%s is not named .ipynb", path)
		}
		if other, twice := taken[name]; twice {
			return nil, nil, usagef("%s and %s would both be written to %s", other, path, filepath.Join(o.out, name))
		}
		taken[name] = path
		p := place{executed: filepath.Join(o.out, name), page: filepath.Join(o.out, stem+".html")}
		if same(p.executed, path) {
			return nil, nil, usagef("--out %s is the folder of %s, which would be overwritten", o.out, path)
		}
		doc, err := notebook.Read(path)
		if err != nil {
			return nil, nil, usageError{err}
		}
		known = append(known, doc.Parameters()...)
		places = append(places, p)
		tasks = append(tasks, notebook.Task{Path: path, Notebook: doc, Options: notebook.Options{
			Dir: filepath.Dir(path), Parameters: params, Timeout: o.timeout, Title: name,
		}})
	}
	for name := range params {
		if !slices.Contains(known, name) {
			if len(known) == 0 {
				return nil, nil, usagef("--param %s: these notebooks have no parameters", name)
			}
			return nil, nil, usagef("--param %s: no such parameter; there are %s", name, strings.Join(known, ", "))
		}
	}
	return tasks, places, nil
}

func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// write writes what became of a notebook, whether or not it failed.
func (p place) write(r *notebook.Run, vega string) (notebookResult, error) {
	result := notebookResult{Notebook: r.Path, OK: r.Err == nil, Executed: p.executed, HTML: p.page, Cells: len(r.Cells), Seconds: r.Took.Seconds()}
	var inCell *notebook.CellError
	if errors.As(r.Err, &inCell) {
		result.Error = &notebookError{inCell.Cell, inCell.ID, inCell.Name, inCell.Summary, inCell.Message}
	} else if r.Err != nil {
		result.Error = &notebookError{Name: "kernel", Summary: r.Err.Error(), Message: r.Err.Error()}
	}
	if err := r.Notebook.Write(p.executed); err != nil {
		return notebookResult{}, err
	}
	return result, r.Notebook.WriteHTML(p.page, notebook.PageOptions{Name: filepath.Base(r.Path), Dir: r.Dir, Vega: vega})
}

// spec returns the kernel of a notebook: of ours the one of this version, built
// when needed; of others the one that is installed for Jupyter.
func (o *notebookRunOptions) spec(ctx context.Context, s *streams, doc *notebook.Notebook, dir string) (kernels.Spec, error) {
	name := o.kernel
	if name == "" {
		name = doc.Kernel()
	}
	if name == "" {
		name, _ = kernels.Name(kernels.Go)
	}
	backend, ours := kernels.Backend(name)
	if !ours {
		return kernels.Find(name)
	}
	return kernels.Ready(ctx, backend, kernels.Options{
		Dir: dir, Version: buildVersion().Version, Progress: s.progress(),
		Warn: func(text string) { s.warnf("%s", text) },
	})
}

func (r notebookResult) print(s *streams) {
	if r.OK {
		fmt.Fprintf(s.out, "%s: %d cells in %.1f s -> %s, %s\n", r.Notebook, r.Cells, r.Seconds, r.Executed, r.HTML)
		return
	}
	where := "before the first cell"
	if r.Error.Cell > 0 {
		where = fmt.Sprintf("at code cell %d", r.Error.Cell)
	}
	fmt.Fprintf(s.err, "%s: failed %s: %s\n", r.Notebook, where, r.Error.Summary)
	if strings.Contains(r.Error.Message, "\n") {
		fmt.Fprintln(s.err, indent(r.Error.Message))
	}
	fmt.Fprintf(s.out, "%s: failed %s -> %s, %s\n", r.Notebook, where, r.Executed, r.HTML)
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}
