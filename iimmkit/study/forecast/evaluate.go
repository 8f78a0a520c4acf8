package forecast

import (
	"context"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// Score says how well a target is forecast for tasks that are left out. Their own
// results have no part in their forecasts, nor, where the predictor is chosen,
// in that choice. All are judged, those too that Forecast would refuse or whose
// intervals it would widen as extrapolation.
type Score struct {
	Model  string `json:"model"`
	Method string `json:"method"`
	Target string `json:"target"`
	// Inputs are those that were known of every task.
	Inputs []string `json:"inputs"`
	// Predictor is a candidate, or Chosen: for each left-out task the one that does
	// best among the others; or ChosenNewDomain.
	Predictor string `json:"predictor"`
	ByDomain  bool   `json:"by_domain"`
	N         int    `json:"n"`     // forecasts
	Folds     int    `json:"folds"` // tasks or domains left out in turn
	// Error is the mean absolute error, of ScaledGain and Accuracy too in points (x100).
	Error float64 `json:"mean_absolute_error"`
	// R2 is 1 less the squared errors over those of the mean of all; nil when all
	// are equal.
	R2 *float64 `json:"r2"`
	// Coverage80 and Coverage95 are of the intervals.
	Coverage80 Coverage `json:"coverage80"`
	Coverage95 Coverage `json:"coverage95"`
	// Width80 is the median width of the 80 % intervals, in points.
	Width80 float64 `json:"width80"`
	// Picks counts how often Chosen was which candidate.
	Picks map[string]int `json:"picks,omitempty"`
}

// Chosen is the name of the predictor that is chosen anew for each left-out fold.
// ChosenNewDomain is it when all tasks that share the task's images are left out, but
// intervals are made of single tasks, as those of a calibration that is not
// ByDomain: what such a calibration is worth for images of a kind never seen. Folds
// left out in turn hold about their level by construction; these need not.
const (
	Chosen          = "chosen"
	ChosenNewDomain = "chosen_new_domain"
)

// Targets of scores.
const (
	Accuracy   = "accuracy"
	Gain       = "gain"
	ScaledGain = "scaled_gain"
	Forgetting = "forgetting"
	// PairForgetting is that of a retained task of the calibration, and
	// PairForgettingNew that of a retained task that is left out too.
	PairForgetting    = "pair_forgetting"
	PairForgettingNew = "pair_forgetting_new"
)

// judged is one forecast with what was measured.
type judged struct {
	forecast, measured float64
	Quantity
}

// Evaluate forecasts every task from the others, for each model and method: by
// each candidate, and by the one that is chosen among the others. Models and
// methods with too few tasks are left out; it is an error when all are. It keeps all
// processors busy.
func (c *Calibration) Evaluate(ctx context.Context, report progress.Reporter) ([]Score, error) {
	models := c.Models
	if c.Pooled {
		models = models[:1] // all are judged at once
	}
	var todo []func() []Score
	var few error
	for _, model := range models {
		for _, method := range c.methods(model) {
			if _, err := c.sample(model, method, []input{zeroShot}, always); err != nil {
				few = err
				continue
			}
			for _, inputs := range c.inputSets(model, method) {
				todo = append(todo, func() []Score { return c.evaluate(ctx, model, method, inputs) })
			}
		}
	}
	if todo == nil {
		return nil, few
	}
	bar := report.Start("forecast each task from the others", len(todo))
	defer bar.Done()
	results := make([][]Score, len(todo))
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(todo)) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(todo) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				results[i] = todo[i]()
				bar.Add(1)
			}
		})
	}
	group.Wait()
	return slices.Concat(results...), ctx.Err()
}

// inputSets returns the sets of inputs that observations have, the smallest first.
func (c *Calibration) inputSets(model, method string) [][]input {
	var sets [][]input
	for _, o := range c.Observations {
		if o.Method != method || !c.Pooled && o.Model != model {
			continue
		}
		set := Query{Inputs: o.Inputs}.inputs()
		if !slices.ContainsFunc(sets, func(other []input) bool { return slices.Equal(other, set) }) {
			sets = append(sets, set)
		}
	}
	slices.SortStableFunc(sets, func(a, b []input) int { return len(a) - len(b) })
	return sets
}

