// Package shard measures sets of embeddings that are kept in many files, on one
// machine or on many: Map makes statistics of some shards, Reduce merges
// statistics, and the measures of the whole follow from what is left. A shard
// that comes twice is refused in both, so that nothing is counted twice.
package shard

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/file/fetch"
)

var schemes = map[string]embedding.Opener{}

// Register makes Open read addresses that begin with scheme:// by open. It is
// called by programs that link a library of an object store.
func Register(scheme string, open embedding.Opener) { schemes[scheme] = open }

// Open opens a local file, an https address, or one of a registered scheme.
func Open(ctx context.Context, path string) (embedding.Source, error) {
	scheme, _, address := strings.Cut(path, "://")
	if open, registered := schemes[scheme]; address && registered {
		return open(ctx, path)
	}
	switch {
	case !address:
		return openFile(path)
	case scheme == "https" || scheme == "http":
		return fetch.Open(ctx, path)
	}
	known := append([]string{"https"}, slices.Sorted(maps.Keys(schemes))...)
	return nil, fmt.Errorf("%s: this program reads files and %s addresses; sign the address (a presigned URL), or mount or copy the bucket", path, strings.Join(known, ", "))
}

// file is a local Source.
type file struct {
	*os.File
	size int64
}

func openFile(path string) (embedding.Source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return file{f, info.Size()}, nil
}

func (f file) Size() int64 { return f.size }

// Part returns the shards of worker index, of count workers that all have the same
// list: a run of consecutive ones, none where there are fewer shards than workers.
func Part(shards []string, index, count int) ([]string, error) {
	if count < 1 || index < 0 || index >= count {
		return nil, fmt.Errorf("part %d of %d: parts are counted from 0", index, count)
	}
	// Both products fit: a list of shards is shorter than 2^31, so are workers.
	n := int64(len(shards))
	return shards[n*int64(index)/int64(count) : n*int64(index+1)/int64(count)], nil
}

// The environment variables that say which part of the shards a worker takes.
const (
	// IndexVariable is set by Kubernetes in the pods of an indexed job.
	IndexVariable = "JOB_COMPLETION_INDEX"
	// CountVariable is set by the job's manifest.
	CountVariable = "IIMM_PARTS"
)

// PartOfEnvironment reads both variables. Without IIMM_PARTS there are no parts:
// one of one. An IIMM_PARTS without an index is an error.
func PartOfEnvironment(lookup func(string) (string, bool)) (index, count int, err error) {
	parts, there := lookup(CountVariable)
	if !there {
		return 0, 1, nil
	}
	if count, err = strconv.Atoi(parts); err != nil || count < 1 {
		return 0, 0, fmt.Errorf("%s=%q is not a number of parts", CountVariable, parts)
	}
	at, there := lookup(IndexVariable)
	if !there {
		return 0, 0, fmt.Errorf("%s is set, but %s is not: the job must be indexed (completionMode: Indexed)", CountVariable, IndexVariable)
	}
	if index, err = strconv.Atoi(at); err != nil || index < 0 || index >= count {
		return 0, 0, fmt.Errorf("%s=%q is not one of the %d parts, counted from 0", IndexVariable, at, count)
	}
	return index, count, nil
}
