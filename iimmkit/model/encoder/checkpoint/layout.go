// Package checkpoint reads and writes the weights of models: named tensors in
// a file, in the layout of the library that wrote them, as the open_clip names
// and shapes that the networks here use.
package checkpoint

import (
	"fmt"
	"slices"
	"strings"
)

// Rule says where one weight comes from: one tensor, or several joined along
// their first axis; transposed when a library stores the matrix the other way.
type Rule struct {
	Name      string
	Sources   []string
	Transpose bool
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
// all; tensors named in ignored may be present. Weights may be views of src:
// they must not be changed, nor used after src is closed.
func Read(src Tensors, l Layout, want []Want, ignored []string) (map[string]Weight, error) {
	weights := make(map[string]Weight, len(want))
	err := Each(src, l, want, ignored, func(name string, w Weight) error {
		weights[name] = w
		return nil
	})
	if err != nil {
		return nil, err
	}
	return weights, nil
}

// Each is Read that hands the weights to take one by one, in the order of
// want, so that converted, joined and transposed ones need not all be in
// memory at once. Missing and left-over tensors are found before the first
// one is handed over, unreadable and wrongly shaped ones when it is their turn.
func Each(src Tensors, l Layout, want []Want, ignored []string, take func(name string, w Weight) error) error {
	rules := make(map[string]Rule, len(l))
	for _, r := range l {
		rules[r.Name] = r
	}
	rule := func(name string) Rule {
		if r, ok := rules[name]; ok {
			return r
		}
		return Rule{Name: name, Sources: []string{name}}
	}
	there := map[string]bool{}
	for _, n := range src.Names() {
		there[n] = true
	}
	used := map[string]bool{}
	var missing, extra, wrong []string
	for _, w := range want {
		for _, s := range rule(w.Name).Sources {
			if !there[s] {
				missing = append(missing, s)
			}
			used[s] = true
		}
	}
	for n := range there {
		if !used[n] && !slices.Contains(ignored, n) {
			extra = append(extra, n)
		}
	}
	for _, w := range want {
		r := rule(w.Name)
		if slices.ContainsFunc(r.Sources, func(s string) bool { return !there[s] }) {
			continue
		}
		weight, err := r.read(src, w.Shape)
		if err != nil {
			wrong = append(wrong, err.Error())
		}
		if missing == nil && extra == nil && wrong == nil {
			if err := take(w.Name, weight); err != nil {
				return fmt.Errorf("weight %s: %w", w.Name, err)
			}
		}
	}
	var faults []string
	for _, f := range []struct {
		what  string
		names []string
	}{{"missing tensors", missing}, {"wrong tensors", wrong}, {"unexpected tensors", extra}} {
		if f.names != nil {
			faults = append(faults, f.what+": "+list(f.names))
		}
	}
	if faults == nil {
		return nil
	}
	return fmt.Errorf("%sthe weights do not fit the configuration: %s", where(src, ""), strings.Join(faults, "; "))
}

// where begins a message about src, or about one of its tensors, with the
// name of the file, for sources that have files. A tensor in src's only file
// needs no other name than src has.
func where(src Tensors, tensor string) string {
	s, ok := src.(interface{ Where(tensor string) string })
	if !ok || tensor != "" && s.Where(tensor) == s.Where("") {
		return ""
	}
	return s.Where(tensor) + ": "
}

// list joins names, sorted, the first dozen of them.
func list(names []string) string {
	names = slices.Sorted(slices.Values(names))
	const most = 12
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	return strings.Join(names, ", ") + more
}

// read joins the rule's sources to a weight of shape want.
func (r Rule) read(src Tensors, want []int) (Weight, error) {
	part := slices.Clone(want)
	if r.Transpose {
		slices.Reverse(part)
	}
	if len(r.Sources) > 1 {
		part[0] /= len(r.Sources)
	}
	var data []float32
	for _, s := range r.Sources {
		shape, values, err := src.Float32(s)
		if err != nil {
			return Weight{}, err
		}
		scalar := size(part) == 1 && size(shape) == 1 // [] and [1] are both in use for scalars
		if !slices.Equal(shape, part) && !scalar {
			return Weight{}, fmt.Errorf("%s%s has shape %v, not %v", where(src, s), s, shape, part)
		}
		if len(r.Sources) == 1 {
			data = values
			break
		}
		data = append(slices.Grow(data, size(want)-len(data)), values...)
	}
	if r.Transpose {
		data = transpose(data, part[0], part[1])
	}
	return Weight{Shape: want, Data: data}, nil
}

// Write is the reverse of Read: the tensors of weights in layout l, in the
// order of the rules.
func Write(weights map[string]Weight, l Layout) (names []string, tensors []Weight, err error) {
	for _, r := range l {
		w, ok := weights[r.Name]
		if !ok {
			return nil, nil, fmt.Errorf("no weight named %s", r.Name)
		}
		if r.Transpose {
			rows, columns := w.Shape[0], w.Shape[1]
			w = Weight{Shape: []int{columns, rows}, Data: transpose(w.Data, rows, columns)}
		}
		n := len(r.Sources)
		if n == 1 {
			names, tensors = append(names, r.Sources[0]), append(tensors, w)
			continue
		}
		shape := slices.Clone(w.Shape)
		shape[0] /= n
		for i, s := range r.Sources {
			names = append(names, s)
			tensors = append(tensors, Weight{Shape: shape, Data: w.Data[i*len(w.Data)/n : (i+1)*len(w.Data)/n]})
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
