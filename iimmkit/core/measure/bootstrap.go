package measure

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Interval is a confidence interval [low, high].
type Interval [2]float64

// Intervals are bootstrap intervals of what depends on the images.
// IntraText has none: the captions are given, not drawn.
type Intervals struct {
	IIMM         Interval  `json:"iimm"`
	Inter        Interval  `json:"inter"`
	Intra        Interval  `json:"intra"`
	Alignment    Interval  `json:"alignment"`
	InterByClass *Interval `json:"inter_by_class"` // nil where Result's is
	ModalityGap  Interval  `json:"modality_gap"`
}

// BootstrapOptions say how intervals are made. Resamples must be at least 2;
// Confidence 0 means 0.95.
type BootstrapOptions struct {
	Resamples  int
	Confidence float64
	Seed       uint64
	Normalize  bool        // divide every row by its norm, captions too
	Progress   func(n int) // called when n further resamples are done, from several goroutines; may be nil
}

// Bootstrap returns percentile intervals over resamples of the images, drawn
// with replacement within each class, so that class sizes stay. Arguments are
// those of Compute; the result depends on them and the seed only, not on the
// number of processors. It costs O(resamples N d).
//
// Two plug-in terms of a resample are biased by the size of the effect that is
// looked for, and are put right. An image drawn twice makes a pair of cosine
// one with itself: pairs of one image are left out of Intra, whose within-class
// part is the weighted mean over pairs of different images of that class (a
// class of which one image alone was drawn keeps its own mean). The squared
// modality gap of a resample exceeds the sample's by the variance of the
// resampled mean, sum_c n_c/N^2 times the class variance, which is subtracted.
func Bootstrap[X, T Float](ctx context.Context, images []X, labels []int, texts []T, d int, opt BootstrapOptions) (Intervals, error) {
	if opt.Resamples < 2 {
		return Intervals{}, fmt.Errorf("bootstrap: %d resamples, want at least 2", opt.Resamples)
	}
	if opt.Confidence == 0 {
		opt.Confidence = 0.95
	}
	if !(opt.Confidence > 0 && opt.Confidence < 1) {
		return Intervals{}, fmt.Errorf("bootstrap: confidence %v, want between 0 and 1", opt.Confidence)
	}
	table, err := NewTexts(texts, d)
	if err != nil {
		return Intervals{}, err
	}
	if opt.Normalize {
		table = table.Normalized()
	}
	b, err := newBootstrap(images, labels, table, opt.Normalize)
	if err != nil {
		return Intervals{}, err
	}
	draws := make([]draw, opt.Resamples)
	tiles := (opt.Resamples + tile - 1) / tile
	parallel(tiles, func(t int) {
		if ctx.Err() != nil {
			return
		}
		lo, hi := t*tile, min(opt.Resamples, (t+1)*tile)
		b.resample(draws[lo:hi], uint64(lo), opt.Seed)
		if opt.Progress != nil {
			opt.Progress(hi - lo)
		}
	})
	if err := ctx.Err(); err != nil {
		return Intervals{}, err
	}
	return intervals(draws, opt.Confidence, b.byClass)
}

const (
	// tile resamples share one reading of the rows.
	tile = 8
	// rowsAtOnce rows are held in float64 while a tile uses them.
	rowsAtOnce = 32
)

// bootstrap is what all resamples share: rows in class order and, per row, the
// scalars that make the linear measures sums over rows.
type bootstrap[X Float] struct {
	rows    []X
	dim     int
	order   []int // rows sorted by class
	start   []int // first of each class in order; [C+1]
	scale   []float64
	q       []float64 // squared norm
	l       []float64 // x_i.t_{y_i}
	inter   []float64 // sum over wrong captions of x_i.t_c
	classed []float64 // row's part of InterByClass
	within  []float64 // mean cosine of distinct pairs in each class, 0 for one image
	extra   float64   // expected excess of the squared gap of a resample
	texts   *Texts
	byClass bool
}

