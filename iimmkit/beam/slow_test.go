package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"

	"github.com/iimmkit/iimm/iimmkit/core/shard"
)

func init() {
	filesystem.Register("slow", func(context.Context) filesystem.Interface { return slow{} })
	shard.Register("slow", openCopy)
}

// slowness is how long a file of slow takes to open.
const slowness = 250 * time.Millisecond

// slow is the local file system at slow:///PATH, where opening a file takes long
// enough to kill who does it, and is written down in a file trace beside it: the
// process, its program, and what it opened.
type slow struct{}

func local(name string) string { return strings.TrimPrefix(name, "slow://") }

func (slow) Close() error { return nil }

func (slow) List(_ context.Context, glob string) ([]string, error) {
	found, err := filepath.Glob(local(glob))
	for i := range found {
		found[i] = "slow://" + found[i]
	}
	return found, err
}

func (slow) OpenRead(_ context.Context, name string) (io.ReadCloser, error) {
	name = local(name)
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	trace, err := os.OpenFile(filepath.Join(filepath.Dir(name), "trace"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(trace, "%d %s %s\n", os.Getpid(), self, filepath.Base(name))
	if err := errors.Join(err, trace.Close()); err != nil {
		return nil, err
	}
	time.Sleep(slowness)
	return os.Open(name)
}

func (slow) OpenWrite(context.Context, string) (io.WriteCloser, error) {
	return nil, errors.ErrUnsupported
}

func (slow) Size(_ context.Context, name string) (int64, error) {
	info, err := os.Stat(local(name))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (slow) LastModified(_ context.Context, name string) (time.Time, error) {
	info, err := os.Stat(local(name))
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
