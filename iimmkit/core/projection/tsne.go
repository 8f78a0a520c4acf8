package projection

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// TSNEOptions are the choices of TSNE. The zero value is the usual map.
type TSNEOptions struct {
	// Perplexity is about how many neighbours each row keeps near; 0 means 30,
	// or a third of the other rows where they are fewer than 90.
	Perplexity float64
	// Iterations of descent, the first quarter with exaggerated attraction;
	// 0 means 1000.
	Iterations int
	// Exact takes all pairs of rows in place of neighbours and cells: time and
	// memory O(n²).
	Exact bool
	// Report is told of the iterations; nil: nobody is.
	Report progress.Reporter
}

// Constants of the descent, those of scikit-learn's TSNE.
const (
	exaggeration    = 12.0
	theta           = 0.5 // cells narrower than theta times their distance count as one point
	usualPerplexity = 30.0
	usualRounds     = 1000
)

// TSNE lays the rows of x [n,d] (row after row) in the plane so that near rows
// stay near: Barnes-Hut t-SNE (van der Maaten, Accelerating t-SNE using
// Tree-Based Algorithms, JMLR 2014), started from the first two principal axes.
// To map images and captions together, pass the rows of both.
//
// coords [n,2] are centred. divergence is the Kullback-Leibler divergence, in
// nats, of the map's neighbourhoods from those of the rows, 0 for a perfect
// map. What such a map keeps is who is near whom: the distance between groups,
// their size and the axes say nothing.
//
// Nothing is drawn at random: the same rows give the same map, to the last bit,
// whatever the number of processors. Time O(n² d) for the neighbours and
// O(n log n) per iteration, memory O(n perplexity). x is not changed. It is an
// error when there are fewer than 4 rows or 2 columns, when the perplexity is
// not in 1..(n-1)/3, when a value is NaN or infinite, when all rows are equal,
// or when ctx ends.
func TSNE(ctx context.Context, x []float32, d int, o TSNEOptions) (coords []float64, divergence float64, err error) {
	if d < 2 {
		return nil, 0, fmt.Errorf("projection: rows of width %d, a map in the plane needs at least 2", d)
	}
	start, _, err := PCA(x, d, 2)
	if err != nil {
		return nil, 0, err
	}
	n := len(x) / d
	if n < 4 {
		return nil, 0, fmt.Errorf("projection: %d rows, a map of neighbours needs at least 4", n)
	}
	most := float64(n-1) / 3
	perplexity := o.Perplexity
	if perplexity == 0 {
		perplexity = math.Min(usualPerplexity, most)
	}
	if !(perplexity >= 1 && perplexity <= most) {
		return nil, 0, fmt.Errorf("projection: perplexity %g of %d rows, want 1 to %.4g", perplexity, n, most)
	}
	rounds := o.Iterations
	if rounds == 0 {
		rounds = usualRounds
	}
	if rounds < 1 {
		return nil, 0, fmt.Errorf("projection: %d iterations, want at least 1", rounds)
	}
	report := o.Report
	if report == nil {
		report = progress.Discard
	}

	k := min(n-1, int(3*perplexity+1))
	if o.Exact {
		k = n - 1
	}
	near, err := nearest(ctx, x, d, k, report)
	if err != nil {
		return nil, 0, err
	}
	p := near.affinities(perplexity)

	l := &layout{p: p, y: start, force: make([]float64, 2*n), step: make([]float64, 2*n), gain: make([]float64, 2*n), theta: theta}
	if o.Exact {
		l.theta = 0
	}
	l.shrink()
	bar := report.Start("t-SNE", rounds)
	defer bar.Done()
	rate := math.Max(float64(n)/exaggeration/4, 50)
	for round := range rounds {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		pull, momentum := 1.0, .8
		if round < rounds/4 {
			pull, momentum = exaggeration, .5
		}
		l.gradient(pull)
		l.descend(rate, momentum)
		bar.Add(1)
	}
	divergence = l.divergence(l.gradient(1))
	l.centre()
	return l.y, divergence, nil
}

// layout is a map on its way.
type layout struct {
	p     affinities
	y     []float64 // [n,2]
	force []float64 // gradient of the divergence, [n,2]
	step  []float64
	gain  []float64 // of each coordinate's rate (Jacobs, 1988)
	theta float64
}

// shrink makes the start small, so that the first steps are free, and sets
// equal rows apart by a ten-thousandth of it: no force would part them.
func (l *layout) shrink() {
	n := len(l.y) / 2
	sum := 0.0
	for i := range n {
		sum += l.y[2*i] * l.y[2*i]
	}
	scale := 1e-4 / math.Sqrt(sum/float64(n))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range l.y {
		l.y[i] = l.y[i]*scale + 1e-8*(random.Float64()-.5)
		l.gain[i] = 1
	}
}

// descend moves every coordinate against its force.
func (l *layout) descend(rate, momentum float64) {
	for i, f := range l.force {
		if l.step[i]*f < 0 {
			l.gain[i] += .2
		} else {
			l.gain[i] = math.Max(.01, l.gain[i]*.8)
		}
		l.step[i] = momentum*l.step[i] - rate*l.gain[i]*f
		l.y[i] += l.step[i]
	}
}

func (l *layout) centre() {
	n := len(l.y) / 2
	var mx, my float64
	for i := range n {
		mx, my = mx+l.y[2*i]/float64(n), my+l.y[2*i+1]/float64(n)
	}
	for i := range n {
		l.y[2*i] -= mx
		l.y[2*i+1] -= my
	}
}

// gradient sets force, attraction taken pull times, and returns Z, the sum over
// ordered pairs of w = 1/(1+distance²):
//
//	force_i = 4 sum_j (pull p_ij - w_ij/Z) w_ij (y_i - y_j).
func (l *layout) gradient(pull float64) (z float64) {
	n := len(l.y) / 2
	t := newTree(l.y)
	push, weight := make([]float64, 2*n), make([]float64, n)
	inParallel(n, func(from, to int) {
		var stack []int32
		for k := from; k < to; k++ {
			i := t.order[k]
			push[2*i], push[2*i+1], weight[i], stack = t.repulsion(k, l.theta, stack)
		}
	})
	for _, w := range weight { // in order, whatever the number of processors
		z += w
	}
	inParallel(n, func(from, to int) {
		for i := from; i < to; i++ {
			yx, yy := l.y[2*i], l.y[2*i+1]
			var ax, ay float64
			columns, values := l.p.row(i)
			for c, j := range columns {
				dx, dy := yx-l.y[2*j], yy-l.y[2*j+1]
				pw := values[c] / (1 + dx*dx + dy*dy)
				ax += pw * dx
				ay += pw * dy
			}
			l.force[2*i] = 4 * (pull*ax - push[2*i]/z)
			l.force[2*i+1] = 4 * (pull*ay - push[2*i+1]/z)
		}
	})
	return z
}

// divergence of the map's q_ij = w_ij/z from p_ij: sum p log(p/q).
func (l *layout) divergence(z float64) (sum float64) {
	for i := range len(l.y) / 2 {
		columns, values := l.p.row(i)
		for c, j := range columns {
			dx, dy := l.y[2*i]-l.y[2*j], l.y[2*i+1]-l.y[2*j+1]
			sum += values[c] * math.Log(values[c]*z*(1+dx*dx+dy*dy))
		}
	}
	return sum
}

// inParallel has f do 0..n-1 in parts, one a processor.
func inParallel(n int, f func(from, to int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { f(w*n/workers, (w+1)*n/workers) })
	}
	wg.Wait()
}
