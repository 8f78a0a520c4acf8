package measure

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
)

// Texts is the table of caption embeddings, one row per class, in float64.
type Texts struct {
	dim  int
	rows []float64 // [C,d]
	sum  []float64 // T
	q    float64   // sum of |t_c|^2
	hash [sha256.Size]byte
}

// NewTexts copies rows, [C,d] row by row in class order. It fails for C < 2,
// rows that are not whole, NaN, infinite or zero.
func NewTexts[F Float](rows []F, d int) (*Texts, error) {
	if d < 1 || len(rows)%d != 0 {
		return nil, fmt.Errorf("captions: %d numbers are not rows of width %d", len(rows), d)
	}
	if c := len(rows) / d; c < 2 {
		return nil, fmt.Errorf("captions: IIMM needs at least 2 classes, have %d", c)
	}
	t := &Texts{dim: d, rows: make([]float64, len(rows)), sum: make([]float64, d)}
	h := sha256.New()
	var word [8]byte
	for _, size := range []int{len(rows) / d, d} {
		binary.LittleEndian.PutUint64(word[:], uint64(size))
		h.Write(word[:])
	}
	for c := range len(rows) / d {
		row := rows[c*d : (c+1)*d]
		q := dot(row, row)
		if why := badRow(row, q); why != "" {
			return nil, fmt.Errorf("caption %d %s", c, why)
		}
		t.q += q
		for j, v := range row {
			t.rows[c*d+j] = float64(v)
			t.sum[j] += float64(v)
			binary.LittleEndian.PutUint64(word[:], math.Float64bits(float64(v)))
			h.Write(word[:])
		}
	}
	h.Sum(t.hash[:0])
	return t, nil
}

// Normalized returns the table with every row divided by its norm.
func (t *Texts) Normalized() *Texts {
	rows := make([]float64, len(t.rows))
	for c := range t.Classes() {
		row := t.Row(c)
		norm := math.Sqrt(dot(row, row))
		for j, v := range row {
			rows[c*t.dim+j] = v / norm
		}
	}
	n, err := NewTexts(rows, t.dim)
	if err != nil {
		// Rows of a table are finite and not zero, so are their quotients.
		panic(err)
	}
	return n
}

// Classes returns C.
func (t *Texts) Classes() int { return len(t.rows) / t.dim }

// Dim returns d.
func (t *Texts) Dim() int { return t.dim }

// Row returns the embedding of caption c; it must not be written to.
func (t *Texts) Row(c int) []float64 { return t.rows[c*t.dim : (c+1)*t.dim] }

// Hash identifies the table: SHA-256, in hex, of C, d and the rows in float64.
func (t *Texts) Hash() string { return hex.EncodeToString(t.hash[:]) }

// intra is the mean cosine of distinct caption pairs.
func (t *Texts) intra() float64 {
	c := float64(t.Classes())
	return (dot(t.sum, t.sum) - t.q) / (c * (c - 1))
}

// badRow says what makes a row with squared norm q unfit to be measured, or "".
func badRow[F Float](row []F, q float64) string {
	if q > 0 && !math.IsInf(q, 0) {
		return ""
	}
	for j, v := range row {
		switch f := float64(v); {
		case math.IsNaN(f):
			return fmt.Sprintf("has NaN in column %d", j)
		case math.IsInf(f, 0):
			return fmt.Sprintf("has an infinite value in column %d", j)
		}
	}
	if q > 0 {
		return "is too large to have a norm"
	}
	return "is a zero vector: it has no direction"
}
