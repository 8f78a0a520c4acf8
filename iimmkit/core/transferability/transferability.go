// Package transferability computes the scores that are said to tell, before any
// tuning, how well an encoder will do on a task: one score a file, each a
// function of a Sample, its convention in its comment. They are the baselines
// that IIMM and a forecast stand beside.
//
// Of every score the higher value is meant to be the better prospect, unless
// its comment says otherwise. All is in float64. Values of models of different
// width, or of tasks with different numbers of classes, are seldom comparable.
//
// A score depends on nothing but the sample: not on the order of its rows, not
// on how its classes are numbered, not on what was computed before, not on the
// number of processors; down to the last bit, for a Sample keeps rows and
// classes in an order that their contents give.
package transferability

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/blas/blas64"
)

// Input is what scores can be computed of. Images and Labels are needed by
// all; what is nil is missed by the scores that need it.
type Input struct {
	// Images holds N rows of D numbers, row after row.
	Images []float64
	D      int
	// Labels [N] are classes 0..Classes-1. Classes may lack images.
	Labels  []int
	Classes int
	// Texts [Classes,D] is a caption embedding for each class.
	Texts []float64
	// Source [N,Outcomes] holds the probabilities that a source model gives its
	// own outcomes for each image, for LEEP and NCE. Rows sum to one.
	Source   []float64
	Outcomes int
	// LabelEmbeddings are tables [Classes,LabelDim], each the class names as
	// another language model embeds them, for EMMS.
	LabelEmbeddings [][]float64
	LabelDim        int
	// Normalize divides the rows of Images and Texts by their norms.
	Normalize bool
}

// Sample is an Input made ready: examined, copied, in an order of its own.
// It may be used by several goroutines.
type Sample struct {
	n, d, classes int
	x             blas64.General // [n,d], class after class
	start         []int          // [classes+1], first row of each class
	y             []int          // [n]
	mean          []float64      // [d]
	means         blas64.General // [classes,d]
	// texts is [captions,d]: those of the classes, then of classes without images.
	texts           *blas64.General
	source          *blas64.General  // [n,outcomes]
	labelEmbeddings []blas64.General // [classes,dim]

	// What several scores need, computed when first asked for.
	axes       func() (*principalAxes, error)
	spectrum   func() (*spectrum, error)
	labelError func() (float64, error)
}

// Result is the value of a score and what its reader must know of it.
type Result struct {
	Value    float64
	Warnings []string
}

// New examines and copies an input. Bad input is an error that names the row:
// NaN, infinite values, labels out of range, parts that do not fit together,
// fewer than two classes with images, all classes of one image, images that
// are all the same.
func New(in Input) (*Sample, error) {
	n, err := in.check()
	if err != nil {
		return nil, err
	}
	order := canonical(in, n)
	s := &Sample{n: n, d: in.D, classes: order.present, start: []int{0}, y: make([]int, n)}
	s.x = matrix(n, s.d, make([]float64, n*s.d))
	for to, from := range order.rows {
		row := s.row(to)
		copy(row, in.Images[from*s.d:(from+1)*s.d])
		if in.Normalize {
			unit(row)
		}
		s.y[to] = order.rank[in.Labels[from]]
		if to > 0 && s.y[to] != s.y[to-1] {
			s.start = append(s.start, to)
		}
	}
	s.start = append(s.start, n)
	if in.Texts != nil {
		t := matrix(in.Classes, s.d, make([]float64, in.Classes*s.d))
		for c := range in.Classes {
			row := t.Data[order.rank[c]*s.d:][:s.d]
			copy(row, in.Texts[c*s.d:])
			if in.Normalize {
				unit(row)
			}
		}
		s.texts = &t
	}
	if in.Source != nil {
		p := matrix(n, in.Outcomes, make([]float64, n*in.Outcomes))
		for to, from := range order.rows {
			copy(p.Data[to*in.Outcomes:(to+1)*in.Outcomes], in.Source[from*in.Outcomes:])
		}
		s.source = &p
	}
	for _, table := range in.LabelEmbeddings {
		e := matrix(s.classes, in.LabelDim, make([]float64, s.classes*in.LabelDim))
		for c, to := range order.rank {
			if to < s.classes {
				copy(e.Data[to*in.LabelDim:(to+1)*in.LabelDim], table[c*in.LabelDim:])
			}
		}
		s.labelEmbeddings = append(s.labelEmbeddings, e)
	}
	s.takeMeans()
	if s.constant() {
		return nil, errors.New("all images have the same embedding: there is nothing to score")
	}
	s.axes = sync.OnceValues(s.findAxes)
	s.spectrum = sync.OnceValues(s.findSpectrum)
	s.labelError = sync.OnceValues(s.findLabelError)
	return s, nil
}

