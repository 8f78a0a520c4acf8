package forecast

import (
	"math"
	"slices"
)

// left is a set of at most three folds that are left out, ascending; unused
// places are -1 and come first.
type left [3]int

func nothing() left { return left{-1, -1, -1} }

// and adds a fold.
func (l left) and(fold int) left {
	if l.has(fold) {
		return l
	}
	if l[0] >= 0 {
		panic("forecast: four folds left out")
	}
	l[0] = fold
	slices.Sort(l[:])
	return l
}

func (l left) has(fold int) bool { return l[0] == fold || l[1] == fold || l[2] == fold }

// problem is a target over tasks, and candidates that forecast it. A fold is what
// is left out together: a task of every model, or a domain. Everything that is
// learned, the choice of the candidate included, can be learned without some
// folds; fits are kept, since nested leaving-out asks for them again and again.
type problem struct {
	in         []Inputs
	y          []float64 // on the target's own scale
	fold       []int
	folds      int
	candidates []candidate
	first      int // number of the first candidate in fits
	// to is the scale on which residuals are taken, the same for all candidates,
	// and from its inverse.
	to, from func(float64) float64

	x       [][][]float64 // [candidate][item][column]
	fits    map[fitKey]regression
	choices map[left]int
	known   map[left][]foldResiduals
}

type fitKey struct {
	candidate int
	left
}

func newProblem(in []Inputs, y []float64, fold []int, candidates []candidate, to, from func(float64) float64) *problem {
	p := &problem{in: in, y: y, fold: fold, candidates: candidates, to: to, from: from, fits: map[fitKey]regression{}, choices: map[left]int{}, known: map[left][]foldResiduals{}}
	for _, f := range fold {
		p.folds = max(p.folds, f+1)
	}
	for _, c := range candidates {
		rows := make([][]float64, len(in))
		for i := range in {
			rows[i] = c.x(in[i])
		}
		p.x = append(p.x, rows)
	}
	return p
}

// fit is candidate c's without the folds in out.
func (p *problem) fit(c int, out left) regression {
	key := fitKey{p.first + c, out}
	f, ok := p.fits[key]
	if !ok {
		x := make([][]float64, 0, len(p.y))
		y := make([]float64, 0, len(p.y))
		for i := range p.y {
			if !out.has(p.fold[i]) {
				x = append(x, p.x[c][i])
				y = append(y, p.candidates[c].scale.forward(p.y[i], p.in[i]))
			}
		}
		f = p.candidates[c].fit(x, y)
		p.fits[key] = f
	}
	return f
}

// forecast is candidate c's for item i.
func (p *problem) forecast(c int, out left, i int) float64 {
	return p.candidates[c].scale.back(p.fit(c, out).at(p.x[c][i]), p.in[i])
}

// forecastAt is candidate c's for a task that is none of the items.
func (p *problem) forecastAt(c int, out left, in Inputs) float64 {
	return p.candidates[c].scale.back(p.fit(c, out).at(p.candidates[c].x(in)), in)
}

// choose returns the candidate whose forecasts of left-out folds have the least
// mean absolute error, the folds in out having no say; the first among equals.
func (p *problem) choose(out left) int {
	if len(p.candidates) == 1 {
		return 0
	}
	best, ok := p.choices[out]
	if ok {
		return best
	}
	least := math.Inf(1)
	for c := range p.candidates {
		sum := 0.0
		for i, y := range p.y {
			if !out.has(p.fold[i]) {
				sum += math.Abs(p.forecast(c, out.and(p.fold[i]), i) - y)
			}
		}
		if sum < least*(1-1e-9) {
			best, least = c, sum
		}
	}
	p.choices[out] = best
	return best
}

// residuals returns, for each fold that is not in out, the items of that fold
// and how far off, on the scale to, they are forecast without it.
func (p *problem) residuals(out left) []foldResiduals {
	if all, ok := p.known[out]; ok {
		return all
	}
	var all []foldResiduals
	for fold := range p.folds {
		if out.has(fold) {
			continue
		}
		r := foldResiduals{out: out.and(fold)}
		c := p.choose(r.out)
		for i := range p.y {
			if p.fold[i] == fold {
				r.size = append(r.size, math.Abs(p.to(p.y[i])-p.to(p.forecast(c, r.out, i))))
			}
		}
		all = append(all, r)
	}
	p.known[out] = all
	return all
}

// interval forecasts a task with its intervals, from all folds but those in out.
// widen multiplies the residuals.
func (p *problem) interval(in Inputs, out left, widen float64) Quantity {
	return jackknife(p.residuals(out), p.forecastAt(p.choose(out), out, in), func(out left) float64 {
		return p.forecastAt(p.choose(out), out, in)
	}, p.to, p.from, widen)
}

// only returns the problem with one candidate, which is thus not chosen. It
// shares the fits.
func (p *problem) only(c int) *problem {
	q := *p
	q.candidates, q.x, q.first = p.candidates[c:c+1], p.x[c:c+1], p.first+c
	q.choices, q.known = map[left]int{}, map[left][]foldResiduals{}
	return &q
}
