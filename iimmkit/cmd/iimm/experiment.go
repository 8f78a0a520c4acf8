package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
	_ "github.com/iimmkit/iimm/iimmkit/model/encoder/micro"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

func init() { verbs = append(verbs, newExperiment) }

func newExperiment(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "experiment",
		Short: "Tune models on tasks and measure what they gain and forget",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Example: `  iimm experiment run --model micro --methods full,probe --tasks quick --out results
  iimm experiment status results`,
	}
	c.AddCommand(newExperimentRun(s), newExperimentStatus(s))
	return c
}

// tuningFlags are the flags that say how a model is tuned.
type tuningFlags struct {
	spec         experiment.Spec
	rate         float64
	steps, batch int
	train, test  int
}

func (t *tuningFlags) add(c *cobra.Command) {
	var protocols []string
	for _, p := range experiment.Protocols() {
		protocols = append(protocols, p.Name+" ("+p.About+")")
	}
	f := c.Flags()
	f.StringVar(&t.spec.Model, "model", "micro", "name of a model or folder of a checkpoint")
	f.StringVar(&t.spec.Backend, "backend", "", "go, xla:cpu, xla:cuda or auto (default auto)")
	f.StringVar(&t.spec.RealDir, "real", "", "folder of the real data sets, for their tasks")
	f.StringVar(&t.spec.Protocol, "protocol", "quick", strings.Join(protocols, ", "))
	f.Float64Var(&t.rate, "lr", 0, "learning rate at its peak (default the method's own)")
	f.StringVar(&t.spec.Changes.Optimizer, "optimizer", "", "adamw or sgd (default the protocol's, adamw)")
	f.IntVar(&t.steps, "steps", 0, "training steps (default the protocol's)")
	f.IntVar(&t.batch, "batch", 0, "images a step (default the protocol's)")
	f.IntVar(&t.train, "train", 0, "training images a task at most (default the protocol's)")
	f.IntVar(&t.test, "test", 0, "test images a task at most (default the protocol's)")
}

// changes takes over the flags that were given.
func (t *tuningFlags) changes(c *cobra.Command) {
	o := &t.spec.Changes
	for name, set := range map[string]func(){
		"lr":    func() { o.Rate = &t.rate },
		"steps": func() { o.Steps = &t.steps },
		"batch": func() { o.Batch = &t.batch },
		"train": func() { o.NTrain = &t.train },
		"test":  func() { o.NTest = &t.test },
	} {
		if c.Flags().Changed(name) {
			set()
		}
	}
}

type experimentOptions struct {
	tuningFlags
	out  string
	json bool
}

func newExperimentRun(s *streams) *cobra.Command {
	o := &experimentOptions{}
	c := &cobra.Command{
		Use:   "run --methods METHODS --tasks TASKS --out FOLDER",
		Short: "Do every run of methods x tasks x seeds that the folder does not hold yet",
		Long: `Every task is measured before tuning (IIMM and its parts, zero-shot accuracy,
cross-validated linear probe); then the model is tuned on it by every method with
every seed, and tested on it and on every other task. Each run is kept the moment
it is finished: started again after whatever stopped it, the command goes on.
FOLDER/ledger.jsonl holds one line a run; iimm correlate reads it.

Methods: ` + methodList(),
		Example: `  iimm experiment run --model micro --methods full,probe --tasks quick --out results
  iimm experiment run --methods full --tasks world/shape,mnist --real data/images --seeds 0,1,2 --lr 1e-3 --out harder`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.changes(c)
			return o.run(c.Context(), s)
		},
	}
	o.add(c)
	f := c.Flags()
	f.StringSliceVar(&o.spec.Methods, "methods", []string{"full", "probe"}, "tuning methods")
	f.StringSliceVar(&o.spec.Tasks, "tasks", []string{"quick"}, "tasks (see iimm datasets list), or quick, or all")
	f.IntSliceVar(&o.spec.Seeds, "seeds", nil, "seeds of the tuning (default the protocol's)")
	f.BoolVar(&o.spec.RetryFailed, "retry-failed", false, "do failed runs again")
	f.StringVar(&o.out, "out", "", "folder of the ledger")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func methodList() string {
	var lines []string
	for _, name := range finetune.Methods() {
		m, _ := finetune.Describe(name)
		lines = append(lines, fmt.Sprintf("%s (%s)", name, m.About))
	}
	return strings.Join(lines, ", ") + "."
}

func (o *experimentOptions) run(ctx context.Context, s *streams) error {
	if o.out == "" {
		return usagef("--out is required: the folder of the ledger")
	}
	o.spec.Tasks = experiment.TaskNames(o.spec.Tasks, o.spec.RealDir)
	if err := o.spec.Check(); err != nil {
		return usageError{err}
	}
	sum, err := experiment.Do(ctx, o.spec, o.out, s.progress())
	if err != nil {
		return err
	}
	if o.json {
		err = s.json(sum)
	} else {
		err = printSummary(s, sum)
	}
	if err != nil {
		return err
	}
	return failed(sum)
}

// failed is the error of an experiment some of whose runs failed.
func failed(sum experiment.Summary) error {
	failures := sum.Failures()
	if len(failures) == 0 {
		return nil
	}
	f := failures[0]
	return fmt.Errorf("%d of %d runs failed, such as %s on %s: %s (--retry-failed does them again)", len(failures), sum.Planned, f.Method, f.Task, f.Error)
}

func printSummary(s *streams, sum experiment.Summary) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "task\tmethod\tseed\tzero-shot\taccuracy\tgain\tforgetting\tIIMM\tprobe\t")
	for _, r := range sum.Runs {
		if r.Error != "" {
			fmt.Fprintf(w, "%s\t%s\t%d\t%.1f %%\tfailed\t\t\t%.3f\t%.1f %%\t\n", r.Task, r.Method, r.Seed, 100*r.ZeroShotAccuracy, r.IIMM, 100*r.ProbeCVAccuracy)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%.1f %%\t%.1f %%\t%+.1f\t%s\t%.3f\t%.1f %%\t\n", r.Task, r.Method, r.Seed,
			100*r.ZeroShotAccuracy, 100*r.Accuracy, r.Gain, points(r.Forgetting), r.IIMM, 100*r.ProbeCVAccuracy)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.out, "%s: %d runs of %s on %s, protocol %s (%d done before), took %s\n", sum.Ledger, sum.Planned, sum.Model, sum.Backend,
		sum.Protocol, sum.Reused, progress.FormatDuration(seconds(sum.Seconds)))
	return err
}

// points writes a value in points, - when it is not defined.
func points(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%+.1f", *v)
}

func newExperimentStatus(s *streams) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "status FOLDER",
		Short:   "Say how far an experiment is",
		Example: "  iimm experiment status results --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			status, err := experiment.StatusOf(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return s.json(status)
			}
			return printStatus(s, status)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printStatus(s *streams, status experiment.Status) error {
	state := "not running"
	switch {
	case status.Running:
		state = "running"
	case status.Missing == 0:
		state = "complete"
	}
	fmt.Fprintf(s.out, "%s on %s, protocol %s: %s\n", status.Model, status.Backend, status.Protocol, state)
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "method\tplanned\tdone\tfailed\tmissing\t")
	for _, m := range status.Methods {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t\n", m.Method, m.Planned, m.Done, m.Failed, m.Planned-m.Done-m.Failed)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range status.Failures {
		fmt.Fprintf(s.out, "failed: %s %s seed %d: %s\n", r.Task, r.Method, r.Seed, r.Error)
	}
	return nil
}
