package correlation

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// LeaveOut forecasts each y from the columns of x by the least-squares plane
// through the items of all OTHER groups, so that no item has a say in its own
// forecast. x is a list of columns, each as long as y; without columns the
// forecast is the mean of the others. group names the group of each item; with
// a name of its own for each item this is leave-one-out. Where the others do not
// determine the plane, the flattest one is taken. The result is nil when some
// forecast would rest on fewer than len(x)+2 items.
func LeaveOut(x [][]float64, y []float64, group []string) ([]float64, error) {
	n := len(y)
	if len(group) != n {
		return nil, fmt.Errorf("leave-out: %d groups for %d items", len(group), n)
	}
	for _, column := range x {
		if err := checkPairs(column, y); err != nil {
			return nil, fmt.Errorf("leave-out: %w", err)
		}
	}
	forecasts := make([]float64, n)
	known := map[string]*plane{}
	for i := range y {
		p := known[group[i]]
		if p == nil {
			var rest []int
			for j := range y {
				if group[j] != group[i] {
					rest = append(rest, j)
				}
			}
			if len(rest) < len(x)+2 {
				return nil, nil
			}
			var err error
			if p, err = fitPlane(x, y, rest); err != nil {
				return nil, err
			}
			known[group[i]] = p
		}
		forecasts[i] = p.at(x, i)
	}
	return forecasts, nil
}

// plane is y = height + sum of slope (x - center).
type plane struct {
	height        float64
	center, slope []float64
}

func fitPlane(x [][]float64, y []float64, items []int) (*plane, error) {
	p := &plane{center: make([]float64, len(x)), slope: make([]float64, len(x))}
	p.height = meanOf(y, items)
	if len(x) == 0 {
		return p, nil
	}
	design := mat.NewDense(len(items), len(x), nil)
	rhs := mat.NewVecDense(len(items), nil)
	scale := make([]float64, len(x))
	for k, column := range x {
		p.center[k] = meanOf(column, items)
		for _, i := range items {
			scale[k] = max(scale[k], math.Abs(column[i]-p.center[k]))
		}
		// A column that varies by rounding only says nothing.
		if scale[k] <= 1e-12*math.Abs(p.center[k]) || scale[k] == 0 {
			scale[k] = math.Inf(1)
		}
		for r, i := range items {
			design.Set(r, k, (column[i]-p.center[k])/scale[k])
		}
	}
	for r, i := range items {
		rhs.SetVec(r, y[i]-p.height)
	}
	var svd mat.SVD
	if !svd.Factorize(design, mat.SVDThin) {
		return nil, fmt.Errorf("leave-out: the least-squares fit of %d items failed", len(items))
	}
	rank := svd.Rank(1e-10)
	if rank == 0 {
		return p, nil
	}
	var slope mat.VecDense
	svd.SolveVecTo(&slope, rhs, rank)
	for k := range x {
		p.slope[k] = slope.AtVec(k) / scale[k]
	}
	return p, nil
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
