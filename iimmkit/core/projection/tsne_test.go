package projection

import (
	"cmp"
	"context"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// groups returns 400 x 16 rows in eight groups, the rows that the reference
// values were made from: a linear congruential generator, so that any language
// can make them.
func groups() (x []float32, d int) {
	const n, width, k = 400, 16, 8
	s := uint64(1)
	u := func() float64 {
		s = s*6364136223846793005 + 1442695040888963407
		return float64(s>>33) / (1 << 31)
	}
	var centres [k][width]float64
	for c := range centres {
		for j := range centres[c] {
			centres[c][j] = 3 * u()
		}
	}
	for i := range n {
		for j := range width {
			v := centres[i%k][j] + u()
			x = append(x, float32(v+u()-1))
		}
	}
	return x, width
}

// trustworthiness is 1 when the k nearest rows of each point of a map are among
// the nearest rows before (Venna and Kaski, 2001; as scikit-learn has it).
func trustworthiness(x []float32, d int, y []float64, k int) float64 {
	n := len(y) / 2
	ranked := func(i int, points []float64, width int) []int {
		order, distance := make([]int, 0, n), make([]float64, n)
		for j := range n {
			for a := range width {
				off := points[i*width+a] - points[j*width+a]
				distance[j] += off * off
			}
			if j != i {
				order = append(order, j)
			}
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(distance[a], distance[b]) })
		return order
	}
	rows := make([]float64, len(x))
	for i, v := range x {
		rows[i] = float64(v)
	}
	penalty := 0
	for i := range n {
		rank := make([]int, n)
		for r, j := range ranked(i, rows, d) {
			rank[j] = r + 1
		}
		for _, j := range ranked(i, y, 2)[:k] {
			penalty += max(0, rank[j]-k)
		}
	}
	return 1 - 2/float64(n*k*(2*n-3*k-1))*float64(penalty)
}

// Reference: sklearn.manifold.TSNE(init="pca", learning_rate="auto",
// perplexity=30, max_iter=1000), scikit-learn 1.9.1, on the rows of groups:
// Barnes-Hut divergence .2962, trustworthiness .98456 (5 neighbours), .98615
// (12); exact .2909, .98361, .98571; of PCA .93504464, .94732143.
func TestTSNEKeepsNeighboursAsScikitLearn(t *testing.T) {
	x, d := groups()
	before := slices.Clone(x)
	flat, _, err := PCA(x, d, 2)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[int]float64{5: .9350446428571428, 12: .9473214285714285} {
		if got := trustworthiness(x, d, flat, k); math.Abs(got-want) > 1e-9 {
			t.Errorf("this test's trustworthiness of PCA is %v, scikit-learn's %v", got, want)
		}
	}
	for _, c := range []struct {
		name                string
		exact               bool
		divergence, t5, t12 float64
	}{{"Barnes-Hut", false, .2962, .98456, .98615}, {"exact", true, .2909, .98361, .98571}} {
		y, divergence, err := TSNE(context.Background(), x, d, TSNEOptions{Exact: c.exact})
		if err != nil {
			t.Fatal(err)
		}
		t5, t12 := trustworthiness(x, d, y, 5), trustworthiness(x, d, y, 12)
		t.Logf("%s: divergence %.4f, trustworthiness %.5f, %.5f", c.name, divergence, t5, t12)
		if divergence > 1.03*c.divergence || divergence < .9*c.divergence {
			t.Errorf("%s: divergence %.4f, scikit-learn's %.4f", c.name, divergence, c.divergence)
		}
		if t5 < c.t5-.003 || t12 < c.t12-.003 {
			t.Errorf("%s: trustworthiness %.5f, %.5f; scikit-learn's %.5f, %.5f", c.name, t5, t12, c.t5, c.t12)
		}
	}
	if !slices.Equal(x, before) {
		t.Error("the input was changed")
	}
}

