package embedding

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Severity says what a finding means for the numbers.
type Severity string

const (
	// Refuse: numbers made of the set would be undefined or wrong.
	Refuse Severity = "error"
	// Warn: numbers can be made, but a reader must know.
	Warn Severity = "warning"
)

// Finding is something Check saw.
type Finding struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"` // stable, for programs
	Message  string   `json:"message"`
	// Count is how many rows or classes are concerned, and Rows the first of
	// them; both are empty where a finding is about the set.
	Count int   `json:"count,omitempty"`
	Rows  []int `json:"rows,omitempty"`
}

const (
	// shownRows are listed in a finding.
	shownRows = 5
	// looseNorm: unit rows stored in half precision deviate by up to 1e-3
	// (float16), 4e-3 (bfloat16); beyond wrongNorm a row was never normalised.
	looseNorm = 1e-3
	wrongNorm = 1e-2
)

// CheckOption changes what Check asks for.
type CheckOption func(*checkOptions)

type checkOptions struct{ normalize bool }

// WillNormalize tells Check that rows are going to be divided by their norms,
// so that norms need not be one.
func WillNormalize() CheckOption { return func(o *checkOptions) { o.normalize = true } }

// Check examines a set before any number is made of it: sizes, NaN, infinite
// and zero rows, norms, labels out of range or starting at one, classes with
// no or one image, captions that do not go with the classes, rows that are
// exactly equal, and blocks that repeat, as writers that append leave them. Findings come in a fixed order; none is good news.
func (s *Set) Check(opts ...CheckOption) []Finding {
	var o checkOptions
	for _, f := range opts {
		f(&o)
	}
	if err := s.valid(); err != nil {
		return []Finding{{Severity: Refuse, Code: "shape", Message: err.Error()}}
	}
	var found []Finding
	n, classes := s.Images.Rows, s.Classes()
	if n < 2 {
		found = append(found, Finding{Severity: Refuse, Code: "too_few_images", Message: fmt.Sprintf("IIMM needs at least 2 images, the set has %d", n)})
	}
	if classes < 2 {
		found = append(found, Finding{Severity: Refuse, Code: "too_few_classes", Message: fmt.Sprintf("IIMM needs at least 2 classes, the set has %d", classes)})
	}
	found = append(found, s.checkLabels()...)
	found = append(found, s.checkNames()...)
	images, texts := s.Images.examine(), s.Texts.examine()
	found = append(found, checkRows("image", images, s.imageName, o.normalize)...)
	found = append(found, checkRows("caption", texts, s.ClassName, o.normalize)...)
	found = append(found, s.checkRepeats(images, texts)...)
	return found
}

// Refused returns the findings that forbid numbers.
func Refused(found []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f Finding) bool { return f.Severity != Refuse })
}

func (s *Set) checkLabels() []Finding {
	classes := s.Classes()
	count := make([]int, classes)
	outside, lo, hi := Finding{Severity: Refuse, Code: "label_range"}, math.MaxInt, math.MinInt
	for i, y := range s.Labels {
		lo, hi = min(lo, y), max(hi, y)
		if y < 0 || y >= classes {
			outside.at(i)
		} else {
			count[y]++
		}
	}
	var found []Finding
	switch {
	case outside.Count > 0 && lo == 1 && hi == classes:
		outside.Message = fmt.Sprintf("labels run from 1 to %d: they must start at 0 (subtract 1 from each)", hi)
		return []Finding{outside}
	case outside.Count > 0:
		i := outside.Rows[0]
		outside.Message = fmt.Sprintf("image row %s has label %d, but the %d captions are of the classes 0..%d%s", s.imageName(i), s.Labels[i], classes, classes-1, outside.others("rows"))
		return []Finding{outside}
	case len(s.Labels) == 0:
		return nil
	}
	empty := Finding{Severity: Warn, Code: "empty_class"}
	single := Finding{Severity: Warn, Code: "single_image_class"}
	for c, n := range count {
		switch n {
		case 0:
			empty.at(c)
		case 1:
			single.at(c)
		}
	}
	if empty.Count > 0 {
		empty.Message = fmt.Sprintf("class %s has no images%s", s.ClassName(empty.Rows[0]), empty.others("classes"))
		found = append(found, empty)
	}
	if single.Count > 0 {
		single.Message = fmt.Sprintf("class %s has one image only%s: nothing can be said of its spread", s.ClassName(single.Rows[0]), single.others("classes"))
		found = append(found, single)
	}
	return found
}

