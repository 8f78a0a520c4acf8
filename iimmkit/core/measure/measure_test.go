package measure

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"math"
	"math/rand/v2"
	"path/filepath"
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

func second[T any](_ T, err error) error { return err }

func mustTexts(t *testing.T, rows []float64, d int) *Texts {
	t.Helper()
	texts, err := NewTexts(rows, d)
	if err != nil {
		t.Fatal(err)
	}
	return texts
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
