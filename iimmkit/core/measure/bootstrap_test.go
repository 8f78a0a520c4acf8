package measure

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
)

// The draws are compared with the definitions written out over all pairs of
// the images drawn.
func TestResampleEqualsTheWeightedDefinitions(t *testing.T) {
	const n, classes, d = 70, 5, 7
	x, y, texts := randomSet(rand.New(rand.NewPCG(11, 1)), n, classes, d)
	for i := range x {
		x[i] *= float64(1 + i/d%3) // not unit norm, so that Normalize is exercised
	}
	table, err := NewTexts(texts, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, normalize := range []bool{false, true} {
		b, err := newBootstrap(x, y, table, normalize)
		if err != nil {
			t.Fatal(err)
		}
		rows := slices.Clone(x)
		if normalize {
			for i := range n {
				row := rows[i*d : (i+1)*d]
				norm := math.Sqrt(dot(row, row))
				for j := range row {
					row[j] /= norm
				}
			}
		}
		const first, seed = 16, 5
		draws := make([]draw, 3)
		b.resample(draws, first, seed)
		for k, got := range draws {
			// The same generator as the code under test: class by class.
			rng := rand.New(rand.NewPCG(seed, first+uint64(k)))
			w := make([]float64, n)
			for c := range classes {
				members := b.order[b.start[c]:b.start[c+1]]
				for range members {
					w[members[rng.IntN(len(members))]]++
				}
			}
			want := weightedDefinitions(rows, y, w, texts, d)
			for _, v := range []struct {
				name      string
				got, want float64
			}{
				{"inter", got.inter, want.inter}, {"intra", got.intra, want.intra},
				{"alignment", got.alignment, want.alignment}, {"inter by class", got.byClass, want.byClass},
				{"gap", got.gap, want.gap},
			} {
				if math.Abs(v.got-v.want) > 1e-12 {
					t.Errorf("normalize %v, draw %d, %s: %v, definition %v", normalize, k, v.name, v.got, v.want)
				}
			}
		}
	}
}

func weightedDefinitions(x []float64, y []int, w, texts []float64, d int) draw {
	n, classes := len(y), len(texts)/d
	row := func(m []float64, i int) []float64 { return m[i*d : (i+1)*d] }
	size := make([]float64, classes)
	for _, c := range y {
		size[c]++
	}
	var out draw
	for i := range n {
		out.alignment += w[i] * dot(row(x, i), row(texts, y[i])) / float64(n)
		for c := range classes {
			if c != y[i] {
				s := w[i] * dot(row(x, i), row(texts, c))
				out.inter += s / float64(n*(classes-1))
				out.byClass += s / (float64(n) - size[c]) / float64(classes)
			}
		}
	}
	// Pairs across classes as drawn; within a class the mean over different
	// images drawn, standing for its n_c(n_c-1) ordered pairs.
	for i := range n {
		for k := range n {
			if y[i] != y[k] {
				out.intra += w[i] * w[k] * dot(row(x, i), row(x, k))
			}
		}
	}
	variance := 0.0
	for c := range classes {
		sum, pairs, all, plain := 0.0, 0.0, 0.0, 0.0
		mean := make([]float64, d)
		for i := range n {
			if y[i] != c {
				continue
			}
			addScaled(mean, row(x, i), 1/size[c])
			for k := range n {
				if y[k] == c && i != k {
					s := dot(row(x, i), row(x, k))
					sum += w[i] * w[k] * s
					pairs += w[i] * w[k]
					all += s
					plain++
				}
			}
		}
		switch {
		case pairs > 0:
			out.intra += size[c] * (size[c] - 1) * sum / pairs
		case plain > 0:
			out.intra += all
		}
		for i := range n {
			if y[i] == c {
				for j := range d {
					e := x[i*d+j] - mean[j]
					variance += e * e / float64(n*n)
				}
			}
		}
	}
	out.intra /= float64(n * (n - 1))
	gap := 0.0
	for j := range d {
		a, b := 0.0, 0.0
		for i := range n {
			a += w[i] * x[i*d+j] / float64(n)
		}
		for c := range classes {
			b += texts[c*d+j] / float64(classes)
		}
		gap += (a - b) * (a - b)
	}
	out.gap = math.Sqrt(max(0, gap-variance))
	return out
}

func TestBootstrapSameBytesWhateverProcessors(t *testing.T) {
	set := golden.Mid()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var want []byte
	for _, procs := range []int{1, 2, 7} {
		runtime.GOMAXPROCS(procs)
		var told atomic.Int64
		iv, err := Bootstrap(context.Background(), set.Images, set.Labels, golden.Texts(), golden.D,
			BootstrapOptions{Resamples: 101, Progress: func(n int) { told.Add(int64(n)) }})
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(iv)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = b
		} else if string(b) != string(want) {
			t.Errorf("%d processors: %s, one: %s", procs, b, want)
		}
		if told.Load() != 101 {
			t.Errorf("progress of %d in all", told.Load())
		}
	}
	other, err := Bootstrap(context.Background(), set.Images, set.Labels, golden.Texts(), golden.D, BootstrapOptions{Resamples: 101, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := json.Marshal(other); string(b) == string(want) {
		t.Error("seeds 0 and 1 give the same intervals")
	}
}

// Samples of a law with known expectations must be covered about as often as
// promised. Class sizes are small, so that the uncorrected forms would fail:
// pairs of one image alone would move Intra by 1/N, several times its spread.
func TestIntervalsCoverTheTruth(t *testing.T) {
	const classes, perClass, d, sets = 4, 12, 16, 300
	rng := rand.New(rand.NewPCG(2026, 11))
	centre := make([]float64, classes*d)
	for i := range centre {
		centre[i] = rng.NormFloat64() * .5
	}
	texts := make([]float64, classes*d)
	for i := range texts {
		texts[i] = rng.NormFloat64()
	}
	table, err := NewTexts(texts, d)
	if err != nil {
		t.Fatal(err)
	}
	draw := func(perClass int) (x []float64, y []int) {
		for i := range classes * perClass {
			c := i % classes
			y = append(y, c)
			at := len(x)
			for j := range d {
				x = append(x, centre[c*d+j]+rng.NormFloat64()*.3)
			}
			row := x[at:]
			norm := math.Sqrt(dot(row, row))
			for j := range row {
				row[j] /= norm
			}
		}
		return x, y
	}
	texts = table.Normalized().rows
	// The truth for the small design: within-class pairs weigh (perClass-1) of
	// classes*perClass-1, so class means of a large sample are put together so.
	x, y := draw(20000)
	big, err := New(classes, d)
	if err != nil {
		t.Fatal(err)
	}
	if err := big.AddBatchFloat64(x, y); err != nil {
		t.Fatal(err)
	}
	var within, between float64
	for c := range classes {
		for k := range classes {
			s := dot(big.classSum(c), big.classSum(k)) / float64(big.count[c]*big.count[k])
			if c == k {
				within += (s*float64(big.count[c]) - 1) / float64(big.count[c]-1) / classes
			} else {
				between += s / (classes * (classes - 1))
			}
		}
	}
	intra := (within*(perClass-1) + between*(classes-1)*perClass) / (classes*perClass - 1)
	whole, err := big.Result(mustTexts(t, texts, d))
	if err != nil {
		t.Fatal(err)
	}
	hit := map[string]int{}
	for range sets {
		x, y := draw(perClass)
		iv, err := Bootstrap(context.Background(), x, y, texts, d, BootstrapOptions{Resamples: 200, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []struct {
			name  string
			iv    Interval
			truth float64
		}{
			{"intra", iv.Intra, intra},
			{"inter", iv.Inter, whole.Inter},
			{"iimm", iv.IIMM, (intra + whole.Inter) / 2},
			{"alignment", iv.Alignment, whole.Alignment},
			{"inter by class", *iv.InterByClass, *whole.InterByClass},
		} {
			if v.iv[0] <= v.truth && v.truth <= v.iv[1] {
				hit[v.name]++
			}
		}
		r, err := Compute(x, y, texts, d)
		if err != nil {
			t.Fatal(err)
		}
		if iv.ModalityGap[0] <= r.ModalityGap && r.ModalityGap <= iv.ModalityGap[1] {
			hit["gap of the sample"]++
		}
	}
	for name, n := range hit {
		t.Logf("%s: %d of %d", name, n, sets)
		// 95 % promised; percentile intervals of 12 images a class fall a little short.
		if share := float64(n) / sets; share < .88 {
			t.Errorf("%s covered in %.0f %%", name, 100*share)
		}
	}
	if len(hit) != 6 {
		t.Errorf("covered at all: %v", hit)
	}
}

func TestBootstrapOfClassesWithOneImage(t *testing.T) {
	// Nothing can be drawn differently: the intervals are points.
	x := []float64{1, 0, 0, .6, .8, 0, 0, 0, 1}
	texts := []float64{1, 0, 0, 0, 1, 0, 0, 0, 1, .6, 0, .8}
	y := []int{0, 1, 3}
	r, err := Compute(x, y, texts, 3)
	if err != nil {
		t.Fatal(err)
	}
	iv, err := Bootstrap(context.Background(), x, y, texts, 3, BootstrapOptions{Resamples: 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		iv   Interval
		want float64
	}{{iv.IIMM, r.IIMM}, {iv.Inter, r.Inter}, {iv.Intra, r.Intra}, {iv.Alignment, r.Alignment}, {*iv.InterByClass, *r.InterByClass}, {iv.ModalityGap, r.ModalityGap}} {
		if math.Abs(v.iv[0]-v.want) > 1e-14 || math.Abs(v.iv[1]-v.want) > 1e-14 {
			t.Errorf("%v, want %v", v.iv, v.want)
		}
	}
}

func TestBootstrapRefuses(t *testing.T) {
	set := golden.Easy()
	run := func(ctx context.Context, opt BootstrapOptions) error {
		_, err := Bootstrap(ctx, set.Images, set.Labels, golden.Texts(), golden.D, opt)
		return err
	}
	for _, opt := range []BootstrapOptions{{}, {Resamples: 1}, {Resamples: 10, Confidence: 1}, {Resamples: 10, Confidence: -.5}, {Resamples: 10, Confidence: math.NaN()}} {
		if err := run(context.Background(), opt); err == nil {
			t.Errorf("%+v: accepted", opt)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if err := run(ctx, BootstrapOptions{Resamples: 1000}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestQuantileInterpolates(t *testing.T) {
	// numpy.quantile([1, 2, 4, 8], p) of NumPy 2.4.6.
	for p, want := range map[float64]float64{0: 1, .025: 1.075, .25: 1.75, .5: 3, .975: 7.7, 1: 8} {
		if got := quantile([]float64{1, 2, 4, 8}, p); math.Abs(got-want) > 1e-12 {
			t.Errorf("%v: %v, want %v", p, got, want)
		}
	}
}
