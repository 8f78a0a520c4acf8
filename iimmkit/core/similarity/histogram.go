package similarity

import (
	"context"
	"fmt"
	"runtime"
	"sync"
)

// Histograms counts similarities in Bins bins of equal width over [-1, 1]: bin
// k holds values v with Edges()[k] <= v < Edges()[k+1], the last one also 1.
// Values that rounding put outside are in the first and last bin.
type Histograms struct {
	Bins       int     `json:"bins"`
	Matched    []int64 `json:"matched"`     // images with their captions, N values
	Mismatched []int64 `json:"mismatched"`  // images with other captions, N(C-1)
	ImageImage []int64 `json:"image_image"` // distinct pairs of images, N(N-1)/2
	TextText   []int64 `json:"text_text"`   // distinct pairs of captions, C(C-1)/2
}

// Edges returns the Bins+1 bounds of the bins.
func (h Histograms) Edges() []float64 {
	e := make([]float64, h.Bins+1)
	for k := range e {
		e[k] = -1 + 2*float64(k)/float64(h.Bins)
	}
	return e
}

// maxBins keeps a worker's counts in the fast caches.
const maxBins = 10_000

// Histograms counts all similarities of the set.
func (t *Tensors) Histograms(ctx context.Context, bins int) (Histograms, error) {
	if bins < 1 || bins > maxBins {
		return Histograms{}, fmt.Errorf("similarity: histograms of %d bins, want 1..%d", bins, maxBins)
	}
	counts := func() []int64 { return make([]int64, bins) }
	h := Histograms{bins, counts(), counts(), counts(), counts()}
	c := t.texts.n
	b := newBinner(bins)
	err := t.ImageText(ctx, func(row0 int, block []float32) error {
		for i := range len(block) / c {
			y := t.labels[row0+i]
			h.Matched[b.bin(block[i*c+y])]++
		}
		b.rows(h.Mismatched, len(block)/c, func(i int, count []int64) {
			row, y := block[i*c:(i+1)*c], t.labels[row0+i]
			b.add(count, row[:y])
			b.add(count, row[y+1:])
		})
		return nil
	})
	if err != nil {
		return Histograms{}, err
	}
	upper := func(total []int64) func(Tile) error {
		return func(tile Tile) error {
			b.rows(total, tile.Rows, func(i int, count []int64) {
				row := tile.Values(i)
				if tile.Diagonal() {
					row = row[i+1:]
				}
				b.add(count, row)
			})
			return nil
		}
	}
	if err := t.ImageImage(ctx, upper(h.ImageImage)); err != nil {
		return Histograms{}, err
	}
	between, err := t.TextText(ctx)
	if err != nil {
		return Histograms{}, err
	}
	for i := range c {
		b.add(h.TextText, between[i*c+i+1:(i+1)*c])
	}
	return h, nil
}

// binner sorts similarities into bins.
type binner struct {
	bins  int
	scale float64
}

func newBinner(bins int) binner { return binner{bins, float64(bins) / 2} }

func (b binner) bin(v float32) int {
	return min(max(int((float64(v)+1)*b.scale), 0), b.bins-1)
}

func (b binner) add(count []int64, values []float32) {
	for _, v := range values {
		count[b.bin(v)]++
	}
}

// rows has f count rows 0..n-1 on all processors and adds the counts to total.
func (b binner) rows(total []int64, n int, f func(i int, count []int64)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	var mu sync.Mutex
	for w := range workers {
		wg.Go(func() {
			count := make([]int64, b.bins)
			for i := w; i < n; i += workers {
				f(i, count)
			}
			mu.Lock()
			defer mu.Unlock()
			for k, v := range count {
				total[k] += v
			}
		})
	}
	wg.Wait()
}
