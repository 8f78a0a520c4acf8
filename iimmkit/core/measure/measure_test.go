package measure

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
)

// values returns a result's measures by JSON key.
func values(t testing.TB, r Result) map[string]float64 {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]*float64
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for k, v := range m {
		if v != nil {
			out[k] = *v
		}
	}
	return out
}

func TestGoldenValues(t *testing.T) {
	for _, set := range []golden.Set{golden.Easy(), golden.Mid()} {
		r, err := Compute(set.Images, set.Labels, golden.Texts(), golden.D)
		if err != nil {
			t.Fatal(err)
		}
		got := values(t, r)
		if got["n"] != golden.N || got["d"] != golden.D || got["classes"] != golden.C {
			t.Errorf("%s: sizes %v", set.Name, got)
		}
		for key, want := range set.Values {
			if v, ok := got[key]; !ok || math.Abs(v-want) > 1e-14 {
				t.Errorf("%s %s = %.17g, want %.17g", set.Name, key, v, want)
			}
		}
		// Stored as float32 the rows are other rows: near, not equal.
		x := make([]float32, len(set.Images))
		for i, v := range set.Images {
			x[i] = float32(v)
		}
		r32, err := Compute(x, set.Labels, golden.Texts(), golden.D)
		if err != nil {
			t.Fatal(err)
		}
		if diff := math.Abs(r32.IIMM - r.IIMM); diff == 0 || diff > 1e-8 {
			t.Errorf("%s: float32 rows move IIMM by %g", set.Name, diff)
		}
	}
}

// randomSet is a set of unit rows; a share of the classes has few images or none.
func randomSet(rng *rand.Rand, n, classes, d int) (images []float64, labels []int, texts []float64) {
	rows := func(n int) []float64 {
		x := make([]float64, n*d)
		for i := range n {
			q := 0.0
			for j := range d {
				x[i*d+j] = rng.NormFloat64() + .3
				q += x[i*d+j] * x[i*d+j]
			}
			for j := range d {
				x[i*d+j] /= math.Sqrt(q)
			}
		}
		return x
	}
	labels = make([]int, n)
	for i := range labels {
		labels[i] = int(float64(classes) * math.Pow(rng.Float64(), 2))
	}
	return rows(n), labels, rows(classes)
}

// bruteForce is the definitions, double sums and all.
func bruteForce(x []float64, y []int, texts []float64, d int) map[string]float64 {
	n, classes := len(y), len(texts)/d
	cos := func(a, b []float64) float64 {
		s := 0.0
		for j := range d {
			s += a[j] * b[j]
		}
		return s
	}
	row := func(m []float64, i int) []float64 { return m[i*d : (i+1)*d] }
	var inter, intra, alignment, intraText, byClass, gap float64
	for i := range n {
		alignment += cos(row(x, i), row(texts, y[i])) / float64(n)
		for c := range classes {
			if c != y[i] {
				inter += cos(row(x, i), row(texts, c)) / float64(classes-1) / float64(n)
			}
		}
		for k := range i {
			intra += cos(row(x, i), row(x, k)) * 2 / float64(n) / float64(n-1)
		}
	}
	used := 0
	for c := range classes {
		sum, others := 0.0, 0
		for i := range n {
			if y[i] != c {
				sum += cos(row(x, i), row(texts, c))
				others++
			}
		}
		if others > 0 {
			byClass += sum / float64(others)
			used++
		}
		for k := range c {
			intraText += cos(row(texts, c), row(texts, k)) * 2 / float64(classes) / float64(classes-1)
		}
	}
	for j := range d {
		a, b := 0.0, 0.0
		for i := range n {
			a += x[i*d+j] / float64(n)
		}
		for c := range classes {
			b += texts[c*d+j] / float64(classes)
		}
		gap += (a - b) * (a - b)
	}
	return map[string]float64{
		"inter": inter, "intra": intra, "iimm": (inter + intra) / 2, "alignment": alignment,
		"inter_by_class": byClass / float64(used), "intra_text": intraText, "modality_gap": math.Sqrt(gap),
	}
}

