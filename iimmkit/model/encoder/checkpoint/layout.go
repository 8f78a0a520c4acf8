// Package checkpoint reads and writes the weights of models: named tensors in
// a file, in the layout of the library that wrote them, as the open_clip names
// and shapes that the networks here use.
package checkpoint

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
)

// Rule says where one weight comes from: one tensor, or several joined along
// their first axis; transposed when a library stores the matrix the other way.
type Rule struct {
	Name      string
	Sources   []string
	Transpose bool
	// Parts are the relative lengths of several sources; nil: equal ones.
	Parts []int
	// Lead is the number of axes of length 1 that the library puts in front.
	Lead int
}

// parts returns the shapes of the sources of a weight of a shape.
func (r Rule) parts(shape []int) [][]int {
	total := 0
	length := func(i int) int {
		if r.Parts == nil {
			return 1
		}
		return r.Parts[i]
	}
	for i := range r.Sources {
		total += length(i)
	}
	list := make([][]int, len(r.Sources))
	for i := range list {
		part := slices.Clone(shape)
		if r.Transpose {
			slices.Reverse(part)
		}
		if total > 1 {
			part[0] = part[0] / total * length(i)
		}
		for range r.Lead {
			part = slices.Insert(part, 0, 1)
		}
		list[i] = part
	}
	return list
}

// Layout is the way a library stores a model, a rule for every weight. The
// empty layout is open_clip's own: every weight under its name.
type Layout []Rule

// Weight is one named float32 tensor, row-major.
type Weight struct {
	Shape []int
	Data  []float32
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Want is a weight a model needs.
type Want struct {
	Name  string
	Shape []int
}

// Tensors is a source of named tensors.
type Tensors interface {
	Names() []string
	// Float32 returns the tensor's shape and values, widened when stored narrower.
	Float32(name string) (shape []int, data []float32, err error)
}

// Read returns the wanted weights from src, which stores them in layout l.
// Missing, wrongly shaped and left-over tensors are an error that lists them
// all; tensors named in ignored may be present, and those below a name in it
// that ends in a dot.
func Read(src Tensors, l Layout, want []Want, ignored []string) (map[string]Weight, error) {
	rules := make(map[string]Rule, len(l))
	for _, r := range l {
		rules[r.Name] = r
	}
	left := map[string]bool{}
	for _, n := range src.Names() {
		left[n] = true
	}
	maps.DeleteFunc(left, func(n string, _ bool) bool {
		return slices.ContainsFunc(ignored, func(i string) bool {
			return n == i || strings.HasSuffix(i, ".") && strings.HasPrefix(n, i)
		})
	})
	var missing, wrong []string
	weights := make(map[string]Weight, len(want))
	for _, w := range want {
		rule, ok := rules[w.Name]
		if !ok {
			rule = Rule{Name: w.Name, Sources: []string{w.Name}}
		}
		weight, absent, err := rule.read(src, left, w.Shape)
		missing = append(missing, absent...)
		switch {
		case err != nil:
			wrong = append(wrong, err.Error())
		case len(absent) == 0:
			weights[w.Name] = weight
		}
	}
	var faults []string
	note := func(what string, list []string) {
		if len(list) == 0 {
			return
		}
		sort.Strings(list)
		const most = 12
		more := ""
		if len(list) > most {
			more = fmt.Sprintf(" and %d more", len(list)-most)
			list = list[:most]
		}
		faults = append(faults, what+": "+strings.Join(list, ", ")+more)
	}
	note("missing tensors", missing)
	note("wrong tensors", wrong)
	var extra []string
	for n := range left {
		extra = append(extra, n)
	}
	note("unexpected tensors", extra)
	if faults != nil {
		return nil, fmt.Errorf("the weights do not fit the configuration: %s", strings.Join(faults, "; "))
	}
	return weights, nil
}

// read takes the rule's sources out of left and joins them.
func (r Rule) read(src Tensors, left map[string]bool, want []int) (w Weight, missing []string, err error) {
	var data []float32
	for _, s := range r.Sources {
		if !left[s] {
			missing = append(missing, s)
		}
	}
	if missing != nil {
		return w, missing, nil
	}
	parts := r.parts(want)
	for i, s := range r.Sources {
		part := parts[i]
		delete(left, s)
		shape, values, err := src.Float32(s)
		if err != nil {
			return w, nil, fmt.Errorf("%s: %w", s, err)
		}
		scalar := size(part) == 1 && size(shape) == 1 // [] and [1] are both in use for scalars
		if !slices.Equal(shape, part) && !scalar {
			return w, nil, fmt.Errorf("%s has shape %v, not %v", s, shape, part)
		}
		if len(r.Sources) == 1 {
			data = values
		} else {
			data = append(data, values...)
		}
	}
	if r.Transpose {
		data = transpose(data, want[1], want[0])
	}
	return Weight{Shape: want, Data: data}, nil, nil
}

// Write is the reverse of Read: the tensors of weights in layout l, in the
// order of the rules.
func Write(weights map[string]Weight, l Layout) (names []string, tensors []Weight, err error) {
	for _, r := range l {
		w, ok := weights[r.Name]
		if !ok {
			return nil, nil, fmt.Errorf("no weight named %s", r.Name)
		}
		data := w.Data
		if r.Transpose {
			data = transpose(data, w.Shape[0], w.Shape[1])
		}
		for i, shape := range r.parts(w.Shape) {
			n := size(shape)
			names, tensors = append(names, r.Sources[i]), append(tensors, Weight{Shape: shape, Data: data[:n]})
			data = data[n:]
		}
	}
	return names, tensors, nil
}

func transpose(x []float32, rows, columns int) []float32 {
	y := make([]float32, len(x))
	for i := range rows {
		for j := range columns {
			y[j*rows+i] = x[i*columns+j]
		}
	}
	return y
}
