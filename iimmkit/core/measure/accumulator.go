package measure

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Accumulator gathers the sufficient statistics of image embeddings in one
// pass: per class (New) or, for a fixed table of captions, fused into d+3
// numbers whatever the number of classes is (NewFused). Accumulators of parts
// of a set merge to that of the whole.
//
// The sums are taken row after row whatever the batches and the number of
// processors are, so that the same rows give the same bits.
type Accumulator struct {
	classes, dim int
	normalize    bool
	fused        bool
	texts        *Texts   // fused, and not read by UnmarshalBinary
	textHash     [32]byte // fused

	count  []int64   // images per class; fused: all images at [0]
	sum    []float64 // S_c, [C,d]; fused: S, [d]
	q      []float64 // Q_c; fused: Q at [0]
	l      float64   // fused: L
	shards map[string]struct{}
}

// New returns an empty accumulator with per-class state: C(d+2) numbers.
func New(classes, d int) (*Accumulator, error) {
	if err := checkSize(classes, d); err != nil {
		return nil, err
	}
	return &Accumulator{
		classes: classes, dim: d,
		count: make([]int64, classes), sum: make([]float64, classes*d), q: make([]float64, classes),
	}, nil
}

// NewFused returns an empty accumulator that keeps only what the measures
// need with these captions. InterByClass cannot be had from it.
func NewFused(texts *Texts) *Accumulator {
	return &Accumulator{
		classes: texts.Classes(), dim: texts.dim, fused: true, texts: texts, textHash: texts.hash,
		count: make([]int64, 1), sum: make([]float64, texts.dim), q: make([]float64, 1),
	}
}

// FromSums returns an accumulator of rows that were summed elsewhere: n images of
// each class, Q_c and S_c, [C,d]. What cannot be sums of rows is an error.
func FromSums(n []int64, q, sum []float64, d int) (*Accumulator, error) {
	a, err := New(len(n), d)
	if err != nil {
		return nil, err
	}
	if len(q) != len(n) || len(sum) != len(a.sum) {
		return nil, fmt.Errorf("%d squared norms and %d sums for %d classes of width %d", len(q), len(sum), len(n), d)
	}
	total := int64(0)
	for c, v := range n {
		if v < 0 || v > math.MaxInt64/2-total {
			return nil, fmt.Errorf("class %d has %d images", c, v)
		}
		total += v
	}
	copy(a.count, n)
	copy(a.q, q)
	copy(a.sum, sum)
	if err := a.check(); err != nil {
		return nil, err
	}
	return a, nil
}

func checkSize(classes, d int) error {
	switch {
	case classes < 2:
		return fmt.Errorf("IIMM needs at least 2 classes, have %d", classes)
	case d < 1:
		return fmt.Errorf("embeddings of width %d", d)
	case classes > math.MaxInt/16/d:
		return fmt.Errorf("%d classes of width %d do not fit in memory", classes, d)
	}
	return nil
}

// SetNormalize makes every further row be divided by its norm. It must be
// called before the first row.
func (a *Accumulator) SetNormalize(on bool) error {
	if a.N() > 0 {
		return errors.New("normalisation cannot change after rows were added")
	}
	a.normalize = on
	return nil
}

// Classes returns C.
func (a *Accumulator) Classes() int { return a.classes }

// Dim returns the width d of the embeddings.
func (a *Accumulator) Dim() int { return a.dim }

// N returns the number of rows added.
func (a *Accumulator) N() int64 {
	n := int64(0)
	for _, c := range a.count {
		n += c
	}
	return n
}

// Counts returns the images per class, nil for a fused accumulator.
func (a *Accumulator) Counts() []int64 {
	if a.fused {
		return nil
	}
	return slices.Clone(a.count)
}

// Add adds one image embedding with its class. A row of another width, with
// NaN or infinite entries or of norm zero, or a label outside 0..C-1, is an
// error that names the row by its number among all rows added; the
// accumulator is then unchanged.
func (a *Accumulator) Add(row []float32, label int) error {
	return addBatch(a, row, []int{label})
}

// AddFloat64 is Add for a row in float64.
func (a *Accumulator) AddFloat64(row []float64, label int) error {
	return addBatch(a, row, []int{label})
}

