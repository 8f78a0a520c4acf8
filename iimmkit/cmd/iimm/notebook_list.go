package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/show/notebook"
)

func newNotebookList(s *streams) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list [FOLDER|NOTEBOOK]...",
		Short: "List notebooks with title, kernel, cells and parameters",
		Long: `Lists the notebooks in folders and below, by default in the working directory.
One that cannot be read is listed with the reason, and makes exit code 1.`,
		Example: "  iimm notebook list notebooks\n  iimm notebook list --json",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			return listNotebooks(s, args, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func listNotebooks(s *streams, paths []string, asJSON bool) error {
	found, err := notebook.List(paths...)
	if err != nil {
		return err
	}
	bad := 0
	for _, e := range found {
		if e.Error != "" {
			bad++
		}
	}
	if asJSON {
		if err := s.json(struct {
			Schema    int              `json:"schema"`
			Notebooks []notebook.Entry `json:"notebooks"`
		}{1, found}); err != nil {
			return err
		}
	} else if len(found) > 0 {
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NOTEBOOK\tKERNEL\tCELLS\tCODE\tEXECUTED\tPARAMETERS\tTITLE")
		for _, e := range found {
			if e.Error != "" {
				fmt.Fprintf(w, "%s\t-\t-\t-\t-\t-\tcannot be read: %s\n", e.Path, e.Error)
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", e.Path, dashed(e.Kernel), e.Cells, e.CodeCells, e.Executed, dashed(strings.Join(e.Parameters, ",")), dashed(e.Title))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(s.err, "no notebooks found")
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d notebooks cannot be read", bad, len(found))
	}
	return nil
}

func dashed(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
