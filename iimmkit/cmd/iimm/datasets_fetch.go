package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/datasets/download"
)

type datasetsFetchOptions struct {
	from, real, split string
	sample            int
	seed              uint64
	yes, json         bool
}

func newDatasetsFetch(s *streams) *cobra.Command {
	var o datasetsFetchOptions
	c := &cobra.Command{
		Use:   "fetch NAME",
		Short: "Fetch a data set of the paper, or a sample of one, or check that it is here",
		Long: `fetch brings a data set of the paper (iimm datasets list) into iimm's cache, where
paper/NAME is read from, or into the folder --real. It comes from the Hugging
Face hub as parquet files where the hub has it with its official splits, else
from its makers' host; --from chooses. Sets that nobody may pass on say what to
download by hand.

Before anything comes, the size and, once, the licence are told; on a terminal
fetch asks, unless --yes is given. Every file is held to a published checksum,
or to the one that was recorded in the lock file when it was fetched first. An
interrupted fetch goes on where it stopped; what is here needs no network.

--sample N fetches, of the set's table on the hub, only the parts of the files
that N images need, as many of each class as can be, and writes them as one
parquet file, which every command reads.

HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE=1 and IIMM_OFFLINE=1 are followed.`,
		Example: "  iimm datasets fetch dtd\n  iimm datasets fetch sun397 --sample 500",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "hub (parquet files) or makers (the original files); default hub where it has the set")
	f.StringVar(&o.real, "real", "", "data folder to fetch into (default: in iimm's cache)")
	f.IntVar(&o.sample, "sample", 0, "fetch only so many images, into one parquet file")
	f.StringVar(&o.split, "split", "train", "split of the sample: train or test")
	f.Uint64Var(&o.seed, "seed", 0, "of the sample")
	f.BoolVar(&o.yes, "yes", false, "do not ask before fetching")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

// errNotAgreed ends a fetch that the user does not want after all.
var errNotAgreed = errors.New("not fetched: you said no")

func (o *datasetsFetchOptions) run(ctx context.Context, s *streams, name string) error {
	from, err := download.ParseFrom(o.from)
	switch {
	case err != nil:
		return usagef("--from: %v", err)
	case o.sample < 0:
		return usagef("--sample cannot be negative")
	case o.sample > 0 && from == download.Makers:
		return usagef("--sample: samples come from the hub only")
	case o.split != "train" && o.split != "test":
		return usagef("--split %q is neither train nor test", o.split)
	}
	opts := download.Options{Dir: o.real, From: from, Report: s.progress(), Note: func(text string) { s.warnf("%s", text) },
		Agree: func(p download.Plan) error { return o.agree(s, p) }}
	if o.sample > 0 {
		got, err := download.Sample(ctx, name, download.SampleOptions{Options: opts, Images: o.sample, Split: o.split, Seed: o.seed})
		if err != nil {
			return downloadError(err)
		}
		return o.showSample(s, got)
	}
	got, err := download.Fetch(ctx, name, opts)
	if err != nil {
		return downloadError(err)
	}
	return o.show(s, name, got)
}

// downloadError marks a name that is no set of the paper as a wrong call.
func downloadError(err error) error {
	if errors.Is(err, download.ErrName) {
		return usageError{err}
	}
	return err
}

// agree says what is about to be fetched and, on a terminal, asks.
func (o *datasetsFetchOptions) agree(s *streams, p download.Plan) error {
	where := p.Page
	if p.From == download.Hub {
		where = "the hub's table, made of " + p.Page
	}
	size := "size not told"
	switch {
	case o.sample > 0:
		size = fmt.Sprintf("parts of them for %d images", o.sample)
	case p.Sizes:
		size = megabytes(p.Bytes)
	case p.Bytes > 0:
		size = "at least " + megabytes(p.Bytes)
	}
	fmt.Fprintf(s.err, "%s: %d files, %s, from %s\n", p.Set, p.Files, size, where)
	if !p.LicenceShown {
		fmt.Fprintf(s.err, "licence of %s: %s (%s)\n", p.Set, p.Licence, p.Page)
	}
	if p.Unpinned > 0 {
		fmt.Fprintf(s.err, "%d of them unpinned: nobody published a checksum; what comes now is recorded and held to afterwards\n", p.Unpinned)
	}
	if o.yes || !s.asks {
		return nil
	}
	fmt.Fprint(s.err, "fetch it? [y/N] ")
	answer, err := bufio.NewReader(s.in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	if err != nil {
		fmt.Fprintln(s.err)
	}
	return errNotAgreed
}

func (o *datasetsFetchOptions) show(s *streams, name string, f *download.Fetched) error {
	if o.json {
		return s.json(struct {
			Schema int    `json:"schema"`
			Name   string `json:"name"`
			*download.Fetched
		}{1, name, f})
	}
	r := f.Receipt
	if r.From == download.Any {
		fmt.Fprintf(s.out, "%s: was here, by other hands, in %s\n", name, f.Dir)
	} else {
		verb := "was here"
		if f.Downloaded > 0 {
			verb = "fetched " + megabytes(f.Downloaded)
		}
		fmt.Fprintf(s.out, "%s: %s, %d files, %s in %s\n", name, verb, r.Files, megabytes(r.Bytes), f.Folder())
	}
	if len(f.Recorded) > 0 {
		fmt.Fprintf(s.out, "recorded in %s: %s\n", f.Lock, strings.Join(f.Recorded, ", "))
	}
	real := ""
	if o.real != "" {
		real = " --real " + o.real
	}
	_, err := fmt.Fprintf(s.out, "read it as paper/%s%s\n", r.Set, real)
	return err
}

func (o *datasetsFetchOptions) showSample(s *streams, p *download.Sampled) error {
	if o.json {
		return s.json(struct {
			Schema int `json:"schema"`
			*download.Sampled
		}{1, p})
	}
	if p.Sample == nil {
		_, err := fmt.Fprintf(s.out, "%s: was here, %s\n", p.Path, megabytes(p.Bytes))
		return err
	}
	_, err := fmt.Fprintf(s.out, "%s: %d of %d images of %s, %d classes with %d to %d each; fetched %s of %s\n", p.Path, p.Sample.Images, p.Sample.Of, p.Set,
		p.Sample.Classes, p.Sample.LeastOfClass, p.Sample.MostOfClass, megabytes(p.Downloaded), megabytes(p.Total))
	return err
}