// scattered is a layout in the middle of its way.
func scattered(t *testing.T, n int) *layout {
	x, d := groups()
	near, err := nearest(context.Background(), x[:n*d], d, n-1, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	l := &layout{p: near.affinities(20), y: make([]float64, 2*n), force: make([]float64, 2*n)}
	for i := range l.y {
		l.y[i] = 4 * math.Sin(float64(i*i%97)+.1*float64(i))
	}
	copy(l.y[2:4], l.y[0:2]) // two points at one place
	return l
}

// divergenceOf is the definition, by all pairs.
func divergenceOf(p [][]float64, y []float64) float64 {
	n := len(p)
	weight := func(i, j int) float64 {
		return 1 / (1 + math.Pow(y[2*i]-y[2*j], 2) + math.Pow(y[2*i+1]-y[2*j+1], 2))
	}
	z, kl := 0.0, 0.0
	for i := range n {
		for j := range n {
			if i != j {
				z += weight(i, j)
			}
		}
	}
	for i := range n {
		for j := range n {
			if p[i][j] > 0 {
				kl += p[i][j] * math.Log(p[i][j]/(weight(i, j)/z))
			}
		}
	}
	return kl
}

func TestGradientWithoutCellsIsTheSlopeOfTheDivergence(t *testing.T) {
	const n = 150
	l := scattered(t, n)
	p := make([][]float64, n)
	total := 0.0
	for i := range p {
		p[i] = make([]float64, n)
		columns, values := l.p.row(i)
		for c, j := range columns {
			p[i][j] = values[c]
			total += values[c]
		}
	}
	if math.Abs(total-1) > 1e-12 {
		t.Errorf("probabilities sum to %v", total)
	}
	got := l.divergence(l.gradient(1))
	if want := divergenceOf(p, l.y); math.Abs(got-want) > 1e-12*want {
		t.Errorf("divergence %v, by all pairs %v", got, want)
	}
	// The gradient by all pairs, summed in another order.
	z := 0.0
	w := func(i, j int) float64 {
		return 1 / (1 + math.Pow(l.y[2*i]-l.y[2*j], 2) + math.Pow(l.y[2*i+1]-l.y[2*j+1], 2))
	}
	for i := range n {
		for j := range i {
			z += 2 * w(i, j)
		}
	}
	for i := range n {
		for a := range 2 {
			want := 0.0
			for j := range n {
				if i != j {
					want += 4 * (p[i][j] - w(i, j)/z) * w(i, j) * (l.y[2*i+a] - l.y[2*j+a])
				}
			}
			if math.Abs(l.force[2*i+a]-want) > 1e-14 {
				t.Errorf("force %d,%d is %v, by all pairs %v", i, a, l.force[2*i+a], want)
			}
		}
	}
	// And by differences, which know nothing of the formula.
	for _, i := range []int{0, 5, 77, 2*n - 1} {
		const h = 1e-5
		keep := l.y[i]
		l.y[i] = keep + h
		above := divergenceOf(p, l.y)
		l.y[i] = keep - h
		below := divergenceOf(p, l.y)
		l.y[i] = keep
		if slope := (above - below) / (2 * h); math.Abs(slope-l.force[i]) > 1e-8 {
			t.Errorf("force %d is %v, slope %v", i, l.force[i], slope)
		}
	}
}

func TestCellsComeNearTheExactGradient(t *testing.T) {
	l := scattered(t, 400)
	l.gradient(1)
	exact := slices.Clone(l.force)
	l.theta = theta
	l.gradient(1)
	off, size := 0.0, 0.0
	for i, f := range l.force {
		off += (f - exact[i]) * (f - exact[i])
		size += exact[i] * exact[i]
	}
	if r := math.Sqrt(off / size); r > .02 || r == 0 {
		t.Errorf("cells change the gradient by %v of its length", r)
	}
}

func TestPerplexityIsTheOneWanted(t *testing.T) {
	x, d := groups()
	near, err := nearest(context.Background(), x, d, 91, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]float64, 91)
	for i := range 400 {
		spread(p, near.distance[i*91:(i+1)*91], math.Log(30))
		h := 0.0
		for _, v := range p {
			if v > 0 {
				h -= v * math.Log(v)
			}
		}
		if math.Abs(math.Exp(h)-30) > 1e-3 {
			t.Fatalf("row %d: perplexity %v", i, math.Exp(h))
		}
	}
	for i, j := range near.index[:91] { // against a plain sort
		if i > 0 && near.distance[i] < near.distance[i-1] || j == 0 {
			t.Fatalf("neighbour %d of row 0 is row %d at %v", i, j, near.distance[i])
		}
	}
	sum := 0.0
	for a := range d {
		sum += math.Pow(float64(x[a])-float64(x[int(near.index[90])*d+a]), 2)
	}
	closer := 0
	for j := 1; j < 400; j++ {
		o := 0.0
		for a := range d {
			o += math.Pow(float64(x[a])-float64(x[j*d+a]), 2)
		}
		if o < sum-1e-9 {
			closer++
		}
	}
	if closer != 90 {
		t.Errorf("%d rows are nearer than the 91st neighbour", closer)
	}
}

