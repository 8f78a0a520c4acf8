// Package golden builds the two sets of embeddings that scores are compared
// on. They are made of sines, not of random numbers, so that any system can
// make the same ones and record what it computes of them.
package golden

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Sizes of the sets: images, width, classes.
const (
	N = 120
	D = 80
	C = 6
)

// Set is one set: unit-norm image rows [N,D] and their classes 0..C-1.
type Set struct {
	Name   string
	Images []float64
	Labels []int
	// Values recorded from an independent implementation, by JSON key.
	Values map[string]float64
}

// Easy has equal classes that lie apart.
func Easy() Set {
	return build("easy", .8, 1, func(i int) int { return (i - 1) % C }, map[string]float64{
		"iimm":           0.02169297074367324,
		"inter":          -0.030081386985770963,
		"inter_by_class": -0.030081386985770966,
		"intra":          0.07346732847311745,
		"intra_text":     -0.0056396930353380765,
		"alignment":      0.6904727021564121,
		"modality_gap":   0.25126367451452397,
	})
}

// Mid has unequal classes (36, 22, 18, 16, 14, 14 images) that overlap.
func Mid() Set {
	label := func(i int) int {
		f := float64(i) * 0.6180339887498949
		return int(C * math.Pow(f-math.Floor(f), 1.5))
	}
	return build("mid", 1, .35, label, map[string]float64{
		"iimm":           -0.007474780379234977,
		"inter":          -0.02488459053900666,
		"inter_by_class": -0.024742198090915657,
		"intra":          0.009935029780536706,
		"intra_text":     -0.0056396930353380765,
		"alignment":      0.28034312993997035,
		"modality_gap":   0.3580210905164734,
	})
}

// Differences lists the recorded values that result, whose JSON has them by
// their keys, differs from by more than tolerance or does not have.
func (s Set) Differences(result any, tolerance float64) []string {
	data, err := json.Marshal(result)
	if err != nil {
		return []string{err.Error()}
	}
	var got map[string]*float64
	if err := json.Unmarshal(data, &got); err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, key := range slices.Sorted(maps.Keys(s.Values)) {
		switch v := got[key]; {
		case v == nil:
			out = append(out, key+" is missing")
		case !(math.Abs(*v-s.Values[key]) <= tolerance):
			out = append(out, fmt.Sprintf("%s = %.17g, want %.17g", key, *v, s.Values[key]))
		}
	}
	return out
}

func build(name string, noise, signal float64, label func(i int) int, values map[string]float64) Set {
	s := Set{Name: name, Images: make([]float64, N*D), Labels: make([]int, N), Values: values}
	for i := 1; i <= N; i++ {
		y := label(i)
		s.Labels[i-1] = y
		for j := 1; j <= D; j++ {
			fi, fj := float64(i), float64(j)
			s.Images[(i-1)*D+j-1] = signal*math.Cos(.37*fj*float64(y+1)) + noise*math.Sin(.7*fi+1.3*fj+.11*fi*fj)
		}
		unit(s.Images[(i-1)*D : i*D])
	}
	return s
}

// Texts returns the unit-norm caption rows [C,D] of both sets.
func Texts() []float64 {
	t := make([]float64, C*D)
	for c := 1; c <= C; c++ {
		for j := 1; j <= D; j++ {
			fc, fj := float64(c), float64(j)
			t[(c-1)*D+j-1] = math.Cos(.37*fj*fc) + .5*math.Sin(2.1*fc*fj)
		}
		unit(t[(c-1)*D : c*D])
	}
	return t
}

func unit(row []float64) {
	q := 0.0
	for _, v := range row {
		q += v * v
	}
	for j := range row {
		row[j] /= math.Sqrt(q)
	}
}
