// Command iimm-beam is iimm map and iimm reduce as one job of Apache Beam, for
// engines such as Flink, Spark or Dataflow: it writes the statistics of all shards to
// one file. It is a module of its own because it links Beam, whose options are flags
// of the whole program.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/options/jobopts"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/x/beamx"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
)

type options struct {
	list, texts, out        string
	classes                 int
	normalize, asJSON, logs bool
}

func main() {
	var o options
	flag.StringVar(&o.list, "list", "", "file with a shard, or a pattern, on each line, beside those named")
	flag.StringVar(&o.texts, "texts", "", "local file of captions, a row per class")
	flag.IntVar(&o.classes, "classes", 0, "number of classes, instead of --texts")
	flag.StringVar(&o.out, "out", "", "file to write (required): a path that workers have, or gs://BUCKET/KEY")
	flag.BoolVar(&o.normalize, "normalize", false, "divide every row, and caption, by its norm")
	flag.BoolVar(&o.asJSON, "json", false, "print JSON")
	flag.BoolVar(&o.logs, "logs", false, "print what Beam tells, not only its warnings")
	flag.Usage = usage
	flag.Parse()
	if value("worker") == "true" {
		go func() {
			runnerGone(value("control_endpoint"), time.Second)
			os.Exit(3)
		}()
	}
	beam.Init() // a worker stays in it
	if !o.logs {
		// Prism tells in many lines what Beam returns as an error.
		log.SetLogger(warnings{os.Stderr})
		slog.SetDefault(slog.New(slog.DiscardHandler))
	}
	err := o.run(context.Background(), flag.Args(), os.Stdout, os.Stderr)
	var wrong wrongCall
	switch {
	case err == nil:
		return
	case errors.As(err, &wrong):
		fmt.Fprintf(os.Stderr, "iimm-beam: %v\n", err)
		os.Exit(2)
	}
	fmt.Fprintf(os.Stderr, "iimm-beam: %s\n", strings.Join(strings.Fields(cause(err.Error())), " "))
	os.Exit(1)
}

// cause is what a function of the pipeline said, out of what Beam wraps it in: the
// plan of the stage, and the stack of the runner. Other errors stay as they are.
func cause(message string) string {
	at := strings.LastIndex(message, "DoFn[")
	if at < 0 {
		return message
	}
	_, said, named := strings.Cut(message[at:], "] failed:")
	if !named {
		said = message[at:]
	}
	// Java's stack may follow.
	said, _, _ = strings.Cut(strings.TrimSpace(said), "\n\tat ")
	return "the job failed: " + said
}

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), `iimm-beam --out FILE [FLAGS] SHARD... gathers the statistics of embeddings, as iimm map
and iimm reduce do, in a job of Apache Beam. A shard may be a pattern.
  iimm-beam --texts captions.npy --out all.stats 'shards/*.parquet'
  iimm-beam --texts captions.npy --out /data/all.stats --runner universal --endpoint HOST:8099 --parallelism 64 '/data/shards/*.parquet'
Without --runner it runs in this process. Flags beside ours are Beam's:
`)
	flag.PrintDefaults()
}

// value is what a flag of Beam's was set to.
func value(name string) string { return flag.Lookup(name).Value.String() }

// wrongCall is an error of the command line.
type wrongCall struct{ message string }

func (e wrongCall) Error() string { return e.message }

// mapped is the JSON of iimm-beam.
type mapped struct {
	Schema  int     `json:"schema"`
	Out     string  `json:"out"`
	Runner  string  `json:"runner"`
	Shards  *int    `json:"shards"` // null, as what follows, where the file is not seen from here
	N       *int64  `json:"n"`
	D       *int    `json:"d"`
	Classes *int    `json:"classes"`
	Seconds float64 `json:"seconds"`
}

