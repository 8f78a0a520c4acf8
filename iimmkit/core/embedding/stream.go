package embedding

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// Source is a file, here or elsewhere, that is read by parts.
type Source interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Opener opens a file by its path or address.
type Opener func(ctx context.Context, path string) (Source, error)

const (
	// streamBytes of images are read at once: a request each, where the file is on
	// a server.
	streamBytes = 4 << 20
	// yieldBytes of them are given to yield at once, so that they are in a
	// processor's cache when they are looked at again.
	yieldBytes = 1 << 18
)

// Stream reads the images and labels of one file by blocks, in order, and gives
// them to yield; captions, names and provenance are not read. Memory does not grow
// with the file: a block is valid until yield returns, while the next one is read.
// The file is opened by open, as its labels are where they are in another:
//
//   - .safetensors: tensors images and labels.
//   - .npy: images [n,d]; the labels [n] are in NAME.labels.npy, or, for
//     *_im_features.npy, in *_labels.npy.
//   - registered formats that can; see Register.
func Stream(ctx context.Context, path string, open Opener, yield func(images Matrix, labels []int) error) error {
	src, err := open(ctx, path)
	if err != nil {
		return err
	}
	defer src.Close()
	ext := extension(path)
	f, registered := formats[ext]
	switch {
	case registered && f.Stream != nil:
		err = f.Stream(src, src.Size(), yield)
	case ext == ".safetensors":
		err = streamSafetensors(ctx, src, yield)
	case ext == ".npy":
		return streamArrays(ctx, path, src, open, yield)
	default:
		return formatError{fmt.Sprintf("%s: embeddings are read by blocks from .npy, .safetensors%s", path, streamable())}
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return err
}

// extension is the ending of a path, or of the path of an address.
func extension(path string) string {
	if strings.Contains(path, "://") {
		path, _, _ = strings.Cut(path, "?")
	}
	return strings.ToLower(filepath.Ext(path))
}

func streamSafetensors(ctx context.Context, src Source, yield func(Matrix, []int) error) error {
	found, err := tensorfile.LocateSafetensors(src, src.Size())
	if err != nil {
		return err
	}
	images, there := found[keyImages]
	y, labelled := found[keyLabels]
	if !there || !labelled {
		return fmt.Errorf("no %q or no %q in it", keyImages, keyLabels)
	}
	return streamRows(ctx, src, images, src, y, yield)
}

func streamArrays(ctx context.Context, path string, src Source, open Opener, yield func(Matrix, []int) error) error {
	images, err := tensorfile.LocateNPY(src, src.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	beside := labelsBeside(path)
	other, err := open(ctx, beside)
	if err != nil {
		return fmt.Errorf("labels of %s: %w", path, err)
	}
	defer other.Close()
	y, err := tensorfile.LocateNPY(other, other.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", beside, err)
	}
	images.Name, y.Name = keyImages, keyLabels
	if err := streamRows(ctx, src, images, other, y, yield); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// labelsBeside names the labels of an array of images; a query of an address stays.
func labelsBeside(path string) string {
	query := ""
	if strings.Contains(path, "://") {
		if p, q, ok := strings.Cut(path, "?"); ok {
			path, query = p, "?"+q
		}
	}
	if start, ok := strings.CutSuffix(path, suffixImages); ok {
		return published(start).labels + query
	}
	return path[:len(path)-len(".npy")] + ".labels.npy" + query
}

// block is a part of a file.
type block struct {
	images Matrix
	labels []int
	buffer []byte // of images
	err    error
}

// streamRows reads the next block while yield has one.
func streamRows(ctx context.Context, src io.ReaderAt, images tensorfile.Location, other io.ReaderAt, y tensorfile.Location, yield func(Matrix, []int) error) error {
	switch {
	case len(images.Shape) != 2 || images.Shape[1] < 1:
		return fmt.Errorf("%q has shape %v, want [rows, width]", images.Name, images.Shape)
	case len(y.Shape) != 1 && !(len(y.Shape) == 2 && y.Shape[1] == 1):
		return fmt.Errorf("%q has shape %v, want [N]", y.Name, y.Shape)
	case y.Shape[0] != images.Shape[0]:
		return fmt.Errorf("%d labels for %d images", y.Shape[0], images.Shape[0])
	case images.Shape[0] == 0:
		return errors.New("no rows in it")
	}
	n, most := images.Shape[0], max(1, streamBytes/images.RowSize())
	most = min(most, n)
	reading, stop := context.WithCancel(ctx)
	blocks := make(chan block)
	defer func() { // the reader is not left behind with a file that is closed
		stop()
		for range blocks {
		}
	}()
	free := make(chan []byte, 2)
	free <- make([]byte, most*images.RowSize())
	free <- make([]byte, most*images.RowSize())
	go func() {
		defer close(blocks)
		ofLabels := make([]byte, most*y.RowSize())
		for lo := 0; lo < n; lo += most {
			var buf []byte
			select {
			case buf = <-free:
			case <-reading.Done():
				return
			}
			b := readBlock(src, images, other, y, lo, min(n, lo+most), buf, ofLabels)
			select {
			case blocks <- b:
			case <-reading.Done():
				return
			}
			if b.err != nil {
				return
			}
		}
	}()
	for b := range blocks {
		if b.err != nil {
			return b.err
		}
		few := max(1, yieldBytes/images.RowSize())
		for lo := 0; lo < b.images.Rows; lo += few {
			hi := min(b.images.Rows, lo+few)
			if err := yield(b.images.rows(lo, hi), b.labels[lo:hi]); err != nil {
				return err
			}
		}
		free <- b.buffer
	}
	return ctx.Err()
}

func readBlock(src io.ReaderAt, images tensorfile.Location, other io.ReaderAt, y tensorfile.Location, lo, hi int, buf, ofLabels []byte) block {
	t, err := images.Rows(src, lo, hi, buf)
	if err != nil {
		return block{err: err}
	}
	b := block{buffer: buf}
	if b.images, b.err = matrix(t); b.err != nil {
		return b
	}
	if t, b.err = y.Rows(other, lo, hi, ofLabels); b.err == nil {
		b.labels, b.err = labels(t) // a copy
	}
	return b
}
