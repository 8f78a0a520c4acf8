package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/bench"
)

type benchScaleOptions struct {
	bench.ScaleOptions
	add  string
	json bool
}

func newBenchScale(s *streams) *cobra.Command {
	o := &benchScaleOptions{}
	c := &cobra.Command{
		Use:   "scale",
		Short: "Time iimm map and iimm reduce on sets of many embeddings, beside cat",
		Long: `scale makes sets of embeddings in shards of 128 MiB, and statistics to merge, one
set at a time, runs iimm map, iimm reduce and cat on them, each in a process of its
own, and deletes them. Files are read from the disk (Linux: they are dropped from
memory first) and from memory, where they fill no more than half of what is free.
The measures are compared with those of one pass over all rows.

Seconds by the clock are those of this machine with all it did meanwhile; its load
is recorded with them. Seconds of its processors say what the work costs.`,
		Example: `  iimm bench scale --rows 1000000 --width 512 --classes 1000
  iimm bench scale --rows 10000000 --folder /scratch --add scale.csv   # 20.6 GB
  iimm bench scale --blobs 1000 --classes 100 --runs 3`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), s) },
	}
	f := c.Flags()
	f.IntSliceVar(&o.Rows, "rows", nil, "numbers of embeddings that iimm map reads")
	f.IntSliceVar(&o.Blobs, "blobs", nil, "numbers of statistics that iimm reduce merges")
	f.IntSliceVar(&o.Width, "width", []int{512}, "widths of the embeddings")
	f.IntSliceVar(&o.Classes, "classes", []int{1000}, "numbers of classes")
	f.IntVar(&o.Runs, "runs", 1, "runs of each measurement")
	f.StringVar(&o.Dir, "folder", "", "folder for the sets (default that for temporary files)")
	f.StringVar(&o.add, "add", "", "CSV file to add the measurements to")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func (o *benchScaleOptions) run(ctx context.Context, s *streams) error {
	if err := o.Check(); err != nil {
		return usagef("%v (see iimm bench scale --help)", err)
	}
	var err error
	if o.Program == "" {
		if o.Program, err = os.Executable(); err != nil {
			return err
		}
	}
	o.Progress = s.progress()
	runs := []bench.ScaleRun{}
	if !o.json {
		fmt.Fprintf(s.out, "%-7s %-9s %-7s %9s %5s %7s %6s %9s %9s %9s %7s %8s %10s\n",
			"program", "keeps", "from", "n", "d", "classes", "files", "bytes", "seconds", "CPU s", "GB/s", "peak MB", "difference")
	}
	err = bench.Scale(ctx, o.ScaleOptions, func(r bench.ScaleRun) error {
		if o.add != "" {
			if err := r.AddToCSV(o.add); err != nil {
				return err
			}
		}
		if o.json {
			runs = append(runs, r)
			return nil
		}
		return printScale(s, r)
	})
	if err != nil || !o.json {
		return err
	}
	return s.json(struct {
		Schema int              `json:"schema"`
		Runs   []bench.ScaleRun `json:"runs"`
	}{1, runs})
}

func printScale(s *streams, r bench.ScaleRun) error {
	peak, difference := "", ""
	if r.PeakBytes != nil {
		peak = fmt.Sprintf("%.0f", float64(*r.PeakBytes)/1e6)
	}
	if r.Difference != nil {
		difference = fmt.Sprintf("%.1g", *r.Difference)
	}
	_, err := fmt.Fprintf(s.out, "%-7s %-9s %-7s %9d %5d %7d %6d %9s %9.2f %9.2f %7.2f %8s %10s\n", r.Program, r.State, r.From, r.N, r.D, r.Classes, r.Files,
		megabytes(r.Bytes), r.Seconds, r.CPUSeconds, float64(r.Bytes)/r.Seconds/1e9, peak, difference)
	return err
}
