package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/gcs"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/local"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/shard"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

func init() { shard.Register("gs", openCopy) }

// object is a copy of a file of one of Beam's file systems, which give files from
// the first byte to the last: formats are read in another order.
type object struct {
	*os.File
	size int64
}

// openCopy copies the file at an address to one without a name, which is gone when
// it is closed, however that comes.
func openCopy(ctx context.Context, address string) (embedding.Source, error) {
	fs, err := filesystem.New(ctx, address)
	if err != nil {
		return nil, err
	}
	defer fs.Close()
	r, err := fs.OpenRead(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	defer r.Close()
	f, err := os.CreateTemp("", "iimm-beam-")
	if err != nil {
		return nil, err
	}
	// An open file cannot be removed everywhere: then it is when it is closed.
	os.Remove(f.Name())
	o := &object{File: f}
	if o.size, err = io.Copy(f, r); err != nil {
		o.Close()
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return o, nil
}

// Size returns the length in bytes.
func (o *object) Size() int64 { return o.size }

// Close gives the disk space back.
func (o *object) Close() error {
	err := o.File.Close()
	os.Remove(o.Name())
	return err
}

// remote reports whether a name is an address, not a path.
func remote(name string) bool { return strings.Contains(name, "://") }

// writeFile writes a file at once: stores show an object when it is whole, and a
// path is given to a file that is.
func writeFile(ctx context.Context, name string, b []byte) error {
	if !remote(name) {
		return store.WriteFile(name, b)
	}
	fs, err := filesystem.New(ctx, name)
	if err != nil {
		return err
	}
	defer fs.Close()
	return filesystem.Write(ctx, fs, name, b)
}

// readFile reads a small file.
func readFile(ctx context.Context, name string) ([]byte, error) {
	fs, err := filesystem.New(ctx, name)
	if err != nil {
		return nil, err
	}
	defer fs.Close()
	return filesystem.Read(ctx, fs, name)
}
