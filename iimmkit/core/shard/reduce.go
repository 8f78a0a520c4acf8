package shard

import (
	"context"
	"errors"
	"fmt"
	"os"

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
	var all *measure.Accumulator
	from := map[string]string{} // file of each shard
	for _, name := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		a, err := Read(name)
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
