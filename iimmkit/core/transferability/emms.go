package transferability

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"github.com/iimmkit/iimm/iimmkit/core/matmul"
)

// EMMS says how well a linear map takes the images to embeddings of their
// labels (Meng et al., "Foundation Model is Efficient Multimodal Multitask
// Model Selector", NeurIPS 2023): minus the mean squared error,
// -SSE/(n D2), with K label embeddings of width D2. At most 0.
//
// Images, and each label embedding gathered by class to [n,D2], are z-scored by
// column: (x - mean)/(sd + 1e-8), ddof 0. One step of the alternation:
// w = minimum-norm least squares of X w = (1/K) sum_k Y_k, lam = least squares
// of sum_k lam_k Y_k = X w, projected on the simplex,
// SSE = |X w - sum_k lam_k Y_k|^2, w not fitted again.
func EMMS(s *Sample) (Result, error) {
	sse, err := s.labelError()
	if err != nil {
		return Result{}, err
	}
	return Result{Value: -sse / float64(s.n) / float64(s.labelEmbeddings[0].Cols)}, nil
}

// EMMSPublished is EMMS as the authors' code scales it: -(SSE/n) D2.
func EMMSPublished(s *Sample) (Result, error) {
	sse, err := s.labelError()
	if err != nil {
		return Result{}, err
	}
	return Result{Value: -sse / float64(s.n) * float64(s.labelEmbeddings[0].Cols)}, nil
}

// findLabelError returns SSE of EMMS.
func (s *Sample) findLabelError() (float64, error) {
	if len(s.labelEmbeddings) == 0 {
		return 0, Missing{LabelEmbeddings}
	}
	x := zScored(s.x)
	d2, tables := s.labelEmbeddings[0].Cols, make([]blas64.General, len(s.labelEmbeddings))
	for k, e := range s.labelEmbeddings {
		tables[k] = s.zScoredByCount(e)
	}
	// Targets are rows of their classes: sums over images are sums over classes.
	mean := zeros(s.classes, d2)
	for _, t := range tables {
		for i, v := range t.Data {
			mean.Data[i] += v / float64(len(tables))
		}
	}
	f, err := findSpectrum(s, x)
	if err != nil {
		return 0, err
	}
	sums := zeros(s.classes, s.d) // of z-scored images by class
	for i, c := range s.y {
		to := sums.Data[c*s.d : (c+1)*s.d]
		for j, v := range x.Data[i*s.d : (i+1)*s.d] {
			to[j] += v
		}
	}
	w := leastSquares(f, s.n, sums, mean)
	fit := zeros(s.n, d2)
	matmul.Gemm(blas.NoTrans, blas.NoTrans, 1, x, w, 0, fit)
	lam, err := s.mixture(tables, fit)
	if err != nil {
		return 0, err
	}
	clear(mean.Data)
	for k, t := range tables {
		for i, v := range t.Data {
			mean.Data[i] += lam[k] * v
		}
	}
	sse := 0.0
	for i, c := range s.y {
		for q, v := range fit.Data[i*d2 : (i+1)*d2] {
			e := v - mean.Data[c*d2+q]
			sse += e * e
		}
	}
	return sse, nil
}

// leastSquares returns the minimum-norm w [d,D2] of X w = Y, X = U diag(s) V' of
// n rows with class sums [classes,d], Y the rows of target [classes,D2] by class.
func leastSquares(f *spectrum, n int, sums, target blas64.General) blas64.General {
	d, d2 := sums.Cols, target.Cols
	xy := zeros(d, d2)
	matmul.Gemm(blas.Trans, blas.NoTrans, 1, sums, target, 0, xy)
	v := f.vectors.RawMatrix()
	onAxes := zeros(v.Cols, d2)
	matmul.Gemm(blas.Trans, blas.NoTrans, 1, v, xy, 0, onAxes)
	cut := eps * float64(max(n, d)) * f.values[0]
	for k, s := range f.values {
		row := onAxes.Data[k*d2 : (k+1)*d2]
		if s <= cut {
			clear(row)
			continue
		}
		for q := range row {
			row[q] /= s * s
		}
	}
	w := zeros(d, d2)
	matmul.Gemm(blas.NoTrans, blas.NoTrans, 1, v, onAxes, 0, w)
	return w
}

