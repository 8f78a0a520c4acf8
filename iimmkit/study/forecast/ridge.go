package forecast

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// ridge is the posterior mean y = height + sum of slope (x - center) of Bayesian
// linear regression whose precisions, of the noise and of the slopes of
// standardised columns, maximise the evidence (MacKay, Neural Computation 4,
// 1992; the fixed point of scikit-learn's BayesianRidge). Columns that say
// nothing get slopes near zero.
type ridge struct {
	height        float64
	center, slope []float64
	// inverse is (X'X)^-1 of the centred columns, and n the number of rows; nil where
	// the rows do not determine it.
	inverse *mat.SymDense
	n       int
}

// fitRidge fits y [n] to the rows x [n][k], n > 0.
func fitRidge(x [][]float64, y []float64) ridge {
	n, k := len(y), len(x[0])
	f := ridge{n: n, center: make([]float64, k), slope: make([]float64, k)}
	for _, v := range y {
		f.height += v / float64(n)
	}
	if k == 0 {
		return f
	}
	for c := range k {
		for _, row := range x {
			f.center[c] += row[c] / float64(n)
		}
	}
	unit := spread(x, f.center)
	gram := mat.NewSymDense(k, nil)
	xy := make([]float64, k)
	yy := 0.0
	for i, row := range x {
		d := y[i] - f.height
		yy += d * d
		for a := range k {
			za := (row[a] - f.center[a]) / unit[a]
			xy[a] += za * d
			for b := range a + 1 {
				gram.SetSym(a, b, gram.At(a, b)+za*(row[b]-f.center[b])/unit[b])
			}
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(gram, true) {
		return f // of a symmetric matrix of finite numbers it does not fail
	}
	values := eigen.Values(nil)
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	along := make([]float64, k) // of X'y on the eigenvectors
	for m := range k {
		values[m] = max(0, values[m])
		for a := range k {
			along[m] += vectors.At(a, m) * xy[a]
		}
	}
	w := evidence(values, along, yy, n)
	if values[0] > 1e-9*float64(n) {
		f.inverse = mat.NewSymDense(k, nil)
	}
	for a := range k {
		for m := range k {
			f.slope[a] += vectors.At(a, m) * w[m] / unit[a]
		}
		for b := 0; f.inverse != nil && b <= a; b++ {
			sum := 0.0
			for m := range k {
				sum += vectors.At(a, m) * vectors.At(b, m) / values[m]
			}
			f.inverse.SetSym(a, b, sum/(unit[a]*unit[b]))
		}
	}
	return f
}

// spread returns the columns' standard deviations, infinite where a column does not vary.
func spread(x [][]float64, center []float64) []float64 {
	unit := make([]float64, len(center))
	for c := range center {
		for _, row := range x {
			unit[c] += (row[c] - center[c]) * (row[c] - center[c]) / float64(len(x))
		}
		unit[c] = math.Sqrt(unit[c])
		if unit[c] <= 1e-12*math.Abs(center[c]) || unit[c] == 0 { // rounding only
			unit[c] = math.Inf(1)
		}
	}
	return unit
}

// evidence returns the coefficients [k] along the eigenvectors of X'X, whose
// values and products with X'y are given; yy is y'y.
func evidence(values, along []float64, yy float64, n int) []float64 {
	const prior = 1e-6 // of both precisions, as in scikit-learn: next to none
	noise, slopes := 1/(yy/float64(n)+1e-12), 1.0
	w := make([]float64, len(values))
	for range 500 {
		change, size, left, known := 0.0, 0.0, yy, 0.0
		for m, v := range values {
			next := along[m] / (v + slopes/noise)
			change += math.Abs(next - w[m])
			w[m] = next
			size += next * next
			left += next * (v*next - 2*along[m])
			known += noise * v / (slopes + noise*v)
		}
		if change < 1e-9 {
			break
		}
		slopes = (known + 2*prior) / (size + 2*prior)
		noise = (float64(n) - known + 2*prior) / (max(0, left) + 2*prior)
	}
	return w
}

func (f ridge) determined() bool { return f.inverse != nil }

func (f ridge) at(x []float64) float64 {
	v := f.height
	for k, slope := range f.slope {
		v += slope * (x[k] - f.center[k])
	}
	return v
}

// leverage is how far x is from the rows' center, 1/n there, in the metric of
// the rows' spread.
func (f ridge) leverage(x []float64) float64 {
	sum := 1 / float64(f.n)
	for a := range f.slope {
		for b := range f.slope {
			sum += (x[a] - f.center[a]) * f.inverse.At(a, b) * (x[b] - f.center[b])
		}
	}
	return sum
}
