package forecast

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Known is what is known of a retained task before tuning.
type Known struct {
	ZeroShotAccuracy float64 `json:"zero_shot_accuracy"`
	Classes          int     `json:"classes,omitempty"` // 0: not known
}

// aboveChance is the accuracy above chance, 0 below it; what can be forgotten.
func (k Known) aboveChance() float64 {
	chance := 0.0
	if k.Classes > 0 {
		chance = 1 / float64(k.Classes)
	}
	return max(0, k.ZeroShotAccuracy-chance)
}

// Ways to forecast the forgetting of a pair of a tuned and a retained task. The
// severity is the tuned task's mean forgetting, as a problem forecasts it.
const (
	pairMean          = iota // of all pairs
	pairSeverity             // the severity, for each retained task
	pairKnown                // a plane on what is known of the retained task, the zero-shot error of the tuned task, and their product
	pairSeverityKnown        // severity times a line on what is known of the retained task
	pairSeverityShare        // severity times the retained task's share of other severities
	pairWays
)

var pairNames = [pairWays]string{"mean", "mean_forgetting", "known*zero_shot", "mean_forgetting*known", "mean_forgetting*share"}

// pairs is the forgetting of every pair of a tuned and a retained task.
type pairs struct {
	severity *problem
	tuned    []int // of each pair: its item of severity
	retained []int // and its retained task
	known    []float64
	y        []float64
	names    []string // of retained tasks
	// strange leaves all pairs of the retained task out too, as if it were new.
	strange bool

	// fixed is the way, where it is not chosen.
	fixed *int

	fits    map[left]*pairFit
	choices map[left]int
}

func newPairs(severity *problem) *pairs {
	return &pairs{severity: severity, fits: map[left]*pairFit{}, choices: map[left]int{}}
}

// pairFit holds, without some folds, sums for each retained task.
type pairFit struct {
	plane []normal // on 1, known*error, known, error
	line  []normal // on severity, severity*known
	// share [retained] is by how much more than all tasks on average a task is
	// forgotten: least squares through the origin, shrunk towards 1.
	share []float64
	// without [retained] are coefficients without the task's own pairs; the last are
	// those of all pairs. They are computed when asked for.
	without []*pairCoefficients
}

type pairCoefficients struct {
	mean        float64
	plane, line []float64
}

func (p *pairs) fit(out left) *pairFit {
	if f, ok := p.fits[out]; ok {
		return f
	}
	tasks := len(p.names)
	f := &pairFit{plane: make([]normal, tasks), line: make([]normal, tasks), share: make([]float64, tasks), without: make([]*pairCoefficients, tasks+1)}
	n, noise := 0.0, 0.0
	for i, y := range p.y {
		k, j := p.tuned[i], p.retained[i]
		if out.has(p.severity.fold[k]) {
			continue
		}
		m := p.severity.y[k]
		f.plane[j].add(planeColumns(p.known[i], p.severity.in[k]), y)
		f.line[j].add([]float64{m, m * p.known[i]}, y)
		n++
		noise += (y - m) * (y - m)
	}
	// Of a share that varies by 1 about 1, and pairs that vary by noise/n about severity times share.
	prior := noise/n + 1e-12
	for j, s := range f.line {
		mm, my := 0.0, 0.0
		if s.xx != nil {
			mm, my = s.xx.At(0, 0), s.xy[0]
		}
		f.share[j] = (my + prior) / (mm + prior)
	}
	p.fits[out] = f
	return f
}

// coefficients without the pairs of a retained task, or of all pairs.
func (f *pairFit) coefficients(without int) *pairCoefficients {
	if f.without[without] == nil {
		var plane, line normal
		for j := range f.plane {
			if j != without {
				plane.merge(f.plane[j])
				line.merge(f.line[j])
			}
		}
		c := &pairCoefficients{plane: plane.solve(), line: line.solve()}
		if plane.xx != nil {
			c.mean = plane.xy[0] / plane.xx.At(0, 0)
		}
		f.without[without] = c
	}
	return f.without[without]
}

func planeColumns(known float64, in Inputs) []float64 {
	e := 1 - in.ZeroShotAccuracy
	return []float64{1, known * e, known, e}
}

// at forecasts a pair by one way, given the severity of the tuned task. retained
// is -1 for a task without pairs.
func (p *pairs) at(way int, out left, in Inputs, severity float64, retained int, known float64) float64 {
	f := p.fit(out)
	without := len(p.names)
	if p.strange && retained >= 0 {
		without = retained
	}
	y := severity
	switch way {
	case pairMean:
		y = f.coefficients(without).mean
	case pairKnown:
		y = dot(f.coefficients(without).plane, planeColumns(known, in))
	case pairSeverityKnown:
		y = dot(f.coefficients(without).line, []float64{severity, severity * known})
	case pairSeverityShare:
		y = severity * f.share[retained]
	}
	return min(100, max(-100, y))
}