func TestTheDivergenceFallsAndTheMapRepeats(t *testing.T) {
	x, d := groups()
	last := math.Inf(1)
	for _, rounds := range []int{8, 80, 240} {
		_, divergence, err := TSNE(context.Background(), x, d, TSNEOptions{Iterations: rounds})
		if err != nil {
			t.Fatal(err)
		}
		if divergence >= last {
			t.Errorf("after %d iterations the divergence is %v, before %v", rounds, divergence, last)
		}
		last = divergence
	}
	a, _, err := TSNE(context.Background(), x, d, TSNEOptions{Iterations: 60})
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(7))
	b, _, err := TSNE(context.Background(), x, d, TSNEOptions{Iterations: 60})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a, b) {
		t.Error("the map depends on the number of processors")
	}
}

// Rows on a line, and equal rows, have no second axis and no neighbours of
// different distance.
func TestTSNEOfDegenerateRows(t *testing.T) {
	line := make([]float32, 3*60)
	for i := range 60 {
		line[3*i] = float32(i)
	}
	same := make([]float32, 3*300)
	for i := 3 * 280; i < 3*300; i++ {
		same[i] = 1
	}
	for name, x := range map[string][]float32{"line": line, "nearly all equal": same, "four": line[:12]} {
		y, divergence, err := TSNE(context.Background(), x, 3, TSNEOptions{})
		if err != nil {
			t.Fatal(name, err)
		}
		for i, v := range append(y, divergence) {
			if math.IsNaN(v) || math.Abs(v) > 1e4 {
				t.Fatalf("%s: value %d is %v", name, i, v)
			}
		}
	}
}

func TestTSNERefuses(t *testing.T) {
	x, d := groups()
	ended, end := context.WithCancel(context.Background())
	end()
	for name, c := range map[string]struct {
		ctx context.Context
		x   []float32
		d   int
		o   TSNEOptions
	}{
		"perplexity": {context.Background(), x, d, TSNEOptions{Perplexity: 134}}, "no perplexity": {context.Background(), x, d, TSNEOptions{Perplexity: math.NaN()}},
		"iterations": {context.Background(), x, d, TSNEOptions{Iterations: -1}}, "one column": {context.Background(), []float32{1, 2, 3, 4, 5}, 1, TSNEOptions{}},
		"three rows": {context.Background(), []float32{1, 2, 3, 4, 5, 7}, 2, TSNEOptions{}}, "NaN": {context.Background(), []float32{1, float32(math.NaN()), 2, 3, 3, 3, 4, 4}, 2, TSNEOptions{}},
		"equal": {context.Background(), make([]float32, 40), 4, TSNEOptions{}}, "ended": {ended, x, d, TSNEOptions{}},
	} {
		if _, _, err := TSNE(c.ctx, c.x, c.d, c.o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func BenchmarkTSNE(b *testing.B) {
	x, d := groups()
	for b.Loop() {
		if _, _, err := TSNE(context.Background(), x, d, TSNEOptions{Iterations: 100}); err != nil {
			b.Fatal(err)
		}
	}
}
