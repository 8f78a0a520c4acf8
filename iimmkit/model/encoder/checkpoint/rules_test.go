package checkpoint

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// memory is a source of tensors that are not in a file.
type memory map[string]Weight

func (m memory) Names() []string {
	var names []string
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (m memory) Float32(name string) ([]int, []float32, error) {
	return m[name].Shape, m[name].Data, nil
}

func TestRulesStoreWeightsAsTheLibraryDoes(t *testing.T) {
	var l Layout
	l.Same("same", "a")
	l.Transposed("turned", "b")
	l.Joined("joined", "c.q", "c.k")
	l.Led("led", "d", 2)
	l = append(l, Rule{Name: "uneven", Sources: []string{"e.q", "e.kv"}, Parts: []int{1, 2}})
	weights := map[string]Weight{
		"same":   {[]int{2}, []float32{1, 2}},
		"turned": {[]int{2, 3}, []float32{1, 2, 3, 4, 5, 6}},
		"joined": {[]int{4, 1}, []float32{1, 2, 3, 4}},
		"led":    {[]int{3}, []float32{7, 8, 9}},
		"uneven": {[]int{3, 2}, []float32{1, 2, 3, 4, 5, 6}},
	}
	want := memory{
		"a":    {[]int{2}, []float32{1, 2}},
		"b":    {[]int{3, 2}, []float32{1, 4, 2, 5, 3, 6}},
		"c.q":  {[]int{2, 1}, []float32{1, 2}},
		"c.k":  {[]int{2, 1}, []float32{3, 4}},
		"d":    {[]int{1, 1, 3}, []float32{7, 8, 9}},
		"e.q":  {[]int{1, 2}, []float32{1, 2}},
		"e.kv": {[]int{2, 2}, []float32{3, 4, 5, 6}},
	}
	names, tensors, err := Write(weights, l)
	if err != nil {
		t.Fatal(err)
	}
	stored := memory{}
	for i, n := range names {
		stored[n] = tensors[i]
	}
	if !reflect.DeepEqual(stored, want) {
		t.Errorf("stored as %v, want %v", stored, want)
	}
	var wants []Want
	for n, w := range weights {
		wants = append(wants, Want{Name: n, Shape: w.Shape})
	}
	stored["decoder.weight"], stored["decoder.bias"] = Weight{[]int{1}, []float32{0}}, Weight{[]int{1}, []float32{0}}
	again, err := Read(stored, l, wants, []string{"decoder."})
	if err != nil || !reflect.DeepEqual(again, weights) {
		t.Errorf("read as %v, want %v (%v)", again, weights, err)
	}
	if _, err := Read(stored, l, wants, []string{"decoder"}); err == nil || !strings.Contains(err.Error(), "unexpected tensors: decoder.bias, decoder.weight") {
		t.Errorf("left-over tensors: error %v", err)
	}
}
