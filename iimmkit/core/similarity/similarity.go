// Package similarity computes the cosine similarities between the embeddings
// of a set on a GoMLX backend: image-text [N,C], image-image [N,N], text-text
// [C,C], and what is drawn of them: means by class, histograms.
//
// It works block by block with graphs of a fixed shape, the last block padded
// with zero rows, so that memory stays bounded whatever N is and XLA compiles
// each graph once. Of the two halves of a symmetric matrix one is computed.
//
// IIMM computed here adds up the tensors themselves, in time that grows with
// N². It is the check on package measure, which gets the same numbers from
// sums in one pass; use measure for the numbers, this package for the tensors.
package similarity

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// Tensors is one set of embeddings and the compiled graphs over it. Its
// methods may be called one after another, not from several goroutines.
type Tensors struct {
	backend compute.Backend
	images  *rows
	texts   *rows
	labels  []int
	kernels map[string]*graph.Exec
	report  progress.Reporter
}

// Option changes how New works.
type Option func(*options)

type options struct {
	block  int
	report progress.Reporter
}

// Block sets the largest number of rows of a block; the default is
// DefaultBlock. The results differ by rounding only.
func Block(rows int) Option { return func(o *options) { o.block = rows } }

// Progress reports the work of the methods that take long.
func Progress(r progress.Reporter) Option { return func(o *options) { o.report = r } }

// DefaultBlock rows at a time make products large enough for every backend to
// reach its speed, and 4 MB of similarities.
const DefaultBlock = 1024

// maxEntries bounds a block of image-text similarities, to 64 MB.
const maxEntries = 1 << 24

// unitTolerance is how far from 1 a row's norm may be. Embeddings stored in
// half precision are off by up to 5e-4.
const unitTolerance = 1e-2

// New prepares images, [n,d] row by row, with their labels in 0..C-1, and
// texts, [C,d], one caption per class in class order. The slices are kept, not
// copied, and must not change. n and C may be 1, or a class without images:
// only what then has no value is refused, by the method that would give it.
//
// It fails for rows that are not whole, NaN, infinite, or not of unit norm
// (their products would be no cosines), and for labels without a caption.
func New(b compute.Backend, images []float32, labels []int, texts []float32, d int, opts ...Option) (*Tensors, error) {
	o := options{block: DefaultBlock, report: progress.Discard}
	for _, opt := range opts {
		opt(&o)
	}
	if b == nil {
		return nil, errors.New("similarity: no backend")
	}
	if o.block < 1 {
		return nil, fmt.Errorf("similarity: blocks of %d rows", o.block)
	}
	t, err := newRows("caption", texts, d, o.block)
	if err != nil {
		return nil, err
	}
	// Very many captions get fewer images at a time.
	x, err := newRows("image", images, d, min(o.block, max(maxEntries/t.n, 1)))
	if err != nil {
		return nil, err
	}
	if len(labels) != x.n {
		return nil, fmt.Errorf("similarity: %d labels for %d images", len(labels), x.n)
	}
	for i, y := range labels {
		if y < 0 || y >= t.n {
			return nil, fmt.Errorf("similarity: image %d has label %d, want 0..%d, the captions", i, y, t.n-1)
		}
	}
	return &Tensors{backend: b, images: x, texts: t, labels: labels, kernels: map[string]*graph.Exec{}, report: o.report}, nil
}

// N is the number of images.
func (t *Tensors) N() int { return t.images.n }

// Classes is the number of captions.
func (t *Tensors) Classes() int { return t.texts.n }

// Close frees what is held on the backend.
func (t *Tensors) Close() error {
	return backend.Guard(func() error {
		for _, k := range t.kernels {
			k.Finalize()
		}
		clear(t.kernels)
		return errors.Join(t.images.free(), t.texts.free())
	})
}

// ImageText passes on the similarities of images to captions, some images at a
// time in order: block holds C numbers for each of the images row0, row0+1, …
// It is valid during the call only. An error of f ends the work.
func (t *Tensors) ImageText(ctx context.Context, f func(row0 int, block []float32) error) error {
	kernel, err := t.kernel("image-text", product)
	if err != nil {
		return err
	}
	return t.eachImages(ctx, "image-text similarities", func(r0, n int, x any) error {
		captions, err := t.texts.whole()
		if err != nil {
			return err
		}
		return run(kernel, []any{x, captions}, func(out []any) error {
			return f(r0, flat[float32](out[0])[:n*t.texts.n])
		})
	})
}

// Tile is a rectangle of a symmetric matrix of similarities.
type Tile struct {
	Row, Col   int // of its first entry in the matrix
	Rows, Cols int
	data       []float32
	stride     int
}

// Values returns row i of the tile, Cols numbers; i counts from 0.
func (t Tile) Values(i int) []float32 { return t.data[i*t.stride : i*t.stride+t.Cols] }

// Diagonal reports whether the tile lies on the diagonal of the matrix. Such a
// tile holds both halves, its own transpose; the others lie above.
func (t Tile) Diagonal() bool { return t.Row == t.Col }

// ImageImage passes on the similarities of images to images, tile by tile, those
// on the diagonal and above it, from left to right and from top to bottom. A
// tile is valid during the call only. An error of f ends the work.
func (t *Tensors) ImageImage(ctx context.Context, f func(Tile) error) error {
	kernel, err := t.kernel("image-image", product)
	if err != nil {
		return err
	}
	return t.images.tiles(ctx, t.report, "image-image similarities", kernel, f)
}

// TextText returns the similarities of captions to captions, [C,C].
func (t *Tensors) TextText(ctx context.Context) ([]float32, error) {
	kernel, err := t.kernel("text-text", product)
	if err != nil {
		return nil, err
	}
	c := t.texts.n
	all := make([]float32, c*c)
	err = t.texts.tiles(ctx, progress.Discard, "", kernel, func(tile Tile) error {
		for i := range tile.Rows {
			for j, v := range tile.Values(i) {
				r, s := tile.Row+i, tile.Col+j
				all[r*c+s], all[s*c+r] = v, v
			}
		}
		return nil
	})
	return all, err
}

// product builds x.yᵀ. x: [m,d], y: [n,d]; result [m,n].
func product(in []*graph.Node) []*graph.Node {
	return []*graph.Node{cosines(in[0], in[1])}
}

func cosines(x, y *graph.Node) *graph.Node {
	return graph.Dot(x, y).General([]int{1}, nil, []int{1}, nil)
}

// checkRows finds what makes products of rows no cosines.
func checkRows(what string, data []float32, d int) error {
	for i := range len(data) / d {
		q := 0.0
		for _, v := range data[i*d : (i+1)*d] {
			q += float64(v) * float64(v)
		}
		norm := math.Sqrt(q)
		switch {
		case math.IsNaN(q) || math.IsInf(q, 0):
			return fmt.Errorf("similarity: %s %d holds NaN or infinite numbers", what, i)
		case math.Abs(norm-1) > unitTolerance:
			return fmt.Errorf("similarity: %s %d has norm %.4g: divide the rows by their norms first", what, i, norm)
		}
	}
	return nil
}