func TestSumsEqualTheDefinitions(t *testing.T) {
	for _, c := range []struct{ n, classes, d int }{{2, 2, 1}, {3, 2, 5}, {40, 7, 9}, {60, 90, 16}, {513, 3, 130}, {200, 10, 257}} {
		x, y, texts := randomSet(rand.New(rand.NewPCG(uint64(c.n), 1)), c.n, c.classes, c.d)
		want := bruteForce(x, y, texts, c.d)
		r, err := Compute(x, y, texts, c.d)
		if err != nil {
			t.Fatal(err)
		}
		got := values(t, r)
		table, err := NewTexts(texts, c.d)
		if err != nil {
			t.Fatal(err)
		}
		fused := NewFused(table)
		if err := fused.AddBatchFloat64(x, y); err != nil {
			t.Fatal(err)
		}
		f, err := fused.Result(table)
		if err != nil {
			t.Fatal(err)
		}
		if f.InterByClass != nil {
			t.Error("a fused accumulator has InterByClass")
		}
		gotFused := values(t, f)
		for key, w := range want {
			if math.Abs(got[key]-w) > 1e-13 {
				t.Errorf("%v %s: %.17g, definition %.17g", c, key, got[key], w)
			}
			if key != "inter_by_class" && math.Abs(gotFused[key]-w) > 1e-13 {
				t.Errorf("%v fused %s: %.17g, definition %.17g", c, key, gotFused[key], w)
			}
		}
	}
}

func TestEverythingInOneClass(t *testing.T) {
	x, _, texts := randomSet(rand.New(rand.NewPCG(3, 3)), 10, 3, 8)
	y := make([]int, 10)
	r, err := Compute(x, y, texts, 8)
	if err != nil {
		t.Fatal(err)
	}
	// The class that holds all images is left out of the mean over captions.
	if want := bruteForce(x, y, texts, 8)["inter_by_class"]; r.InterByClass == nil || math.Abs(*r.InterByClass-want) > 1e-14 {
		t.Errorf("%v, want %v", r.InterByClass, want)
	}
}

