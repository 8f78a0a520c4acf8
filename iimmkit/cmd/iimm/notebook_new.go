package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/show/notebook"
)

type notebookNewOptions struct {
	path, template, title string
	force, json           bool
}

func newNotebookNew(s *streams) *cobra.Command {
	o := &notebookNewOptions{}
	c := &cobra.Command{
		Use:   "new FILE.ipynb",
		Short: "Make a notebook from a template",
		Long: `Makes a notebook for the Go kernel. The templates: measure takes a task from its
images to IIMM and its parts, with parameters; blank is a title and one cell.`,
		Example: `  iimm notebook new defects.ipynb --title "Defects on steel"
  iimm notebook new notes.ipynb --template blank`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.path = args[0]
			return o.run(s)
		},
	}
	f := c.Flags()
	f.StringVar(&o.template, "template", "measure", "which: "+strings.Join(notebook.Templates(), ", "))
	f.StringVar(&o.title, "title", "", "first heading (default: the file's name)")
	f.BoolVar(&o.force, "force", false, "replace a file that is there")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func (o *notebookNewOptions) run(s *streams) error {
	stem, ok := strings.CutSuffix(filepath.Base(o.path), ".ipynb")
	if !ok || stem == "" {
		return usagef("%s is not named .ipynb", o.path)
	}
	if o.title == "" {
		o.title = strings.NewReplacer("-", " ", "_", " ").Replace(stem)
	}
	n, err := notebook.New(o.template, o.title)
	if err != nil {
		return usageError{err}
	}
	if _, err := os.Lstat(o.path); err == nil && !o.force {
		return usagef("%s is there already: give another name, or --force", o.path)
	}
	if err := n.Write(o.path); err != nil {
		return err
	}
	if o.json {
		return s.json(struct {
			Schema   int    `json:"schema"`
			Notebook string `json:"notebook"`
			Template string `json:"template"`
			Title    string `json:"title"`
		}{1, o.path, o.template, n.Title()})
	}
	fmt.Fprintf(s.out, "%s: %s; open it with iimm lab %s\n", o.path, n.Title(), o.path)
	return nil
}
