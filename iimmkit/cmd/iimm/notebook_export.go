package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/show/notebook"
)

type notebookExportOptions struct {
	notebooks    []string
	to, out      string
	code, charts string
	json         bool
}

// codeForms are the values of --code.
var codeForms = map[string]notebook.Code{"folded": notebook.CodeFolded, "shown": notebook.CodeShown, "none": notebook.CodeLeftOut}

// exportEndings are the endings of the files by the values of --to.
var exportEndings = map[string]string{"html": ".html", "pdf": ".pdf", "markdown": ".md"}

func newNotebookExport(s *streams) *cobra.Command {
	o := &notebookExportOptions{}
	c := &cobra.Command{
		Use:   "export NOTEBOOK...",
		Short: "Turn executed notebooks into one offline HTML page, PDF or Markdown",
		Long: `Exports notebooks as they are, with the outputs they have; iimm notebook run
makes these. The HTML page is one file that needs no network: code is folded
behind a button, formulas are set, headings are listed.

Its charts are interactive where the scripts for that (Vega, third-party code) are
in the cache; --charts interactive fetches them once from npm, pinned, 1 MB. Else,
and in PDF and Markdown, charts are pictures. PDF needs an installed Chromium,
Chrome or Edge.`,
		Example: `  iimm notebook export out/notebooks/01-embedding-space.ipynb --charts interactive
  iimm notebook export out/notebooks/*.ipynb --to pdf --out out/pdf --code none`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.notebooks = args
			return o.run(c.Context(), s)
		},
	}
	f := c.Flags()
	f.StringVar(&o.to, "to", "html", "html, pdf or markdown")
	f.StringVar(&o.out, "out", "", "folder for the results (default: that of each notebook)")
	f.StringVar(&o.code, "code", "", "code of the cells: folded, shown or none (default: folded in HTML, none in PDF, shown in Markdown)")
	f.StringVar(&o.charts, "charts", "auto", "charts in HTML: interactive, static, or auto: interactive where the scripts are in the cache")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

// exportedFile is one file that was written.
type exportedFile struct {
	Notebook string `json:"notebook"`
	File     string `json:"file"`
	Charts   string `json:"charts"` // interactive or static
}

func (o *notebookExportOptions) run(ctx context.Context, s *streams) error {
	ending, ok := exportEndings[o.to]
	if !ok {
		return usagef("--to %s: html, pdf or markdown", o.to)
	}
	if o.code == "" {
		o.code = map[string]string{"html": "folded", "pdf": "none", "markdown": "shown"}[o.to]
	}
	code, ok := codeForms[o.code]
	if !ok {
		return usagef("--code %s: folded, shown or none", o.code)
	}
	charts := o.charts
	if o.to != "html" {
		if charts == "interactive" {
			return usagef("--charts interactive: only HTML has interactive charts")
		}
		charts = "static"
	}
	var docs []*notebook.Notebook
	var files []string
	taken := map[string]string{}
	for _, path := range o.notebooks {
		stem, ok := strings.CutSuffix(filepath.Base(path), ".ipynb")
		if !ok {
			return usagef("%s is not named .ipynb", path)
		}
		dir := o.out
		if dir == "" {
			dir = filepath.Dir(path)
		}
		file := filepath.Join(dir, stem+ending)
		if other, twice := taken[file]; twice {
			return usagef("%s and %s would both be written to %s", other, path, file)
		}
		taken[file] = path
		doc, err := notebook.Read(path)
		if err != nil {
			return usageError{err}
		}
		docs, files = append(docs, doc), append(files, file)
	}
	vega, err := vegaFor(ctx, s, charts)
	if err != nil {
		return err
	}
	written := []exportedFile{}
	for i, doc := range docs {
		path, file := o.notebooks[i], files[i]
		if !doc.Executed() {
			s.warnf("%s has no outputs: execute it with iimm notebook run", path)
		}
		opt := notebook.PageOptions{Name: filepath.Base(path), Dir: filepath.Dir(path), Code: code, Vega: vega}
		switch o.to {
		case "html":
			err = doc.WriteHTML(file, opt)
		case "pdf":
			err = doc.WritePDF(ctx, file, opt)
		case "markdown":
			err = doc.WriteMarkdown(file, code)
		}
		if err != nil {
			return err
		}
		e := exportedFile{path, file, "static"}
		if vega != "" {
			e.Charts = "interactive"
		}
		written = append(written, e)
		if !o.json {
			fmt.Fprintf(s.out, "%s -> %s (charts %s)\n", e.Notebook, e.File, e.Charts)
		}
	}
	if o.json {
		return s.json(struct {
			Schema int            `json:"schema"`
			To     string         `json:"to"`
			Files  []exportedFile `json:"files"`
		}{1, o.to, written})
	}
	return nil
}

// vegaFor returns the scripts of a page by the value of --charts, "" for static
// charts.
func vegaFor(ctx context.Context, s *streams, charts string) (string, error) {
	switch charts {
	case "static":
		return "", nil
	case "interactive", "auto":
	default:
		return "", usagef("--charts %s: interactive, static or auto", charts)
	}
	vega, err := notebook.Vega(ctx, charts == "interactive", s.progress())
	if charts == "auto" && errors.Is(err, notebook.ErrNoVega) {
		return "", nil
	}
	return vega, err
}
