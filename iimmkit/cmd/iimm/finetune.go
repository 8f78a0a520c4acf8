package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

func init() { verbs = append(verbs, newFinetune) }

type finetuneOptions struct {
	tuningFlags
	method, task string
	retain, set  []string
	seed         int
	out          string
	json         bool
}

func newFinetune(s *streams) *cobra.Command {
	o := &finetuneOptions{}
	c := &cobra.Command{
		Use:   "finetune --task TASK --out FOLDER",
		Short: "Tune a model on one task and keep it",
		Long: `Of method full, FOLDER is a model in the layout in which the untuned one came, so
that --model FOLDER opens it. The other methods keep what differs from it: LoRA in
PEFT's files, the weights that bitfit and attention moved, the adapter's layers, the
probe (iimm finetune merge makes a whole model of the first three). FOLDER/run.json
says what was measured before and after. Interrupted and started again, the command
goes on where it was.

Methods: ` + methodList() + `
Hyper-parameters: ` + strings.Join(experiment.HyperParameters(), ", ") + ".",
		Example: `  iimm finetune --model micro --method full --task world/shape --seed 0 --out tuned
  iimm finetune --method lora --set lora_rank=4 --task world/letter --out tuned
  iimm finetune --model CHECKPOINT --recipe modern --set validation=0.1 --task folder:parts --out tuned
  iimm finetune --task folder:parts --retain world/shape,world/digit --steps 150 --out tuned`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.changes(c)
			var err error
			if o.spec.Changes, err = experiment.ParseChanges(o.set, o.spec.Changes); err != nil {
				return usageError{err}
			}
			return o.run(c.Context(), s)
		},
	}
	o.add(c)
	f := c.Flags()
	f.StringVar(&o.method, "method", "full", "tuning method")
	f.StringVar(&o.task, "task", "", "task to tune on (see iimm datasets list), or a path")
	f.StringSliceVar(&o.retain, "retain", nil, "tasks to measure forgetting on, or quick, or all")
	f.StringArrayVar(&o.set, "set", nil, "NAME=VALUE of another hyper-parameter; may be repeated")
	f.IntVar(&o.seed, "seed", 0, "seed of the order of images")
	f.StringVar(&o.out, "out", "", "folder for the tuned model")
	f.BoolVar(&o.json, "json", false, "print JSON")
	c.AddCommand(newFinetuneMerge(s), newFinetuneInterpolate(s))
	return c
}

func (o *finetuneOptions) run(ctx context.Context, s *streams) error {
	switch {
	case o.out == "":
		return usagef("--out is required: the folder for the tuned model")
	case o.task == "":
		return usagef("--task is required: the task to tune on")
	}
	o.spec.Methods, o.spec.Seeds = []string{o.method}, []int{o.seed}
	o.spec.Tasks = tasksOf(o.task, o.retain, o.spec.RealDir)
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

// tasksOf lists a task and those to retain beside it.
func tasksOf(task string, retain []string, realDir string) []string {
	tasks := []string{task}
	for _, name := range experiment.TaskNames(retain, realDir) {
		if name != task {
			tasks = append(tasks, name)
		}
	}
	return tasks
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
