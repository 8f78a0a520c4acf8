// Package evaluate says how well embeddings classify: the accuracy of captions
// as classifiers (zero-shot) and of a linear probe fitted to the frozen
// embeddings, measured on images it was not fitted to.
package evaluate

import (
	"fmt"
	"math"
	"runtime"
	"sync"
)

// Accuracy is what a classifier got right. Fractions are in [0,1].
type Accuracy struct {
	N    int     `json:"n"`
	Top1 float64 `json:"top1"`
	// Top5 counts an image whose class is among the five best; 1 with five classes or fewer.
	Top5 float64 `json:"top5"`
	// MeanPerClass is the unweighted mean of PerClass over the classes that have images.
	MeanPerClass float64 `json:"mean_per_class"`
	// PerClass [C] is the fraction of each class's images that were recognised; nil for a class without images.
	PerClass []*float64 `json:"per_class"`
	// Confusion [C][C] counts images by true class (row) and predicted class (column).
	Confusion [][]int `json:"confusion"`
	// Predictions [N] is the predicted class of each image.
	Predictions []int `json:"-"`
}

// ZeroShot classifies each image by its most similar caption: FromScores of
// Cosines.
func ZeroShot(images, texts []float32, d int, labels []int) (*Accuracy, error) {
	scores, err := Cosines(images, texts, d)
	if err != nil {
		return nil, err
	}
	return FromScores(scores, labels, len(texts)/d)
}

// Cosines returns the dot products [N,C] of images [N,d] and texts [C,d],
// row-major, summed in float64. Both are taken as unit vectors; for the
// classification the images' lengths do not matter.
func Cosines(images, texts []float32, d int) ([]float64, error) {
	n, err := rows("images", len(images), d)
	if err != nil {
		return nil, err
	}
	classes, err := rows("texts", len(texts), d)
	if err != nil {
		return nil, err
	}
	if classes < 2 {
		return nil, fmt.Errorf("zero-shot: %d caption row: classifying needs at least 2 classes", classes)
	}
	for _, m := range []struct {
		name string
		x    []float32
	}{{"images", images}, {"texts", texts}} {
		if err := finite(m.name, m.x, d); err != nil {
			return nil, err
		}
	}
	scores := make([]float64, n*classes)
	inBlocks(n, func(from, to int) {
		for i := from; i < to; i++ {
			x := images[i*d : i*d+d]
			for c := range classes {
				scores[i*classes+c] = dot(x, texts[c*d:c*d+d])
			}
		}
	})
	return scores, nil
}

// FromScores counts what the scores [N,C] get right; the highest score of a row
// is its prediction, the lower class winning ties. Scores must not be NaN.
func FromScores(scores []float64, labels []int, classes int) (*Accuracy, error) {
	n, err := rows("scores", len(scores), classes)
	if err != nil {
		return nil, err
	}
	if err := checkLabels(labels, n, classes); err != nil {
		return nil, err
	}
	a := &Accuracy{
		N:           n,
		PerClass:    make([]*float64, classes),
		Confusion:   make([][]int, classes),
		Predictions: make([]int, n),
	}
	cells := make([]int, classes*classes)
	for c := range a.Confusion {
		a.Confusion[c] = cells[c*classes : (c+1)*classes : (c+1)*classes]
	}
	top5 := 0
	for i, y := range labels {
		row := scores[i*classes : (i+1)*classes]
		best, ahead := 0, 0
		for c, s := range row {
			if math.IsNaN(s) {
				return nil, fmt.Errorf("scores: row %d, class %d is NaN", i, c)
			}
			if s > row[best] {
				best = c
			}
			if s > row[y] || s == row[y] && c < y {
				ahead++
			}
		}
		a.Predictions[i] = best
		a.Confusion[y][best]++
		if ahead < 5 {
			top5++
		}
	}
	right, present := 0, 0
	for c, row := range a.Confusion {
		count := 0
		for _, v := range row {
			count += v
		}
		if count == 0 {
			continue
		}
		recall := float64(row[c]) / float64(count)
		a.PerClass[c] = &recall
		a.MeanPerClass += recall
		right += row[c]
		present++
	}
	a.MeanPerClass /= float64(present)
	a.Top1 = float64(right) / float64(n)
	a.Top5 = float64(top5) / float64(n)
	return a, nil
}

// dot sums in float64, in four lanes so that additions need not wait for each other.
func dot(x, y []float32) float64 {
	y = y[:len(x)]
	var s0, s1, s2, s3 float64
	j := 0
	for ; j+4 <= len(x); j += 4 {
		s0 += float64(x[j]) * float64(y[j])
		s1 += float64(x[j+1]) * float64(y[j+1])
		s2 += float64(x[j+2]) * float64(y[j+2])
		s3 += float64(x[j+3]) * float64(y[j+3])
	}
	for ; j < len(x); j++ {
		s0 += float64(x[j]) * float64(y[j])
	}
	return (s0 + s1) + (s2 + s3)
}

// inBlocks calls f on consecutive ranges that cover 0..n-1, on all cores.
func inBlocks(n int, f func(from, to int)) {
	workers := min(runtime.GOMAXPROCS(0), (n+255)/256)
	if workers <= 1 {
		f(0, n)
		return
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { f(w*n/workers, (w+1)*n/workers) })
	}
	wg.Wait()
}

func rows(name string, size, d int) (int, error) {
	switch {
	case d < 1:
		return 0, fmt.Errorf("%s: row width %d: must be at least 1", name, d)
	case size == 0:
		return 0, fmt.Errorf("%s: no rows", name)
	case size%d != 0:
		return 0, fmt.Errorf("%s: %d values are not a whole number of rows of %d", name, size, d)
	}
	return size / d, nil
}

func checkLabels(labels []int, n, classes int) error {
	if len(labels) != n {
		return fmt.Errorf("labels: %d labels for %d images", len(labels), n)
	}
	for i, y := range labels {
		if y < 0 || y >= classes {
			return fmt.Errorf("labels: image %d has class %d: must be in 0..%d", i, y, classes-1)
		}
	}
	return nil
}

func finite(name string, x []float32, d int) error {
	for i, v := range x {
		if v-v != 0 { // NaN or infinite
			return fmt.Errorf("%s: row %d, column %d is %v", name, i/d, i%d, v)
		}
	}
	return nil
}