func (s *Set) checkNames() []Finding {
	var found []Finding
	for _, names := range []struct {
		what, code string
		list       []string
	}{{"class names", "class_names", s.ClassNames}, {"prompts", "prompts", s.Prompts}} {
		if len(names.list) == 0 {
			continue
		}
		if len(names.list) != s.Classes() {
			found = append(found, Finding{Severity: Refuse, Code: names.code,
				Message: fmt.Sprintf("%d %s for %d captions", len(names.list), names.what, s.Classes())})
			continue
		}
		first := map[string]int{}
		for c, name := range names.list {
			if k, twice := first[name]; twice {
				found = append(found, Finding{Severity: Warn, Code: names.code,
					Message: fmt.Sprintf("classes %d and %d have the same %s: %q", k, c, names.what, name)})
				break
			}
			first[name] = c
		}
	}
	if want, ok := s.Provenance.Hashes["captions"]; ok && want != CaptionHash(s.ClassNames, s.Prompts) {
		found = append(found, Finding{Severity: Warn, Code: "caption_hash",
			Message: "class names or prompts are not those whose hash was recorded when the set was made"})
	}
	return found
}

// examined is what one pass over a matrix tells of each row.
type examined struct {
	m     Matrix
	q     []float64 // squared norm
	hash  []uint64
	equal func(i, k int) bool
}

func (m Matrix) examine() examined {
	if m.F64 != nil {
		return examineRows(m, m.F64)
	}
	return examineRows(m, m.F32)
}

func examineRows[F float32 | float64](m Matrix, x []F) examined {
	e := examined{m: m, q: make([]float64, m.Rows), hash: make([]uint64, m.Rows)}
	row := func(i int) []F { return x[i*m.Cols : (i+1)*m.Cols] }
	e.equal = func(i, k int) bool { return slices.Equal(row(i), row(k)) }
	const block = 512
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (m.Rows+block-1)/block) {
		wg.Go(func() {
			for lo := int(next.Add(block)) - block; lo < m.Rows; lo = int(next.Add(block)) - block {
				for i := lo; i < min(lo+block, m.Rows); i++ {
					e.q[i], e.hash[i] = fingerprint(row(i))
				}
			}
		})
	}
	wg.Wait()
	return e
}

// fingerprint returns the squared norm of a row and a hash of its bits: four
// lanes of multiply and xor, which is enough to find candidates that equal
// then confirms.
func fingerprint[F float32 | float64](row []F) (q float64, hash uint64) {
	const prime = 0x9e3779b97f4a7c15
	var q0, q1, q2, q3 float64
	h0, h1, h2, h3 := uint64(1), uint64(2), uint64(3), uint64(4)
	j := 0
	for ; j+4 <= len(row); j += 4 {
		r := row[j : j+4 : j+4]
		a, b, c, d := float64(r[0]), float64(r[1]), float64(r[2]), float64(r[3])
		q0 += a * a
		q1 += b * b
		q2 += c * c
		q3 += d * d
		h0 = (h0 ^ math.Float64bits(a)) * prime
		h1 = (h1 ^ math.Float64bits(b)) * prime
		h2 = (h2 ^ math.Float64bits(c)) * prime
		h3 = (h3 ^ math.Float64bits(d)) * prime
		// Multiplication carries upwards only: bring the high bits down.
		h0 ^= h0 >> 32
		h1 ^= h1 >> 32
		h2 ^= h2 >> 32
		h3 ^= h3 >> 32
	}
	for ; j < len(row); j++ {
		v := float64(row[j])
		q0 += v * v
		h0 = (h0 ^ math.Float64bits(v)) * prime
		h0 ^= h0 >> 32
	}
	return (q0 + q1) + (q2 + q3), ((h0*prime^h1)*prime^h2)*prime ^ h3
}

// checkRows looks at each row by itself.
func checkRows(what string, e examined, name func(i int) string, normalize bool) []Finding {
	bad := Finding{Severity: Refuse, Code: "not_finite"}
	zero := Finding{Severity: Refuse, Code: "zero_vector"}
	wrong := Finding{Severity: Refuse, Code: "not_unit_norm"}
	loose := Finding{Severity: Warn, Code: "loose_norm"}
	lo, hi := math.Inf(1), 0.0
	for i, q := range e.q {
		switch norm := math.Sqrt(q); {
		case math.IsNaN(q) || math.IsInf(q, 0):
			bad.at(i)
		case q == 0:
			zero.at(i)
		default:
			lo, hi = min(lo, norm), max(hi, norm)
			if off := math.Abs(norm - 1); off > wrongNorm {
				wrong.at(i)
			} else if off > looseNorm {
				loose.at(i)
			}
		}
	}
	var found []Finding
	if bad.Count > 0 {
		bad.Message = fmt.Sprintf("%s row %s has %s%s", what, name(bad.Rows[0]), e.m.notFinite(bad.Rows[0]), bad.others("rows"))
		found = append(found, bad)
	}
	if zero.Count > 0 {
		zero.Message = fmt.Sprintf("%s row %s is a zero vector, it has no direction%s", what, name(zero.Rows[0]), zero.others("rows"))
		found = append(found, zero)
	}
	if normalize {
		return found
	}
	if wrong.Count > 0 {
		wrong.Message = fmt.Sprintf("%d of %d %s rows are not of unit norm (norms %.4g to %.4g): pass --normalize to divide them by their norms", wrong.Count, len(e.q), what, lo, hi)
		return append(found, wrong)
	}
	if loose.Count > 0 {
		loose.Message = fmt.Sprintf("%d of %d %s rows are of unit norm only roughly (norms %.5f to %.5f), as stored in half precision; --normalize mends it", loose.Count, len(e.q), what, lo, hi)
		found = append(found, loose)
	}
	return found
}

