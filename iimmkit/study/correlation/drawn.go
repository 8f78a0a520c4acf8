package correlation

import "slices"

// picker gathers the values of drawn items into buffers it reuses.
type picker struct{ a, b, c []float64 }

func newPicker(n int) *picker {
	return &picker{make([]float64, 0, n), make([]float64, 0, n), make([]float64, 0, n)}
}

func (p *picker) two(f func(x, y []float64) float64, x, y []float64) func([]int) float64 {
	return func(items []int) float64 {
		p.a, p.b = p.a[:0], p.b[:0]
		for _, i := range items {
			p.a = append(p.a, x[i])
			p.b = append(p.b, y[i])
		}
		return f(p.a, p.b)
	}
}

func (p *picker) three(f func(x, y, z []float64) float64, x, y, z []float64) func([]int) float64 {
	return func(items []int) float64 {
		p.a, p.b, p.c = p.a[:0], p.b[:0], p.c[:0]
		for _, i := range items {
			p.a = append(p.a, x[i])
			p.b = append(p.b, y[i])
			p.c = append(p.c, z[i])
		}
		return f(p.a, p.b, p.c)
	}
}

// spearmanDrawn is Spearman's rho of drawn items. Ranking a draw is counting: the
// order of the values is known from the whole sample.
func (p *picker) spearmanDrawn(x, y []float64) func([]int) float64 {
	placeX, placeY := places(x), places(y)
	count := make([]int, len(x))
	rank := make([]float64, len(x))
	ranks := func(out []float64, place, items []int) []float64 {
		clear(count)
		for _, i := range items {
			count[place[i]]++
		}
		below := 0
		for k, c := range count {
			rank[k] = float64(below) + float64(c+1)/2
			below += c
		}
		out = out[:0]
		for _, i := range items {
			out = append(out, rank[place[i]])
		}
		return out
	}
	return func(items []int) float64 {
		p.a, p.b = ranks(p.a, placeX, items), ranks(p.b, placeY, items)
		return pearson(p.a, p.b)
	}
}

// places numbers the different values of x from 0 in ascending order.
func places(x []float64) []int {
	different := slices.Clone(x)
	slices.Sort(different)
	different = slices.Compact(different)
	place := make([]int, len(x))
	for i, v := range x {
		place[i], _ = slices.BinarySearch(different, v)
	}
	return place
}

// kendallDrawn is tau-b of drawn items. Each pair of the sample is compared once;
// a draw adds what its pairs came to.
func kendallDrawn(x, y []float64) func([]int) float64 {
	// One word a pair: concordance + 1, tied in x, tied in y, 20 bits each, enough
	// for the pairs of draws of up to 1024 items.
	const xBit, yBit, mask = 1 << 20, 1 << 40, 1<<20 - 1
	n := len(x)
	if n*(n-1) >= mask {
		return newPicker(n).two(kendall, x, y)
	}
	word := make([]uint64, n*n)
	for i := range n {
		for j := range n {
			balance, tiedX, tiedY := concordance([]float64{x[i], x[j]}, []float64{y[i], y[j]})
			word[i*n+j] = uint64(balance+1) + uint64(tiedX)*xBit + uint64(tiedY)*yBit
		}
	}
	return func(items []int) float64 {
		sum := uint64(0)
		for a, i := range items {
			row := word[i*n : (i+1)*n]
			for _, j := range items[:a] {
				sum += row[j]
			}
		}
		pairs := len(items) * (len(items) - 1) / 2
		return tauB(int(sum&mask)-pairs, int(sum/xBit&mask), int(sum/yBit&mask), pairs)
	}
}