// N returns the number of images.
func (s *Sample) N() int { return s.n }

// Classes returns the number of classes that have images.
func (s *Sample) Classes() int { return s.classes }

func (s *Sample) row(i int) []float64 { return s.x.Data[i*s.d : (i+1)*s.d] }

func (s *Sample) classMean(c int) []float64 { return s.means.Data[c*s.d : (c+1)*s.d] }

// count returns the number of images of class c.
func (s *Sample) count(c int) int { return s.start[c+1] - s.start[c] }

// share returns the fraction of images that class c has.
func (s *Sample) share(c int) float64 { return float64(s.count(c)) / float64(s.n) }

func (s *Sample) takeMeans() {
	s.mean = make([]float64, s.d)
	s.means = matrix(s.classes, s.d, make([]float64, s.classes*s.d))
	for c := range s.classes {
		m := s.classMean(c)
		for i := s.start[c]; i < s.start[c+1]; i++ {
			for j, v := range s.row(i) {
				m[j] += v
			}
		}
		for j, v := range m {
			s.mean[j] += v / float64(s.n)
			m[j] = v / float64(s.count(c))
		}
	}
}

func (s *Sample) constant() bool {
	for i := 1; i < s.n; i++ {
		if !slices.Equal(s.row(0), s.row(i)) {
			return false
		}
	}
	return true
}

