// Package projection flattens embeddings for maps.
package projection

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// block is the number of rows widened to float64 at a time.
const block = 512

// PCA projects the rows of x [n,d] (row after row) onto their first k
// principal axes: the eigenvectors of the rows' covariance with the largest
// eigenvalues. To map images and captions together, pass the rows of both.
//
// coords [n,k] are the coordinates of the centred rows, explained [k] the
// share of the total variance along each axis, in [0,1] and descending. The
// sign of an axis is arbitrary; here its loading of largest magnitude (the
// first of equal ones) is positive, so that the same rows give the same map.
//
// The covariance is summed in float64; time O(n d²), for narrow rows also O(d³),
// memory O(d² + n k).
// x is not changed. It is an error when there are fewer than two rows, when k
// is not in 1..d, when a value is NaN or infinite, or when all rows are equal.
func PCA(x []float32, d, k int) (coords, explained []float64, err error) {
	if d < 1 || len(x)%d != 0 {
		return nil, nil, fmt.Errorf("projection: %d values are not rows of width %d", len(x), d)
	}
	n := len(x) / d
	if n < 2 {
		return nil, nil, fmt.Errorf("projection: %d rows, want at least 2", n)
	}
	if k < 1 || k > d {
		return nil, nil, fmt.Errorf("projection: %d axes of %d-dimensional rows, want 1 to %d", k, d, d)
	}
	mean := make([]float64, d)
	for i, v := range x {
		if v := float64(v); math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, nil, fmt.Errorf("projection: row %d, column %d is %v", i/d, i%d, v)
		}
		mean[i%d] += float64(v)
	}
	for j := range mean {
		mean[j] /= float64(n)
	}

	cov := mat.NewSymDense(d, nil)
	rows := make([]float64, block*d)
	for from := 0; from < n; from += block {
		to := min(n, from+block)
		centred := rows[:(to-from)*d]
		for i := range centred {
			centred[i] = float64(x[from*d+i]) - mean[i%d]
		}
		blas64.Syrk(blas.Trans, 1, blas64.General{Rows: to - from, Cols: d, Stride: d, Data: centred}, 1, cov.RawSymmetric())
	}
	total := 0.0
	for j := range d {
		total += cov.At(j, j)
	}
	if total == 0 {
		return nil, nil, errors.New("projection: all rows are equal, there is nothing to map")
	}
	values, vectors, err := topAxes(cov, k)
	if err != nil {
		return nil, nil, err
	}
	axes := make([]float64, k*d) // [k,d]
	explained = make([]float64, k)
	for a := range k {
		explained[a] = math.Max(0, values[a]) / total
		largest := 0
		for j := range d {
			axes[a*d+j] = vectors.At(j, a)
			// Loadings equal but for rounding must not decide by rounding.
			if math.Abs(axes[a*d+j]) > math.Abs(axes[a*d+largest])*(1+1e-9) {
				largest = j
			}
		}
		if axes[a*d+largest] < 0 {
			for j := range d {
				axes[a*d+j] = -axes[a*d+j]
			}
		}
	}
	coords = make([]float64, n*k)
	for i := range n {
		row := x[i*d : (i+1)*d]
		for a := range k {
			sum := 0.0
			for j, v := range row {
				sum += (float64(v) - mean[j]) * axes[a*d+j]
			}
			coords[i*k+a] = sum
		}
	}
	return coords, explained, nil
}
