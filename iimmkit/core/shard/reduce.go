package shard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// Reduce merges the statistics in files, in the order given. It names the two
// files that hold the same shard, and those that do not go together.
func Reduce(ctx context.Context, files []string, report progress.Reporter) (*measure.Accumulator, error) {
	if len(files) == 0 {
		return nil, errors.New("no statistics to merge")
	}
	if report == nil {
		report = progress.Discard
	}
	bar := report.Start("reduce", len(files))
	defer bar.Done()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all *measure.Accumulator
	from := map[string]string{} // file of each shard
	read := readAhead(ctx, files)
	for _, name := range files {
		next, more := <-read
		if !more || ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		a, err := next()
		if err != nil {
			return nil, err
		}
		for _, s := range a.Shards() {
			if other, twice := from[s]; twice {
				return nil, fmt.Errorf("%s and %s hold the same shard (%.12s): each must be counted once", other, name, s)
			}
			from[s] = name
		}
		if all == nil {
			all = a
		} else if err := all.Merge(a); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		bar.Add(1)
	}
	return all, nil
}

// readAhead gives, in order, what waits for the result of Read on each file. As many
// are read at a time as there are processors, the one that is merged among them.
func readAhead(ctx context.Context, files []string) <-chan func() (*measure.Accumulator, error) {
	type result struct {
		a   *measure.Accumulator
		err error
	}
	read := make(chan func() (*measure.Accumulator, error), runtime.GOMAXPROCS(0)-1)
	go func() {
		defer close(read)
		for _, name := range files {
			done := make(chan result, 1)
			select {
			case read <- func() (*measure.Accumulator, error) { r := <-done; return r.a, r.err }:
			case <-ctx.Done():
				return
			}
			go func() {
				a, err := Read(name)
				done <- result{a, err}
			}()
		}
	}()
	return read
}

// Read reads a file of statistics. Those that name no shard are one themselves.
func Read(name string) (*measure.Accumulator, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	a := &measure.Accumulator{}
	if err := a.UnmarshalBinary(b); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(a.Shards()) == 0 {
		err = a.MarkShard(a.Digest())
	}
	return a, err
}
