package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

func init() { verbs = append(verbs, newFinetune) }

type finetuneOptions struct {
	tuningFlags
	method, task string
	retain       []string
	seed         int
	out          string
	json         bool
}

func newFinetune(s *streams) *cobra.Command {
	o := &finetuneOptions{}
	c := &cobra.Command{
		Use:   "finetune --task TASK --out FOLDER",
		Short: "Tune a model on one task and keep it",
		Long: `The tuned model goes to FOLDER in Hugging Face's layout, so that --model FOLDER
opens it; a linear probe goes to FOLDER/probe.safetensors. FOLDER/run.json says
what was measured before and after.

Methods: ` + methodList(),
		Example: `  iimm finetune --model micro --method full --task world/shape --seed 0 --out tuned
  iimm finetune --task folder:parts --retain world/shape,world/digit --steps 150 --out tuned`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.changes(c)
			return o.run(c.Context(), s)
		},
	}
	o.add(c)
	f := c.Flags()
	f.StringVar(&o.method, "method", "full", "tuning method")
	f.StringVar(&o.task, "task", "", "task to tune on (see iimm datasets list), or a path")
	f.StringSliceVar(&o.retain, "retain", nil, "tasks to measure forgetting on, or quick, or all")
	f.IntVar(&o.seed, "seed", 0, "seed of the order of images")
	f.StringVar(&o.out, "out", "", "folder for the tuned model")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func (o *finetuneOptions) run(ctx context.Context, s *streams) error {
	switch {
	case o.out == "":
		return usagef("--out is required: the folder for the tuned model")
	case o.task == "":
		return usagef("--task is required: the task to tune on")
	}
	o.spec.Methods, o.spec.Seeds, o.spec.Tasks = []string{o.method}, []int{o.seed}, []string{o.task}
	for _, name := range experiment.TaskNames(o.retain, o.spec.RealDir) {
		if name != o.task {
			o.spec.Tasks = append(o.spec.Tasks, name)
		}
	}
	if err := o.spec.Check(); err != nil {
		return usageError{err}
	}
	tuned, err := experiment.Tune(ctx, o.spec, o.out, s.progress())
	if err != nil {
		return err
	}
	if o.json {
		return s.json(tuned)
	}
	r := tuned.Run
	fmt.Fprintf(s.out, "%s, method %s: %d tensors of %d values moved, on %s in %s\n", r.Model, r.Method, len(tuned.Parameters), tuned.ParameterCount,
		r.Backend, progress.FormatDuration(seconds(r.Seconds)))
	fmt.Fprintf(s.out, "%s (%d test images): accuracy %.1f %% before, %.1f %% after, gain %+.1f points\n", r.Task, r.NTest,
		100*r.ZeroShotAccuracy, 100*r.Accuracy, r.Gain)
	if r.Forgetting != nil {
		fmt.Fprintf(s.out, "forgetting on %d other tasks: %+.1f points on average\n", len(r.OffTarget), *r.Forgetting)
	}
	_, err = fmt.Fprintf(s.out, "kept in %s\n", tuned.Dir)
	return err
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
