package shard

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// Options say what is kept of the shards. One of Texts and Classes must be given.
type Options struct {
	// Texts are the captions. The statistics are then d+3 numbers and serve these
	// captions only.
	Texts *measure.Texts
	// Classes is C. Statistics are then kept per class, C(d+2) numbers, and serve
	// any captions.
	Classes   int
	Normalize bool // divide every row by its norm
	Progress  progress.Reporter
}

func (o Options) check() error {
	switch {
	case o.Texts != nil && o.Classes != 0:
		return errors.New("captions and a number of classes are given: statistics are kept for captions or per class")
	case o.Texts == nil && o.Classes < 2:
		return fmt.Errorf("no captions and %d classes are given: IIMM needs at least 2 classes", o.Classes)
	}
	return nil
}

func (o Options) accumulator(d int) (a *measure.Accumulator, err error) {
	if o.Texts == nil {
		a, err = measure.New(o.Classes, d)
	} else if a = measure.NewFused(o.Texts); o.Texts.Dim() != d {
		err = fmt.Errorf("images have width %d, captions %d: they are not of one model", d, o.Texts.Dim())
	}
	if err != nil {
		return nil, err
	}
	return a, a.SetNormalize(o.Normalize)
}

// Map returns the statistics of shards, each in a form that embedding.Stream reads.
// Each is summed by itself; sums are merged in the order of the list, so that the
// result does not depend on how many are read at a time. Shards with the same rows
// are refused, whatever their names and forms, and so is an empty one.
func Map(ctx context.Context, shards []string, opt Options) (*measure.Accumulator, error) {
	if len(shards) == 0 {
		return nil, errors.New("no shards")
	}
	if err := opt.check(); err != nil {
		return nil, err
	}
	listed := map[string]bool{}
	for _, s := range shards {
		name := clean(s)
		if listed[name] {
			return nil, fmt.Errorf("shard %s is listed twice", s)
		}
		listed[name] = true
	}
	report := opt.Progress
	if report == nil {
		report = progress.Discard
	}
	bar := report.Start("rows", 0)
	defer bar.Done()

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	m := &merger{names: map[string]string{}}
	workers := min(len(shards), runtime.GOMAXPROCS(0))
	done := make([]chan *measure.Accumulator, len(shards))
	for k := range done {
		done[k] = make(chan *measure.Accumulator, 1)
	}
	// A shard is begun only when few others wait for an earlier one.
	begin := make(chan int, workers)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for k := range begin {
				a, err := one(ctx, shards[k], opt, bar)
				if err != nil {
					stop(err)
					return
				}
				done[k] <- a
			}
		})
	}
	err := m.mergeAll(ctx, shards, begin, done, 2*workers)
	if err != nil {
		stop(err)
	}
	close(begin)
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return m.all, nil
}

// one returns the statistics of a shard.
func one(ctx context.Context, name string, opt Options, bar progress.Bar) (*measure.Accumulator, error) {
	var a *measure.Accumulator
	err := embedding.Stream(ctx, name, Open, func(images embedding.Matrix, labels []int) (err error) {
		if a == nil {
			if a, err = opt.accumulator(images.Cols); err != nil {
				return err
			}
		}
		if images.F64 != nil {
			err = a.AddBatchFloat64(images.F64, labels)
		} else {
			err = a.AddBatch(images.F32, labels)
		}
		bar.Add(images.Rows)
		if err != nil {
			return err
		}
		return ctx.Err()
	})
	return a, err
}

// merger merges the statistics of shards.
type merger struct {
	all   *measure.Accumulator
	names map[string]string // of shards, by their digest
}

// mergeAll begins the shards in order, ahead of them at most, and merges what is done.
func (m *merger) mergeAll(ctx context.Context, shards []string, begin chan<- int, done []chan *measure.Accumulator, ahead int) error {
	begun := 0
	for k := range shards {
		for {
			next := begin
			if begun == len(shards) || begun >= k+ahead {
				next = nil
			}
			var a *measure.Accumulator
			select {
			case next <- begun:
				begun++
				continue
			case a = <-done[k]:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			if err := m.add(shards[k], a); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

func (m *merger) add(name string, a *measure.Accumulator) error {
	digest := a.Digest()
	if same, twice := m.names[digest]; twice {
		return fmt.Errorf("shard %s holds the same rows as %s: each must be given once", name, same)
	}
	m.names[digest] = name
	if err := a.MarkShard(digest); err != nil {
		return err
	}
	if m.all == nil {
		m.all = a
		return nil
	}
	if err := m.all.Merge(a); err != nil {
		return fmt.Errorf("shard %s: %w", name, err)
	}
	return nil
}

// clean gives equal names to equal paths.
func clean(shard string) string {
	if scheme, rest, address := strings.Cut(shard, "://"); address {
		host, rest, _ := strings.Cut(rest, "/")
		return scheme + "://" + host + path.Clean("/"+rest)
	}
	return filepath.Clean(shard)
}
