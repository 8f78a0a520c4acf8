package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/datasets"
)

type datasetsShowOptions struct {
	overlapFlags
	sheetFlags
	real, template, onError, exif string
	nTrain, nTest, shots          int
	seed                          uint64
	json, ensemble                bool
}

func newDatasetsShow(s *streams) *cobra.Command {
	var o datasetsShowOptions
	c := &cobra.Command{
		Use:   "show NAME|PATH",
		Short: "Show a task's classes, captions and sizes, and draw a contact sheet",
		Long: `show tells what a task is made of: how many pictures each class has in each split,
their captions, how large the pictures are, the hash of it all, and of a data set
of the paper where it comes from and under which licence. Of many pictures, some
hundreds are looked at for their sizes. --out draws a contact sheet.`,
		Example: `  iimm datasets show world/newshapes --out sheet.png
  iimm datasets show folder:photos --template "a photo of a {class}, a kind of bird"`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args[0]) },
	}
	o.overlapFlags.add(c)
	o.sheetFlags.add(c)
	f := c.Flags()
	f.StringVar(&o.real, "real", "", realUsage)
	f.BoolVar(&o.ensemble, "ensemble", false, "the usual ensemble of captions of a data set of the paper")
	f.StringVar(&o.template, "template", "", `caption of a class of a path (default the data's own, else "`+datasets.DefaultTemplate+`")`)
	f.StringVar(&o.onError, "on-error", string(datasets.Fail), "fail or skip: what to do about files of a path that are no pictures")
	exifFlag(c, &o.exif)
	f.IntVar(&o.nTrain, "n-train", 0, "images for training (0: the task's standard)")
	f.IntVar(&o.nTest, "n-test", 0, "images for testing (0: the task's standard)")
	f.IntVar(&o.shots, "shots", 0, "training images of each class (0: no bound)")
	f.Uint64Var(&o.seed, "seed", 0, "seed of drawing and splitting")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func (o *datasetsShowOptions) run(ctx context.Context, s *streams, name string) error {
	onError, err := datasets.ParseOnError(o.onError)
	switch {
	case err != nil:
		return usagef("--on-error: %v", err)
	case o.nTrain < 0 || o.nTest < 0 || o.shots < 0:
		return usagef("--n-train, --n-test and --shots cannot be negative")
	}
	if err := o.sheetFlags.check(); err != nil {
		return err
	}
	asStored, err := ignoreExif(o.exif)
	if err != nil {
		return err
	}
	folder := datasets.FolderOptions{OnError: onError, Template: o.template, AsStored: asStored, Progress: s.progress(), Context: ctx}
	if err := o.fill(&folder); err != nil {
		return err
	}
	task, err := datasets.Load(name, datasets.LoadOptions{RealDir: o.real, NTrain: o.nTrain, NTest: o.nTest, Shots: o.shots, Seed: o.seed, Ensemble: o.ensemble, Folder: folder,
		Problems: func(p datasets.Problem) { s.warnf("%s", p) },
	})
	if err != nil {
		return err
	}
	if err := o.draw(task); err != nil {
		return err
	}
	const most = 300 // pictures whose sizes are looked at
	survey, problems, err := datasets.Look(ctx, task, most, s.progress())
	if err != nil {
		return err
	}
	for _, p := range problems {
		s.warnf("%s", p)
	}
	d, err := describeTask(task, o.real, survey)
	if err != nil {
		return err
	}
	if o.json {
		return s.json(struct {
			Schema int    `json:"schema"`
			Name   string `json:"name"`
			Group  string `json:"group"`
			Domain string `json:"domain"`
			Seed   uint64 `json:"seed"`
			description
			Out string `json:"out,omitempty"`
		}{1, task.Name, task.Group, task.Domain, o.seed, d, o.out})
	}
	fmt.Fprintf(s.out, "%s: group %s, domain %s, %s, hash %.12s\n", task.Name, task.Group, task.Domain, d.counts(), task.Hash)
	d.print(s)
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CLASS\tTRAIN\tVAL\tTEST\tCAPTION")
	for _, c := range d.Classes {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\n", c.Class, c.Train, c.Val, c.Test, c.Caption)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	o.printed(s)
	return nil
}
