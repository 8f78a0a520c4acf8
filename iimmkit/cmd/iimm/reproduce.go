package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/show/report"
	"github.com/iimmkit/iimm/iimmkit/study/correlation"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
	"github.com/iimmkit/iimm/iimmkit/study/reproduce"
)

func init() { verbs = append(verbs, newReproduce) }

type reproduceOptions struct {
	tuningFlags
	out  string
	json bool
}

func newReproduce(s *streams) *cobra.Command {
	o := &reproduceOptions{}
	c := &cobra.Command{
		Use:   "reproduce",
		Short: "Do the whole study: tasks, embeddings, IIMM, tuning, gain, forgetting, correlation, report",
		Long: `Reproduce measures a model on a fixed list of tasks (IIMM and its parts, zero-shot
accuracy, cross-validated linear probe), tunes it on each of them, measures gain
and forgetting, and says what foretold them, whichever predictor wins. It needs no
download and no GPU. The folder then holds

  report.html       what was found, in one page that needs no network
  ledger.jsonl      one line a run
  correlation.json  every predictor against every target, with intervals
  charts/           the page's pictures as SVG and PNG

The protocol full has four models and all six methods: hours on the Go backend, see
README for what it takes with XLA.

Each run is kept the moment it is finished: stopped and started again, the
command goes on. Protocols are the same on every backend. With --real the tasks of
the real data sets in that folder join the drawn ones.`,
		Example: `  iimm reproduce --out out/reproduce
  iimm reproduce --protocol standard --real data/images --backend xla:cpu --out out/standard`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.changes(c)
			if !c.Flags().Changed("model") {
				o.spec.Model = "" // the protocol's
			}
			return o.run(c.Context(), s)
		},
	}
	o.add(c)
	f := c.Flags()
	f.StringSliceVar(&o.spec.Methods, "methods", nil, "tuning methods (default full,probe; with the protocol full all six)")
	f.StringSliceVar(&o.spec.Tasks, "tasks", nil, "tasks (see iimm datasets list) instead of the protocol's fixed list")
	f.IntSliceVar(&o.spec.Seeds, "seeds", nil, "seeds of the tuning (default the protocol's)")
	f.BoolVar(&o.spec.RetryFailed, "retry-failed", false, "do failed runs again")
	f.StringVar(&o.out, "out", "out/reproduce", "folder of the results")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

// reproduced is what reproduce prints as JSON. The analysis is in the file.
type reproduced struct {
	Schema      int      `json:"schema"`
	Model       string   `json:"model"`
	Backend     string   `json:"backend"`
	Protocol    string   `json:"protocol"`
	Planned     int      `json:"planned"`
	Reused      int      `json:"reused"`
	Failed      int      `json:"failed"`
	Seconds     float64  `json:"seconds"` // of this call
	Ledger      string   `json:"ledger"`
	Correlation string   `json:"correlation"`
	Report      string   `json:"report"`
	Charts      []string `json:"charts"`
	Statements  []string `json:"statements"` // one a method
}

func (o *reproduceOptions) run(ctx context.Context, s *streams) error {
	if o.out == "" {
		return usagef("--out is empty: it names the folder of the results")
	}
	o.spec.Tasks = experiment.TaskNames(o.spec.Tasks, o.spec.RealDir)
	for _, spec := range reproduce.Complete(o.spec) {
		if err := spec.Check(); err != nil {
			return usageError{err}
		}
	}
	result, err := reproduce.Run(ctx, o.spec, o.out, s.progress())
	if err != nil {
		return err
	}
	page := filepath.Join(o.out, "report.html")
	charts, err := writeReport(page, report.Input{Runs: result.Experiment.Runs, Correlation: result.Correlation, Program: programName()})
	if err != nil {
		return err
	}
	sum := result.Experiment
	if o.json {
		r := reproduced{1, sum.Model, sum.Backend, sum.Protocol, sum.Planned, sum.Reused, sum.Failed, sum.Seconds,
			sum.Ledger, filepath.Join(o.out, reproduce.CorrelationFile), page, charts, nil}
		for _, g := range result.Correlation.Groups {
			r.Statements = append(r.Statements, g.Statement)
		}
		err = s.json(r)
	} else {
		err = printReproduced(s, sum, result.Correlation, page)
	}
	if err != nil {
		return err
	}
	return failed(sum)
}

func printReproduced(s *streams, sum experiment.Summary, c *correlation.Report, page string) error {
	if err := printSummary(s, sum); err != nil {
		return err
	}
	if len(c.Groups) > 2 {
		fmt.Fprintf(s.out, "\n%s\n", wrap(c.Statement, 88))
	} else {
		for _, g := range c.Groups {
			fmt.Fprintf(s.out, "\n%s\n", wrap(g.Statement, 88))
		}
	}
	_, err := fmt.Fprintf(s.out, "\n%s tells all of it; open it in a browser (%d runs, %s)\n", page, len(sum.Runs), progress.FormatDuration(seconds(sum.Seconds)))
	return err
}
