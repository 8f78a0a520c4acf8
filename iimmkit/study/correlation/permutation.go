package correlation

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/combin"
)

// Permutations are orders of n items, the same for every statistic: all n! when
// that is at most the number asked for, else random ones.
type Permutations struct {
	orders [][]int
	exact  bool
}

// NewPermutations makes the permutations of n items, at most draws of them, by
// seed. It returns nil for n < 2.
func NewPermutations(n, draws int, seed uint64) *Permutations {
	if n < 2 || draws < 1 {
		return nil
	}
	// From 20! on, which no one asks for, integers overflow.
	if n < 20 && combin.NumPermutations(n, n) <= draws {
		return &Permutations{combin.Permutations(n, n), true}
	}
	random := rand.New(rand.NewPCG(seed, 0x9e37))
	p := &Permutations{orders: make([][]int, draws)}
	for b := range p.orders {
		p.orders[b] = random.Perm(n)
	}
	return p
}

// P returns the two-sided p value of a statistic: the share of orders for which
// it is, in size, at least that of the given order 0..n-1, which counts as one of
// them. So it is exact where all orders were tried, and never below 1/(draws+1)
// where not. It needs no law of the data, only that under the null hypothesis every
// pairing is equally likely: not so for tasks that share images.
//
// The statistic of an order pairs item i of one variable with item order[i] of
// the other; it is NaN where not defined, and then not counted as smaller. P is nil
// when the statistic of the given order is not defined, and for nil permutations.
func (p *Permutations) P(statistic func(order []int) float64) *float64 {
	if p == nil {
		return nil
	}
	return p.share(p.each(statistic))
}

// each is the statistic of the given order, and of each of the orders.
func (p *Permutations) each(statistic func(order []int) float64) (given float64, permuted []float64) {
	identity := make([]int, len(p.orders[0]))
	for i := range identity {
		identity[i] = i
	}
	permuted = make([]float64, len(p.orders))
	for b, order := range p.orders {
		permuted[b] = statistic(order)
	}
	return statistic(identity), permuted
}

// share is P from what each returns.
func (p *Permutations) share(given float64, permuted []float64) *float64 {
	if !isFinite(given) {
		return nil
	}
	// Sums in another order differ by rounding.
	least := math.Abs(given) - 1e-12*max(1, math.Abs(given))
	extreme, all := 0, len(permuted)
	for _, v := range permuted {
		if !(math.Abs(v) < least) {
			extreme++
		}
	}
	if !p.exact {
		extreme, all = extreme+1, all+1
	}
	return defined(float64(extreme) / float64(all))
}

// permutedPearson is the statistic r: x as it is, y in the order.
func permutedPearson(x, y []float64) func(order []int) float64 {
	r := pearson(x, y)
	if !isFinite(r) {
		return func([]int) float64 { return math.NaN() }
	}
	a, b := standardised(x), standardised(y)
	return func(order []int) float64 {
		sum := 0.0
		for i, j := range order {
			sum += a[i] * b[j]
		}
		return clamp(sum)
	}
}

// standardised has mean 0 and sum of squares 1; x must vary.
func standardised(x []float64) []float64 {
	m, squares := mean(x), 0.0
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = v - m
		squares += out[i] * out[i]
	}
	for i := range out {
		out[i] /= math.Sqrt(squares)
	}
	return out
}