// evaluate returns no scores of inputs that too few observations have: fewer
// inputs are judged of themselves. Stopped, it returns what it has.
func (c *Calibration) evaluate(ctx context.Context, model, method string, inputs []input) []Score {
	name := model
	if c.Pooled {
		name = strings.Join(c.Models, "+")
	}
	base := Score{Model: name, Method: method, ByDomain: c.ByDomain}
	for _, i := range inputs {
		base.Inputs = append(base.Inputs, inputNames[i])
	}
	var scores []Score
	s, err := c.sample(model, method, inputs, always)
	if err != nil || !slices.Equal(s.inputs, inputs) {
		return nil
	}
	base.Folds = s.folds
	p := s.accuracy()
	for _, candidates := range alternatives(p) {
		list, picks := candidates.judge()
		for _, target := range []string{Accuracy, Gain, ScaledGain} {
			score := base
			score.Predictor, score.Target, score.Picks = candidates.title(), target, picks
			score.fill(onTarget(target, list, p.in))
			scores = append(scores, score)
		}
	}
	if strange := c.newDomains(s, sample.accuracy); strange != nil {
		for _, target := range []string{Accuracy, Gain, ScaledGain} {
			score := base
			score.Predictor, score.Target = ChosenNewDomain, target
			score.fill(onTarget(target, strange, p.in))
			scores = append(scores, score)
		}
	}
	s, err = c.sample(model, method, inputs, hasForgetting)
	if err != nil || !slices.Equal(s.inputs, inputs) {
		return scores
	}
	base.Folds = s.folds
	p = s.forgetting()
	for _, candidates := range alternatives(p) {
		score := base
		var list []judged
		list, score.Picks = candidates.judge()
		score.Predictor, score.Target = candidates.title(), Forgetting
		score.fill(list)
		scores = append(scores, score)
	}
	if strange := c.newDomains(s, sample.forgetting); strange != nil {
		score := base
		score.Predictor, score.Target = ChosenNewDomain, Forgetting
		score.fill(strange)
		scores = append(scores, score)
	}
	for _, target := range []string{PairForgetting, PairForgettingNew} {
		q := s.pairs(p, c.Retained)
		if q == nil {
			break
		}
		q.strange = target == PairForgettingNew
		for way := -1; way < q.ways() && ctx.Err() == nil; way++ {
			score := base
			score.Predictor, score.Target = Chosen, target
			if way >= 0 {
				score.Predictor = pairNames[way]
			}
			var list []judged
			list, score.Picks = q.judge(way)
			score.fill(list)
			scores = append(scores, score)
		}
	}
	return scores
}

// newDomains forecasts every item from the tasks of other domains, with intervals
// made of single tasks. It returns nil where no tasks share a domain, where too few
// are left, and of a calibration by domain, whose scores tell it already.
func (c *Calibration) newDomains(s sample, problem func(sample) *problem) []judged {
	domains := map[string][]int{}
	tasks := map[string]bool{}
	for i, o := range s.rows {
		domains[o.domain()] = append(domains[o.domain()], i)
		tasks[o.Task] = true
	}
	if c.ByDomain || len(domains) == len(tasks) {
		return nil
	}
	list := make([]judged, len(s.rows))
	all := problem(s)
	for domain, items := range domains {
		rest := sample{inputs: s.inputs}
		folds := map[int]int{}
		for i, o := range s.rows {
			if o.domain() == domain {
				continue
			}
			if _, ok := folds[s.fold[i]]; !ok {
				folds[s.fold[i]] = len(folds)
			}
			rest.rows = append(rest.rows, o)
			rest.fold = append(rest.fold, folds[s.fold[i]])
		}
		if len(folds) < minFolds {
			return nil
		}
		p := problem(rest)
		for _, i := range items {
			q := p.interval(s.rows[i].Inputs, nothing(), 1)
			list[i] = judged{q.Value, all.y[i], q}
		}
	}
	return list
}

// alternatives are the problem itself, whose candidate is chosen, and one for
// each candidate.
func alternatives(p *problem) []*problem {
	list := []*problem{p}
	for c := range p.candidates {
		list = append(list, p.only(c))
	}
	return list
}

func (p *problem) title() string {
	if len(p.candidates) > 1 {
		return Chosen
	}
	return p.candidates[0].name
}

