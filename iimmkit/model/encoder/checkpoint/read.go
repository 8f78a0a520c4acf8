package checkpoint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Read returns the wanted weights from src, which stores them in layout l.
// Missing, wrongly shaped and left-over tensors are an error that lists them
// all; tensors named in ignored may be present, and those below a name in it
// that ends in a dot. Weights may be views of src: they must not be changed,
// nor used after src is closed.
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
	there := map[string]bool{}
	for _, n := range src.Names() {
		there[n] = true
	}
	used := map[string]bool{}
	var missing, extra, wrong []string
	for _, w := range want {
		for _, s := range l.Rule(w.Name).Sources {
			if !there[s] {
				missing = append(missing, printable(s))
			}
			used[s] = true
		}
	}
	mayBe := func(n string) bool {
		return slices.ContainsFunc(ignored, func(i string) bool {
			return n == i || strings.HasSuffix(i, ".") && strings.HasPrefix(n, i)
		})
	}
	for n := range there {
		if !used[n] && !mayBe(n) {
			extra = append(extra, printable(n))
		}
	}
	for _, w := range want {
		r := l.Rule(w.Name)
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

// printable quotes a name from a file that could spoil a line of text.
func printable(name string) string {
	if quoted := strconv.Quote(name); len(quoted) > len(name)+2 || name == "" {
		return quoted
	}
	return name
}

// read joins the rule's sources to a weight of shape want.
func (r Rule) read(src Tensors, want []int) (Weight, error) {
	parts := r.parts(want)
	var data []float32
	for i, s := range r.Sources {
		part := parts[i]
		shape, values, err := src.Float32(s)
		if err != nil {
			return Weight{}, err
		}
		scalar := size(part) == 1 && size(shape) == 1 // [] and [1] are both in use for scalars
		if !slices.Equal(shape, part) && !scalar {
			return Weight{}, fmt.Errorf("%s%s has shape %v, not %v", where(src, s), printable(s), shape, part)
		}
		if len(r.Sources) == 1 {
			data = values
			break
		}
		data = append(slices.Grow(data, size(want)-len(data)), values...)
	}
	if len(data) != size(want) {
		return Weight{}, fmt.Errorf("%s has %d values, not the %d of shape %v", r.Name, len(data), size(want), want)
	}
	if r.Transpose {
		data = transpose(data, want[1], want[0])
	}
	return Weight{Shape: want, Data: data}, nil
}
