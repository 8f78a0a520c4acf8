package main

import (
	"errors"
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
  iimm experiment init > experiment.yaml
  iimm experiment run --spec experiment.yaml --out results
  iimm experiment status results
  iimm experiment export csv results > runs.csv`,
	}
	c.AddCommand(newExperimentInit(s), newExperimentRun(s), newExperimentResume(s, false), newExperimentResume(s, true),
		newExperimentStatus(s), newExperimentExport(s))
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
	var recipes []string
	for _, r := range finetune.Recipes() {
		recipes = append(recipes, r.Name+" ("+r.About+")")
	}
	f.StringVar(&t.spec.Changes.Recipe, "recipe", "", "tuning options in place of the protocol's: "+strings.Join(recipes, ", "))
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
	models []string
	grid   []string
	file   string
	dryRun bool
	out    string
	json   bool
}

func newExperimentRun(s *streams) *cobra.Command {
	o := &experimentOptions{}
	c := &cobra.Command{
		Use:   "run --out FOLDER [--spec FILE | --models MODELS --methods METHODS --tasks TASKS]",
		Short: "Do every run of models x methods x tasks x seeds x settings that the folder does not hold yet",
		Long: `Every task is measured before tuning (IIMM and its parts, zero-shot accuracy,
cross-validated linear probe); then each model is tuned on it by every method with
every seed at every combination of the grid, and tested on it and on every other
task. Each run is kept the moment it is finished: started again after whatever
stopped it, the command goes on. Several processes, on one machine or on several
that share FOLDER, may run it at once: they divide the runs.
FOLDER/ledger.jsonl holds one line a run; iimm correlate reads it.

The experiment is stated by flags or by a file (see iimm experiment init).

Methods: ` + methodList() + `
Hyper-parameters of the grid: ` + strings.Join(experiment.HyperParameters(), ", ") + ".",
		Example: `  iimm experiment run --model micro --methods full,probe --tasks quick --out results
  iimm experiment run --methods full --tasks world/shape,mnist --real data/images --seeds 0,1,2 --lr 1e-3 --out harder
  iimm experiment run --models micro-clip,micro-siglip --grid learning_rate=3e-4,1e-3 --grid steps=60,150 --out grid
  iimm experiment run --spec experiment.yaml --out results --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.changes(c)
			return o.run(c, s)
		},
	}
	o.add(c)
	f := c.Flags()
	f.StringSliceVar(&o.models, "models", nil, "several models instead of --model")
	f.StringSliceVar(&o.spec.Methods, "methods", []string{"full", "probe"}, "tuning methods")
	f.StringSliceVar(&o.spec.Tasks, "tasks", []string{"quick"}, "tasks (see iimm datasets list), or quick, or all")
	f.StringSliceVar(&o.spec.Retain, "retain", nil, "tasks on which forgetting is measured (default all of --tasks)")
	f.IntSliceVar(&o.spec.Seeds, "seeds", nil, "seeds of the tuning (default the protocol's)")
	f.StringArrayVar(&o.grid, "grid", nil, "NAME=VALUE,VALUE...: values of a hyper-parameter, each combination a run; may be repeated")
	f.StringVar(&o.file, "spec", "", "file that states the experiment, in YAML or JSON, instead of flags")
	f.BoolVar(&o.spec.RetryFailed, "retry-failed", false, "do failed runs again")
	f.BoolVar(&o.dryRun, "dry-run", false, "only say how many runs are missing and how long they would take")
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

// specs returns what the file or the flags ask for.
func (o *experimentOptions) specs(c *cobra.Command) ([]experiment.Spec, error) {
	given := func(names ...string) string {
		for _, n := range names {
			if c.Flags().Changed(n) {
				return n
			}
		}
		return ""
	}
	if o.file != "" {
		if name := given("model", "models", "methods", "tasks", "retain", "seeds", "grid", "protocol", "lr", "optimizer", "steps", "batch", "train", "test"); name != "" {
			return nil, fmt.Errorf("--%s cannot be given beside --spec: say it in %s", name, o.file)
		}
		design, err := experiment.ReadDesign(o.file)
		if err != nil {
			return nil, err
		}
		if o.spec.Backend != "" {
			design.Backend = o.spec.Backend
		}
		if o.spec.RealDir != "" {
			design.Real = o.spec.RealDir
		}
		return design.Specs()
	}
	design := experiment.Design{
		Schema: experiment.DesignSchema, Models: o.models, Methods: o.spec.Methods, Tasks: o.spec.Tasks, Retain: o.spec.Retain, Seeds: o.spec.Seeds,
		Protocol: o.spec.Protocol, Backend: o.spec.Backend, Real: o.spec.RealDir,
	}
	if given("models") == "" {
		design.Models = []string{o.spec.Model}
	} else if given("model") != "" {
		return nil, errors.New("--model and --models are both given")
	}
	var err error
	if design.Grid, err = experiment.ParseGrid(o.grid, o.spec.Changes); err != nil {
		return nil, fmt.Errorf("--grid: %w", err)
	}
	return design.Specs()
}

