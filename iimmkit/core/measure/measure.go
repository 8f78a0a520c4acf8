// Package measure computes the Inter-Intra Modal Measure (IIMM) of a set of
// image embeddings and its class captions, and the quantities beside it, from
// sufficient statistics that are gathered in one pass and can be merged.
//
// Notation: X holds N image embeddings x_i with classes y_i in 0..C-1, T holds
// C caption embeddings t_c, one per class; all have unit norm and d entries.
//
//	Inter        (1/N) sum_i 1/(C-1) sum_{c != y_i} x_i.t_c    mean similarity to the wrong captions
//	Intra        2/(N(N-1)) sum_{i<j} x_i.x_j                  mean cosine of distinct image pairs
//	IIMM         (Inter + Intra)/2
//	Alignment    (1/N) sum_i x_i.t_{y_i}                       mean similarity to the right caption
//	InterByClass (1/C) sum_c mean of x_i.t_c over y_i != c     as Inter, captions weighing equally
//	IntraText    mean cosine of distinct caption pairs
//	ModalityGap  | mean(x) - mean(t) |
//
// They follow from S = sum x_i, Q = sum |x_i|^2, L = sum_i x_i.t_{y_i} and
// T = sum_c t_c, without the double sums:
//
//	Intra = (|S|^2 - Q)/(N(N-1))    Inter = (S.T - L)/(N(C-1))    ModalityGap = |S/N - T/C|
//
// IIMM is from Niss, Vogt-Lowell and Tsiligkaridis, "Quantifying the
// Inter-Intra Modal Measure", arXiv:2407.15731.
//
// All sums are in float64 whatever the rows' precision. The package needs
// nothing but the standard library, so that any worker can link it.
package measure

// Float is the precision rows come in.
type Float interface{ ~float32 | ~float64 }

// Result is what is measured of a set. All values but N, D and Classes lie in
// [-1, 1] for unit-norm rows, ModalityGap in [0, 2].
type Result struct {
	N       int64 `json:"n"`
	D       int   `json:"d"`
	Classes int   `json:"classes"`

	IIMM      float64 `json:"iimm"`
	Inter     float64 `json:"inter"`
	Intra     float64 `json:"intra"`
	Alignment float64 `json:"alignment"`
	// InterByClass is nil without per-class state, or when no class has an
	// image outside it.
	InterByClass *float64 `json:"inter_by_class"`
	IntraText    float64  `json:"intra_text"`
	ModalityGap  float64  `json:"modality_gap"`
}

// Compute measures images, [n,d] row by row, with labels in 0..C-1, against
// texts, [C,d]. Rows are taken as they are: unit norm is the caller's care.
func Compute[X, T Float](images []X, labels []int, texts []T, d int) (Result, error) {
	t, err := NewTexts(texts, d)
	if err != nil {
		return Result{}, err
	}
	a, err := New(t.Classes(), d)
	if err != nil {
		return Result{}, err
	}
	if err := addBatch(a, images, labels); err != nil {
		return Result{}, err
	}
	return a.Result(t)
}
