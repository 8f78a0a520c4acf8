package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchSet has rows of about unit norm, quickly made.
func benchSet(n, classes, d int) (images []float32, labels []int, texts []float32) {
	rng := rand.New(rand.NewPCG(1, 1))
	rows := func(n int) []float32 {
		x := make([]float32, n*d)
		for i := range x {
			x[i] = float32(rng.NormFloat64()) / float32(d)
		}
		return x
	}
	labels = make([]int, n)
	for i := range labels {
		labels[i] = rng.IntN(classes)
	}
	return rows(n), labels, rows(classes)
}

func report(b *testing.B, rows, d int) {
	perSecond := float64(rows) * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(perSecond, "rows/s")
	b.ReportMetric(perSecond*float64(4*d)/1e9, "GB/s")
}

func BenchmarkAddBatch(b *testing.B) {
	const n, classes, d = 50_000, 100, 512
	images, labels, texts := benchSet(n, classes, d)
	table, err := NewTexts(texts, d)
	if err != nil {
		b.Fatal(err)
	}
	for _, fused := range []bool{false, true} {
		name := "per class"
		if fused {
			name = "fused"
		}
		b.Run(fmt.Sprintf("%s/n=%d/d=%d/classes=%d", name, n, d, classes), func(b *testing.B) {
			for b.Loop() {
				a, err := New(classes, d)
				if err != nil {
					b.Fatal(err)
				}
				if fused {
					a = NewFused(table)
				}
				if err := a.AddBatch(images, labels); err != nil {
					b.Fatal(err)
				}
				if _, err := a.Result(table); err != nil {
					b.Fatal(err)
				}
			}
			report(b, n, d)
		})
	}
}

func BenchmarkBootstrap(b *testing.B) {
	const n, classes, d, resamples = 5_000, 100, 512, 200
	images, labels, texts := benchSet(n, classes, d)
	for b.Loop() {
		if _, err := Bootstrap(context.Background(), images, labels, texts, d, BootstrapOptions{Resamples: resamples}); err != nil {
			b.Fatal(err)
		}
	}
	report(b, n*resamples, d)
}
