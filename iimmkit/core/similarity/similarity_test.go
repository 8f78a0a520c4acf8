package similarity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
)

// onBackends runs a test on Go and on XLA CPU; the latter is skipped where no
// plugin is, unless IIMM_REQUIRE names xla.
func onBackends(t *testing.T, f func(t *testing.T, b compute.Backend)) {
	t.Helper()
	for _, name := range []string{backend.Go, backend.XLACPU} {
		t.Run(name, func(t *testing.T) {
			b, err := backend.Open(name)
			if err != nil {
				if errors.Is(err, backend.ErrUnavailable) && !strings.Contains(os.Getenv("IIMM_REQUIRE"), "xla") {
					t.Skip(err)
				}
				t.Fatal(err)
			}
			defer b.Finalize()
			f(t, b)
		})
	}
}

// set is embeddings around their captions.
type set struct {
	images []float32
	labels []int
	texts  []float32
	d      int
}

// makeSet draws n unit rows of width d; skipClass has no image.
func makeSet(n, classes, d, skipClass int, seed uint64) set {
	rng := rand.New(rand.NewPCG(seed, 7))
	unit := func(row []float32) {
		q := 0.0
		for _, v := range row {
			q += float64(v) * float64(v)
		}
		for j := range row {
			row[j] = float32(float64(row[j]) / math.Sqrt(q))
		}
	}
	s := set{images: make([]float32, n*d), labels: make([]int, n), texts: make([]float32, classes*d), d: d}
	for c := range classes {
		row := s.texts[c*d : (c+1)*d]
		for j := range row {
			row[j] = float32(rng.NormFloat64() + 0.3)
		}
		unit(row)
	}
	for i := range n {
		y := rng.IntN(classes)
		for y == skipClass && classes > 1 {
			y = rng.IntN(classes)
		}
		s.labels[i] = y
		row := s.images[i*d : (i+1)*d]
		for j := range row {
			row[j] = s.texts[y*d+j] + float32(rng.NormFloat64()*0.4/math.Sqrt(float64(d))) + 0.1
		}
		unit(row)
	}
	return s
}

func (s set) cos(a, b []float32, i, j int) float64 {
	sum := 0.0
	for k := range s.d {
		sum += float64(a[i*s.d+k]) * float64(b[j*s.d+k])
	}
	return sum
}

func (s set) tensors(t *testing.T, b compute.Backend, opts ...Option) *Tensors {
	t.Helper()
	x, err := New(b, s.images, s.labels, s.texts, s.d, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// shapes are chosen for their blocks: whole ones, padded ones, one only, one
// image only, a class without images.
var shapesTested = []struct{ n, classes, d, skip, block int }{
	{12, 3, 5, -1, 4},
	{13, 3, 5, -1, 4},
	{13, 3, 5, 1, 1},
	{64, 7, 16, -1, 1024},
	{65, 70, 16, 69, 64},
	{2, 2, 3, -1, 1024},
	{130, 2, 64, 0, 33},
}

func eachShape(t *testing.T, f func(t *testing.T, s set, x *Tensors)) {
	onBackends(t, func(t *testing.T, b compute.Backend) {
		for i, c := range shapesTested {
			t.Run(fmt.Sprintf("n=%d/c=%d/d=%d/block=%d", c.n, c.classes, c.d, c.block), func(t *testing.T) {
				s := makeSet(c.n, c.classes, c.d, c.skip, uint64(i))
				f(t, s, s.tensors(t, b, Block(c.block)))
			})
		}
	})
}

const tolerance = 1e-6

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) && !(math.IsNaN(got) && math.IsNaN(want)) {
		t.Errorf("%s: %.9g, want %.9g", what, got, want)
	}
}

func TestImageTextIsTheDoubleLoop(t *testing.T) {
	eachShape(t, func(t *testing.T, s set, x *Tensors) {
		next := 0
		err := x.ImageText(t.Context(), func(row0 int, block []float32) error {
			if row0 != next || len(block)%x.Classes() != 0 {
				t.Fatalf("block of %d numbers at row %d, want row %d", len(block), row0, next)
			}
			for k, v := range block {
				i, c := row0+k/x.Classes(), k%x.Classes()
				near(t, fmt.Sprintf("image %d, caption %d", i, c), float64(v), s.cos(s.images, s.texts, i, c))
			}
			next += len(block) / x.Classes()
			return nil
		})
		if err != nil || next != x.N() {
			t.Errorf("%d of %d rows, %v", next, x.N(), err)
		}
	})
}