// notFinite says which value of a row cannot be measured.
func (m Matrix) notFinite(i int) string {
	for j := range m.Cols {
		var v float64
		if m.F64 != nil {
			v = m.F64[i*m.Cols+j]
		} else {
			v = float64(m.F32[i*m.Cols+j])
		}
		switch {
		case math.IsNaN(v):
			return fmt.Sprintf("NaN in column %d", j)
		case math.IsInf(v, 0):
			return fmt.Sprintf("an infinite value in column %d", j)
		}
	}
	return "values too large to have a norm"
}

// checkRepeats looks for rows that are exactly equal.
func (s *Set) checkRepeats(images, texts examined) []Finding {
	var found []Finding
	// Rows of different names are not one file appended to another: a model
	// that gives equal embeddings to many things is only warned of.
	same := func(names []string) func(i, k int) bool {
		return func(i, k int) bool { return len(names) == 0 || names[i] == names[k] }
	}
	sameID, sameClass := same(s.IDs), same(s.ClassNames)
	sameImage := func(i, k int) bool { return s.Labels[i] == s.Labels[k] && sameID(i, k) }
	if f, ok := appended("image", images, sameImage); ok {
		return append(found, f)
	}
	if len(s.ClassNames) == s.Classes() || len(s.ClassNames) == 0 {
		if f, ok := appended("caption", texts, sameClass); ok {
			return append(found, f)
		}
	}
	if f, first := repeats(images); f.Count > 0 {
		f.Severity, f.Code = Warn, "duplicate_images"
		f.Message = fmt.Sprintf("image rows %s and %s are exactly equal%s", s.imageName(first), s.imageName(f.Rows[0]), f.others("repeats"))
		found = append(found, f)
	}
	if f, first := repeats(texts); f.Count > 0 {
		f.Severity, f.Code = Warn, "duplicate_captions"
		f.Message = fmt.Sprintf("the captions of classes %s and %s have exactly equal embeddings%s", s.ClassName(first), s.ClassName(f.Rows[0]), f.others("repeats"))
		found = append(found, f)
	}
	return found
}

// appended finds rows that are the same block two or more times, as a writer
// leaves them that appends to the file of an earlier run.
func appended(what string, e examined, same func(i, k int) bool) (Finding, bool) {
	n := len(e.hash)
	for parts := 2; parts <= 8; parts++ {
		size := n / parts
		if n%parts != 0 || size < 2 {
			continue
		}
		repeated := true
		for i := size; i < n && repeated; i++ {
			k := i - size
			repeated = e.hash[i] == e.hash[k] && same(i, k) && e.equal(i, k)
		}
		if repeated {
			return Finding{Severity: Refuse, Code: "doubled", Count: n - size,
				Message: fmt.Sprintf("%s rows 0..%d are there %d times: the file was appended to instead of replaced; keep the first %d rows", what, size-1, parts, size)}, true
		}
	}
	return Finding{}, false
}

// repeats finds rows equal to an earlier one; first is what the first of them
// repeats.
func repeats(e examined) (f Finding, first int) {
	seen := make(map[uint64]int, len(e.hash))
	for i, h := range e.hash {
		k, known := seen[h]
		if !known {
			seen[h] = i
			continue
		}
		if e.equal(i, k) {
			if f.Count == 0 {
				first = k
			}
			f.at(i)
		}
	}
	return f, first
}

// at counts a row and keeps its number if it is among the first.
func (f *Finding) at(i int) {
	f.Count++
	if len(f.Rows) < shownRows {
		f.Rows = append(f.Rows, i)
	}
}

// others tells how many there are beyond the first.
func (f *Finding) others(what string) string {
	if f.Count < 2 {
		return ""
	}
	return fmt.Sprintf(" (and %d further %s)", f.Count-1, what)
}
