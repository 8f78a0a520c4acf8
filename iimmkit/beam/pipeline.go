package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/fileio"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	_ "github.com/iimmkit/iimm/iimmkit/core/embedding/parquet"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/core/shard"
)

func init() {
	beam.RegisterCoder(reflect.TypeFor[partial](), encodePartial, decodePartial)
	register.DoFn3x1[context.Context, fileio.ReadableFile, func(partial), error](&fold{})
	register.DoFn2x1[context.Context, partial, error](&write{})
	register.Combiner1[partial](&merge{})
	register.Emitter1[partial]()
}

// partial is the statistics of some shards, of none where it is nil. Between
// workers it travels in measure's binary form.
type partial struct{ *measure.Accumulator }

func encodePartial(p partial) ([]byte, error) {
	if p.Accumulator == nil {
		return nil, nil
	}
	return p.MarshalBinary()
}

func decodePartial(b []byte) (partial, error) {
	if len(b) == 0 {
		return partial{}, nil
	}
	a := &measure.Accumulator{}
	return partial{a}, a.UnmarshalBinary(b)
}

// add returns the statistics of both, in what a held. A shard that is in both is
// an error.
func (p partial) add(o partial) (partial, error) {
	switch {
	case p.Accumulator == nil:
		return o, nil
	case o.Accumulator == nil:
		return p, nil
	}
	return p, p.Merge(o.Accumulator)
}

// statistics adds to the pipeline: from patterns of file names to one partial, that
// of all files. Names are spread over the workers, not rows; and a worker sums what
// it reads before anything leaves it, since runners such as Flink do not do that for
// a portable Combine.
func statistics(s beam.Scope, patterns []string, f *fold) beam.PCollection {
	files := fileio.MatchAll(s, beam.CreateList(s, patterns), fileio.MatchEmptyDisallow())
	// Folders are refused, not passed over.
	files = fileio.ReadMatches(s, beam.Reshuffle(s, files), fileio.ReadDirectoryDisallow())
	return beam.Combine(s, &merge{}, beam.ParDo(s, f, files))
}

// fold makes the statistics of the shards of a bundle. Its exported fields go to
// the workers.
type fold struct {
	Texts     []byte // captions [C,d], see packTexts; empty where statistics are kept per class
	Width     int    // d of the captions
	Classes   int    // C, instead of captions
	Normalize bool

	opt    shard.Options
	bundle partial
}

// Setup unpacks the captions.
func (f *fold) Setup() (err error) {
	f.opt = shard.Options{Classes: f.Classes, Normalize: f.Normalize}
	if len(f.Texts) > 0 {
		f.opt.Texts, err = unpackTexts(f.Texts, f.Width)
	}
	return err
}

// StartBundle forgets what a bundle that failed has left.
func (f *fold) StartBundle(func(partial)) { f.bundle = partial{} }

// ProcessElement adds a shard, which is known by its rows, as for iimm map.
func (f *fold) ProcessElement(ctx context.Context, file fileio.ReadableFile, _ func(partial)) error {
	a, err := shard.Map(ctx, []string{file.Metadata.Path}, f.opt)
	if err != nil {
		return err
	}
	if f.bundle, err = f.bundle.add(partial{a}); err != nil {
		return fmt.Errorf("%s: %w", file.Metadata.Path, err)
	}
	return nil
}

// FinishBundle gives the sums to the pipeline: one element, however many files.
func (f *fold) FinishBundle(emit func(partial)) {
	if f.bundle.Accumulator != nil {
		emit(f.bundle)
	}
	f.bundle = partial{}
}

// merge is the sum of partials, in any order.
type merge struct{}

func (*merge) CreateAccumulator() partial                        { return partial{} }
func (*merge) AddInput(sum, p partial) (partial, error)          { return sum.add(p) }
func (*merge) MergeAccumulators(sum, p partial) (partial, error) { return sum.add(p) }

// write writes the one result. A worker that is started again replaces the file by
// the same.
type write struct{ Out string }

// ProcessElement writes p.
func (w *write) ProcessElement(ctx context.Context, p partial) error {
	if p.Accumulator == nil {
		return errors.New("no shards")
	}
	b, err := p.MarshalBinary()
	if err != nil {
		return err
	}
	return writeFile(ctx, w.Out, b)
}

// packTexts returns the rows of captions, float64 and little-endian. They are part
// of the job, so that no worker needs the file and none can have another one.
func packTexts(t *measure.Texts) []byte {
	b := make([]byte, 0, 8*t.Classes()*t.Dim())
	for c := range t.Classes() {
		for _, v := range t.Row(c) {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
	}
	return b
}

func unpackTexts(b []byte, width int) (*measure.Texts, error) {
	rows := make([]float64, len(b)/8)
	for i := range rows {
		rows[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return measure.NewTexts(rows, width)
}