func TestImageImageCoversEveryPairOnce(t *testing.T) {
	eachShape(t, func(t *testing.T, s set, x *Tensors) {
		n := x.N()
		seen := make([]int, n*n)
		err := x.ImageImage(t.Context(), func(tile Tile) error {
			for r := range tile.Rows {
				values := tile.Values(r)
				if len(values) != tile.Cols {
					t.Fatalf("%d values of %d", len(values), tile.Cols)
				}
				for k, v := range values {
					i, j := tile.Row+r, tile.Col+k
					near(t, fmt.Sprintf("images %d, %d", i, j), float64(v), s.cos(s.images, s.images, i, j))
					seen[i*n+j]++
					if !tile.Diagonal() {
						seen[j*n+i]++
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for k, times := range seen {
			if times != 1 {
				t.Fatalf("pair %d, %d seen %d times", k/n, k%n, times)
			}
		}
	})
}

func TestTextTextIsTheDoubleLoop(t *testing.T) {
	eachShape(t, func(t *testing.T, s set, x *Tensors) {
		c := x.Classes()
		all, err := x.TextText(t.Context())
		if err != nil || len(all) != c*c {
			t.Fatalf("%d numbers, %v", len(all), err)
		}
		for k, v := range all {
			near(t, fmt.Sprintf("captions %d, %d", k/c, k%c), float64(v), s.cos(s.texts, s.texts, k/c, k%c))
		}
	})
}

func TestClassMeansAreMeansOfPairs(t *testing.T) {
	eachShape(t, func(t *testing.T, s set, x *Tensors) {
		c := x.Classes()
		sum, pairs := make([]float64, c*c), make([]float64, c*c)
		toText, images := make([]float64, c*c), make([]float64, c)
		for i, a := range s.labels {
			images[a]++
			for k := range c {
				toText[a*c+k] += s.cos(s.images, s.texts, i, k)
			}
			for j, b := range s.labels {
				if i != j {
					sum[a*c+b] += s.cos(s.images, s.images, i, j)
					pairs[a*c+b]++
				}
			}
		}
		means, err := x.ClassMeans(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		captions, err := x.ClassTextMeans(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for a := range c {
			for b := range c {
				// 0/0 is NaN on both sides: no pair, no mean.
				near(t, fmt.Sprintf("classes %d, %d", a, b), means[a][b], sum[a*c+b]/pairs[a*c+b])
				near(t, fmt.Sprintf("class %d, caption %d", a, b), captions[a][b], toText[a*c+b]/images[a])
			}
		}
		data, err := json.Marshal(means)
		if err != nil || strings.Contains(string(data), "NaN") {
			t.Errorf("%s, %v", data, err)
		}
	})
}

func TestHistogramsCountEverySimilarity(t *testing.T) {
	eachShape(t, func(t *testing.T, s set, x *Tensors) {
		const bins = 40
		h, err := x.Histograms(t.Context(), bins)
		if err != nil {
			t.Fatal(err)
		}
		if e := h.Edges(); len(e) != bins+1 || e[0] != -1 || e[bins] != 1 || e[bins/2] != 0 {
			t.Errorf("edges %v", e)
		}
		want := map[string][]float64{}
		n, c := x.N(), x.Classes()
		for i := range n {
			for k := range c {
				name := "mismatched"
				if k == s.labels[i] {
					name = "matched"
				}
				want[name] = append(want[name], s.cos(s.images, s.texts, i, k))
			}
			for j := i + 1; j < n; j++ {
				want["image-image"] = append(want["image-image"], s.cos(s.images, s.images, i, j))
			}
		}
		for a := range c {
			for b := a + 1; b < c; b++ {
				want["text-text"] = append(want["text-text"], s.cos(s.texts, s.texts, a, b))
			}
		}
		for name, counts := range map[string][]int64{"matched": h.Matched, "mismatched": h.Mismatched, "image-image": h.ImageImage, "text-text": h.TextText} {
			checkHistogram(t, name, counts, want[name])
		}
	})
}

// checkHistogram compares cumulative counts; a value within rounding of an edge
// may be on either side of it.
func checkHistogram(t *testing.T, name string, counts []int64, values []float64) {
	t.Helper()
	var total int64
	for k, n := range counts {
		total += n
		edge := -1 + 2*float64(k+1)/float64(len(counts))
		var below, doubtful int64
		for _, v := range values {
			switch {
			case math.Abs(v-edge) < tolerance && k+1 < len(counts):
				doubtful++
			case v < edge || k+1 == len(counts):
				below++
			}
		}
		if total < below || total > below+doubtful {
			t.Errorf("%s: %d values below %v, want %d to %d", name, total, edge, below, below+doubtful)
		}
	}
	if total != int64(len(values)) {
		t.Errorf("%s: %d values counted of %d", name, total, len(values))
	}
}

func TestIIMMAgreesWithMeasure(t *testing.T) {
	eachShape(t, func(t *testing.T, s set, x *Tensors) {
		got, err := x.IIMM(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want, err := measure.Compute(s.images, s.labels, s.texts, s.d)
		if err != nil {
			t.Fatal(err)
		}
		sameResult(t, got, want)
	})
}

// The values of an independent implementation, recorded in package golden, in
// float32 here.
func TestIIMMOfGoldenSets(t *testing.T) {
	onBackends(t, func(t *testing.T, b compute.Backend) {
		for _, set := range []golden.Set{golden.Easy(), golden.Mid()} {
			s := set32(set)
			r, err := s.tensors(t, b, Block(50)).IIMM(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for key, got := range map[string]float64{
				"iimm": r.IIMM, "inter": r.Inter, "intra": r.Intra, "alignment": r.Alignment,
				"inter_by_class": *r.InterByClass, "intra_text": r.IntraText, "modality_gap": r.ModalityGap,
			} {
				want, ok := set.Values[key]
				if !ok {
					t.Fatalf("%s has no %s", set.Name, key)
				}
				near(t, set.Name+" "+key, got, want)
			}
		}
	})
}

func set32(g golden.Set) set {
	narrow := func(x []float64) []float32 {
		y := make([]float32, len(x))
		for i, v := range x {
			y[i] = float32(v)
		}
		return y
	}
	return set{narrow(g.Images), g.Labels, narrow(golden.Texts()), golden.D}
}

func TestIIMMAgreesWithMeasureOnManyRows(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: 3,000 rows of width 512")
	}
	onBackends(t, func(t *testing.T, b compute.Backend) {
		s := makeSet(3001, 50, 512, 3, 99)
		got, err := s.tensors(t, b).IIMM(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want, err := measure.Compute(s.images, s.labels, s.texts, s.d)
		if err != nil {
			t.Fatal(err)
		}
		sameResult(t, got, want)
	})
}

func sameResult(t *testing.T, got, want measure.Result) {
	t.Helper()
	if got.N != want.N || got.D != want.D || got.Classes != want.Classes {
		t.Errorf("%+v, want %+v", got, want)
	}
	near(t, "IIMM", got.IIMM, want.IIMM)
	near(t, "Inter", got.Inter, want.Inter)
	near(t, "Intra", got.Intra, want.Intra)
	near(t, "Alignment", got.Alignment, want.Alignment)
	near(t, "IntraText", got.IntraText, want.IntraText)
	near(t, "ModalityGap", got.ModalityGap, want.ModalityGap)
	if (got.InterByClass == nil) != (want.InterByClass == nil) {
		t.Fatalf("InterByClass %v, want %v", got.InterByClass, want.InterByClass)
	}
	if want.InterByClass != nil {
		near(t, "InterByClass", *got.InterByClass, *want.InterByClass)
	}
}

func TestOneImageOrOneCaptionHasTensorsButNoIIMM(t *testing.T) {
	onBackends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct{ n, classes int }{{1, 3}, {5, 1}, {1, 1}} {
			s := makeSet(c.n, c.classes, 8, -1, 5)
			x := s.tensors(t, b)
			if _, err := x.IIMM(t.Context()); err == nil || !strings.Contains(err.Error(), "at least 2") {
				t.Errorf("%+v: IIMM: %v", c, err)
			}
			h, err := x.Histograms(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			for name, v := range map[string]struct{ got, want int }{
				"matched":     {sum(h.Matched), c.n},
				"mismatched":  {sum(h.Mismatched), c.n * (c.classes - 1)},
				"image-image": {sum(h.ImageImage), c.n * (c.n - 1) / 2},
				"text-text":   {sum(h.TextText), c.classes * (c.classes - 1) / 2},
			} {
				if v.got != v.want {
					t.Errorf("%+v: %s has %d values, want %d", c, name, v.got, v.want)
				}
			}
		}
	})
}

func sum(counts []int64) (n int) {
	for _, c := range counts {
		n += int(c)
	}
	return n
}

func TestNewRefuses(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	for _, c := range []struct {
		name   string
		change func(*set)
		opt    Option
		want   string
	}{
		{"no images", func(s *set) { s.images, s.labels = nil, nil }, nil, "0 numbers"},
		{"ragged", func(s *set) { s.images = s.images[1:] }, nil, "width"},
		{"no width", func(s *set) { s.d = 0 }, nil, "width"},
		{"no captions", func(s *set) { s.texts = nil }, nil, "captions"},
		{"labels short", func(s *set) { s.labels = s.labels[1:] }, nil, "labels for"},
		{"label high", func(s *set) { s.labels[2] = 3 }, nil, "image 2 has label 3, want 0..2"},
		{"label negative", func(s *set) { s.labels[2] = -1 }, nil, "image 2 has label -1"},
		{"NaN", func(s *set) { s.images[4*7+1] = float32(math.NaN()) }, nil, "image 7 holds NaN"},
		{"infinite caption", func(s *set) { s.texts[4*2] = float32(math.Inf(1)) }, nil, "caption 2 holds NaN"},
		{"zero row", func(s *set) { clear(s.images[4:8]) }, nil, "image 1 has norm 0"},
		{"not unit", func(s *set) { s.images[0] += 2 }, nil, "divide the rows by their norms"},
		{"block", func(*set) {}, Block(0), "blocks of 0"},
	} {
		s := makeSet(9, 3, 4, -1, 11)
		c.change(&s)
		var opts []Option
		if c.opt != nil {
			opts = append(opts, c.opt)
		}
		if _, err := New(b, s.images, s.labels, s.texts, s.d, opts...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	s := makeSet(9, 3, 4, -1, 11)
	if _, err := New(nil, s.images, s.labels, s.texts, s.d); err == nil {
		t.Error("no backend accepted")
	}
	x := s.tensors(t, b)
	for _, bins := range []int{0, -1, maxBins + 1} {
		if _, err := x.Histograms(t.Context(), bins); err == nil {
			t.Errorf("%d bins accepted", bins)
		}
	}
}

func TestWorkEndsWhenAskedOrWhenTheCallerFails(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	x := makeSet(20, 3, 4, -1, 12).tensors(t, b, Block(5))
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err = x.ImageImage(ctx, func(Tile) error { calls++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("%v after %d tiles", err, calls)
	}
	if _, err := x.IIMM(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("IIMM: %v", err)
	}
	if _, err := x.Histograms(ctx, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("histograms: %v", err)
	}
	if _, err := x.ClassMeans(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("class means: %v", err)
	}
	mine := errors.New("full disk")
	calls = 0
	if err := x.ImageText(t.Context(), func(int, []float32) error { calls++; return mine }); err != mine || calls != 1 {
		t.Errorf("%v after %d blocks", err, calls)
	}
	// And it can be used again.
	if _, err := x.IIMM(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSameInputSameBits(t *testing.T) {
	onBackends(t, func(t *testing.T, b compute.Backend) {
		s := makeSet(300, 10, 64, -1, 13)
		var first measure.Result
		for k := range 3 {
			r, err := s.tensors(t, b, Block(128)).IIMM(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r.InterByClass = nil
			if k == 0 {
				first = r
			} else if r != first {
				t.Errorf("%+v, then %+v", first, r)
			}
		}
	})
}

// Blocks that do not stay on the backend give the same numbers.
func TestBlocksThatAreSentAgain(t *testing.T) {
	onBackends(t, func(t *testing.T, b compute.Backend) {
		s := makeSet(50, 4, 8, -1, 14)
		kept, sent := s.tensors(t, b, Block(16)), s.tensors(t, b, Block(16))
		sent.images.kept, sent.texts.kept = nil, nil
		k, err := kept.IIMM(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r, err := sent.IIMM(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if *k.InterByClass != *r.InterByClass {
			t.Errorf("InterByClass %v and %v", *k.InterByClass, *r.InterByClass)
		}
		k.InterByClass, r.InterByClass = nil, nil
		if k != r {
			t.Errorf("%+v and %+v", k, r)
		}
	})
}

func TestBinsAreHalfOpen(t *testing.T) {
	b := newBinner(4)
	for v, want := range map[float32]int{-1.001: 0, -1: 0, -0.75: 0, -0.5: 1, -0.0001: 1, 0: 2, 0.4999: 2, 0.5: 3, 1: 3, 1.0001: 3} {
		if got := b.bin(v); got != want {
			t.Errorf("%v is in bin %d, want %d", v, got, want)
		}
	}
}

func FuzzIIMMAgreesWithMeasure(f *testing.F) {
	for _, c := range shapesTested {
		f.Add(uint16(c.n), uint8(c.classes), uint8(c.d), int8(c.skip), uint16(c.block), uint64(0))
	}
	b, err := backend.Open(backend.Go)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, n uint16, classes, d uint8, skip int8, block uint16, seed uint64) {
		s := makeSet(int(n%400)+1, int(classes%20)+1, int(d%40)+1, int(skip), seed)
		x, err := New(b, s.images, s.labels, s.texts, s.d, Block(int(block%500)+1))
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		want, wantErr := measure.Compute(s.images, s.labels, s.texts, s.d)
		got, err := x.IIMM(t.Context())
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v, measure says %v", err, wantErr)
		}
		if err == nil {
			sameResult(t, got, want)
		}
	})
}
