package evaluate

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestZeroShotAgainstHandCount(t *testing.T) {
	// Six captions on the axes; the image's cosines are its coordinates.
	const d = 6
	texts := make([]float32, 6*d)
	for c := range 6 {
		texts[c*d+c] = 1
	}
	images := []float32{
		.9, .1, 0, 0, 0, 0, // 0 right
		.1, .9, .2, .3, .4, .5, // true 0 is sixth: not in the top five
		0, .9, .1, .2, .3, .4, // true 2: predicted 1, fourth
		.1, .2, .3, .9, .4, .5, // 3 right
		.5, .5, 0, 0, 0, 0, // tie of 0 and 1: class 0 wins
	}
	a, err := ZeroShot(images, texts, d, []int{0, 0, 2, 3, 1})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{0, 1, 1, 3, 0}; !reflect.DeepEqual(a.Predictions, want) {
		t.Errorf("predictions %v, want %v", a.Predictions, want)
	}
	if a.Top1 != 2./5 || a.Top5 != 4./5 {
		t.Errorf("top1 %v top5 %v, want 0.4 and 0.8", a.Top1, a.Top5)
	}
	// Classes 0, 1, 2, 3 have images: recalls 1/2, 0, 0, 1.
	if a.MeanPerClass != 1.5/4 {
		t.Errorf("mean per class %v, want 0.375", a.MeanPerClass)
	}
	if a.PerClass[4] != nil || a.PerClass[5] != nil || *a.PerClass[0] != .5 || *a.PerClass[1] != 0 {
		t.Errorf("per class %v", a.PerClass)
	}
	want := [][]int{{1, 1, 0, 0, 0, 0}, {1, 0, 0, 0, 0, 0}, {0, 1, 0, 0, 0, 0}, {0, 0, 0, 1, 0, 0}, {0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0}}
	if !reflect.DeepEqual(a.Confusion, want) {
		t.Errorf("confusion %v, want %v", a.Confusion, want)
	}
	b, err := json.Marshal(a)
	if err != nil || !strings.Contains(string(b), `"per_class":[0.5,0,0,1,null,null]`) {
		t.Errorf("JSON %s, %v", b, err)
	}
}

func TestZeroShotAgainstPlainLoops(t *testing.T) {
	const n, d, classes = 1000, 19, 7
	x, y := drawn(n, d, classes, 1, false)
	texts, _ := drawn(classes, d, classes, 2, false)
	a, err := ZeroShot(x, texts, d, y)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i := range n {
		best, bestScore := 0, math.Inf(-1)
		for c := range classes {
			s := 0.0
			for j := range d {
				s += float64(x[i*d+j]) * float64(texts[c*d+j])
			}
			if s > bestScore {
				best, bestScore = c, s
			}
		}
		if a.Predictions[i] != best {
			t.Errorf("image %d: class %d, plain loops say %d", i, a.Predictions[i], best)
		}
		if best == y[i] {
			right++
		}
	}
	if got := a.Top1; got != float64(right)/n || right < n/classes*2 || right == n {
		t.Errorf("top1 %v, plain loops %v", got, float64(right)/n)
	}
}

func TestZeroShotRefusesBadInput(t *testing.T) {
	ok := []float32{1, 0, 0, 1}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name          string
		images, texts []float32
		d             int
		labels        []int
		want          string
	}{
		{"width 0", ok, ok, 0, []int{0, 1}, "row width 0"},
		{"no images", nil, ok, 2, nil, "images: no rows"},
		{"no captions", ok, nil, 2, []int{0, 1}, "texts: no rows"},
		{"ragged", ok[:3], ok, 2, []int{0}, "3 values are not a whole number of rows of 2"},
		{"one class", ok, ok[:2], 2, []int{0, 0}, "at least 2 classes"},
		{"label count", ok, ok, 2, []int{0}, "1 labels for 2 images"},
		{"label high", ok, ok, 2, []int{0, 2}, "image 1 has class 2: must be in 0..1"},
		{"label low", ok, ok, 2, []int{-1, 0}, "image 0 has class -1"},
		{"NaN", []float32{1, 0, 0, nan}, ok, 2, []int{0, 1}, "images: row 1, column 1 is NaN"},
		{"infinite", ok, []float32{1, inf, 0, 1}, 2, []int{0, 1}, "texts: row 0, column 1 is +Inf"},
	} {
		if _, err := ZeroShot(c.images, c.texts, c.d, c.labels); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

func ExampleZeroShot() {
	captions := []float32{1, 0, 0, 1} // "a photo of a cat", "a photo of a dog"
	images := []float32{.8, .6, .6, .8, .6, .8}
	a, err := ZeroShot(images, captions, 2, []int{0, 1, 0})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3f %.3f %v\n", a.Top1, a.MeanPerClass, a.Confusion)
	// Output: 0.667 0.750 [[1 1] [0 1]]
}
