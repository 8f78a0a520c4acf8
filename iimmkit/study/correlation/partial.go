package correlation

import (
	"fmt"
	"math"
)

// Partial returns the Pearson correlation of x and y given other variables:
// that of what is left of x and y after the least-squares plane on them. With one,
// z, it is
//
//	(r_xy - r_xz r_yz) / sqrt((1 - r_xz^2)(1 - r_yz^2)).
//
// P is from Student's t with n-2-k degrees of freedom, k the number of given
// variables that are linearly independent. Value is nil when x or y is constant
// or a linear function of the given variables, or no degree of freedom is left.
func Partial(x, y []float64, given ...[]float64) (Coefficient, error) {
	if err := checkPairs(x, y); err != nil {
		return Coefficient{}, err
	}
	for _, z := range given {
		if err := checkPairs(x, z); err != nil {
			return Coefficient{}, err
		}
	}
	switch len(given) {
	case 0:
		return Pearson(x, y)
	case 1:
		r := partial(x, y, given[0])
		return Coefficient{defined(r), tTest(r, len(x)-3)}, nil
	}
	restX, k, err := residuals(x, given)
	if err != nil {
		return Coefficient{}, err
	}
	restY, _, err := residuals(y, given)
	if err != nil || restX == nil || restY == nil || len(x)-2-k < 1 {
		return Coefficient{}, err
	}
	r := pearson(restX, restY)
	return Coefficient{defined(r), tTest(r, len(x)-2-k)}, nil
}

// SemiPartial returns the Pearson correlation of y and what is left of x after
// the least-squares plane on the given variables; its square is what x adds to
// the R^2 of y on them. It is zero where the partial correlation is, so P is that
// of Partial, under the conditions of which Value is nil.
func SemiPartial(x, y []float64, given ...[]float64) (Coefficient, error) {
	c, err := Partial(x, y, given...)
	if err != nil || c.Value == nil || len(given) == 0 {
		return c, err
	}
	rest, _, err := residuals(x, given)
	if err != nil || rest == nil {
		return Coefficient{}, err
	}
	return Coefficient{defined(pearson(rest, y)), c.P}, nil
}

// residuals is what is left of v after the least-squares plane on the columns x,
// nil when that is no more than rounding, and the rank of the plane.
func residuals(v []float64, x [][]float64) (rest []float64, rank int, err error) {
	if len(v) == 0 {
		return nil, 0, nil
	}
	items := make([]int, len(v))
	for i := range items {
		items[i] = i
	}
	p, err := fitPlane(x, v, items)
	if err != nil {
		return nil, 0, fmt.Errorf("partial correlation: %w", err)
	}
	rest = make([]float64, len(v))
	var left, all float64
	for i := range v {
		rest[i] = v[i] - p.at(x, i)
		left += rest[i] * rest[i]
		all += (v[i] - p.height) * (v[i] - p.height)
	}
	if !(left > 1e-12*all) {
		return nil, p.rank, nil
	}
	return rest, p.rank, nil
}

// partial is Partial given one variable; NaN where not defined.
func partial(x, y, z []float64) float64 {
	xy, xz, yz := pearson(x, y), pearson(x, z), pearson(y, z)
	// Rounding leaves a linear function of z a remainder of this order.
	if !(1-xz*xz > 1e-12) || !(1-yz*yz > 1e-12) {
		return math.NaN()
	}
	return clamp((xy - xz*yz) / math.Sqrt((1-xz*xz)*(1-yz*yz)))
}