// singles warns of classes without spread, for scores that rest on it.
func (s *Sample) singles(what string) []string {
	n := 0
	for c := range s.classes {
		if s.count(c) == 1 {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d of %d classes have one image only: %s", n, s.classes, what)}
}

const (
	// mostWork is the number of multiplications above which a score is refused:
	// more than half an hour on two cores.
	mostWork = 2e13
	// mostMemory is the number of float64 that a score may hold at a time.
	mostMemory = 1 << 29
)

// affordable refuses what would take hours or all memory: work is a number of
// multiplications, memory one of float64.
func (s *Sample) affordable(work, memory float64) error {
	if work > mostWork || memory > mostMemory {
		return fmt.Errorf("%d images of %d classes and width %d are too many for this score (%.1g multiplications, %.1f GB): take a sample",
			s.n, s.classes, s.d, work, memory*8/1e9)
	}
	return nil
}

func (in Input) check() (n int, err error) {
	n, d := len(in.Labels), in.D
	switch {
	case d < 1:
		return 0, fmt.Errorf("embeddings of width %d", d)
	case n == 0:
		return 0, errors.New("no images")
	case len(in.Images) != n*d:
		return 0, fmt.Errorf("images: %d numbers are not %d rows of width %d", len(in.Images), n, d)
	case in.Classes < 2:
		return 0, fmt.Errorf("scores need at least 2 classes, have %d", in.Classes)
	}
	count := make(map[int]int)
	for i, y := range in.Labels {
		if y < 0 || y >= in.Classes {
			return 0, fmt.Errorf("image row %d has label %d, want 0..%d", i, y, in.Classes-1)
		}
		count[y]++
	}
	if len(count) < 2 {
		return 0, errors.New("all images are of one class: scores need at least 2")
	}
	if len(count) == n {
		return 0, fmt.Errorf("each of the %d classes has one image only: nothing can be said of their spread", n)
	}
	tables := []struct {
		name       string
		data       []float64
		rows, cols int
		vectors    bool // that have a direction
	}{{"image", in.Images, n, d, true}}
	if in.Texts != nil {
		tables = append(tables, tables[0])
		t := &tables[1]
		t.name, t.data, t.rows = "caption", in.Texts, in.Classes
	}
	if in.Source != nil {
		tables = append(tables, tables[0])
		t := &tables[len(tables)-1]
		t.name, t.data, t.cols, t.vectors = "source", in.Source, in.Outcomes, false
	}
	for k, table := range in.LabelEmbeddings {
		tables = append(tables, tables[0])
		t := &tables[len(tables)-1]
		t.name, t.data, t.rows, t.cols, t.vectors = fmt.Sprintf("label embedding %d", k), table, in.Classes, in.LabelDim, false
	}
	for _, t := range tables {
		if t.cols < 1 || len(t.data) != t.rows*t.cols {
			return 0, fmt.Errorf("%s: %d numbers are not %d rows of width %d", t.name, len(t.data), t.rows, t.cols)
		}
		for i := range t.rows {
			q := 0.0
			for j, v := range t.data[i*t.cols : (i+1)*t.cols] {
				if v-v != 0 { // NaN or infinite
					return 0, fmt.Errorf("%s row %d has %v in column %d", t.name, i, v, j)
				}
				q += v * v
			}
			if math.IsInf(q, 1) {
				return 0, fmt.Errorf("%s row %d is too large to have a norm", t.name, i)
			}
			if t.vectors && in.Normalize && q == 0 {
				return 0, fmt.Errorf("%s row %d is a zero vector: it has no direction", t.name, i)
			}
		}
	}
	if in.Source != nil {
		return n, in.checkSource(n)
	}
	return n, nil
}

func (in Input) checkSource(n int) error {
	if in.Outcomes < 2 {
		return fmt.Errorf("source: %d outcome, want at least 2", in.Outcomes)
	}
	for i := range n {
		sum := 0.0
		for z, p := range in.Source[i*in.Outcomes : (i+1)*in.Outcomes] {
			if p < 0 {
				return fmt.Errorf("source row %d has %v in column %d, which is no probability (take a softmax of logits first)", i, p, z)
			}
			sum += p
		}
		if math.Abs(sum-1) > 1e-2 {
			return fmt.Errorf("source row %d sums to %.4g: probabilities sum to 1 (take a softmax of logits first)", i, sum)
		}
	}
	return nil
}

// ordering is where rows and classes of an input go.
type ordering struct {
	rows    []int // [n] input rows in their new order
	rank    []int // [classes] new number of each class; those without images last
	present int   // classes with images
}

// canonical orders by contents alone: classes by a sum of the hashes of their
// rows, rows by class and hash. Rows that are equal in all are exchangeable.
func canonical(in Input, n int) ordering {
	row := func(i int) []float64 { return in.Images[i*in.D : (i+1)*in.D] }
	source := func(i int) []float64 {
		return in.Source[i*in.Outcomes : (i+1)*in.Outcomes]
	}
	hash := make([]uint64, n)
	signature := make([]uint64, in.Classes)
	count := make([]int, in.Classes)
	for i, y := range in.Labels {
		h := mix(row(i), 1)
		if in.Source != nil {
			h = mix(source(i), h)
		}
		hash[i] = h
		signature[y] += h
		count[y]++
	}
	o := ordering{rows: make([]int, n), rank: make([]int, in.Classes)}
	classes := make([]int, in.Classes)
	for c := range classes {
		classes[c] = c
		if in.Texts != nil {
			signature[c] += mix(in.Texts[c*in.D:(c+1)*in.D], 2)
		}
		for k, table := range in.LabelEmbeddings {
			signature[c] += mix(table[c*in.LabelDim:(c+1)*in.LabelDim], uint64(3+k))
		}
		if count[c] > 0 {
			o.present++
		}
	}
	slices.SortStableFunc(classes, func(a, b int) int {
		if (count[a] > 0) != (count[b] > 0) {
			return cmp.Compare(count[b], count[a])
		}
		return cmp.Compare(signature[a], signature[b])
	})
	for to, c := range classes {
		o.rank[c] = to
	}
	for i := range o.rows {
		o.rows[i] = i
	}
	slices.SortStableFunc(o.rows, func(a, b int) int {
		by := cmp.Or(cmp.Compare(o.rank[in.Labels[a]], o.rank[in.Labels[b]]), cmp.Compare(hash[a], hash[b]))
		if by == 0 {
			by = slices.Compare(row(a), row(b))
		}
		if by == 0 && in.Source != nil {
			by = slices.Compare(source(a), source(b))
		}
		return by
	})
	return o
}

// mix hashes the bits of a row; zeros of both signs are equal.
func mix(row []float64, h uint64) uint64 {
	const prime = 0x9e3779b97f4a7c15
	for _, v := range row {
		h = (h ^ math.Float64bits(v+0)) * prime
		h ^= h >> 32
	}
	return h
}

func unit(row []float64) {
	q := 0.0
	for _, v := range row {
		q += v * v
	}
	norm := math.Sqrt(q)
	for j := range row {
		row[j] /= norm
	}
}
