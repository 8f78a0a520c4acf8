package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/datasets"
	_ "github.com/iimmkit/iimm/datasets/parquet" // so that paths of parquet files are read, too
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

func init() { verbs = append(verbs, newDatasets) }

func newDatasets(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "datasets",
		Short: "List tasks, look at one, check pictures for what is wrong",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Example: `  iimm datasets list
  iimm datasets show world/shape --out shapes.png
  iimm datasets check photos/`,
	}
	c.AddCommand(newDatasetsList(s), newDatasetsShow(s), newDatasetsCheck(s))
	return c
}

type datasetsListOptions struct {
	quick, json bool
}

func newDatasetsList(s *streams) *cobra.Command {
	var o datasetsListOptions
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the tasks that have a name",
		Example: "  iimm datasets list --quick",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return o.run(c.Context(), s) },
	}
	c.Flags().BoolVar(&o.quick, "quick", false, "only the tasks of the quick protocol")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return c
}

type taskEntry struct {
	Name    string   `json:"name"`
	Group   string   `json:"group"`
	Domain  string   `json:"domain"`
	Classes []string `json:"classes"`
	Quick   bool     `json:"quick"`
	Real    string   `json:"real,omitempty"` // folder below --real
}

// paperEntry is a data set of the paper, whose class names are in its files.
type paperEntry struct {
	Name      string   `json:"name"`
	Title     string   `json:"title"`
	Needs     string   `json:"needs"` // below --real
	Template  string   `json:"template"`
	Ensemble  []string `json:"ensemble"`
	Retained  bool     `json:"retained"`            // for measuring forgetting only
	Published string   `json:"published,omitempty"` // how NAME@published differs
}