// judge forecasts every item without its fold.
func (p *problem) judge() ([]judged, map[string]int) {
	list := make([]judged, len(p.y))
	picks := map[string]int{}
	for fold := range p.folds {
		out := nothing().and(fold)
		residuals := p.residuals(out)
		picks[p.candidates[p.choose(out)].name]++
		for i, y := range p.y {
			if p.fold[i] != fold {
				continue
			}
			at := func(out left) float64 { return p.forecastAt(p.choose(out), out, p.in[i]) }
			q := jackknife(residuals, at(out), at, p.to, p.from, 1)
			list[i] = judged{q.Value, y, q}
		}
	}
	if len(p.candidates) == 1 {
		picks = nil
	}
	return list, picks
}

// judge forecasts every pair without the fold of its tuned task, by one way or, at
// -1, by the chosen one.
func (p *pairs) judge(way int) ([]judged, map[string]int) {
	if way >= 0 {
		// A choice without an alternative.
		p = &pairs{severity: p.severity, tuned: p.tuned, retained: p.retained, known: p.known, y: p.y, names: p.names,
			strange: p.strange, fits: p.fits, choices: map[left]int{}, fixed: &way}
	}
	list := make([]judged, len(p.y))
	picks := map[string]int{}
	for fold := range p.severity.folds {
		out := nothing().and(fold)
		residuals := p.residuals(out)
		picks[pairNames[p.choose(out)]]++
		for i, y := range p.y {
			k := p.tuned[i]
			if p.severity.fold[k] == fold {
				q := p.interval(residuals, p.severity.in[k], p.retained[i], p.known[i], out, 1)
				list[i] = judged{q.Value, y, q}
			}
		}
	}
	if way >= 0 {
		picks = nil
	}
	return list, picks
}

// onTarget turns judged accuracies into another target, in points. Scaled gain is
// left out where it is not defined.
func onTarget(target string, accuracies []judged, in []Inputs) []judged {
	var list []judged
	for i, j := range accuracies {
		f := func(a float64) float64 { return 100 * a }
		switch z := in[i].ZeroShotAccuracy; target {
		case Gain:
			f = func(a float64) float64 { return 100 * (a - z) }
		case ScaledGain:
			if z == 1 {
				continue
			}
			f = func(a float64) float64 { return 100 * (a - z) / (1 - z) }
		}
		list = append(list, judged{f(j.forecast), f(j.measured), j.through(f)})
	}
	return list
}

func (s *Score) fill(list []judged) {
	s.N = len(list)
	if s.N == 0 {
		return
	}
	mean, off, left, all := 0.0, 0.0, 0.0, 0.0
	for _, j := range list {
		mean += j.measured / float64(s.N)
	}
	inside80, inside95 := 0, 0
	widths := make([]float64, s.N)
	for i, j := range list {
		d := j.forecast - j.measured
		off += math.Abs(d)
		left += d * d
		all += (j.measured - mean) * (j.measured - mean)
		inside80 += within(j.measured, j.Interval80)
		inside95 += within(j.measured, j.Interval95)
		widths[i] = j.Interval80[1] - j.Interval80[0]
	}
	slices.Sort(widths)
	s.Error = off / float64(s.N)
	if all > 0 {
		r2 := 1 - left/all
		s.R2 = &r2
	}
	s.Coverage80, s.Coverage95 = coverage(inside80, s.N), coverage(inside95, s.N)
	s.Width80 = widths[s.N/2]
}

// within forgives rounding: an interval may end at what was measured.
func within(v float64, interval [2]float64) int {
	if v >= interval[0]-1e-9 && v <= interval[1]+1e-9 {
		return 1
	}
	return 0
}

// Label names a predictor in words.
func Label(predictor string) string {
	switch predictor {
	case Chosen:
		return "chosen without the task"
	case ChosenNewDomain:
		return "chosen, images of a kind never seen"
	case "mean":
		return "mean of the other tasks"
	case "over_probe":
		return "probe, moved by the mean"
	}
	return predictorWords.Replace(predictor)
}

var predictorWords = strings.NewReplacer("gp:", "Gaussian process of ", "probe_gain", "probe gain", "probe_10", "probe at 10 a class", "zero_shot", "zero-shot error", "iimm", "IIMM",
	"mean_forgetting", "mean forgetting", "known", "what is known", "share", "share of the retained task", "*", " x ", "+", " + ")