// AddBatch adds len(labels) rows, [n,d] row by row, on all processors. When
// one is unfit, as for Add, none is added.
func (a *Accumulator) AddBatch(rows []float32, labels []int) error {
	return addBatch(a, rows, labels)
}

// AddBatchFloat64 is AddBatch for rows in float64.
func (a *Accumulator) AddBatchFloat64(rows []float64, labels []int) error {
	return addBatch(a, rows, labels)
}

const (
	// rowBlock rows are examined by a goroutine at once.
	rowBlock = 512
	// minStripe columns are summed by a goroutine at least: eight cache lines of float32.
	minStripe = 128
)

func addBatch[F Float](a *Accumulator, rows []F, labels []int) error {
	n, d := len(labels), a.dim
	if n == 1 && len(rows) != d {
		return fmt.Errorf("row %d has width %d, want %d", a.N(), len(rows), d)
	}
	if len(rows) != n*d {
		return fmt.Errorf("%d numbers are not %d rows of width %d", len(rows), n, d)
	}
	if a.fused && a.texts == nil {
		return errors.New("an accumulator read from bytes has no captions: it can be merged, not added to")
	}
	first := a.N()
	for i, y := range labels {
		if y < 0 || y >= a.classes {
			return fmt.Errorf("row %d has label %d, want 0..%d", first+int64(i), y, a.classes-1)
		}
	}

	// First what each row is by itself: nothing is added before all are known
	// to be fit.
	q := make([]float64, n)
	var l []float64
	if a.fused {
		l = make([]float64, n)
	}
	blocks := (n + rowBlock - 1) / rowBlock
	bad := make([]int, blocks)
	parallel(blocks, func(b int) {
		bad[b] = -1
		for i := b * rowBlock; i < min(n, (b+1)*rowBlock); i++ {
			row := rows[i*d : (i+1)*d]
			q[i] = dot(row, row)
			if !(q[i] > 0) || math.IsInf(q[i], 0) {
				bad[b] = i
				return
			}
			if l != nil {
				l[i] = dot(row, a.texts.Row(labels[i]))
			}
		}
	})
	for _, i := range bad {
		if i >= 0 {
			return fmt.Errorf("row %d %s", first+int64(i), badRow(rows[i*d:(i+1)*d], q[i]))
		}
	}

	// Then the vector sums. Goroutines share the columns, not the rows: every
	// column is summed from the first row to the last, whoever does it.
	stripes := max(1, d/minStripe)
	if n < rowBlock {
		stripes = 1
	}
	parallel(stripes, func(s int) {
		lo, hi := s*d/stripes, (s+1)*d/stripes
		for i, y := range labels {
			if a.fused {
				y = 0
			}
			row, sum := rows[i*d+lo:i*d+hi], a.sum[y*d+lo:y*d+hi]
			if a.normalize {
				addScaled(sum, row, 1/math.Sqrt(q[i]))
			} else {
				add(sum, row)
			}
		}
	})
	for i, y := range labels {
		w := 1.0
		if a.normalize {
			w = 1 / math.Sqrt(q[i])
		}
		if a.fused {
			y = 0
			a.l += w * l[i]
		}
		a.count[y]++
		a.q[y] += w * w * q[i]
	}
	return nil
}

// MarkShard records that the rows are those of a named part of a set. Merge
// refuses to count a named part twice.
func (a *Accumulator) MarkShard(id string) error {
	if _, found := a.shards[id]; found {
		return fmt.Errorf("shard %q is already in the accumulator", id)
	}
	if a.shards == nil {
		a.shards = map[string]struct{}{}
	}
	a.shards[id] = struct{}{}
	return nil
}

// Shards returns the names given to MarkShard, of this accumulator and of
// those merged into it, sorted.
func (a *Accumulator) Shards() []string { return slices.Sorted(maps.Keys(a.shards)) }