func newBootstrap[X Float](rows []X, labels []int, texts *Texts, normalize bool) (*bootstrap[X], error) {
	// The accumulator checks the rows and gives the class sums.
	a, err := New(texts.Classes(), texts.dim)
	if err != nil {
		return nil, err
	}
	if err := a.SetNormalize(normalize); err != nil {
		return nil, err
	}
	if err := addBatch(a, rows, labels); err != nil {
		return nil, err
	}
	if _, err := a.Result(texts); err != nil {
		return nil, err
	}
	n, d, classes := len(labels), texts.dim, texts.Classes()
	b := &bootstrap[X]{
		rows: rows, dim: d, texts: texts, start: make([]int, classes+1), order: make([]int, n),
		scale: make([]float64, n), q: make([]float64, n), l: make([]float64, n),
		inter: make([]float64, n), classed: make([]float64, n), within: make([]float64, classes),
	}
	for c := range classes {
		b.start[c+1] = b.start[c] + int(a.count[c])
	}
	next := slices.Clone(b.start)
	for i, y := range labels {
		b.order[next[y]] = i
		next[y]++
	}
	// InterByClass = sum_i x_i.(V - v_{y_i}), with v_c = t_c/(C'(N - n_c)) and V their sum.
	v := make([]float64, len(texts.rows))
	sumV := make([]float64, d)
	used := 0
	for c := range classes {
		if int(a.count[c]) < n {
			used++
		}
	}
	b.byClass = used > 0
	for c := range classes {
		if others := n - int(a.count[c]); others > 0 {
			addScaled(v[c*d:(c+1)*d], texts.Row(c), 1/float64(others*used))
			add(sumV, v[c*d:(c+1)*d])
		}
		nc := float64(a.count[c])
		if nc == 0 {
			continue
		}
		squared := dot(a.classSum(c), a.classSum(c))
		if nc > 1 {
			b.within[c] = (squared - a.q[c]) / (nc * (nc - 1))
		}
		b.extra += (a.q[c] - squared/nc) / (float64(n) * float64(n))
	}
	blocks := (n + rowBlock - 1) / rowBlock
	parallel(blocks, func(k int) {
		for i := k * rowBlock; i < min(n, (k+1)*rowBlock); i++ {
			row, y := rows[i*d:(i+1)*d], labels[i]
			q, w := dot(row, row), 1.0
			if normalize {
				w = 1 / math.Sqrt(q)
			}
			b.scale[i] = w
			b.q[i] = w * w * q
			b.l[i] = w * dot(row, texts.Row(y))
			b.inter[i] = w*dot(row, texts.sum) - b.l[i]
			b.classed[i] = w * (dot(row, sumV) - dot(row, v[y*d:(y+1)*d]))
		}
	})
	return b, nil
}

// draw is what one resample gives.
type draw struct{ inter, intra, alignment, byClass, gap float64 }

