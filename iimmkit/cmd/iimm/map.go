package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/core/shard"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

func init() { verbs = append(verbs, newMap) }

type mapOptions struct {
	shards            []string
	texts, list, out  string
	part              string
	classes           int
	normalize, asJSON bool
}

func newMap(s *streams) *cobra.Command {
	o := &mapOptions{}
	c := &cobra.Command{
		Use:   "map SHARD... --out FILE",
		Short: "Gather the statistics of embeddings that are kept in many files",
		Long: `Map reads shards of image embeddings with their labels and writes what IIMM needs of
them: a file of some kilobytes, which iimm reduce merges with those of other
workers. Shards are read by blocks, so that memory does not grow with them.

A shard is a .safetensors file with the tensors images and labels, an .npy file of
images beside NAME.labels.npy (NAME_im_features.npy beside NAME_labels.npy), or a
parquet file with a column of vectors and a column label: here, or at an https
address whose server gives parts of files, as object stores do for signed addresses.

With --texts the statistics serve these captions; with --classes they are kept per
class and serve any. A shard whose rows were read already is refused, here and by
iimm reduce, whatever it is called.

Many workers may be given the same list: --part 3/16 takes the fourth of sixteen
parts. Without it ` + shard.CountVariable + `, where set, is the number of parts and
` + shard.IndexVariable + ` the part, as Kubernetes sets it in an indexed job.`,
		Example: `  iimm map shards/*.parquet --texts captions.npy --out all.stats
  iimm map --list shards.txt --part 0/16 --classes 1000 --out part-0.stats
  iimm reduce part-*.stats --texts captions.npy`,
		RunE: func(c *cobra.Command, args []string) error {
			o.shards = args
			return o.run(c.Context(), s)
		},
	}
	f := c.Flags()
	f.StringVar(&o.list, "list", "", "file with a shard on each line, beside those named; - is standard input")
	f.StringVar(&o.texts, "texts", "", "captions, a row per class: .npy, .csv, .parquet, or a .safetensors file with texts")
	f.IntVar(&o.classes, "classes", 0, "number of classes, instead of --texts")
	f.StringVar(&o.out, "out", "", "file to write (required)")
	f.StringVar(&o.part, "part", "", "INDEX/COUNT: take only this part of the shards, counted from 0")
	f.BoolVar(&o.normalize, "normalize", false, "divide every row, and caption, by its norm")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	return c
}

// mapped is the JSON of iimm map.
type mapped struct {
	Schema  int     `json:"schema"`
	Out     *string `json:"out"` // null where the part has no shards
	Shards  int     `json:"shards"`
	Part    int     `json:"part"`
	Parts   int     `json:"parts"`
	N       int64   `json:"n"`
	D       int     `json:"d"`
	Classes int     `json:"classes"`
	Texts   *string `json:"texts"` // hash of the captions; null where kept per class
	Seconds float64 `json:"seconds"`
}

func (o *mapOptions) run(ctx context.Context, s *streams) error {
	switch {
	case o.out == "":
		return usagef("--out is required: the file to write")
	case (o.texts == "") == (o.classes == 0):
		return usagef("give the captions (--texts) or the number of classes (--classes)")
	case o.classes < 0 || o.classes == 1:
		return usagef("--classes %d: want 2 or more", o.classes)
	}
	index, count, err := o.place()
	if err != nil {
		return usageError{err}
	}
	all, err := o.all()
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return usagef("no shards: name them, or a file that lists them (--list)")
	}
	shards, err := shard.Part(all, index, count)
	if err != nil {
		return usageError{err}
	}
	r := mapped{Schema: 1, Shards: len(shards), Part: index, Parts: count, Classes: o.classes}
	opt := shard.Options{Classes: o.classes, Normalize: o.normalize, Progress: s.progress()}
	if o.texts != "" {
		if opt.Texts, err = openTexts(o.texts, o.normalize); err != nil {
			return err
		}
		r.Texts, r.Classes = new(opt.Texts.Hash()), opt.Texts.Classes()
	}
	if len(shards) == 0 {
		s.warnf("part %d of %d has none of the %d shards: nothing is written", index, count, len(all))
		if o.asJSON {
			return s.json(r)
		}
		return nil
	}
	start := time.Now()
	a, err := shard.Map(ctx, shards, opt)
	if errors.Is(err, embedding.ErrFormat) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	b, err := a.MarshalBinary()
	if err != nil {
		return err
	}
	if err := store.WriteFile(o.out, b); err != nil {
		return err
	}
	r.Out, r.N, r.D, r.Seconds = &o.out, a.N(), a.Dim(), time.Since(start).Seconds()
	if o.asJSON {
		return s.json(r)
	}
	_, err = fmt.Fprintf(s.out, "%s: %d rows of width %d, %d classes, from shards: %d; %s in all\n", o.out, r.N, r.D, r.Classes, r.Shards, progress.FormatDuration(time.Since(start)))
	return err
}

// place is which part of the shards is meant.
func (o *mapOptions) place() (index, count int, err error) {
	if o.part == "" {
		return shard.PartOfEnvironment(os.LookupEnv)
	}
	var rest string
	if n, _ := fmt.Sscanf(o.part+" .", "%d/%d %s", &index, &count, &rest); n != 3 || rest != "." {
		return 0, 0, fmt.Errorf("--part %q: want INDEX/COUNT, as 0/16", o.part)
	}
	return index, count, nil
}

// all is the shards that were named and listed.
func (o *mapOptions) all() ([]string, error) {
	if o.list == "" {
		return o.shards, nil
	}
	var in io.Reader = os.Stdin
	if o.list != "-" {
		f, err := os.Open(o.list)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	all := o.shards
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			all = append(all, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", o.list, err)
	}
	return all, nil
}

// openTexts reads captions for statistics.
func openTexts(path string, normalize bool) (*measure.Texts, error) {
	c, err := embedding.OpenCaptions(path)
	if errors.Is(err, embedding.ErrFormat) {
		return nil, usageError{err}
	}
	if err != nil {
		return nil, err
	}
	texts, err := measure.NewTexts(c.Texts.Float64s(), c.Texts.Cols)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if normalize {
		texts = texts.Normalized()
	}
	return texts, nil
}
