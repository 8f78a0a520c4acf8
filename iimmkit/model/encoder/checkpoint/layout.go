// Package checkpoint reads and writes the weights of models: named tensors in
// a file, in the layout of the library that wrote them, as the open_clip names
// and shapes that the networks here use.
package checkpoint

import (
	"fmt"
	"slices"
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

// Rule returns the rule of a weight.
func (l Layout) Rule(name string) Rule {
	for _, r := range l {
		if r.Name == name {
			return r
		}
	}
	return Rule{Name: name, Sources: []string{name}}
}

// Write is the reverse of Read: the tensors of the named weights in layout l.
func Write(order []string, weights map[string]Weight, l Layout) (names []string, tensors []Weight, err error) {
	for _, name := range order {
		w, ok := weights[name]
		if !ok {
			return nil, nil, fmt.Errorf("no weight named %s", name)
		}
		r := l.Rule(name)
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
