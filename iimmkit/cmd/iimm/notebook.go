package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/show/notebook"
	"github.com/iimmkit/iimm/kernels"
)

func init() { verbs = append(verbs, newNotebook) }

func newNotebook(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:     "notebook",
		Short:   "Execute Go notebooks without Jupyter",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
		Example: "  iimm notebook run notebooks/01-embedding-space.ipynb --out out/notebooks",
	}
	c.AddCommand(newNotebookRun(s))
	return c
}

type notebookRunOptions struct {
	notebooks []string
	out       string
	timeout   time.Duration
	params    []string
	kernel    string
	json      bool
}

func newNotebookRun(s *streams) *cobra.Command {
	o := &notebookRunOptions{}
	c := &cobra.Command{
		Use:   "run NOTEBOOK...",
		Short: "Execute notebooks; write the executed .ipynb and one offline HTML page each",
		Long: `Executes the cells with the pinned Go kernel, which is built into the cache at
first use; Jupyter is not needed. A failing cell makes exit code 1 and shows the
compiler's message; what ran until then is written all the same. Relative paths
in cells and parameters are seen from the notebook's folder.`,
		Example: `  iimm notebook run notebooks/*.ipynb --out out/notebooks
  iimm notebook run notebooks/02-learning-and-forgetting.ipynb --out nb --param ledger=/tmp/r --timeout 5m`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.notebooks = args
			return o.run(c.Context(), s)
		},
	}
	f := c.Flags()
	f.StringVar(&o.out, "out", "", "folder for the results (required)")
	f.DurationVar(&o.timeout, "timeout", 30*time.Minute, "longest time for one cell; 0 is no limit")
	f.StringArrayVar(&o.params, "param", nil, "parameter `NAME=VALUE` that cells read with nb.Param; may be repeated")
	f.StringVar(&o.kernel, "kernel", "", "kernelspec to use instead of the notebook's own: iimm-go, iimm-go-xla-cpu, ...")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

// notebookResult is what became of one notebook.
type notebookResult struct {
	Notebook string         `json:"notebook"`
	OK       bool           `json:"ok"`
	Executed string         `json:"executed"`
	HTML     string         `json:"html"`
	Cells    int            `json:"cells"`
	Seconds  float64        `json:"seconds"`
	Error    *notebookError `json:"error"`
}

type notebookError struct {
	Cell    int    `json:"cell"` // among the code cells, from 1; 0 when it was no cell
	ID      string `json:"id"`
	Name    string `json:"name"`
	Message string `json:"message"`
}

// job is a notebook to execute and where its results go.
type job struct {
	path, executed, page string
	doc                  *notebook.Notebook
}

func (o *notebookRunOptions) run(ctx context.Context, s *streams) error {
	if o.out == "" {
		return usagef("--out DIR is required: where the executed notebooks go")
	}
	if o.timeout < 0 {
		return usagef("--timeout %v is negative", o.timeout)
	}
	params, err := o.parameters()
	if err != nil {
		return err
	}
	jobs, err := o.jobs(params)
	if err != nil {
		return err
	}
	var results []notebookResult
	for _, j := range jobs {
		r, err := o.execute(ctx, s, j, params)
		if err != nil {
			return err
		}
		results = append(results, r)
		if !o.json {
			r.print(s)
		}
		if ctx.Err() != nil {
			return ctx.Err()
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
	var failed []string
	for _, r := range results {
		if !r.OK {
			failed = append(failed, r.Notebook)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
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

// jobs reads the notebooks and refuses, before anything runs, what cannot end
// well.
func (o *notebookRunOptions) jobs(params map[string]string) ([]job, error) {
	var jobs []job
	var known []string
	taken := map[string]string{}
	for _, path := range o.notebooks {
		name := filepath.Base(path)
		stem, ok := strings.CutSuffix(name, ".ipynb")
		if !ok {
			return nil, usagef("%s is not named .ipynb", path)
		}
		if other, twice := taken[name]; twice {
			return nil, usagef("%s and %s would both be written to %s", other, path, filepath.Join(o.out, name))
		}
		taken[name] = path
		j := job{path: path, executed: filepath.Join(o.out, name), page: filepath.Join(o.out, stem+".html")}
		if same(j.executed, path) {
			return nil, usagef("--out %s is the folder of %s, which would be overwritten", o.out, path)
		}
		doc, err := notebook.Read(path)
		if err != nil {
			return nil, usageError{err}
		}
		j.doc = doc
		known = append(known, doc.Parameters()...)
		jobs = append(jobs, j)
	}
	for name := range params {
		if !slices.Contains(known, name) {
			if len(known) == 0 {
				return nil, usagef("--param %s: these notebooks have no parameters", name)
			}
			return nil, usagef("--param %s: no such parameter; there are %s", name, strings.Join(known, ", "))
		}
	}
	return jobs, nil
}

func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// execute runs one notebook and writes its results, whether or not it fails; an
// error is one of writing, or of not being able to run anything.
func (o *notebookRunOptions) execute(ctx context.Context, s *streams, j job, params map[string]string) (notebookResult, error) {
	dir := filepath.Dir(j.path)
	spec, err := o.spec(ctx, s, j.doc, dir)
	if err != nil {
		return notebookResult{}, err
	}
	start := time.Now()
	fail := notebook.Execute(ctx, j.doc, notebook.Options{
		Kernel: spec, Dir: dir, Parameters: params, Timeout: o.timeout,
		Progress: s.progress(), Title: filepath.Base(j.path),
	})
	r := notebookResult{Notebook: j.path, OK: fail == nil, Executed: j.executed, HTML: j.page, Seconds: time.Since(start).Seconds()}
	for _, c := range j.doc.Cells {
		if c.ExecutionCount != nil {
			r.Cells++
		}
	}
	var inCell *notebook.CellError
	switch {
	case errors.As(fail, &inCell):
		r.Error = &notebookError{inCell.Cell, inCell.ID, inCell.Name, inCell.Message}
	case fail != nil:
		return notebookResult{}, fmt.Errorf("%s: %w", j.path, fail)
	}
	if err := j.doc.Write(j.executed); err != nil {
		return notebookResult{}, err
	}
	if err := j.doc.WriteHTML(j.page, notebook.PageOptions{Name: filepath.Base(j.path), Dir: dir}); err != nil {
		return notebookResult{}, err
	}
	return r, nil
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
	fmt.Fprintf(s.err, "%s: code cell %d failed\n%s\n", r.Notebook, r.Error.Cell, indent(r.Error.Message))
	fmt.Fprintf(s.out, "%s: failed at code cell %d -> %s, %s\n", r.Notebook, r.Error.Cell, r.Executed, r.HTML)
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}
