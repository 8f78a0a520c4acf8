package correlation

import (
	"fmt"
	"slices"
)

// Holm adjusts p values of several tests so that calling those at or below a
// level found gives any false finding with at most that probability, however the
// tests depend on each other (Holm, Scandinavian Journal of Statistics 1979).
func Holm(p []float64) ([]float64, error) {
	order, err := ascending(p)
	if err != nil {
		return nil, err
	}
	adjusted := make([]float64, len(p))
	most := 0.0
	for k, i := range order {
		most = max(most, min(1, float64(len(p)-k)*p[i]))
		adjusted[i] = most
	}
	return adjusted, nil
}

// BenjaminiHochberg adjusts p values of several tests so that, of those called
// found at or below a level, at most that share is false on average, for tests
// that are independent or depend on each other positively (Benjamini and
// Hochberg, JRSS B 1995).
func BenjaminiHochberg(p []float64) ([]float64, error) {
	order, err := ascending(p)
	if err != nil {
		return nil, err
	}
	adjusted := make([]float64, len(p))
	least := 1.0
	for k, i := range slices.Backward(order) {
		least = min(least, float64(len(p))/float64(k+1)*p[i])
		adjusted[i] = least
	}
	return adjusted, nil
}

// ascending lists the places of p from the smallest on.
func ascending(p []float64) ([]int, error) {
	order := make([]int, len(p))
	for i, v := range p {
		if !(v >= 0 && v <= 1) {
			return nil, fmt.Errorf("correlation: p value %d is %v: must be in [0,1]", i, v)
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	return order, nil
}
