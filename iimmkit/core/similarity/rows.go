package similarity

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// keptBytes bounds the blocks that stay on the backend between uses. Beyond it
// they are sent again whenever needed, which costs a GPU more than the product.
const keptBytes = 256 << 20

// rows is a matrix that goes to the backend in blocks of equal shape.
type rows struct {
	data  []float32
	n, d  int
	block int
	kept  []*tensors.Tensor // by block; nil when not kept
	all   *tensors.Tensor
}

func newRows(what string, data []float32, d, block int) (*rows, error) {
	if d < 1 || len(data) == 0 || len(data)%d != 0 {
		return nil, fmt.Errorf("similarity: %d numbers are not %ss of width %d", len(data), what, d)
	}
	if err := checkRows(what, data, d); err != nil {
		return nil, err
	}
	r := &rows{data: data, n: len(data) / d, d: d}
	// As few blocks as block allows, of one size with the least padding.
	blocks := (r.n + block - 1) / block
	r.block = (r.n + blocks - 1) / blocks
	if len(data)*4 <= keptBytes {
		r.kept = make([]*tensors.Tensor, r.blocks())
	}
	return r, nil
}

func (r *rows) blocks() int { return (r.n + r.block - 1) / r.block }

// span returns the first row of block k and how many of its rows are not padding.
func (r *rows) span(k int) (first, n int) {
	first = k * r.block
	return first, min(r.block, r.n-first)
}

// at returns block k, [block,d], and a function that frees it unless it is kept.
func (r *rows) at(k int) (x *tensors.Tensor, release func() error) {
	if r.kept != nil && r.kept[k] != nil {
		return r.kept[k], nothing
	}
	first, n := r.span(k)
	part := r.data[first*r.d : (first+n)*r.d]
	if n < r.block {
		part = append(make([]float32, 0, r.block*r.d), part...)[:r.block*r.d]
	}
	x = tensors.FromFlatDataAndDimensions(part, r.block, r.d)
	if r.kept != nil {
		r.kept[k] = x
		return x, nothing
	}
	return x, x.FinalizeAll
}

func nothing() error { return nil }

// whole returns all rows as one tensor, [n,d].
func (r *rows) whole() (*tensors.Tensor, error) {
	if r.all == nil {
		if err := backend.Guard(func() error {
			r.all = tensors.FromFlatDataAndDimensions(r.data, r.n, r.d)
			return nil
		}); err != nil {
			return nil, failed("captions", err)
		}
	}
	return r.all, nil
}

func (r *rows) free() error {
	var err error
	for k, x := range r.kept {
		if x != nil {
			err = x.FinalizeAll()
		}
		r.kept[k] = nil
	}
	if r.all != nil {
		err = r.all.FinalizeAll()
		r.all = nil
	}
	return err
}

// tiles runs a kernel over the pairs of blocks on and above the diagonal.
func (r *rows) tiles(ctx context.Context, report progress.Reporter, title string, kernel *graph.Exec, f func(Tile) error) error {
	return r.pairs(ctx, report, title, func(i, j int, x, y any) error {
		return run(kernel, []any{x, y}, func(out []any) error {
			tile := Tile{data: flat[float32](out[0]), stride: r.block}
			tile.Row, tile.Rows = r.span(i)
			tile.Col, tile.Cols = r.span(j)
			return f(tile)
		})
	})
}

// pairs calls f for the pairs of blocks i <= j.
func (r *rows) pairs(ctx context.Context, report progress.Reporter, title string, f func(i, j int, x, y any) error) error {
	k := r.blocks()
	bar := report.Start(title, k*(k+1)/2)
	defer bar.Done()
	for i := range k {
		x, release := r.at(i)
		for j := i; j < k; j++ {
			if err := ctx.Err(); err != nil {
				release()
				return context.Cause(ctx)
			}
			y, releaseY := x, nothing
			if j > i {
				y, releaseY = r.at(j)
			}
			err := f(i, j, x, y)
			releaseY()
			if err != nil {
				release()
				return err
			}
			bar.Add(1)
		}
		release()
	}
	return nil
}

// eachImages calls f for the blocks of images in order.
func (t *Tensors) eachImages(ctx context.Context, title string, f func(row0, n int, x any) error) error {
	bar := t.report.Start(title, t.images.blocks())
	defer bar.Done()
	for k := range t.images.blocks() {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		first, n := t.images.span(k)
		x, release := t.images.at(k)
		err := f(first, n, x)
		release()
		if err != nil {
			return err
		}
		bar.Add(1)
	}
	return nil
}

// labelBlock returns the labels of a block of images, [block] int32, -1 for
// padding: a label that matches no class.
func (t *Tensors) labelBlock(row0, n int) []int32 {
	y := make([]int32, t.images.block)
	for i := range y {
		y[i] = -1
		if i < n {
			y[i] = int32(t.labels[row0+i])
		}
	}
	return y
}

// kernel compiles a graph at its first use.
func (t *Tensors) kernel(name string, build func([]*graph.Node) []*graph.Node) (*graph.Exec, error) {
	if k := t.kernels[name]; k != nil {
		return k, nil
	}
	var k *graph.Exec
	err := backend.Guard(func() (err error) {
		k, err = graph.NewExec(t.backend, build)
		return err
	})
	if err != nil {
		return nil, failed(name, err)
	}
	k.WithName("similarity " + name)
	t.kernels[name] = k
	return k, nil
}

// run executes a kernel and passes its outputs, as flat slices, to f, after
// which they are freed.
func run(kernel *graph.Exec, in []any, f func(out []any) error) error {
	var out []*tensors.Tensor
	if err := backend.Guard(func() (err error) {
		out, err = kernel.Call(in...)
		return err
	}); err != nil {
		return failed(kernel.Name(), err)
	}
	defer func() {
		for _, o := range out {
			o.FinalizeAll()
		}
	}()
	return access(out, nil, f)
}

// access opens the outputs one inside the other and calls f with all of them.
func access(out []*tensors.Tensor, opened []any, f func([]any) error) error {
	if len(opened) == len(out) {
		return f(opened)
	}
	var inner error
	err := out[len(opened)].ConstFlatData(func(data any) { inner = access(out, append(opened, data), f) })
	if err != nil {
		return failed("result", err)
	}
	return inner
}

func flat[T float32 | float64](v any) []T { return v.([]T) }

func failed(what string, err error) error {
	return fmt.Errorf("similarity: %s: %w", what, err)
}