func (o options) run(ctx context.Context, shards []string, out, errs io.Writer) error {
	if o.out == "" || (o.texts == "") == (o.classes == 0) {
		return wrongCall{"give --out FILE and one of --texts FILE, --classes C"}
	}
	if o.classes < 0 || o.classes == 1 {
		return wrongCall{fmt.Sprintf("--classes %d: want 2 or more", o.classes)}
	}
	patterns, err := o.patterns(shards)
	if err != nil {
		return err
	}
	if o.out, err = place(o.out); err != nil {
		return err
	}
	f := &fold{Classes: o.classes, Normalize: o.normalize}
	if o.texts != "" {
		if err := f.use(o.texts); err != nil {
			return err
		}
	}
	if *jobopts.WorkerBinary == "" {
		// Without a name Beam compiles the program again, from sources that are not here.
		if *jobopts.WorkerBinary, err = os.Executable(); err != nil {
			return err
		}
	}
	before, _ := os.Stat(o.out)
	start := time.Now()
	p, s := beam.NewPipelineWithRoot()
	beam.ParDo0(s, &write{Out: o.out}, statistics(s, patterns, f))
	if err := beamx.Run(ctx, p); err != nil {
		return err
	}
	if *jobopts.Async {
		_, err := fmt.Fprintf(errs, "iimm-beam: the job was submitted; it writes %s\n", o.out)
		return err
	}
	r := mapped{Schema: 1, Out: o.out, Runner: value("runner"), Seconds: time.Since(start).Seconds()}
	if r.Runner == "" {
		r.Runner = "prism"
	}
	a, err := read(ctx, o.out, before)
	if err != nil {
		return err
	}
	if a != nil {
		r.Shards, r.N, r.D, r.Classes = new(len(a.Shards())), new(a.N()), new(a.Dim()), new(a.Classes())
	}
	if o.asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	if a == nil {
		_, err = fmt.Fprintf(out, "%s: written by a worker, not seen from this machine\n", o.out)
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %d rows of width %d, from shards: %d\n", o.out, a.N(), a.Dim(), len(a.Shards()))
	return err
}

// patterns is what was named and listed, by absolute paths: a worker may run in
// another folder.
func (o options) patterns(all []string) ([]string, error) {
	if o.list != "" {
		f, err := os.Open(o.list)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); line != "" {
				all = append(all, line)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", o.list, err)
		}
	}
	if len(all) == 0 {
		return nil, wrongCall{"no shards: name them, or a file that lists them (--list)"}
	}
	placed := make([]string, len(all))
	for i, name := range all {
		var err error
		if placed[i], err = place(name); err != nil {
			return nil, err
		}
	}
	return placed, nil
}

// place makes a path absolute, and refuses an address that no worker could open.
func place(name string) (string, error) {
	if !remote(name) {
		return filepath.Abs(name)
	}
	fs, err := filesystem.New(context.Background(), name)
	if err != nil {
		return "", wrongCall{fmt.Sprintf("%s: this program reads and writes paths and gs:// addresses; see iimm map for others", name)}
	}
	return name, fs.Close()
}

// use reads the captions.
func (f *fold) use(path string) error {
	c, err := embedding.OpenCaptions(path)
	if err != nil {
		return err
	}
	texts, err := measure.NewTexts(c.Texts.Float64s(), c.Texts.Cols)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if f.Normalize {
		texts = texts.Normalized()
	}
	f.Texts, f.Width = packTexts(texts), texts.Dim()
	return nil
}

// read reads the result. It is nil where a worker wrote it to a disk of its own:
// where there is no such file, or still the one that was there before.
func read(ctx context.Context, name string, before os.FileInfo) (*measure.Accumulator, error) {
	if !remote(name) {
		now, err := os.Stat(name)
		if errors.Is(err, os.ErrNotExist) || err == nil && before != nil && os.SameFile(before, now) && before.ModTime().Equal(now.ModTime()) {
			return nil, nil
		}
	}
	b, err := readFile(ctx, name)
	if err != nil {
		return nil, err
	}
	a := &measure.Accumulator{}
	if err := a.UnmarshalBinary(b); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return a, nil
}

// warnings prints Beam's warnings. Its errors are those that it returns.
type warnings struct{ w io.Writer }

// Log is called by Beam.
func (l warnings) Log(_ context.Context, severity log.Severity, _ int, message string) {
	if severity == log.SevWarn {
		fmt.Fprintln(l.w, strings.TrimSpace(message))
	}
}
