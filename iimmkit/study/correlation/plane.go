package correlation

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// plane is y = height + sum of slope (x - center), fitted by least squares.
type plane struct {
	height        float64
	center, slope []float64
	// rank is the number of directions of x that the items determine.
	rank int
	// inverse is (X'X)^-1 [k,k] of the centred columns; nil unless rank is k > 0.
	inverse *mat.SymDense
}

// fitPlane fits y to the columns x, each as long as y, over the listed items.
// Where they do not determine the plane, the flattest one is taken.
func fitPlane(x [][]float64, y []float64, items []int) (*plane, error) {
	k := len(x)
	p := &plane{center: make([]float64, k), slope: make([]float64, k), height: meanOf(y, items)}
	if k == 0 {
		return p, nil
	}
	design := mat.NewDense(len(items), k, nil)
	rhs := mat.NewVecDense(len(items), nil)
	scale := make([]float64, k)
	for c, column := range x {
		p.center[c] = meanOf(column, items)
		for _, i := range items {
			scale[c] = max(scale[c], math.Abs(column[i]-p.center[c]))
		}
		// A column that varies by rounding only says nothing.
		if scale[c] <= 1e-12*math.Abs(p.center[c]) || scale[c] == 0 {
			scale[c] = math.Inf(1)
		}
		for r, i := range items {
			design.Set(r, c, (column[i]-p.center[c])/scale[c])
		}
	}
	for r, i := range items {
		rhs.SetVec(r, y[i]-p.height)
	}
	var svd mat.SVD
	if !svd.Factorize(design, mat.SVDThin) {
		return nil, fmt.Errorf("the least-squares fit of %d items failed", len(items))
	}
	if p.rank = svd.Rank(1e-10); p.rank == 0 {
		return p, nil
	}
	var slope mat.VecDense
	svd.SolveVecTo(&slope, rhs, p.rank)
	for c := range x {
		p.slope[c] = slope.AtVec(c) / scale[c]
	}
	if p.rank == k {
		p.inverse = inverse(&svd, scale)
	}
	return p, nil
}

// inverse is V S^-2 V' of the singular values S and right vectors V, scaled back.
func inverse(svd *mat.SVD, scale []float64) *mat.SymDense {
	var v mat.Dense
	svd.VTo(&v)
	singular := svd.Values(nil)
	out := mat.NewSymDense(len(scale), nil)
	for i := range scale {
		for j := range i + 1 {
			sum := 0.0
			for m := range scale {
				sum += v.At(i, m) * v.At(j, m) / (singular[m] * singular[m])
			}
			out.SetSym(i, j, sum/(scale[i]*scale[j]))
		}
	}
	return out
}

func (p *plane) at(x [][]float64, i int) float64 {
	v := p.height
	for k, column := range x {
		v += p.slope[k] * (column[i] - p.center[k])
	}
	return v
}

func meanOf(v []float64, items []int) float64 {
	sum := 0.0
	for _, i := range items {
		sum += v[i]
	}
	return sum / float64(len(items))
}