// mixture returns the weights of the label embeddings: the least squares of
// sum_k lam_k Y_k = fit, of minimum norm, projected on the simplex.
func (s *Sample) mixture(tables []blas64.General, fit blas64.General) ([]float64, error) {
	k, d2 := len(tables), fit.Cols
	bySum := zeros(s.classes, d2)
	for i, c := range s.y {
		for q, v := range fit.Data[i*d2 : (i+1)*d2] {
			bySum.Data[c*d2+q] += v
		}
	}
	gram, right := mat.NewSymDense(k, nil), make([]float64, k)
	for a := range k {
		right[a] = dot(tables[a].Data, bySum.Data)
		for b := a; b < k; b++ {
			g := 0.0
			for c := range s.classes {
				g += float64(s.count(c)) * dot(tables[a].Data[c*d2:(c+1)*d2], tables[b].Data[c*d2:(c+1)*d2])
			}
			gram.SetSym(a, b, g)
		}
	}
	var e mat.EigenSym
	if !e.Factorize(gram, true) {
		return nil, fmt.Errorf("the weights of %d label embeddings cannot be found", k)
	}
	var v mat.Dense
	e.VectorsTo(&v)
	values := e.Values(nil)
	lam := make([]float64, k)
	for q, value := range values {
		// Equal tables make a gram of lower rank, to rounding.
		if value <= 1e-12*values[k-1] {
			continue
		}
		along := 0.0
		for a := range k {
			along += v.At(a, q) * right[a]
		}
		for a := range k {
			lam[a] += v.At(a, q) * along / value
		}
	}
	return sparsemax(lam), nil
}

// sparsemax is the point of the probability simplex that is nearest to z.
func sparsemax(z []float64) []float64 {
	sorted := slices.Clone(z)
	slices.Sort(sorted)
	slices.Reverse(sorted)
	sum, tau := 0.0, 0.0
	for i, v := range sorted {
		sum += v
		if 1+float64(i+1)*v > sum {
			tau = (sum - 1) / float64(i+1)
		}
	}
	out := make([]float64, len(z))
	for i, v := range z {
		out[i] = max(v-tau, 0)
	}
	return out
}

// zScored returns the columns of x as (x - mean)/(sd + 1e-8).
func zScored(x blas64.General) blas64.General {
	return weightedZScore(x, float64(x.Rows), func(int) float64 { return 1 })
}

// zScoredByCount is zScored of the rows of e [classes,·] gathered over the images.
func (s *Sample) zScoredByCount(e blas64.General) blas64.General {
	return weightedZScore(e, float64(s.n), func(c int) float64 { return float64(s.count(c)) })
}

func weightedZScore(x blas64.General, total float64, weight func(i int) float64) blas64.General {
	mean, square := make([]float64, x.Cols), make([]float64, x.Cols)
	for i := range x.Rows {
		for j, v := range x.Data[i*x.Stride:][:x.Cols] {
			mean[j] += weight(i) * v
		}
	}
	for j := range mean {
		mean[j] /= total
	}
	for i := range x.Rows {
		for j, v := range x.Data[i*x.Stride:][:x.Cols] {
			square[j] += weight(i) * (v - mean[j]) * (v - mean[j])
		}
	}
	out := zeros(x.Rows, x.Cols)
	for i := range x.Rows {
		for j, v := range x.Data[i*x.Stride:][:x.Cols] {
			out.Data[i*x.Cols+j] = (v - mean[j]) / (math.Sqrt(square[j]/total) + 1e-8)
		}
	}
	return out
}
