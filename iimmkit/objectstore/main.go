package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	_ "github.com/iimmkit/iimm/iimmkit/core/embedding/parquet"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/core/shard"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

func init() {
	shard.Register("s3", openObject)
	shard.Register("gs", openObject)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

type options struct {
	list, texts, out string
	classes          int
	normalize        bool
}

// run returns the exit code: 0, 1 for a failed run, 2 for a wrong call.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	var o options
	f := flag.NewFlagSet("iimm-map", flag.ContinueOnError)
	f.SetOutput(errs)
	f.Usage = func() {
		fmt.Fprint(errs, `iimm-map [FLAGS] SHARD... is iimm map for shards in object stores too, such as
  iimm-map --texts captions.npy --out all.stats s3://bucket/a.parquet gs://bucket/b.safetensors
`)
		f.PrintDefaults()
	}
	f.StringVar(&o.list, "list", "", "file with a shard on each line, beside those named")
	f.StringVar(&o.texts, "texts", "", "local file of captions, a row per class")
	f.IntVar(&o.classes, "classes", 0, "number of classes, instead of --texts")
	f.StringVar(&o.out, "out", "", "local file to write (required)")
	f.BoolVar(&o.normalize, "normalize", false, "divide every row, and caption, by its norm")
	if err := f.Parse(args); err != nil {
		return 2
	}
	if o.out == "" || (o.texts == "") == (o.classes == 0) {
		fmt.Fprintln(errs, "iimm-map: give --out FILE and one of --texts FILE, --classes C")
		return 2
	}
	if err := o.mapShards(ctx, f.Args(), out, errs); err != nil {
		fmt.Fprintf(errs, "iimm-map: %s\n", strings.Join(strings.Fields(err.Error()), " "))
		return 1
	}
	return 0
}

func (o options) mapShards(ctx context.Context, shards []string, out, errs io.Writer) error {
	if o.list != "" {
		f, err := os.Open(o.list)
		if err != nil {
			return err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); line != "" {
				shards = append(shards, line)
			}
		}
		if err := lines.Err(); err != nil {
			return fmt.Errorf("%s: %w", o.list, err)
		}
	}
	index, count, err := shard.PartOfEnvironment(os.LookupEnv)
	if err != nil {
		return err
	}
	if shards, err = shard.Part(shards, index, count); err != nil {
		return err
	}
	opt := shard.Options{Classes: o.classes, Normalize: o.normalize, Progress: progress.To(errs)}
	if o.texts != "" {
		c, err := embedding.OpenCaptions(o.texts)
		if err != nil {
			return err
		}
		if opt.Texts, err = measure.NewTexts(c.Texts.Float64s(), c.Texts.Cols); err != nil {
			return fmt.Errorf("%s: %w", o.texts, err)
		}
		if o.normalize {
			opt.Texts = opt.Texts.Normalized()
		}
	}
	a, err := shard.Map(ctx, shards, opt)
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
	_, err = fmt.Fprintf(out, "%s: %d rows of width %d, from shards: %d\n", o.out, a.N(), a.Dim(), len(shards))
	return err
}