// severityOf forecasts the mean forgetting of the tuned task of pair i without the
// folds in out, by the candidate that is best without those in chosenBy.
func (p *pairs) severityOf(out, chosenBy left, i int) float64 {
	return p.severity.forecast(p.severity.choose(chosenBy), out, p.tuned[i])
}

// forecast forecasts pair i by one way.
func (p *pairs) forecast(way int, out left, i int) float64 {
	return p.at(way, out, p.severity.in[p.tuned[i]], p.severityOf(out, out, i), p.retained[i], p.known[i])
}

// ways is the number of ways that can be chosen: the last needs to know the
// retained task's pairs.
func (p *pairs) ways() int {
	if p.strange {
		return pairSeverityShare
	}
	return pairWays
}

// choose is problem.choose for pairs.
func (p *pairs) choose(out left) int {
	if p.fixed != nil {
		return *p.fixed
	}
	if way, ok := p.choices[out]; ok {
		return way
	}
	sums := make([]float64, p.ways())
	severity := 0.0
	for i, y := range p.y {
		k := p.tuned[i]
		fold := p.severity.fold[k]
		if out.has(fold) {
			continue
		}
		without := out.and(fold)
		if i == 0 || p.tuned[i-1] != k {
			// The same for all pairs of a tuned task, which are together. The task has a say in
			// the candidate, though not in its fit: to leave it out there too would need fits
			// without four folds. It is so only where ways are chosen, never where they are judged.
			severity = p.severityOf(without, out, i)
		}
		for way := range sums {
			sums[way] += math.Abs(p.at(way, without, p.severity.in[k], severity, p.retained[i], p.known[i]) - y)
		}
	}
	best, least := 0, math.Inf(1)
	for way, sum := range sums {
		if sum < least*(1-1e-9) {
			best, least = way, sum
		}
	}
	p.choices[out] = best
	return best
}

func (p *pairs) residuals(out left) []foldResiduals {
	all := make([]foldResiduals, 0, p.severity.folds)
	at := map[int]int{}
	for fold := range p.severity.folds {
		if !out.has(fold) {
			at[fold] = len(all)
			all = append(all, foldResiduals{out: out.and(fold)})
		}
	}
	for i, y := range p.y {
		fold := p.severity.fold[p.tuned[i]]
		if out.has(fold) {
			continue
		}
		r := &all[at[fold]]
		r.size = append(r.size, math.Abs(squash(y)-squash(p.forecast(p.choose(r.out), r.out, i))))
	}
	return all
}

// interval forecasts the pair of a tuned task and a retained one, -1 for one
// without pairs, from all folds but those in out.
func (p *pairs) interval(residuals []foldResiduals, in Inputs, retained int, known float64, out left, widen float64) Quantity {
	at := func(out left) float64 {
		severity := p.severity.forecastAt(p.severity.choose(out), out, in)
		return p.at(p.choose(out), out, in, severity, retained, known)
	}
	return jackknife(residuals, at(out), at, squash, unsquash, widen)
}

// normal are the sums of a least-squares fit. The zero value has none.
type normal struct {
	xx *mat.SymDense
	xy []float64
}

func (s *normal) start(k int) {
	if s.xx == nil {
		s.xx = mat.NewSymDense(k, nil)
		s.xy = make([]float64, k)
	}
}

func (s *normal) add(x []float64, y float64) {
	s.start(len(x))
	for a, v := range x {
		s.xy[a] += v * y
		for b := range a + 1 {
			s.xx.SetSym(a, b, s.xx.At(a, b)+v*x[b])
		}
	}
}

func (s *normal) merge(other normal) {
	if other.xx == nil {
		return
	}
	s.start(len(other.xy))
	s.xx.AddSym(s.xx, other.xx)
	for a, v := range other.xy {
		s.xy[a] += v
	}
}

// solve returns the coefficients, nil of no sums. Directions that the rows do not
// determine get next to nothing.
func (s *normal) solve() []float64 {
	if s.xx == nil {
		return nil
	}
	k := len(s.xy)
	jittered := mat.NewSymDense(k, nil)
	jittered.CopySym(s.xx)
	for a := range k {
		jittered.SetSym(a, a, s.xx.At(a, a)*(1+1e-9)+1e-12)
	}
	var c mat.Cholesky
	if !c.Factorize(jittered) {
		return make([]float64, k)
	}
	var w mat.VecDense
	if err := c.SolveVecTo(&w, mat.NewVecDense(k, s.xy)); err != nil {
		// Only badly conditioned: with the jitter the solution is of use.
		if _, bad := err.(mat.Condition); !bad {
			return make([]float64, k)
		}
	}
	return w.RawVector().Data
}

func dot(w, x []float64) float64 {
	sum := 0.0
	for a := range w {
		sum += w[a] * x[a]
	}
	return sum
}
