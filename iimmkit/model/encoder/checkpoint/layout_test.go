package checkpoint

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// memory is a source of tensors without files.
type memory map[string]Weight

func (m memory) Names() []string { return slices.Sorted(maps.Keys(m)) }

func (m memory) Float32(name string) ([]int, []float32, error) {
	w := m[name]
	if w.Data == nil {
		return nil, nil, fmt.Errorf("%s cannot be read", name)
	}
	return w.Shape, w.Data, nil
}

var (
	attention = Layout{
		{Name: "in_proj", Sources: []string{"q", "k", "v"}},
		{Name: "proj", Sources: []string{"projection"}, Transpose: true},
		{Name: "scale", Sources: []string{"logit_scale"}},
	}
	wanted  = []Want{{"in_proj", []int{3, 2}}, {"proj", []int{2, 3}}, {"scale", nil}, {"bias", []int{2}}}
	weights = map[string]Weight{
		"in_proj": {[]int{3, 2}, []float32{1, 2, 3, 4, 5, 6}},
		"proj":    {[]int{2, 3}, []float32{1, 2, 3, 4, 5, 6}},
		"scale":   {nil, []float32{7}},
		"bias":    {[]int{2}, []float32{8, 9}},
	}
)

func stored() memory {
	return memory{
		"q": {[]int{1, 2}, []float32{1, 2}}, "k": {[]int{1, 2}, []float32{3, 4}}, "v": {[]int{1, 2}, []float32{5, 6}},
		"projection":  {[]int{3, 2}, []float32{1, 4, 2, 5, 3, 6}},
		"logit_scale": {[]int{1}, []float32{7}},
		"bias":        {[]int{2}, []float32{8, 9}},
		"position":    {[]int{1}, []float32{0}},
	}
}

func TestReadJoinsAndTransposes(t *testing.T) {
	src := stored()
	got, err := Read(src, attention, wanted, []string{"position"})
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b Weight) bool { return slices.Equal(a.Shape, b.Shape) && slices.Equal(a.Data, b.Data) }
	if !maps.EqualFunc(got, weights, same) {
		t.Errorf("%v, want %v", got, weights)
	}
	if !maps.EqualFunc(src, stored(), same) {
		t.Errorf("the source was changed: %v", src)
	}

	names, tensors, err := Write([]string{"in_proj", "proj", "scale", "bias"}, got, attention)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range names {
		want := src[n]
		if n == "logit_scale" {
			want.Shape = nil // written as a scalar
		}
		if !same(tensors[i], want) {
			t.Errorf("written %s = %v, want %v", n, tensors[i], want)
		}
	}
	if len(names) != len(src)-1 {
		t.Errorf("wrote %v", names)
	}
	if _, _, err := Write([]string{"absent"}, got, attention); err == nil {
		t.Error("a weight that is not there was written")
	}
}

