package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/core/shard"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

func init() { verbs = append(verbs, newReduce) }

type reduceOptions struct {
	texts, out        string
	shards            int
	normalize, asJSON bool
}

func newReduce(s *streams) *cobra.Command {
	o := &reduceOptions{}
	c := &cobra.Command{
		Use:   "reduce FILE... [--texts CAPTIONS] [--out FILE]",
		Short: "Merge the statistics that iimm map wrote, and measure IIMM of all of them",
		Long: `Reduce merges statistics of parts of a set to those of the whole: the measures are
those of one pass over all rows. With --texts it prints them, with --out it writes
the merged statistics, which can be merged further. Statistics that hold the same
shard, or that were gathered for other captions or in another way, are refused.`,
		Example: `  iimm reduce part-*.stats --texts captions.npy --json
  iimm reduce part-*.stats --shards 1024 --out all.stats
  iimm reduce monday.stats tuesday.stats --out week.stats`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args) },
	}
	f := c.Flags()
	f.StringVar(&o.texts, "texts", "", "captions, as for iimm map")
	f.StringVar(&o.out, "out", "", "write the merged statistics to this file")
	f.IntVar(&o.shards, "shards", 0, "fail unless there are so many shards: none is missing (default any number)")
	f.BoolVar(&o.normalize, "normalize", false, "divide every caption by its norm, as iimm map --normalize did")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	return c
}

// reduced is the JSON of iimm reduce.
type reduced struct {
	Schema  int             `json:"schema"`
	Files   int             `json:"files"`
	Shards  int             `json:"shards"`
	N       int64           `json:"n"`
	D       int             `json:"d"`
	Classes int             `json:"classes"`
	Out     *string         `json:"out"`
	Texts   *string         `json:"texts"`   // hash of the captions
	Measure *measure.Result `json:"measure"` // null without captions
}

func (o *reduceOptions) run(ctx context.Context, s *streams, files []string) error {
	if o.texts == "" && o.out == "" {
		return usagef("give the captions to measure with (--texts), a file for the merged statistics (--out), or both")
	}
	var texts *measure.Texts
	var err error
	if o.texts != "" {
		if texts, err = openTexts(o.texts, o.normalize); err != nil {
			return err
		}
	}
	a, err := shard.Reduce(ctx, files, s.progress())
	if err != nil {
		return err
	}
	if n := len(a.Shards()); o.shards > 0 && n != o.shards {
		return fmt.Errorf("the statistics are of %d shards, not of %d", n, o.shards)
	}
	r := reduced{Schema: 1, Files: len(files), Shards: len(a.Shards()), N: a.N(), D: a.Dim(), Classes: a.Classes()}
	if texts != nil {
		m, err := a.Result(texts)
		if err != nil {
			return fmt.Errorf("%s: %w", o.texts, err)
		}
		r.Measure, r.Texts = &m, new(texts.Hash())
	}
	if o.out != "" {
		b, err := a.MarshalBinary()
		if err != nil {
			return err
		}
		if err := store.WriteFile(o.out, b); err != nil {
			return err
		}
		r.Out = &o.out
	}
	if o.asJSON {
		return s.json(r)
	}
	return r.print(s)
}

func (r reduced) print(s *streams) error {
	fmt.Fprintf(s.out, "%d rows of width %d, %d classes, from files: %d, shards: %d\n", r.N, r.D, r.Classes, r.Files, r.Shards)
	if r.Out != nil {
		fmt.Fprintf(s.out, "written to %s\n", *r.Out)
	}
	if r.Measure == nil {
		return nil
	}
	fmt.Fprintln(s.out)
	return printMeasures(s, *r.Measure, nil)
}
