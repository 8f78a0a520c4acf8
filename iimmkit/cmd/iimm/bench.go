package main

import (
	"context"
	"fmt"
	"time"

	"github.com/janpfeifer/go-benchmarks"
	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/bench"
)

func init() { verbs = append(verbs, newBench) }

type benchOptions struct {
	bench.Options
	json bool
}

func newBench(s *streams) *cobra.Command {
	o := &benchOptions{Options: bench.Default}
	c := &cobra.Command{
		Use:   "bench",
		Short: "Time the kernels side by side on every backend",
		Long: `bench times measuring, the similarity tensors, and a plain matrix product, on
every backend that is usable here, in one run. Times are of whole calls with the
graphs compiled; the machine should be otherwise idle.`,
		Example: "  iimm bench\n  iimm bench --backend go --backend xla:cpu -n 20000 --json",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return o.run(c.Context(), s) },
	}
	f := c.Flags()
	f.StringArrayVar(&o.Backends, "backend", nil, "backend to time, repeatable (default: all that are usable)")
	f.IntVarP(&o.N, "images", "n", o.N, "number of image embeddings")
	f.IntVar(&o.Classes, "classes", o.Classes, "number of captions")
	f.IntVar(&o.D, "width", o.D, "width of the embeddings")
	f.DurationVar(&o.Duration, "duration", o.Duration, "time for each measurement, at least")
	f.BoolVar(&o.json, "json", false, "print JSON")
	c.AddCommand(newBenchScale(s))
	return c
}

func (o *benchOptions) run(ctx context.Context, s *streams) error {
	if o.N < 2 || o.Classes < 2 || o.D < 1 || o.Duration <= 0 {
		return usagef("bench needs at least 2 images, 2 classes, width 1 and some time")
	}
	o.Progress = s.progress()
	r, err := bench.Run(ctx, o.Options)
	if err != nil {
		return err
	}
	if o.json {
		return s.json(struct {
			Schema int  `json:"schema"`
			SIMD   bool `json:"simd"`
			*bench.Report
		}{1, builtWithSIMD, r})
	}
	for _, b := range r.Backends {
		fmt.Fprintf(s.out, "%s: %s\n", b.Name, b.Description)
	}
	for _, b := range r.Unusable {
		fmt.Fprintf(s.out, "%s not usable: %s\n", b.Name, b.Why)
	}
	fmt.Fprintf(s.out, "%d images, %d captions, width %d; %s %s, %d processors\n\n", r.N, r.Classes, r.D, r.Go, r.Platform, r.Processors)
	// Names to the left, numbers to the right, which one tabwriter cannot.
	fmt.Fprintf(s.out, "%-40s %-8s %9s %9s %9s %9s %6s %10s %6s %8s\n", "kernel", "backend", "median", "mean", "5%", "99%", "runs", "images/s", "GB/s", "GFLOP/s")
	for _, m := range r.Measurements {
		fmt.Fprintf(s.out, "%-40s %-8s %9s %9s %9s %9s %6d %10s %6s %8s\n", m.Kernel, m.Backend, benchTime(m.Median), benchTime(m.Mean), benchTime(m.P5),
			benchTime(m.P99), m.Runs, benchRate(m.RowsPerSecond, "%.0f"), benchRate(m.GBPerSecond, "%.2f"), benchRate(m.GFLOPS, "%.1f"))
	}
	return nil
}

func benchTime(s float64) string {
	return benchmarks.PrettyPrint(time.Duration(s * float64(time.Second)))
}

func benchRate(v *float64, format string) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf(format, *v)
}
