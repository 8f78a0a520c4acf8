package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/datasets/download"
	_ "github.com/iimmkit/iimm/datasets/parquet" // so that paths of parquet files are read, too
)

func init() { verbs = append(verbs, newDatasets) }

func newDatasets(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "datasets",
		Short: "List tasks, fetch one, look at one, check pictures for what is wrong",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Example: `  iimm datasets list
  iimm datasets fetch mnist
  iimm datasets show world/shape --out shapes.png
  iimm datasets check photos/`,
	}
	c.AddCommand(newDatasetsList(s), newDatasetsFetch(s), newDatasetsShow(s), newDatasetsCheck(s))
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
	Page      string   `json:"page"`                // of its makers
	Licence   string   `json:"licence"`
	// From is how it can be fetched: hub, makers, or by-hand alone.
	From       []string `json:"from"`
	Repository string   `json:"repository,omitempty"` // of the hub
	Fetched    bool     `json:"fetched"`              // into the cache
}

// newPaperEntry joins what is known of a set with where it comes from.
func newPaperEntry(p datasets.PaperSet) (paperEntry, error) {
	e := paperEntry{Name: "paper/" + p.Name, Title: p.Title, Needs: p.Needs, Template: p.Template, Ensemble: p.Ensemble, Retained: p.Retained, Published: p.Published}
	o, err := download.Find(p.Name)
	if err != nil {
		return e, err
	}
	e.Page, e.Licence = o.Page, o.Licence
	if o.Table != nil {
		e.From, e.Repository = append(e.From, "hub"), o.Table.Repository
	}
	if o.Files != nil {
		e.From = append(e.From, "makers")
	}
	if o.ByHand != "" {
		e.From = append(e.From, "by-hand")
	}
	dir, err := datasets.DataDir()
	if err != nil {
		return e, err
	}
	_, err = os.Stat(datasets.ReceiptPath(dir, p.Name))
	e.Fetched = err == nil
	return e, nil
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
			e, err := newPaperEntry(p)
			if err != nil {
				return err
			}
			paper = append(paper, e)
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
		fmt.Fprintln(w, "\nDATA SET OF THE PAPER\tTITLE\tHERE\tFETCHED FROM\tNEEDS BELOW --real DIR")
		for _, p := range paper {
			here := "no"
			if p.Fetched {
				here = "yes"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.Name, p.Title, here, strings.Join(p.From, ", "), p.Needs)
			if p.Published != "" {
				fmt.Fprintf(w, "%s@published\t%s\t\t\t\n", p.Name, p.Published)
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
