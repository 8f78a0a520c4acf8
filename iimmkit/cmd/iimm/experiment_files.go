package main

import (
	"bytes"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
	"github.com/iimmkit/iimm/iimmkit/study/experiment/parquet"
)

func newExperimentInit(s *streams) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Print a file that states an experiment, to be changed and given to run --spec",
		Long: `Prints a small experiment with comments on what else can be asked for. With --json
the same is printed as JSON, which run --spec reads as well.`,
		Example: "  iimm experiment init > experiment.yaml",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text := experiment.Template()
			if !asJSON {
				_, err := fmt.Fprint(s.out, text)
				return err
			}
			design, err := experiment.ParseDesign([]byte(text))
			if err != nil {
				return err
			}
			return s.json(design)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// exported is what export prints as JSON.
type exported struct {
	Schema  int    `json:"schema"`
	File    string `json:"file"`
	Runs    int    `json:"runs"`
	Columns int    `json:"columns"`
}

func newExperimentExport(s *streams) *cobra.Command {
	var out string
	var columns []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "export csv|parquet FOLDER",
		Short: "Write the ledger as a table",
		Long: `Writes one row a run, failed ones included, with columns named as in the ledger.
What a run holds by names becomes columns such as off_target.TASK.after,
settings.learning_rate and phase_seconds.tune; what a run has no value of is empty.
FOLDER may also be a ledger's file.`,
		Example: `  iimm experiment export csv results > runs.csv
  iimm experiment export csv results --columns model,method,task,gain,forgetting
  iimm experiment export parquet results --out runs.parquet`,
		Args:      cobra.ExactArgs(2),
		ValidArgs: []string{"csv", "parquet"},
		RunE: func(_ *cobra.Command, args []string) error {
			write := experiment.WriteCSV
			switch {
			case args[0] == "parquet":
				write = parquet.Write
				if out == "" {
					return usagef("--out is required: the file that becomes Parquet")
				}
			case args[0] != "csv":
				return usagef("no format %q: there are csv, parquet", args[0])
			case out == "" && asJSON:
				return usagef("--json needs --out: the table goes to standard output else")
			}
			runs, err := experiment.ReadLedger(args[1])
			if err != nil {
				return err
			}
			if out == "" {
				return write(s.out, runs, columns...)
			}
			var b bytes.Buffer
			if err := write(&b, runs, columns...); err != nil {
				return err
			}
			if err := store.WriteFile(out, b.Bytes()); err != nil {
				return err
			}
			chosen, err := experiment.Columns(runs, columns...)
			if err != nil {
				return err
			}
			e := exported{1, out, len(runs), len(chosen)}
			if asJSON {
				return s.json(e)
			}
			_, err = fmt.Fprintf(s.out, "%s: %d runs, %d columns\n", e.File, e.Runs, e.Columns)
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "", "file to write (default standard output)")
	c.Flags().StringSliceVar(&columns, "columns", nil, "columns to write (default all)")
	c.Flags().BoolVar(&asJSON, "json", false, "print what was written as JSON")
	return c
}
