package main

import (
	"github.com/spf13/cobra"
)

func init() { verbs = append(verbs, newNotebook) }

func newNotebook(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "notebook",
		Short: "Make, list, execute and export Go notebooks without Jupyter",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Example: `  iimm notebook list notebooks
  iimm notebook run notebooks/01-embedding-space.ipynb --out out/notebooks
  iimm notebook export out/notebooks/01-embedding-space.ipynb --to pdf`,
	}
	c.AddCommand(newNotebookRun(s), newNotebookExport(s), newNotebookNew(s), newNotebookList(s))
	return c
}
