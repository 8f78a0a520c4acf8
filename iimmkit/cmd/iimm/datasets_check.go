package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

type datasetsCheckOptions struct {
	overlapFlags
	sheetFlags
	template, exif, real string
	json                 bool
}

func newDatasetsCheck(s *streams) *cobra.Command {
	var o datasetsCheckOptions
	c := &cobra.Command{
		Use:   "check NAME|PATH",
		Short: "Read every picture of a data set and name what is wrong",
		Long: `Read every picture of a folder, list, archive or any other form that iimm reads,
and name each file, row and class that cannot be used, pictures that are in two
splits, also when compressed again or scaled, copies within a split, and copies
that are of another class. The exit code is 1 when there is one. A task by its
name (iimm datasets list) is read as well; of a data set of the paper copies are
looked for, too. --out draws a contact sheet of what can be used.`,
		Example: `  iimm datasets check photos/
  iimm datasets check paper/dtd --out dtd.png
  iimm datasets check parts.zip --group-pattern 'part\d+' --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args[0]) },
	}
	o.overlapFlags.add(c)
	o.sheetFlags.add(c)
	c.Flags().StringVar(&o.real, "real", "", realUsage)
	c.Flags().StringVar(&o.template, "template", "", `caption of a class (default the data's own, else "`+datasets.DefaultTemplate+`")`)
	exifFlag(c, &o.exif)
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func (o *datasetsCheckOptions) run(ctx context.Context, s *streams, path string) error {
	asStored, err := ignoreExif(o.exif)
	if err != nil {
		return err
	}
	if err := o.sheetFlags.check(); err != nil {
		return err
	}
	folder := datasets.FolderOptions{OnError: datasets.Skip, Template: o.template, AsStored: asStored, Duplicates: true, Progress: s.progress(), Context: ctx}
	if err := o.fill(&folder); err != nil {
		return err
	}
	task, survey, problems, err := o.read(ctx, s, path, folder)
	d := description{Classes: []splitCounts{}}
	if task != nil {
		var derr error
		if d, derr = describeTask(task, o.real, survey); derr != nil {
			return derr
		}
		if err == nil {
			err = o.draw(task)
		}
	}
	if o.json && (err == nil || len(problems) > 0) {
		if problems == nil {
			problems = []datasets.Problem{}
		}
		jerr := s.json(struct {
			Schema   int                `json:"schema"`
			Path     string             `json:"path"`
			Problems []datasets.Problem `json:"problems"`
			description
			Out string `json:"out,omitempty"`
		}{1, path, problems, d, o.out})
		if jerr != nil {
			return jerr
		}
	} else {
		for _, p := range problems {
			fmt.Fprintf(s.out, "%s: %s\n", p.Kind, p)
		}
		if task != nil {
			fmt.Fprintf(s.out, "%s: %d usable pictures of %d classes", path, d.Train+d.Val+d.Test, len(task.ClassNames))
			if d.Val+d.Test > 0 {
				fmt.Fprintf(s.out, " (%s)", d.counts())
			}
			fmt.Fprintf(s.out, ", hash %.12s\n", task.Hash)
			d.print(s)
			o.printed(s)
		}
	}
	if err != nil {
		return err
	}
	switch n := len(problems); n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s has 1 problem", path)
	default:
		return fmt.Errorf("%s has %d problems", path, n)
	}
}

// read reads a path, or else the task of that name, and every picture of it.
func (o *datasetsCheckOptions) read(ctx context.Context, s *streams, path string, folder datasets.FolderOptions) (*datasets.Task, *datasets.Survey, []datasets.Problem, error) {
	const most = 1000 // pictures of a path, all read already, whose sizes are looked at
	inner, named := strings.CutPrefix(path, "folder:")
	if _, err := os.Stat(inner); err == nil || named || !isTask(path) {
		task, found, err := datasets.Open(inner, folder)
		if err != nil || task == nil {
			return task, nil, found.List(), err
		}
		survey, _, err := datasets.Look(ctx, task, most, progress.Discard)
		return task, survey, found.List(), err
	}
	var problems []datasets.Problem
	task, err := datasets.Load(path, datasets.LoadOptions{RealDir: o.real, Check: true, Folder: folder, Problems: func(p datasets.Problem) { problems = append(problems, p) }})
	if err != nil {
		return nil, nil, problems, err
	}
	looked := 0 // all
	if strings.HasPrefix(path, "paper/") {
		looked = most // Check has read them all
	}
	survey, more, err := datasets.Look(ctx, task, looked, s.progress())
	return task, survey, append(problems, more...), err
}

// isTask reports whether a name is like that of a task, not a path.
func isTask(name string) bool {
	return strings.HasPrefix(name, "paper/") || strings.HasPrefix(name, "world/") ||
		slices.ContainsFunc(datasets.Catalogue(), func(e datasets.Entry) bool { return e.Name == name })
}
