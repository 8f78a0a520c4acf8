package similarity

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/iimmkit/iimm/iimmkit/core/measure"
)

// IIMM computes what measure.Compute does, from the similarity tensors: products
// in float32 on the backend, their sums in float64. The two agree to 1e-6. The
// time grows with N².
func (t *Tensors) IIMM(ctx context.Context) (measure.Result, error) {
	n, c := t.images.n, t.texts.n
	switch {
	case n < 2:
		return measure.Result{}, fmt.Errorf("IIMM needs at least 2 images, have %d", n)
	case c < 2:
		return measure.Result{}, fmt.Errorf("IIMM needs at least 2 classes, have %d", c)
	}
	r := measure.Result{N: int64(n), D: t.images.d, Classes: c}
	if err := t.inter(ctx, &r); err != nil {
		return measure.Result{}, err
	}
	pairs, err := t.sumOfPairs(ctx)
	if err != nil {
		return measure.Result{}, err
	}
	r.Intra = pairs / (float64(n) * float64(n-1) / 2)
	r.IIMM = (r.Inter + r.Intra) / 2
	between, err := t.TextText(ctx)
	if err != nil {
		return measure.Result{}, err
	}
	sum := 0.0
	for i := range c {
		for _, v := range between[i*c+i+1 : (i+1)*c] {
			sum += float64(v)
		}
	}
	r.IntraText = sum / (float64(c) * float64(c-1) / 2)
	if r.ModalityGap, err = t.gap(ctx); err != nil {
		return measure.Result{}, err
	}
	if math.IsNaN(r.IIMM + r.Alignment + r.IntraText + r.ModalityGap) {
		return measure.Result{}, errors.New("similarity: the backend computed NaN from finite rows")
	}
	return r, nil
}

// inter fills in what the image-text tensor tells: Inter, InterByClass and
// Alignment.
func (t *Tensors) inter(ctx context.Context, r *measure.Result) error {
	kernel, err := t.kernel("image-text sums", func(in []*graph.Node) []*graph.Node {
		// x: [block,d], texts: [C,d], y: [block]
		s := cosines(in[0], in[1])
		matched := graph.Mul(s, graph.OneHot(in[2], t.texts.n, dtypes.Float32))
		return []*graph.Node{
			graph.ReduceSum(s, 1), graph.ReduceSum(matched, 1), // by image
			graph.ReduceSum(s, 0), graph.ReduceSum(matched, 0), // by caption
		}
	})
	if err != nil {
		return err
	}
	captions, err := t.texts.whole()
	if err != nil {
		return err
	}
	c := t.texts.n
	var all, right float64
	wrongByCaption := make([]float64, c)
	err = t.eachImages(ctx, "image-text sums", func(row0, n int, x any) error {
		return run(kernel, []any{x, captions, t.labelBlock(row0, n)}, func(out []any) error {
			for _, v := range flat[float32](out[0]) {
				all += float64(v)
			}
			for _, v := range flat[float32](out[1]) {
				right += float64(v)
			}
			matched := flat[float32](out[3])
			for k, v := range flat[float32](out[2]) {
				wrongByCaption[k] += float64(v) - float64(matched[k])
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	count := t.counts()
	n := float64(t.images.n)
	r.Inter = (all - right) / (n * float64(c-1))
	r.Alignment = right / n
	sum, with := 0.0, 0
	for k, v := range wrongByCaption {
		if others := t.images.n - int(count[k]); others > 0 {
			sum += v / float64(others)
			with++
		}
	}
	if with > 0 {
		mean := sum / float64(with)
		r.InterByClass = &mean
	}
	return nil
}

// sumOfPairs adds up the similarities of all distinct pairs of images.
func (t *Tensors) sumOfPairs(ctx context.Context) (float64, error) {
	b := t.images.block
	above, err := t.kernel("image-image sums", func(in []*graph.Node) []*graph.Node {
		return []*graph.Node{graph.ReduceSum(cosines(in[0], in[1]), 1)}
	})
	if err != nil {
		return 0, err
	}
	diagonal, err := t.kernel("image-image sums, diagonal", func(in []*graph.Node) []*graph.Node {
		shape := shapes.Make(dtypes.Int32, b, b)
		g := in[0].Graph()
		later := graph.ConvertDType(graph.LessThan(graph.Iota(g, shape, 0), graph.Iota(g, shape, 1)), dtypes.Float32)
		return []*graph.Node{graph.ReduceSum(graph.Mul(cosines(in[0], in[0]), later), 1)}
	})
	if err != nil {
		return 0, err
	}
	total := 0.0
	add := func(out []any) error {
		for _, v := range flat[float32](out[0]) {
			total += float64(v)
		}
		return nil
	}
	err = t.images.pairs(ctx, t.report, "image-image sums", func(i, j int, x, y any) error {
		if i == j {
			return run(diagonal, []any{x}, add)
		}
		return run(above, []any{x, y}, add)
	})
	return total, err
}

// gap is |mean of images - mean of captions|.
func (t *Tensors) gap(ctx context.Context) (float64, error) {
	sums, err := t.classSums(ctx)
	if err != nil {
		return 0, err
	}
	d, q := t.images.d, 0.0
	for j := range d {
		var x, y float64
		for k := range t.texts.n {
			x += sums[k*d+j]
			y += float64(t.texts.data[k*d+j])
		}
		gap := x/float64(t.images.n) - y/float64(t.texts.n)
		q += gap * gap
	}
	return math.Sqrt(q), nil
}

// counts returns the number of images of each class.
func (t *Tensors) counts() []int64 {
	n := make([]int64, t.texts.n)
	for _, y := range t.labels {
		n[y]++
	}
	return n
}