func TestReadOfUnequalPartsAndLeadingAxes(t *testing.T) {
	l := Layout{
		{Name: "in_proj", Sources: []string{"q", "kv"}, Parts: []int{1, 2}},
		{Name: "positions", Sources: []string{"pos_embed"}, Lead: 1},
	}
	src := memory{
		"q": {[]int{1, 2}, []float32{1, 2}}, "kv": {[]int{2, 2}, []float32{3, 4, 5, 6}},
		"pos_embed":        {[]int{1, 2, 2}, []float32{1, 2, 3, 4}},
		"decoder.0.weight": {[]int{1}, []float32{0}},
	}
	want := []Want{{"in_proj", []int{3, 2}}, {"positions", []int{2, 2}}}
	got, err := Read(src, l, want, []string{"decoder."})
	if err != nil {
		t.Fatal(err)
	}
	if w := got["in_proj"]; !slices.Equal(w.Data, []float32{1, 2, 3, 4, 5, 6}) || !slices.Equal(w.Shape, want[0].Shape) {
		t.Errorf("in_proj = %v", w)
	}
	if w := got["positions"]; !slices.Equal(w.Data, []float32{1, 2, 3, 4}) || !slices.Equal(w.Shape, want[1].Shape) {
		t.Errorf("positions = %v", w)
	}
	if _, err := Read(src, l, want, []string{"decoder"}); err == nil || !strings.Contains(err.Error(), "unexpected tensors: decoder.0.weight") {
		t.Errorf("only names that end in a dot stand for those below: %v", err)
	}
	names, tensors, err := Write([]string{"in_proj", "positions"}, got, l)
	if err != nil || !slices.Equal(names, []string{"q", "kv", "pos_embed"}) {
		t.Fatal(names, err)
	}
	for i, n := range names {
		if !slices.Equal(tensors[i].Shape, src[n].Shape) || !slices.Equal(tensors[i].Data, src[n].Data) {
			t.Errorf("written %s = %v, want %v", n, tensors[i], src[n])
		}
	}
	// 4 rows are not three equal parts.
	want[0].Shape = []int{4, 2}
	if _, err := Read(src, l, want, []string{"decoder."}); err == nil || !strings.Contains(err.Error(), "in_proj has 6 values") {
		t.Error(err)
	}
}

func TestReadListsAllThatDoesNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		change func(memory)
		want   string
	}{
		"missing":      {func(m memory) { delete(m, "k"); delete(m, "bias") }, "missing tensors: bias, k"},
		"unexpected":   {func(m memory) { m["z"], m["y"] = m["q"], m["q"] }, "unexpected tensors: y, z"},
		"escapes":      {func(m memory) { m["a\n\x1b[2J"], m[""] = m["q"], m["q"] }, `unexpected tensors: "", "a\n\x1b[2J"`},
		"shape":        {func(m memory) { m["q"] = Weight{[]int{2}, []float32{1, 2}} }, "wrong tensors: q has shape [2], not [1 2]"},
		"transposed":   {func(m memory) { m["projection"] = weights["proj"] }, "wrong tensors: projection has shape [2 3], not [3 2]"},
		"unreadable":   {func(m memory) { m["v"] = Weight{} }, "wrong tensors: v cannot be read"},
		"scalar":       {func(m memory) { m["logit_scale"] = m["bias"] }, "wrong tensors: logit_scale has shape [2], not []"},
		"several":      {func(m memory) { delete(m, "k"); m["z"] = m["q"]; m["bias"] = m["q"] }, "missing tensors: k; wrong tensors: bias has shape [1 2], not [2]; unexpected tensors: z"},
		"a dozen more": {func(m memory) { addMany(m, 20) }, "unexpected tensors: n00, n01, n02, n03, n04, n05, n06, n07, n08, n09, n10, n11 and 8 more"},
	} {
		src := stored()
		c.change(src)
		_, err := Read(src, attention, wanted, []string{"position"})
		if want := "the weights do not fit the configuration: " + c.want; err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", name, err, want)
		}
	}
}

func addMany(m memory, n int) {
	for i := range n {
		m[fmt.Sprintf("n%02d", i)] = Weight{nil, []float32{0}}
	}
}

func TestEachHandsOverInOrder(t *testing.T) {
	var order []string
	take := func(name string, w Weight) error { order = append(order, name); return nil }
	if err := Each(stored(), attention, wanted, []string{"position"}, take); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(order, []string{"in_proj", "proj", "scale", "bias"}) {
		t.Errorf("order %v", order)
	}

	order = nil
	src := stored()
	delete(src, "bias")
	if err := Each(src, attention, wanted, []string{"position"}, take); err == nil || order != nil {
		t.Errorf("of an incomplete source, %v were handed over (%v)", order, err)
	}

	full := errors.New("no memory")
	err := Each(stored(), attention, wanted, []string{"position"}, func(name string, w Weight) error {
		if name == "proj" {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) || !strings.Contains(err.Error(), "proj") {
		t.Errorf("take's error: %v", err)
	}
}