func (o *experimentOptions) run(c *cobra.Command, s *streams) error {
	if o.out == "" {
		return usagef("--out is required: the folder of the ledger")
	}
	specs, err := o.specs(c)
	if err != nil {
		return usageError{err}
	}
	for i := range specs {
		specs[i].RetryFailed = o.spec.RetryFailed
	}
	if o.dryRun {
		plan, err := experiment.PlanOf(c.Context(), specs, o.out, s.progress())
		if err != nil {
			return err
		}
		if o.json {
			return s.json(plan)
		}
		_, err = fmt.Fprintf(s.out, "%d runs of %s on %s, protocol %s: %d done, %d failed, %d missing: %s\n", plan.Planned, plan.Model,
			plan.Backend, plan.Protocol, plan.Done, plan.Failed, plan.Missing, plan.Estimate)
		return err
	}
	sum, err := experiment.DoAll(c.Context(), specs, o.out, s.progress())
	return o.show(s, sum, err)
}

// show prints what was done.
func (o *experimentOptions) show(s *streams, sum experiment.Summary, err error) error {
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

func newExperimentResume(s *streams, retry bool) *cobra.Command {
	o := &experimentOptions{}
	c := &cobra.Command{
		Use:   "resume FOLDER",
		Short: "Do what was last asked for in a folder and is missing",
		Long: `Does the runs that were last asked for in FOLDER and are missing, those whose
files are damaged included. It may be given while another process does so, here or
on another machine that shares FOLDER: they divide the runs. The backend is the one
that was used then; paths of models are relative to the folder of that time.`,
		Example: "  iimm experiment resume results",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			sum, err := experiment.Resume(c.Context(), args[0], o.spec.RealDir, retry, s.progress())
			return o.show(s, sum, err)
		},
	}
	if retry {
		c.Use, c.Short, c.Example = "retry FOLDER", "Do failed runs again, and what is missing", "  iimm experiment retry results"
		c.Long = `Does the failed runs that were last asked for in FOLDER again, and those that are
missing, as iimm experiment resume does. A run that fails again is kept with its
new error.`
	}
	c.Flags().StringVar(&o.spec.RealDir, "real", "", "folder of the real data sets on this machine (default as it was given)")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return c
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

// mostListed is the number of runs up to which each has a line of its own.
const mostListed = 100

func printSummary(s *streams, sum experiment.Summary) error {
	for _, text := range sum.Damaged {
		s.warnf("%s", text)
	}
	if len(sum.Runs) > mostListed {
		return printMeans(s, sum)
	}
	// Models and protocols are columns when there are several.
	models, protocols := strings.Contains(sum.Model, ", "), strings.Contains(sum.Protocol, ", ")
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	which := func(model, protocol string) {
		if models {
			fmt.Fprint(w, model, "\t")
		}
		if protocols {
			fmt.Fprint(w, protocol, "\t")
		}
	}
	which("model", "protocol")
	fmt.Fprintln(w, "task\tmethod\tseed\tzero-shot\taccuracy\tgain\tforgetting\tIIMM\tprobe\t")
	for _, r := range sum.Runs {
		which(r.Model, r.Protocol)
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
	return printTotal(s, sum)
}

func printMeans(s *streams, sum experiment.Summary) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "model\tmethod\truns\tfailed\tzero-shot\taccuracy\tgain\tforgetting\t")
	for _, m := range experiment.MeansOf(sum.Runs) {
		model := m.Model
		if strings.Contains(sum.Protocol, ", ") {
			model += " " + m.Protocol
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.1f %%\t%.1f %%\t%+.1f\t%s\t\n", model, m.Method, m.Runs, m.Failed,
			100*m.ZeroShotAccuracy, 100*m.Accuracy, m.Gain, points(m.Forgetting))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return printTotal(s, sum)
}

func printTotal(s *streams, sum experiment.Summary) error {
	before := fmt.Sprintf("%d done before", sum.Reused)
	if sum.ByOthers > 0 {
		before += fmt.Sprintf(", %d by other processes", sum.ByOthers)
	}
	_, err := fmt.Fprintf(s.out, "%s: %d runs of %s on %s, protocol %s (%s), took %s\n", sum.Ledger, sum.Planned, sum.Model, sum.Backend,
		sum.Protocol, before, progress.FormatDuration(seconds(sum.Seconds)))
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
	for _, text := range status.Damaged {
		s.warnf("%s", text)
	}
	state := "not running"
	switch {
	case status.Running:
		state = "running"
	case status.Missing == 0:
		state = "complete"
	}
	fmt.Fprintf(s.out, "%s on %s, protocol %s: %s\n", status.Model, status.Backend, status.Protocol, state)
	for _, p := range status.Processes {
		fmt.Fprintf(s.out, "process %d on %s since %s\n", p.PID, p.Host, p.Started.Local().Format("2006-01-02 15:04:05"))
	}
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
	if status.Missing > 0 {
		_, err := fmt.Fprintf(s.out, "%d runs done, %d missing: %s\n", status.Done, status.Missing, status.Estimate)
		return err
	}
	return nil
}
