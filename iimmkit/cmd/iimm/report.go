package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/show/report"
	"github.com/iimmkit/iimm/iimmkit/show/report/charts"
	"github.com/iimmkit/iimm/iimmkit/study/reproduce"
)

func init() { verbs = append(verbs, newReport) }

type reportOptions struct {
	dir   string
	out   string
	title string
	json  bool
}

func newReport(s *streams) *cobra.Command {
	o := reportOptions{}
	c := &cobra.Command{
		Use:   "report DIR",
		Short: "Write the report of a ledger: one HTML file that needs no network, and its charts",
		Long: `Report reads ledger.jsonl and correlation.json of a folder that iimm reproduce or
iimm experiment run has written, and writes report.html (charts, tables,
definitions, provenance, in plain words what was found, in English and
Japanese) and the charts as SVG and PNG in charts/ beside it. Runs that
correlation.json does not tell of are analysed anew.`,
		Example: `  iimm report results
  iimm report results --out /tmp/learning-and-forgetting.html`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.dir = args[0]
			if o.out == "" {
				o.out = filepath.Join(o.dir, "report.html")
			}
			return o.run(c.Context(), s)
		},
	}
	c.Flags().StringVar(&o.out, "out", "", "HTML file to write (default DIR/report.html); charts/ is written beside it")
	c.Flags().StringVar(&o.title, "title", "", "title of the report")
	c.Flags().BoolVar(&o.json, "json", false, "print the paths written as JSON")
	return c
}

func (o *reportOptions) run(_ context.Context, s *streams) error {
	in, renewed, err := report.Open(o.dir)
	if err != nil {
		return err
	}
	if renewed {
		s.warnf("%s of %s is absent or of other runs: analysed anew, not written", reproduce.CorrelationFile, o.dir)
	}
	in.Title, in.Program = o.title, programName()
	paths, err := writeReport(o.out, in)
	if err != nil {
		return err
	}
	if o.json {
		return s.json(struct {
			Schema int      `json:"schema"`
			Report string   `json:"report"`
			Charts []string `json:"charts"`
		}{1, o.out, paths})
	}
	fmt.Fprintf(s.out, "%s\n%s (%d files)\n", o.out, filepath.Join(filepath.Dir(o.out), "charts"), len(paths))
	return nil
}

// writeReport writes the HTML file and the charts beside it, and returns the
// charts' paths.
func writeReport(out string, in report.Input) ([]string, error) {
	var page bytes.Buffer
	if err := report.Render(&page, in); err != nil {
		return nil, err
	}
	paths, err := charts.Write(filepath.Join(filepath.Dir(out), "charts"), in)
	if err != nil {
		return nil, err
	}
	return paths, store.WriteFile(out, page.Bytes())
}

// programName is the version for reports. It leaves out what changes from one
// build of the same commit to another.
func programName() string {
	v := buildVersion()
	name := "iimm " + v.Version
	if v.Commit != "" {
		name += " (" + v.Commit + ")"
	}
	return name
}