func (o *datasetsListOptions) run(_ context.Context, s *streams) error {
	var entries []taskEntry
	for _, e := range datasets.Catalogue() {
		if e.Quick || !o.quick {
			entries = append(entries, taskEntry{e.Name, e.Group, e.Domain, e.ClassNames, e.Quick, e.Real})
		}
	}
	var paper []paperEntry
	if !o.quick {
		for _, p := range datasets.PaperSets() {
			paper = append(paper, paperEntry{"paper/" + p.Name, p.Title, p.Needs, p.Template, p.Ensemble, p.Retained, p.Published})
		}
	}
	if o.json {
		v := map[string]any{"schema": 1, "tasks": entries}
		if paper != nil {
			v["paper"] = paper
		}
		return s.json(v)
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TASK\tGROUP\tDOMAIN\tCLASSES\tQUICK\tNEEDS")
	for _, e := range entries {
		quick, needs := "", ""
		if e.Quick {
			quick = "yes"
		}
		if e.Real != "" {
			needs = "--real DIR with " + e.Real + "/"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", e.Name, e.Group, e.Domain, len(e.Classes), quick, needs)
	}
	if paper != nil {
		fmt.Fprintln(w, "\nDATA SET OF THE PAPER\tTITLE\tNEEDS BELOW --real DIR")
		for _, p := range paper {
			fmt.Fprintf(w, "%s\t%s\t%s\n", p.Name, p.Title, p.Needs)
			if p.Published != "" {
				fmt.Fprintf(w, "%s@published\t%s\t\n", p.Name, p.Published)
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.out, "\nAlso any path: a folder with one folder of pictures per class, a zip or tar file of it, a list with columns\npath,label (CSV, TSV, JSON lines), a webdataset, parquet files, or the files of MNIST, CIFAR, STL-10 or SVHN.")
	return err
}

// overlapFlags say what must not come into two splits.
type overlapFlags struct {
	groupColumn, groupPattern string
	keep                      bool
}

func (o *overlapFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.groupColumn, "group-column", "", "column of a list or table: pictures with the same value stay in one split")
	f.StringVar(&o.groupPattern, "group-pattern", "", "regular expression: pictures in whose names it matches the same stay in one split")
	f.BoolVar(&o.keep, "keep-overlap", false, "leave pictures that are in two splits, or nearly, where they are")
}

// fill passes the flags on.
func (o *overlapFlags) fill(opt *datasets.FolderOptions) error {
	opt.GroupColumn, opt.KeepOverlap = o.groupColumn, o.keep
	if o.groupPattern == "" {
		return nil
	}
	var err error
	if opt.GroupPattern, err = regexp.Compile(o.groupPattern); err != nil {
		return usagef("--group-pattern: %v", err)
	}
	return nil
}

type datasetsShowOptions struct {
	overlapFlags
	out, real, template, onError, split, exif string
	perClass, cell                            int
	nTrain, nTest, shots                      int
	seed                                      uint64
	json, ensemble                            bool
}

func newDatasetsShow(s *streams) *cobra.Command {
	var o datasetsShowOptions
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a task's classes, captions and sizes, and draw a contact sheet",
		Example: `  iimm datasets show world/newshapes --out sheet.png
  iimm datasets show folder:photos --template "a photo of a {class}, a kind of bird"`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args[0]) },
	}
	o.add(c)
	f := c.Flags()
	f.StringVar(&o.out, "out", "", "write a contact sheet, one row a class, to this PNG file")
	f.StringVar(&o.real, "real", "", "folder that holds the real data sets")
	f.BoolVar(&o.ensemble, "ensemble", false, "the usual ensemble of captions of a data set of the paper")
	f.StringVar(&o.template, "template", "", `caption of a class of a path (default the data's own, else "`+datasets.DefaultTemplate+`")`)
	f.StringVar(&o.onError, "on-error", string(datasets.Fail), "fail or skip: what to do about files of a path that are no pictures")
	exifFlag(c, &o.exif)
	f.StringVar(&o.split, "split", "train", "split on the sheet: train, val or test")
	f.IntVar(&o.perClass, "per-class", 12, "pictures of each class on the sheet")
	f.IntVar(&o.cell, "cell", 64, "size of a picture on the sheet in pixels")
	f.IntVar(&o.nTrain, "n-train", 0, "images for training (0: the task's standard)")
	f.IntVar(&o.nTest, "n-test", 0, "images for testing (0: the task's standard)")
	f.IntVar(&o.shots, "shots", 0, "training images of each class (0: no bound)")
	f.Uint64Var(&o.seed, "seed", 0, "seed of drawing and splitting")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

// splitCounts is how many images of a class each split has.
type splitCounts struct {
	Class   string `json:"class"`
	Caption string `json:"caption"`
	Train   int    `json:"train"`
	Test    int    `json:"test"`
}

func countByClass(t *datasets.Task) []splitCounts {
	list := make([]splitCounts, len(t.ClassNames))
	for k := range list {
		list[k] = splitCounts{Class: t.ClassNames[k], Caption: t.Captions[k]}
	}
	for i := range t.Train.Len() {
		list[t.Train.Label(i)].Train++
	}
	if t.Test != nil {
		for i := range t.Test.Len() {
			list[t.Test.Label(i)].Test++
		}
	}
	return list
}

func sizes(t *datasets.Task) (train, test int) {
	if t.Test != nil {
		test = t.Test.Len()
	}
	return t.Train.Len(), test
}

func (o *datasetsShowOptions) run(ctx context.Context, s *streams, name string) error {
	onError, err := datasets.ParseOnError(o.onError)
	switch {
	case err != nil:
		return usagef("--on-error: %v", err)
	case !slices.Contains([]string{"train", "val", "test"}, o.split):
		return usagef("--split %q is none of train, val, test", o.split)
	case o.perClass < 1 || o.cell < 8:
		return usagef("--per-class must be at least 1 and --cell at least 8")
	case o.nTrain < 0 || o.nTest < 0 || o.shots < 0:
		return usagef("--n-train, --n-test and --shots cannot be negative")
	case o.out != "" && !strings.EqualFold(filepath.Ext(o.out), ".png"):
		return usagef("--out %s: the name must end in .png", o.out)
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
	if o.out != "" {
		sheet, err := datasets.Sheet(task, datasets.SheetOptions{PerClass: o.perClass, Cell: o.cell, Split: o.split})
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := sheet.EncodePNG(&b); err != nil {
			return err
		}
		if err := store.WriteFile(o.out, b.Bytes()); err != nil {
			return err
		}
	}
	train, test := sizes(task)
	if o.json {
		v := map[string]any{"schema": 1, "name": task.Name, "group": task.Group, "domain": task.Domain,
			"n_train": train, "n_test": test, "classes": countByClass(task), "hash": task.Hash, "seed": o.seed}
		if o.out != "" {
			v["out"] = o.out
		}
		return s.json(v)
	}
	fmt.Fprintf(s.out, "%s: group %s, domain %s, %d images for training, %d for testing, hash %.12s\n",
		task.Name, task.Group, task.Domain, train, test, task.Hash)
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CLASS\tTRAIN\tTEST\tCAPTION")
	for _, c := range countByClass(task) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", c.Class, c.Train, c.Test, c.Caption)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if o.out != "" {
		fmt.Fprintf(s.out, "%s: contact sheet\n", o.out)
	}
	return nil
}

type datasetsCheckOptions struct {
	overlapFlags
	template, exif string
	json           bool
}

func newDatasetsCheck(s *streams) *cobra.Command {
	var o datasetsCheckOptions
	c := &cobra.Command{
		Use:   "check PATH",
		Short: "Read every picture of a data set and name what is wrong",
		Long: `Read every picture of a folder, list, archive or any other form that iimm reads,
and name each file, row and class that cannot be used, pictures that are in two
splits, also when compressed again or scaled, copies within a split, and copies
that are of another class. The exit code is 1 when there is one.`,
		Example: `  iimm datasets check photos/
  iimm datasets check parts.zip --group-pattern 'part\d+' --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args[0]) },
	}
	o.add(c)
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
	folder := datasets.FolderOptions{OnError: datasets.Skip, Template: o.template, AsStored: asStored, Duplicates: true, Progress: s.progress(), Context: ctx}
	if err := o.fill(&folder); err != nil {
		return err
	}
	task, found, err := datasets.Open(strings.TrimPrefix(path, "folder:"), folder)
	problems := found.List()
	if o.json && (err == nil || len(problems) > 0) {
		v := map[string]any{"schema": 1, "path": path, "problems": problems, "n_train": 0, "n_test": 0, "classes": []splitCounts{}}
		if problems == nil {
			v["problems"] = []datasets.Problem{}
		}
		if task != nil {
			v["n_train"], v["n_test"] = sizes(task)
			v["classes"], v["hash"] = countByClass(task), task.Hash
		}
		if jerr := s.json(v); jerr != nil {
			return jerr
		}
	} else {
		for _, p := range problems {
			fmt.Fprintf(s.out, "%s: %s\n", p.Kind, p)
		}
		if task != nil {
			train, test := sizes(task)
			fmt.Fprintf(s.out, "%s: %d usable pictures of %d classes", path, train+test, len(task.ClassNames))
			if test > 0 {
				fmt.Fprintf(s.out, " (%d for training, %d for testing)", train, test)
			}
			fmt.Fprintln(s.out)
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
