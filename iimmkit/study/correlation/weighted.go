package correlation

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Importance is the ranking that gives WeightedKendall its weights. Its values
// make tau differ in the first digit: a weighted tau says nothing without it.
type Importance int

const (
	// ByBoth takes the mean of tau with the ranking by x (ties by y) and by y
	// (ties by x): scipy.stats.weightedtau's default, rank=True.
	ByBoth Importance = iota
	// ByFirst ranks by x, ties by y: rank=None. With accuracy as x and a score as y
	// it is the convention of the LogME and Model Spider tables.
	ByFirst
)

// WeightedKendall returns Kendall's tau-b of x and y with pairs weighted by the
// hyperbolic 1/(a+1) + 1/(b+1), a and b the items' places 0, 1, ... from the largest
// value down (Vigna, A weighted correlation index for rankings with ties, WWW 2015).
// It has no p value: its null distribution is not known. Value is nil when all
// pairs are tied in x or in y. (The third convention in use is TopK's plain tau
// among the best few.)
func WeightedKendall(x, y []float64, by Importance) (Coefficient, error) {
	if err := checkPairs(x, y); err != nil {
		return Coefficient{}, err
	}
	switch by {
	case ByFirst:
		return Coefficient{Value: defined(weightedTau(x, y))}, nil
	case ByBoth:
		return Coefficient{Value: defined((weightedTau(x, y) + weightedTau(y, x)) / 2)}, nil
	}
	return Coefficient{}, fmt.Errorf("weighted tau: unknown importance %d: use ByBoth or ByFirst", by)
}

// weightedTau is NaN where not defined.
func weightedTau(x, y []float64) float64 {
	weight := make([]float64, len(x))
	for place, i := range descending(x, y) {
		weight[i] = 1 / float64(place+1)
	}
	var balance, untiedX, untiedY float64
	for i := range x {
		for j := range i {
			w := weight[i] + weight[j]
			sx, sy := cmp.Compare(x[i], x[j]), cmp.Compare(y[i], y[j])
			balance += w * float64(sx*sy)
			untiedX += w * float64(sx*sx)
			untiedY += w * float64(sy*sy)
		}
	}
	return clamp(balance / math.Sqrt(untiedX) / math.Sqrt(untiedY))
}

// descending lists items from the largest x down, ties by y, then by place.
func descending(x, y []float64) []int {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(x[b], x[a]), cmp.Compare(y[b], y[a]))
	})
	return order
}

// Top says how well a forecast finds the best k of several items.
type Top struct {
	// Recall is the share of the best k by truth that are among the best k by forecast.
	Recall float64
	// Tau is Kendall's tau-b of truth and forecast over the items in both lists: 0,
	// not nil, when fewer than three are; nil when they are all tied.
	Tau *float64
	// L1 is how far the mean forecast of the k best by forecast is off their mean
	// truth, in the unit of the values.
	L1 float64
}

// TopK compares the best k by truth and by forecast, the larger the better,
// equal values in the order given: the R5, tau and L1 of LOVM for k = 5 (Zohar et
// al., LOVM: language-only vision model selection, NeurIPS 2023).
func TopK(truth, forecast []float64, k int) (Top, error) {
	if err := checkPairs(truth, forecast); err != nil {
		return Top{}, err
	}
	if k < 1 || k > len(truth) {
		return Top{}, fmt.Errorf("best %d of %d items: must be from 1 to their number", k, len(truth))
	}
	best := descending(truth, make([]float64, len(truth)))[:k]
	chosen := descending(forecast, make([]float64, len(forecast)))[:k]
	var both []int
	for _, i := range best {
		if slices.Contains(chosen, i) {
			both = append(both, i)
		}
	}
	top := Top{Recall: float64(len(both)) / float64(k)}
	if len(both) < 3 {
		top.Tau = new(float64)
	} else {
		top.Tau = defined(newPicker(k).two(kendall, truth, forecast)(both))
	}
	if top.L1 = meanOf(forecast, chosen) - meanOf(truth, chosen); top.L1 < 0 {
		top.L1 = -top.L1
	}
	return top, nil
}
