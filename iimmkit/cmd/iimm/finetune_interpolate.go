package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

type interpolateOptions struct {
	experiment.FrontierSpec
	task   string
	retain []string
	limit  float64
	test   int
	json   bool
}

func newFinetuneInterpolate(s *streams) *cobra.Command {
	o := &interpolateOptions{}
	c := &cobra.Command{
		Use:   "interpolate FOLDER --task TASK",
		Short: "Measure the models between the untuned and a tuned one, and choose one by how much it may forget",
		Long: `Interpolate mixes the model that was tuned with what iimm finetune made of it, in
parts alpha from 0 (untuned) to 1 (tuned), and measures each mixture on the task and
on the tasks to retain. Mixed are the weights (WiSE-FT), with LoRA the scale of its
update, with an adapter its share; of a probe the log-probabilities are mixed with
the zero-shot ones.

With --forgetting-limit the mixture that gains most and forgets no more than the
limit, on average over the retained tasks, is chosen on one half of the test images
and measured on the other, so that the choice does not flatter it.`,
		Example: `  iimm finetune --method full --task world/texture --retain quick --out tuned
  iimm finetune interpolate tuned --task world/texture --retain quick --forgetting-limit 2`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.Dir = args[0]
			if c.Flags().Changed("forgetting-limit") {
				o.Limit = &o.limit
			}
			if c.Flags().Changed("test") {
				o.Changes.NTest = &o.test
			}
			return o.run(c.Context(), s)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Model, "model", "", "the model that was tuned (default as FOLDER names it)")
	f.StringVar(&o.Backend, "backend", "", "go, xla:cpu, xla:cuda or auto (default auto)")
	f.StringVar(&o.RealDir, "real", "", "folder of the real data sets, for their tasks")
	f.StringVar(&o.Protocol, "protocol", "quick", "protocol that says how many images a task has")
	f.IntVar(&o.test, "test", 0, "test images a task at most (default the protocol's)")
	f.StringVar(&o.task, "task", "", "task that was tuned on")
	f.StringSliceVar(&o.retain, "retain", nil, "tasks to measure forgetting on, or quick, or all")
	f.Float64SliceVar(&o.Alphas, "alphas", nil, "parts of the way (default 0, 0.1 … 1)")
	f.Float64Var(&o.limit, "forgetting-limit", 0, "points that the retained tasks may lose on average (default any)")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func (o *interpolateOptions) run(ctx context.Context, s *streams) error {
	if o.task == "" {
		return usagef("--task is required: the task that was tuned on")
	}
	o.Tasks = tasksOf(o.task, o.retain, o.RealDir)
	f, err := experiment.Sweep(ctx, o.FrontierSpec, s.progress())
	if err != nil {
		return err
	}
	if o.json {
		return s.json(f)
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "alpha\taccuracy\tgain\tforgetting\t")
	for _, p := range f.Points {
		fmt.Fprintf(w, "%g\t%.1f %%\t%+.1f\t%s\t\n", p.Alpha, 100*p.Accuracy, p.Gain, points(p.Forgetting))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s of %s on %s (%d test images), %s\n", f.Method, f.Model, f.Task, f.NTest, f.Backend)
	switch {
	case f.Limit == nil:
		return nil
	case f.Chosen == nil:
		_, err = fmt.Fprintf(s.out, "no mixture forgets at most %g points\n", *f.Limit)
	default:
		_, err = fmt.Fprintf(s.out, "alpha %g gains most with at most %g points forgotten, chosen on half of the test images; on the other half: gain %+.1f, forgetting %s\n",
			f.Chosen.Alpha, *f.Limit, f.Chosen.Gain, points(f.Chosen.Forgetting))
	}
	return err
}