// Merge adds the statistics of o, which stays as it is. Both must be of the
// same kind, classes, width, normalisation and captions, and share no shard;
// else a is unchanged.
func (a *Accumulator) Merge(o *Accumulator) error {
	switch {
	case a.classes != o.classes || a.dim != o.dim:
		return fmt.Errorf("merge: %d classes of width %d with %d of width %d", a.classes, a.dim, o.classes, o.dim)
	case a.fused != o.fused:
		return errors.New("merge: per-class statistics with text-fused ones")
	case a.normalize != o.normalize:
		return errors.New("merge: normalised rows with rows as they were")
	case a.textHash != o.textHash:
		return errors.New("merge: statistics fused with different captions")
	}
	for id := range o.shards {
		if _, twice := a.shards[id]; twice {
			return fmt.Errorf("merge: shard %q is in both", id)
		}
	}
	for _, n := range []int64{a.N(), o.N()} {
		if n > math.MaxInt64/2 {
			return errors.New("merge: too many rows to count")
		}
	}
	if a.shards == nil && len(o.shards) > 0 {
		a.shards = map[string]struct{}{}
	}
	maps.Copy(a.shards, o.shards)
	for i, v := range o.count {
		a.count[i] += v
	}
	add(a.sum, o.sum)
	add(a.q, o.q)
	a.l += o.l
	return nil
}

// Result measures what was added against the captions, for a fused
// accumulator those it was made for. It fails for fewer than 2 rows and for
// captions of another number or width. The accumulator can be added to
// further.
func (a *Accumulator) Result(texts *Texts) (Result, error) {
	if texts.Classes() != a.classes || texts.dim != a.dim {
		return Result{}, fmt.Errorf("%d captions of width %d for embeddings of %d classes and width %d", texts.Classes(), texts.dim, a.classes, a.dim)
	}
	if a.fused && texts.hash != a.textHash {
		return Result{}, errors.New("statistics were fused with other captions")
	}
	count := a.N()
	if count < 2 {
		return Result{}, fmt.Errorf("IIMM needs at least 2 images, have %d", count)
	}
	n, c, d := float64(count), float64(a.classes), a.dim

	s, q, l := a.sum, a.q[0], a.l
	if !a.fused {
		s, q, l = make([]float64, d), 0, 0
		for k := range a.classes {
			add(s, a.classSum(k))
			q += a.q[k]
			l += dot(a.classSum(k), texts.Row(k))
		}
	}
	r := Result{
		N: count, D: d, Classes: a.classes,
		Inter:       (dot(s, texts.sum) - l) / (n * (c - 1)),
		Intra:       (dot(s, s) - q) / (n * (n - 1)),
		Alignment:   l / n,
		IntraText:   texts.intra(),
		ModalityGap: gap(s, n, texts),
	}
	r.IIMM = (r.Inter + r.Intra) / 2
	if !a.fused {
		r.InterByClass = a.interByClass(s, texts)
	}
	if bad := r.notFinite(); bad != "" {
		return Result{}, fmt.Errorf("%s is not a finite number: the embeddings are far from unit norm", bad)
	}
	return r, nil
}

func (a *Accumulator) classSum(c int) []float64 { return a.sum[c*a.dim : (c+1)*a.dim] }

// interByClass is (1/C') sum_c (S - S_c).t_c/(N - n_c) over the C' classes
// that do not hold all images.
func (a *Accumulator) interByClass(s []float64, texts *Texts) *float64 {
	mean, classes := 0.0, 0
	n := a.N()
	for c := range a.classes {
		if others := n - a.count[c]; others > 0 {
			mean += (dot(s, texts.Row(c)) - dot(a.classSum(c), texts.Row(c))) / float64(others)
			classes++
		}
	}
	if classes == 0 {
		return nil
	}
	mean /= float64(classes)
	return &mean
}

// gap is |S/N - T/C|.
func gap(s []float64, n float64, texts *Texts) float64 {
	q, c := 0.0, float64(texts.Classes())
	for j, v := range s {
		e := v/n - texts.sum[j]/c
		q += e * e
	}
	return math.Sqrt(q)
}

// notFinite names a value that JSON could not hold, or returns "".
func (r Result) notFinite() string {
	values := []struct {
		name  string
		value float64
	}{
		{"inter", r.Inter}, {"intra", r.Intra}, {"iimm", r.IIMM}, {"alignment", r.Alignment},
		{"intra_text", r.IntraText}, {"modality_gap", r.ModalityGap},
	}
	for _, v := range values {
		if math.IsNaN(v.value) || math.IsInf(v.value, 0) {
			return v.name
		}
	}
	if r.InterByClass != nil && (math.IsNaN(*r.InterByClass) || math.IsInf(*r.InterByClass, 0)) {
		return "inter_by_class"
	}
	return ""
}
