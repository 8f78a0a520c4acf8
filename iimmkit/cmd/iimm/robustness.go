package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/datasets/corrupt"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/study/robustness"
)

func init() { verbs = append(verbs, newRobustness) }

type robustnessOptions struct {
	robustness.Options
	model, against, task, backend, real, sheet string
	templates, kinds                           []string
	test                                       int
	json                                       bool
}

func newRobustness(s *streams) *cobra.Command {
	o := &robustnessOptions{}
	var kinds []string
	for _, k := range corrupt.Kinds() {
		kinds = append(kinds, fmt.Sprintf("  %-15s %s", k, k.About()))
	}
	c := &cobra.Command{
		Use:   "robustness --task TASK",
		Short: "Measure what noise, blur, darkness and compression leave of a model's accuracy",
		Long: `Robustness classifies the test images of a task by their captions, as they are and
spoiled in several ways, each in five severities. With --against it does the same
with a second model, such as the first one tuned by whatever method: was what
tuning gained lost again where pictures are worse?

Pictures are spoiled as the model sees them, resized to its input. Strengths are
between those of CIFAR-10-C (for 32 pixels) and ImageNet-C (224), where these
have the kind; the functions are written anew, so that accuracies compare with each
other, not with published ones. Predictions are kept: stopped and started again,
the command goes on.

Corruptions:
` + strings.Join(kinds, "\n"),
		Example: `  iimm robustness --model micro --task world/shape --json
  iimm finetune --task world/shape --out tuned
  iimm robustness --task world/shape --against tuned
  iimm robustness --task folder:parts --kinds motion-blur,darkness --sheet spoiled.png`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), s) },
	}
	f := c.Flags()
	f.StringVar(&o.model, "model", "micro", "name of a model or folder of a checkpoint")
	f.StringVar(&o.against, "against", "", "a second model, such as the folder of the first one tuned")
	f.StringVar(&o.task, "task", "", "task whose test images are spoiled (see iimm datasets list), or folder:PATH")
	f.StringVar(&o.backend, "backend", "", "go, xla:cpu, xla:cuda or auto (default auto)")
	f.StringVar(&o.real, "real", "", "folder of the real data sets, for their tasks")
	f.StringArrayVar(&o.templates, "template", nil, "caption of a class with {class}; several, each with its own flag, make an ensemble (default the task's)")
	f.StringSliceVar(&o.kinds, "kinds", nil, "corruptions (default all)")
	f.IntSliceVar(&o.Severities, "severities", nil, "severities, of 1 to 5 (default all)")
	f.IntVar(&o.test, "test", 0, "test images at most (default the task's standard, of a folder all)")
	f.Uint64Var(&o.Seed, "seed", 0, "of noise and directions")
	f.StringVar(&o.sheet, "sheet", "", "also draw the first test image, spoiled in all ways, to this PNG file")
	f.BoolVar(&o.NoCache, "no-cache", false, "neither keep predictions nor take those kept before")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func (o *robustnessOptions) run(ctx context.Context, s *streams) error {
	for _, k := range o.kinds {
		o.Kinds = append(o.Kinds, corrupt.Kind(k))
	}
	switch {
	case o.task == "":
		return usagef("--task is required: the task whose test images are spoiled")
	case o.test < 0:
		return usagef("--test %d: must not be negative", o.test)
	case o.sheet != "" && !strings.EqualFold(filepath.Ext(o.sheet), ".png"):
		return usagef("--sheet %s: the name must end in .png", o.sheet)
	}
	if err := o.Check(); err != nil {
		return usageError{err}
	}
	for _, t := range o.templates {
		if err := datasets.CheckTemplate(t); err != nil {
			return usageError{err}
		}
	}
	task, err := datasets.Load(o.task, datasets.LoadOptions{RealDir: o.real, NTest: o.test,
		Folder: datasets.FolderOptions{Context: ctx, Progress: s.progress()}})
	if err == nil && o.templates != nil {
		task, err = task.WithTemplates(o.templates)
	}
	if err != nil {
		return err
	}
	b, err := backend.Open(o.backend)
	if err != nil {
		return err
	}
	before, err := o.evaluate(ctx, s, b, o.model, "", task)
	if err != nil {
		return err
	}
	var after *robustness.Result
	if o.against != "" {
		if after, err = o.evaluate(ctx, s, b, o.against, o.model, task); err != nil {
			return err
		}
	}
	comparison, err := robustness.Compare(before, after)
	if err != nil {
		return err
	}
	if o.sheet != "" {
		if err := o.draw(task); err != nil {
			return err
		}
	}
	if o.json {
		return s.json(comparison)
	}
	return printRobustness(s, comparison)
}

func (o *robustnessOptions) evaluate(ctx context.Context, s *streams, b compute.Backend, model, base string, task *datasets.Task) (*robustness.Result, error) {
	m, err := robustness.Open(b, model, base)
	if err != nil {
		return nil, err
	}
	return robustness.Evaluate(ctx, m, task, o.Options, s.progress())
}

func (o *robustnessOptions) draw(task *datasets.Task) error {
	p, err := task.Test.Image(0)
	if err != nil {
		return err
	}
	sheet, err := datasets.CorruptionSheet(p, o.Seed, 128)
	if err != nil {
		return err
	}
	var file bytes.Buffer
	if err := sheet.EncodePNG(&file); err != nil {
		return err
	}
	return store.WriteFile(o.sheet, file.Bytes())
}

func printRobustness(s *streams, c *robustness.Comparison) error {
	b := c.Before
	fmt.Fprintf(s.out, "%s: %d test images, %d classes, chance %.1f %%, on %s, seed %d\n", b.Task, b.N, b.Classes, 100/float64(b.Classes), b.Backend, b.Seed)
	results := []*robustness.Result{b}
	if c.After != nil {
		results = append(results, c.After)
	}
	for _, r := range results {
		fmt.Fprintf(s.out, "\n%s: accuracy in %%, %.1f on the images as they are\n", r.Model, 100*r.CleanAccuracy)
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(w, "severity\t")
		for _, v := range r.Kinds[0].Severities {
			fmt.Fprintf(w, "%d\t", v.Severity)
		}
		fmt.Fprintln(w, "mean\tdrop\t")
		for _, k := range r.Kinds {
			fmt.Fprintf(w, "%s\t", k.Kind)
			for _, v := range k.Severities {
				fmt.Fprintf(w, "%.1f\t", 100*v.Accuracy)
			}
			fmt.Fprintf(w, "%.1f\t%+.1f\t\n", 100*k.Accuracy, k.Drop)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "mean corruption accuracy %.1f %%, drop %.1f points%s\n", 100*r.MeanCorruptionAccuracy, r.Drop, between(r.DropCI95))
	}
	if c.Change == nil {
		return nil
	}
	_, err := fmt.Fprintf(s.out, "\n%s against %s, in points: %+.1f%s as they are, %+.1f%s spoiled; the drop changes by %+.1f%s\n", c.After.Model, b.Model,
		c.Change.CleanAccuracy, between(c.Change.CleanAccuracyCI95), c.Change.MeanCorruptionAccuracy, between(c.Change.MeanCorruptionAccuracyCI95),
		c.Change.Drop, between(c.Change.DropCI95))
	return err
}

// between writes a 95 % interval, nothing when there is none.
func between(i *robustness.Interval) string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf(" (95 %% interval %.1f to %.1f)", i[0], i[1])
}
