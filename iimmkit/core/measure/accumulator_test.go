package measure

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
)

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
