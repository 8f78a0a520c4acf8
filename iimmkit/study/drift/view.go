package drift

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// captions are what images are compared with.
type captions struct {
	texts     *measure.Texts // rows of unit norm
	scale     float64
	normalize bool
}

func newCaptions(ref *embedding.Set, opt Options) (*captions, error) {
	texts, err := measure.NewTexts(ref.Texts.Float64s(), ref.Texts.Cols)
	if err != nil {
		return nil, err
	}
	if opt.Normalize {
		texts = texts.Normalized()
	}
	for c := range texts.Classes() {
		if err := unit(norm(texts.Row(c))); err != nil {
			return nil, fmt.Errorf("caption %s %w", ref.ClassName(c), err)
		}
	}
	return &captions{texts, opt.LogitScale, opt.Normalize}, nil
}

// view is a set of images as the captions see it.
type view struct {
	*captions
	images embedding.Matrix
	// matched is the cosine of each image with its most similar caption, confidence
	// the softmax probability of that caption. [N]
	matched, confidence []float64
	stats               *measure.Accumulator // every image of the class of that caption
}

// blockRows rows are looked at by a goroutine at once.
const blockRows = 256

func (c *captions) view(ctx context.Context, name string, images embedding.Matrix, bar progress.Bar) (*view, error) {
	n, d := images.Rows, images.Cols
	switch {
	case d != c.texts.Dim():
		return nil, fmt.Errorf("images of the %s have width %d, captions %d: they are not of one model", name, d, c.texts.Dim())
	case n < 2:
		return nil, fmt.Errorf("%s: %d images, want at least 2", name, n)
	}
	v := &view{captions: c, images: images, matched: make([]float64, n), confidence: make([]float64, n), stats: measure.NewFused(c.texts)}
	predicted := make([]int, n)
	errs := make([]error, n)
	parallel((n+blockRows-1)/blockRows, func(block int) {
		row, logits := make([]float64, d), make([]float64, c.texts.Classes())
		for i := block * blockRows; i < min(n, (block+1)*blockRows); i++ {
			if ctx.Err() != nil {
				return
			}
			if errs[i] = v.row(i, row); errs[i] == nil {
				predicted[i], v.matched[i], v.confidence[i] = c.look(row, logits)
			}
		}
		bar.Add(min(n-block*blockRows, blockRows))
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s: image %d %w", name, i, err)
		}
	}
	// The accumulator gives the same bits whatever the blocks are.
	rows := make([]float64, min(n, 16*blockRows)*d)
	for lo := 0; lo < n; lo += 16 * blockRows {
		hi := min(n, lo+16*blockRows)
		for i := lo; i < hi; i++ {
			if err := v.row(i, rows[(i-lo)*d:(i-lo+1)*d]); err != nil {
				return nil, err
			}
		}
		if err := v.stats.AddBatchFloat64(rows[:(hi-lo)*d], predicted[lo:hi]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return v, nil
}

// row reads image i into out, [d].
func (v *view) row(i int, out []float64) error {
	d := v.images.Cols
	if v.images.F64 != nil {
		copy(out, v.images.F64[i*d:(i+1)*d])
	} else {
		for j, x := range v.images.F32[i*d : (i+1)*d] {
			out[j] = float64(x)
		}
	}
	length := norm(out)
	if !v.normalize {
		return unit(length)
	}
	if !(length > 0) || math.IsInf(length, 0) {
		return errors.New("has no direction: its norm is " + fmt.Sprint(length))
	}
	for j := range out {
		out[j] /= length
	}
	return nil
}

// unit tells whether a norm is one, as nearly as half precision keeps it.
func unit(norm float64) error {
	if math.Abs(norm-1) <= 0.01 {
		return nil
	}
	return fmt.Errorf("has norm %.4g, want 1: divide rows by their norms (--normalize)", norm)
}

// look returns the class of the most similar caption, the lower one of equals,
// its cosine and its probability.
func (c *captions) look(row, logits []float64) (class int, matched, confidence float64) {
	for k := range logits {
		logits[k] = dot(row, c.texts.Row(k))
		if logits[k] > logits[class] {
			class = k
		}
	}
	sum := 0.0
	for _, s := range logits {
		sum += math.Exp(c.scale * (s - logits[class]))
	}
	return class, logits[class], 1 / sum
}

// sample returns the rows that enter the tests, in order: all, or most drawn at
// random.
func (v *view) sample(most int, seed uint64) []int {
	n := v.images.Rows
	if n <= most {
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		return all
	}
	chosen := rand.New(rand.NewPCG(seed, uint64(n))).Perm(n)[:most]
	slices.Sort(chosen)
	return chosen
}

// chosen are some rows of a view.
type chosen struct {
	view *view
	rows []int
}

func (v *view) rows(some []int) chosen { return chosen{v, some} }

func norm(x []float64) float64 { return math.Sqrt(dot(x, x)) }

// dot sums in four lanes, so that additions need not wait for each other.
func dot(x, y []float64) float64 {
	y = y[:len(x)]
	var s0, s1, s2, s3 float64
	j := 0
	for ; j+4 <= len(x); j += 4 {
		a, b := x[j:j+4:j+4], y[j:j+4:j+4]
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
	}
	for ; j < len(x); j++ {
		s0 += x[j] * y[j]
	}
	return (s0 + s1) + (s2 + s3)
}

// parallel calls f(0) .. f(n-1) on all cores.
func parallel(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}