// resample fills a tile of draws; draw k has its own generator, seeded by the
// number first+k, whoever computes it.
func (b *bootstrap[X]) resample(draws []draw, first, seed uint64) {
	d, m, n := b.dim, len(draws), float64(len(b.order))
	gen := make([]*rand.Rand, m)
	all := make([][]float64, m)   // S of each resample
	class := make([][]float64, m) // S_c of each resample
	for k := range m {
		gen[k] = rand.New(rand.NewPCG(seed, first+uint64(k)))
		all[k], class[k] = make([]float64, d), make([]float64, d)
	}
	pairs := make([]float64, m) // sum over ordered pairs within classes
	squares := make([]float64, m)
	var weights [tile][]float64
	buffer := make([]float64, rowsAtOnce*d)

	for c := range b.within {
		members := b.order[b.start[c]:b.start[c+1]]
		if len(members) == 0 {
			continue
		}
		for k := range m {
			weights[k] = append(weights[k][:0], make([]float64, len(members))...)
			for range members {
				weights[k][gen[k].IntN(len(members))]++
			}
			clear(class[k])
		}
		for at := 0; at < len(members); at += rowsAtOnce {
			some := members[at:min(at+rowsAtOnce, len(members))]
			for r, i := range some {
				out := buffer[r*d : (r+1)*d]
				for j, v := range b.rows[i*d : (i+1)*d] {
					out[j] = b.scale[i] * float64(v)
				}
			}
			for k := range m {
				addWeighted(class[k], buffer, weights[k][at:at+len(some)])
			}
		}
		nc := float64(len(members))
		for k := range m {
			selfPairs, drawn := 0.0, 0.0
			for r, i := range members {
				w := weights[k][r]
				draws[k].alignment += w * b.l[i]
				draws[k].inter += w * b.inter[i]
				draws[k].byClass += w * b.classed[i]
				selfPairs += w * w * b.q[i]
				drawn += w * w
			}
			squared := dot(class[k], class[k])
			squares[k] += squared
			mean := b.within[c]
			if different := nc*nc - drawn; different > 0 {
				mean = (squared - selfPairs) / different
			}
			pairs[k] += nc * (nc - 1) * mean
			add(all[k], class[k])
		}
	}
	for k := range m {
		between := dot(all[k], all[k]) - squares[k]
		draws[k].intra = (between + pairs[k]) / (n * (n - 1))
		draws[k].inter /= n * float64(b.texts.Classes()-1)
		draws[k].alignment /= n
		g := gap(all[k], n, b.texts)
		draws[k].gap = math.Sqrt(max(0, g*g-b.extra))
	}
}

// addWeighted adds to sum the rows of the buffer, each times its weight. Four
// rows that were drawn share one pass over sum.
func addWeighted(sum, rows, weights []float64) {
	d := len(sum)
	var w [4]float64
	var x [4][]float64
	held := 0
	for r, v := range weights {
		if v == 0 {
			continue
		}
		w[held], x[held] = v, rows[r*d:(r+1)*d]
		if held++; held == 4 {
			a, b, c, e := x[0][:d], x[1][:d], x[2][:d], x[3][:d]
			for j := range sum {
				sum[j] += (w[0]*a[j] + w[1]*b[j]) + (w[2]*c[j] + w[3]*e[j])
			}
			held = 0
		}
	}
	for k := range held {
		addScaled(sum, x[k], w[k])
	}
}

func intervals(draws []draw, confidence float64, byClass bool) (Intervals, error) {
	column := make([]float64, len(draws))
	finite := true
	of := func(f func(draw) float64) Interval {
		for i, d := range draws {
			column[i] = f(d)
		}
		slices.Sort(column)
		iv := Interval{quantile(column, (1-confidence)/2), quantile(column, (1+confidence)/2)}
		finite = finite && !math.IsNaN(iv[0]-iv[1]) && !math.IsInf(iv[0]-iv[1], 0)
		return iv
	}
	out := Intervals{
		IIMM:        of(func(d draw) float64 { return (d.inter + d.intra) / 2 }),
		Inter:       of(func(d draw) float64 { return d.inter }),
		Intra:       of(func(d draw) float64 { return d.intra }),
		Alignment:   of(func(d draw) float64 { return d.alignment }),
		ModalityGap: of(func(d draw) float64 { return d.gap }),
	}
	if byClass {
		iv := of(func(d draw) float64 { return d.byClass })
		out.InterByClass = &iv
	}
	if !finite {
		return Intervals{}, errors.New("bootstrap: a value is not a finite number: the embeddings are far from unit norm")
	}
	return out, nil
}

// quantile interpolates linearly between the order statistics of sorted x
// (type 7 of Hyndman and Fan, the default of R and NumPy).
func quantile(x []float64, p float64) float64 {
	at := p * float64(len(x)-1)
	i := int(at)
	if i+1 >= len(x) {
		return x[len(x)-1]
	}
	return x[i] + (at-float64(i))*(x[i+1]-x[i])
}
