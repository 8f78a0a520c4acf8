package similarity

import (
	"context"
	"encoding/json"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
)

// Means is a matrix of mean similarities, classes in rows and columns. NaN
// where there is no pair to take the mean of; null in JSON.
type Means [][]float64

// MarshalJSON writes null for NaN.
func (m Means) MarshalJSON() ([]byte, error) {
	rows := make([][]*float64, len(m))
	for i, row := range m {
		rows[i] = make([]*float64, len(row))
		for j, v := range row {
			if !math.IsNaN(v) {
				rows[i][j] = &v
			}
		}
	}
	return json.Marshal(rows)
}

// ClassMeans returns the mean similarity of the images of one class to those
// of another, [C,C], symmetric. On the diagonal it is over distinct pairs, so
// a class needs two images there.
func (t *Tensors) ClassMeans(ctx context.Context) (Means, error) {
	sums, err := t.classSums(ctx)
	if err != nil {
		return nil, err
	}
	// Mean similarity is the similarity of means: S_a.S_b/(n_a n_b).
	products, err := t.doubleProduct(sums, sums)
	if err != nil {
		return nil, err
	}
	own, count, c, d := make([]float64, t.texts.n), t.counts(), t.texts.n, t.images.d
	for i, y := range t.labels {
		for _, v := range t.images.data[i*d : (i+1)*d] {
			own[y] += float64(v) * float64(v)
		}
	}
	return fill(c, func(a, b int) float64 {
		sum, pairs := products[a*c+b], float64(count[a])*float64(count[b])
		if a == b {
			sum, pairs = sum-own[a], float64(count[a])*float64(count[a]-1)
		}
		if pairs == 0 {
			return math.NaN()
		}
		return sum / pairs
	}), nil
}

// ClassTextMeans returns the mean similarity of the images of a class (row) to
// a caption (column), [C,C].
func (t *Tensors) ClassTextMeans(ctx context.Context) (Means, error) {
	sums, err := t.classSums(ctx)
	if err != nil {
		return nil, err
	}
	captions := make([]float64, len(t.texts.data))
	for i, v := range t.texts.data {
		captions[i] = float64(v)
	}
	products, err := t.doubleProduct(sums, captions)
	if err != nil {
		return nil, err
	}
	count, c := t.counts(), t.texts.n
	return fill(c, func(a, b int) float64 {
		if count[a] == 0 {
			return math.NaN()
		}
		return products[a*c+b] / float64(count[a])
	}), nil
}

func fill(c int, value func(a, b int) float64) Means {
	m := make(Means, c)
	for a := range m {
		m[a] = make([]float64, c)
		for b := range m[a] {
			m[a][b] = value(a, b)
		}
	}
	return m
}

// classSums returns the sum of the images of each class, [C,d]: on the backend
// in float32 within a block, over the blocks in float64.
func (t *Tensors) classSums(ctx context.Context) ([]float64, error) {
	kernel, err := t.kernel("class sums", func(in []*graph.Node) []*graph.Node {
		// x: [block,d], y: [block]
		members := graph.OneHot(in[1], t.texts.n, dtypes.Float32)
		return []*graph.Node{graph.Dot(members, in[0]).General([]int{0}, nil, []int{0}, nil)}
	})
	if err != nil {
		return nil, err
	}
	sums := make([]float64, t.texts.n*t.images.d)
	err = t.eachImages(ctx, "class sums", func(row0, n int, x any) error {
		return run(kernel, []any{x, t.labelBlock(row0, n)}, func(out []any) error {
			for i, v := range flat[float32](out[0]) {
				sums[i] += float64(v)
			}
			return nil
		})
	})
	return sums, err
}

// doubleProduct returns x.yᵀ in float64, both [C,d].
func (t *Tensors) doubleProduct(x, y []float64) ([]float64, error) {
	kernel, err := t.kernel("class products", func(in []*graph.Node) []*graph.Node {
		return []*graph.Node{cosines(in[0], in[1])}
	})
	if err != nil {
		return nil, err
	}
	var z []float64
	err = backend.Guard(func() error {
		in := make([]any, 2)
		for i, data := range [][]float64{x, y} {
			v := tensors.FromFlatDataAndDimensions(data, t.texts.n, t.images.d)
			defer v.FinalizeAll()
			in[i] = v
		}
		return run(kernel, in, func(out []any) error {
			z = append(z, flat[float64](out[0])...)
			return nil
		})
	})
	return z, err
}