func TestSameBitsWhateverBatchesAndProcessors(t *testing.T) {
	const n, classes, d = 3000, 11, 300
	x64, y, texts := randomSet(rand.New(rand.NewPCG(7, 7)), n, classes, d)
	x := make([]float32, len(x64))
	for i, v := range x64 {
		x[i] = float32(v)
	}
	table, err := NewTexts(texts, d)
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, fused := range []bool{false, true} {
		var want []byte
		for _, procs := range []int{1, 2, 5} {
			runtime.GOMAXPROCS(procs)
			for _, batch := range []int{n, 700, 1} {
				a, err := New(classes, d)
				if err != nil {
					t.Fatal(err)
				}
				if fused {
					a = NewFused(table)
				}
				for lo := 0; lo < n; lo += batch {
					hi := min(n, lo+batch)
					if batch == 1 {
						err = a.Add(x[lo*d:hi*d], y[lo])
					} else {
						err = a.AddBatch(x[lo*d:hi*d], y[lo:hi])
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				b, err := a.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				if want == nil {
					want = b
				} else if !slices.Equal(b, want) {
					t.Errorf("fused %v, %d processors, batches of %d: other bits", fused, procs, batch)
				}
			}
		}
	}
}

func TestMergedPartsEqualTheWhole(t *testing.T) {
	const n, classes, d = 500, 9, 33
	x, y, texts := randomSet(rand.New(rand.NewPCG(9, 9)), n, classes, d)
	table, err := NewTexts(texts, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, fused := range []bool{false, true} {
		empty := func() *Accumulator {
			a, err := New(classes, d)
			if err != nil {
				t.Fatal(err)
			}
			if fused {
				a = NewFused(table)
			}
			return a
		}
		whole, parts := empty(), empty()
		if err := whole.AddBatchFloat64(x, y); err != nil {
			t.Fatal(err)
		}
		for k, at := 0, 0; at < n; k++ {
			end := min(n, at+1+k*k)
			part := empty()
			if err := part.AddBatchFloat64(x[at*d:end*d], y[at:end]); err != nil {
				t.Fatal(err)
			}
			if err := part.MarkShard(fmt.Sprint("part ", k)); err != nil {
				t.Fatal(err)
			}
			if err := parts.Merge(part); err != nil {
				t.Fatal(err)
			}
			if err := parts.Merge(part); err == nil {
				t.Fatal("the same shard was counted twice")
			}
			at = end
		}
		a, err := whole.Result(table)
		if err != nil {
			t.Fatal(err)
		}
		b, err := parts.Result(table)
		if err != nil {
			t.Fatal(err)
		}
		want, got := values(t, a), values(t, b)
		for key, w := range want {
			if math.Abs(got[key]-w) > 1e-14 {
				t.Errorf("fused %v %s: %v of parts, %v of the whole", fused, key, got[key], w)
			}
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	x, y, texts := randomSet(rand.New(rand.NewPCG(1, 2)), 10, 3, 4)
	table, err := NewTexts(texts, 4)
	if err != nil {
		t.Fatal(err)
	}
	_, _, other := randomSet(rand.New(rand.NewPCG(2, 2)), 10, 3, 4)
	otherTable, err := NewTexts(other, 4)
	if err != nil {
		t.Fatal(err)
	}
	make3 := func(classes, d int) *Accumulator {
		a, err := New(classes, d)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	normalized := make3(3, 4)
	if err := normalized.SetNormalize(true); err != nil {
		t.Fatal(err)
	}
	a := make3(3, 4)
	if err := a.AddBatchFloat64(x, y); err != nil {
		t.Fatal(err)
	}
	if err := a.SetNormalize(true); err == nil {
		t.Error("normalisation changed after rows")
	}
	for name, o := range map[string]*Accumulator{
		"classes": make3(4, 4), "width": make3(3, 5), "kind": NewFused(table), "normalisation": normalized,
	} {
		if err := a.Merge(o); err == nil {
			t.Errorf("%s: merged", name)
		}
	}
	if err := NewFused(table).Merge(NewFused(otherTable)); err == nil {
		t.Error("statistics of different captions were merged")
	}
	fused := NewFused(table)
	if err := fused.AddBatchFloat64(x, y); err != nil {
		t.Fatal(err)
	}
	if _, err := fused.Result(otherTable); err == nil {
		t.Error("fused with some captions, measured against others")
	}
}

func TestNormalizeEqualsUnitRows(t *testing.T) {
	const n, classes, d = 600, 4, 12
	x, y, texts := randomSet(rand.New(rand.NewPCG(5, 5)), n, classes, d)
	table, err := NewTexts(texts, d)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Compute(x, y, texts, d)
	if err != nil {
		t.Fatal(err)
	}
	long, scaled := slices.Clone(x), slices.Clone(texts)
	for i := range long {
		long[i] *= float64(1 + i/d%7)
	}
	for i := range scaled {
		scaled[i] *= float64(2 + i/d)
	}
	before := slices.Clone(long)
	scaledTable, err := NewTexts(scaled, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, fused := range []bool{false, true} {
		a, err := New(classes, d)
		if err != nil {
			t.Fatal(err)
		}
		if fused {
			a = NewFused(scaledTable.Normalized())
		}
		if err := a.SetNormalize(true); err != nil {
			t.Fatal(err)
		}
		if err := a.AddBatchFloat64(long, y); err != nil {
			t.Fatal(err)
		}
		r, err := a.Result(scaledTable.Normalized())
		if err != nil {
			t.Fatal(err)
		}
		for key, v := range values(t, r) {
			if math.Abs(v-values(t, want)[key]) > 1e-13 {
				t.Errorf("fused %v %s: %v, of unit rows %v", fused, key, v, values(t, want)[key])
			}
		}
	}
	// A score is a pure function of its arguments.
	if !slices.Equal(long, before) || table.Classes() != classes {
		t.Error("the caller's rows were changed")
	}
}

func TestBadInputIsNamedAndNotAdded(t *testing.T) {
	const d = 3
	good := func() ([]float32, []int) { return []float32{1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0}, []int{0, 1, 2, 0} }
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		change func(x []float32, y []int) ([]float32, []int)
		want   string
	}{
		"NaN":         {func(x []float32, y []int) ([]float32, []int) { x[7] = nan; return x, y }, "row 6 has NaN in column 1"},
		"infinite":    {func(x []float32, y []int) ([]float32, []int) { x[3] = inf; return x, y }, "row 5 has an infinite value in column 0"},
		"zero":        {func(x []float32, y []int) ([]float32, []int) { x[8] = 0; return x, y }, "row 6 is a zero vector"},
		"label above": {func(x []float32, y []int) ([]float32, []int) { y[3] = 3; return x, y }, "row 7 has label 3, want 0..2"},
		"label below": {func(x []float32, y []int) ([]float32, []int) { y[0] = -1; return x, y }, "row 4 has label -1, want 0..2"},
		"one row":     {func(x []float32, y []int) ([]float32, []int) { return x[:2], y[:1] }, "row 4 has width 2, want 3"},
		"width":       {func(x []float32, y []int) ([]float32, []int) { return x[:11], y }, "11 numbers are not 4 rows of width 3"},
	} {
		a, err := New(3, d)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.AddBatch(good()); err != nil {
			t.Fatal(err)
		}
		before, _ := a.MarshalBinary()
		err = a.AddBatch(c.change(good()))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if after, _ := a.MarshalBinary(); !slices.Equal(before, after) {
			t.Errorf("%s: the rest of the batch was added", name)
		}
	}
	a, _ := New(2, 1)
	if err := a.AddFloat64([]float64{1e200}, 0); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("1e200: %v", err)
	}
	for name, err := range map[string]error{
		"one class":        second(New(1, 4)),
		"no width":         second(New(4, 0)),
		"huge":             second(New(math.MaxInt/4, 64)),
		"one caption":      second(NewTexts([]float32{1, 0, 0}, 3)),
		"ragged captions":  second(NewTexts([]float32{1, 0, 0, 1}, 3)),
		"NaN caption":      second(NewTexts([]float32{1, 0, nan, 0}, 2)),
		"one image":        second(Compute([]float32{1, 0}, []int{0}, []float32{1, 0, 0, 1}, 2)),
		"no images":        second(Compute([]float32{}, []int{}, []float32{1, 0, 0, 1}, 2)),
		"captions' width":  second(a.Result(mustTexts(t, []float64{1, 0, 0, 1}, 2))),
		"captions' number": second(a.Result(mustTexts(t, []float64{1, 1, 1}, 1))),
	} {
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func mustTexts(t *testing.T, rows []float64, d int) *Texts {
	t.Helper()
	texts, err := NewTexts(rows, d)
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// A float32 sum of many equal rows stops growing; ours must not.
func TestLongSumsStayExact(t *testing.T) {
	const n = 1 << 20
	v := float32(1 / math.Sqrt(3))
	rows, labels := make([]float32, 3*4096), make([]int, 4096)
	for i := range rows {
		rows[i] = v
	}
	a, err := New(2, 3)
	if err != nil {
		t.Fatal(err)
	}
	for range n / 4096 {
		if err := a.AddBatch(rows, labels); err != nil {
			t.Fatal(err)
		}
	}
	r, err := a.Result(mustTexts(t, []float64{1, 0, 0, 0, 1, 0}, 3))
	if err != nil {
		t.Fatal(err)
	}
	if want := 3 * float64(v) * float64(v); math.Abs(r.Intra-want) > 1e-12 || r.N != n {
		t.Errorf("Intra of %d equal rows %.17g, want %.17g", r.N, r.Intra, want)
	}
}

func TestOnlyTheStandardLibraryIsImported(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if root, _, _ := strings.Cut(strings.Trim(i.Path.Value, `"`), "/"); strings.Contains(root, ".") {
				t.Errorf("%s imports %s: workers link this package alone", file, i.Path.Value)
			}
		}
	}
}

func ExampleCompute() {
	images := []float32{1, 0, .8, .6, 0, 1} // three unit rows of width 2
	texts := []float32{1, 0, 0, 1}          // one caption per class
	r, err := Compute(images, []int{0, 0, 1}, texts, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("Inter %.4f, Intra %.4f, IIMM %.4f\n", r.Inter, r.Intra, r.IIMM)
	// Output: Inter 0.2000, Intra 0.4667, IIMM 0.3333
}

func ExampleAccumulator() {
	texts, err := NewTexts([]float32{1, 0, 0, 1}, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	// Two workers, each with a part of the images, send their statistics as bytes.
	var blobs [][]byte
	for part, images := range [][]float32{{1, 0, .8, .6}, {0, 1}} {
		a, err := New(texts.Classes(), texts.Dim())
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := a.AddBatch(images, [][]int{{0, 0}, {1}}[part]); err != nil {
			fmt.Println(err)
			return
		}
		if err := a.MarkShard(fmt.Sprint("part ", part)); err != nil {
			fmt.Println(err)
			return
		}
		b, err := a.MarshalBinary()
		if err != nil {
			fmt.Println(err)
			return
		}
		blobs = append(blobs, b)
	}
	var whole, part Accumulator
	if err := whole.UnmarshalBinary(blobs[0]); err != nil {
		fmt.Println(err)
		return
	}
	if err := part.UnmarshalBinary(blobs[1]); err != nil {
		fmt.Println(err)
		return
	}
	if err := whole.Merge(&part); err != nil {
		fmt.Println(err)
		return
	}
	r, err := whole.Result(texts)
	fmt.Printf("n %d, IIMM %.4f, %v\n", r.N, r.IIMM, err)
	fmt.Println(whole.Merge(&part))
	// Output:
	// n 3, IIMM 0.3333, <nil>
	// merge: shard "part 1" is in both
}
