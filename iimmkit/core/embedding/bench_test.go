package embedding

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"
)

// randomSet has n unit rows in float32.
func randomSet(n, classes, d int) *Set {
	rng := rand.New(rand.NewPCG(1, 1))
	rows := func(n int) Matrix {
		x := make([]float32, n*d)
		for i := range n {
			q := 0.0
			row := x[i*d : (i+1)*d]
			for j := range row {
				row[j] = float32(rng.NormFloat64())
				q += float64(row[j]) * float64(row[j])
			}
			for j := range row {
				row[j] /= float32(math.Sqrt(q))
			}
		}
		return Float32(n, d, x)
	}
	s := &Set{Images: rows(n), Texts: rows(classes), Labels: make([]int, n)}
	for i := range s.Labels {
		s.Labels[i] = i % classes
	}
	return s
}

// What is allocated while a set is opened, examined and measured must not
// grow with the matrix: its rows are read where the file is mapped.
func TestSafetensorsAreMeasuredInPlace(t *testing.T) {
	const n, classes, d = 20_000, 10, 256
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := Write(path, randomSet(n, classes, d)); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if found := s.Check(); len(found) != 0 {
		t.Fatal(found)
	}
	if _, err := s.Measure(MeasureOptions{}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used, matrix := after.TotalAlloc-before.TotalAlloc, uint64(4*n*d); used > matrix/4 {
		t.Errorf("%d bytes were allocated for a matrix of %d", used, matrix)
	}
}

// BenchmarkMeasureFile is iimm measure without the process: open, examine and
// measure a file that the system has in memory.
func BenchmarkMeasureFile(b *testing.B) {
	const n, classes, d = 50_000, 100, 512
	set := randomSet(n, classes, d)
	for _, ext := range []string{".safetensors", ".npz"} {
		b.Run(ext[1:], func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "x"+ext)
			if err := Write(path, set); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				s, err := Open(path)
				if err != nil {
					b.Fatal(err)
				}
				if found := s.Check(); len(found) != 0 {
					b.Fatal(found)
				}
				if _, err := s.Measure(MeasureOptions{}); err != nil {
					b.Fatal(err)
				}
				s.Close()
			}
			perSecond := n * float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(perSecond, "rows/s")
			b.ReportMetric(perSecond*4*d/1e9, "GB/s")
		})
	}
}
