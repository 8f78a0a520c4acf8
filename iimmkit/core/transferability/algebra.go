package transferability

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"github.com/iimmkit/iimm/iimmkit/core/matmul"
)

// eps is the distance of 1 to the next float64.
const eps = 0x1p-52

func matrix(rows, cols int, data []float64) blas64.General {
	return blas64.General{Rows: rows, Cols: cols, Stride: cols, Data: data}
}

func zeros(rows, cols int) blas64.General { return matrix(rows, cols, make([]float64, rows*cols)) }

func dot(x, y []float64) float64 {
	s := 0.0
	for j, v := range x {
		s += v * y[j]
	}
	return s
}

// scatter returns sum_i (x_i - center(i)) (x_i - center(i))' over the rows of x.
func scatter(x blas64.General, center func(i int) []float64) blas64.General {
	const block = 1024
	d := x.Cols
	out := zeros(d, d)
	z := make([]float64, min(block, x.Rows)*d)
	for from := 0; from < x.Rows; from += block {
		rows := min(block, x.Rows-from)
		for i := range rows {
			m := center(from + i)
			for j, v := range x.Data[(from+i)*x.Stride:][:d] {
				z[i*d+j] = v - m[j]
			}
		}
		m := matrix(rows, d, z[:rows*d])
		matmul.Gemm(blas.Trans, blas.NoTrans, 1, m, m, 1, out)
	}
	return out
}

// within returns sum_c pi_c cov0(rows of class c), the pooled covariance of x
// [n,d] about its class means [classes,d].
func (s *Sample) within(x, means blas64.General) blas64.General {
	w := scatter(x, func(i int) []float64 { return means.Data[s.y[i]*means.Cols:][:means.Cols] })
	scale(w, 1/float64(s.n))
	return w
}

func scale(m blas64.General, by float64) {
	for i := range m.Data {
		m.Data[i] *= by
	}
}

// shrink replaces a by (1-l) a + l (tr a / dim a) I.
func shrink(a blas64.General, l float64) {
	m := trace(a) / float64(a.Rows)
	scale(a, 1-l)
	for j := range a.Rows {
		a.Data[j*a.Stride+j] += l * m
	}
}

func trace(a blas64.General) float64 {
	t := 0.0
	for j := range a.Rows {
		t += a.Data[j*a.Stride+j]
	}
	return t
}

func symmetric(a blas64.General) *mat.SymDense { return mat.NewSymDense(a.Rows, a.Data) }

// groupMeans returns the class means [classes,d] of other rows of the same images.
func (s *Sample) groupMeans(x blas64.General) blas64.General {
	m := zeros(s.classes, x.Cols)
	for i, c := range s.y {
		to := m.Data[c*x.Cols:][:x.Cols]
		for j, v := range x.Data[i*x.Stride:][:x.Cols] {
			to[j] += v / float64(s.count(c))
		}
	}
	return m
}

// principalAxes are the eigenvectors of cov0(images), largest eigenvalue first.
type principalAxes struct {
	values  []float64      // [d], not below 0
	vectors blas64.General // [d,d], an axis a column
	rank    int            // eigenvalues that are more than rounding
}

func (s *Sample) findAxes() (*principalAxes, error) {
	if err := s.affordable(float64(s.d)*float64(s.d)*(float64(s.n)+20*float64(s.d)), 3*float64(s.d)*float64(s.d)); err != nil {
		return nil, err
	}
	c := scatter(s.x, func(int) []float64 { return s.mean })
	scale(c, 1/float64(s.n))
	var e mat.EigenSym
	if !e.Factorize(symmetric(c), true) {
		return nil, errors.New("the eigenvalues of the images' covariance cannot be found")
	}
	ascending := e.Values(nil)
	var v mat.Dense
	e.VectorsTo(&v)
	d := s.d
	a := &principalAxes{values: make([]float64, d), vectors: zeros(d, d)}
	for k := range d {
		a.values[k] = max(0, ascending[d-1-k])
		for j := range d {
			a.vectors.Data[j*d+k] = v.At(j, d-1-k)
		}
	}
	cut := eps * float64(max(s.n, d)) * a.values[0]
	for a.rank < min(d, s.n-1) && a.values[a.rank] > cut {
		a.rank++
	}
	return a, nil
}

// project returns the first k coordinates [n,k] of the centred images.
func (s *Sample) project(a *principalAxes, k int) blas64.General {
	z := zeros(s.n, k)
	v := blas64.General{Rows: s.d, Cols: k, Stride: s.d, Data: a.vectors.Data}
	matmul.Gemm(blas.NoTrans, blas.NoTrans, 1, s.x, v, 0, z)
	shift := zeros(1, k)
	matmul.Gemm(blas.NoTrans, blas.NoTrans, 1, matrix(1, s.d, s.mean), v, 0, shift)
	for i := range s.n {
		for j := range k {
			z.Data[i*k+j] -= shift.Data[j]
		}
	}
	return z
}

// spectrum is of the singular value decomposition x = U diag(values) V' of the
// images as they are; columns of vectors are those of V.
type spectrum struct {
	values  []float64 // [min(n,d)], descending
	vectors *mat.Dense
}

func (s *Sample) findSpectrum() (*spectrum, error) { return findSpectrum(s, s.x) }

func findSpectrum(s *Sample, x blas64.General) (*spectrum, error) {
	short := float64(min(x.Rows, x.Cols))
	if err := s.affordable(10*short*float64(x.Rows)*float64(x.Cols), 2*float64(len(x.Data))); err != nil {
		return nil, err
	}
	var f mat.SVD
	if !f.Factorize(mat.NewDense(x.Rows, x.Cols, x.Data), mat.SVDThinV) {
		return nil, errors.New("the singular values of the images cannot be found")
	}
	out := &spectrum{values: f.Values(nil), vectors: &mat.Dense{}}
	f.VTo(out.vectors)
	return out, nil
}

// nuclear returns the sum of the singular values.
func nuclear(m blas64.General) (float64, error) {
	var f mat.SVD
	if !f.Factorize(mat.NewDense(m.Rows, m.Cols, m.Data), mat.SVDNone) {
		return 0, errors.New("singular values cannot be found")
	}
	sum := 0.0
	for _, v := range f.Values(nil) {
		sum += v
	}
	return sum, nil
}

// softmax replaces the rows of m by their softmax.
func softmax(m blas64.General) {
	for i := range m.Rows {
		row := m.Data[i*m.Stride:][:m.Cols]
		top := row[argmax(row)]
		sum := 0.0
		for c, v := range row {
			row[c] = math.Exp(v - top)
			sum += row[c]
		}
		for c := range row {
			row[c] /= sum
		}
	}
}

// argmax returns the first of the largest.
func argmax(v []float64) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}
