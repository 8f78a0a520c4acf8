package correlation

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

// Options of Analyse. The zero value is the default.
type Options struct {
	// Bootstrap is the number of resamples of each interval; 0 means 2000.
	Bootstrap int
	// Seed of all draws; 0 is a seed.
	Seed uint64
	// Subsets is the largest number of task subsets looked at; 0 means 2000.
	Subsets int
}

func (o Options) withDefaults() (Options, error) {
	if o.Bootstrap < 0 || o.Subsets < 0 {
		return o, fmt.Errorf("correlation: %d resamples and %d subsets: must not be negative", o.Bootstrap, o.Subsets)
	}
	o.Bootstrap = cmp.Or(o.Bootstrap, 2000)
	o.Subsets = cmp.Or(o.Subsets, 2000)
	return o, nil
}

// permutations is how many orders of the tasks a p value rests on.
const permutations = 9999

// Analyse correlates predictors with targets over the tasks of the runs, apart
// for each protocol, model and method, then pools what several models or methods
// say of one protocol, and adjusts p values for their number. Failed runs are
// counted and left out. The same runs, in whatever order, and options give the
// same report. Runs that cannot be taken together, such as two of one task and seed
// with different settings, are an error.
func Analyse(runs []experiment.Run, o Options) (*Report, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	groups, failed, repeated, err := sortOut(runs)
	if err != nil {
		return nil, fmt.Errorf("correlation: %w", err)
	}
	if len(groups) == 0 {
		if failed > 0 {
			return nil, fmt.Errorf("correlation: all %d runs failed: see their error in the ledger", failed)
		}
		return nil, errors.New("correlation: no runs")
	}
	report := &Report{
		Schema: Schema, Failed: failed, Repeated: repeated, Runs: len(runs) - failed - repeated,
		Bootstrap: o.Bootstrap, Seed: o.Seed, Permutations: permutations, Pooled: []Pooled{},
	}
	for _, g := range groups {
		analysed, err := analyse(g, o)
		if err != nil {
			return nil, fmt.Errorf("correlation: %s %s: %w", g.model, g.method, err)
		}
		report.Groups = append(report.Groups, *analysed)
	}
	for _, p := range pools(report.Groups) {
		report.Pooled = append(report.Pooled, p.correlate(Predictors(), Targets(), o)...)
	}
	if err := report.adjust(); err != nil {
		return nil, err
	}
	report.Statement = overview(report)
	return report, nil
}

// adjust sets the adjusted p values of all groups together, and of each pooled set.
func (r *Report) adjust() error {
	var groups []test
	var err error
	for i := range r.Groups {
		for j := range r.Groups[i].Correlations {
			c := &r.Groups[i].Correlations[j]
			groups = append(groups, test{c.P, &c.PHolm, &c.PBH})
		}
	}
	if r.Tests, err = adjust(groups); err != nil {
		return err
	}
	for i := range r.Pooled {
		if err := r.Pooled[i].adjust(); err != nil {
			return err
		}
	}
	return nil
}

// adjust sets the adjusted p values of the set.
func (p *Pooled) adjust() (err error) {
	var pooled []test
	for j := range p.Correlations {
		c := &p.Correlations[j]
		pooled = append(pooled, test{c.P, &c.PHolm, &c.PBH})
	}
	p.Tests, err = adjust(pooled)
	return err
}

// test is a p value and where its adjusted forms go.
type test struct {
	p        *float64
	holm, bh **float64
}

// adjust counts the tests that have a p value and adjusts it for their number.
func adjust(tests []test) (n int, err error) {
	tests = slices.DeleteFunc(tests, func(t test) bool { return t.p == nil })
	p := make([]float64, len(tests))
	for i, t := range tests {
		p[i] = *t.p
	}
	holm, err := Holm(p)
	if err != nil {
		return 0, err
	}
	bh, err := BenjaminiHochberg(p)
	if err != nil {
		return 0, err
	}
	for i, t := range tests {
		*t.holm, *t.bh = &holm[i], &bh[i]
	}
	return len(tests), nil
}

func analyse(g group, o Options) (*Group, error) {
	tasks := g.tasks()
	out := &Group{Protocol: g.protocol, Model: g.model, Method: g.method, N: len(tasks), Tasks: tasks, Notes: []string{}, Subsets: []Spread{}}
	domains := map[string]bool{}
	for _, t := range tasks {
		domains[t.Domain] = true
		for _, s := range t.Seeds {
			if !slices.Contains(out.Seeds, s) {
				out.Seeds = append(out.Seeds, s)
			}
		}
	}
	slices.Sort(out.Seeds)
	out.Domains = len(domains)
	out.SeedSD = SeedSD{Gain: seedSD(tasks, Gain), Forgetting: seedSD(tasks, Forgetting)}

	work := errgroup.Group{}
	work.SetLimit(runtime.GOMAXPROCS(0))
	out.Correlations = make([]Correlation, len(Targets())*len(Predictors()))
	forecasts := make([][]Forecast, len(Targets()))
	for i, target := range Targets() {
		s := newSample(tasks, target, o)
		for j, predictor := range Predictors() {
			work.Go(func() (err error) {
				out.Correlations[i*len(Predictors())+j], err = s.correlate(predictor)
				return err
			})
		}
		if target != ScaledGain {
			work.Go(func() (err error) {
				forecasts[i], err = s.forecasts()
				return err
			})
		}
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	for i, target := range Targets() {
		out.LeaveOneOut = append(out.LeaveOneOut, forecasts[i]...)
		out.Subsets = append(out.Subsets, subsetSpreads(out, target, o)...)
	}
	out.Notes = notes(out, g.retainedSets())
	out.Statement = statement(out)
	return out, nil
}

func seedSD(tasks []Task, name string) *float64 {
	var variances []float64
	for _, t := range tasks {
		if v, ok := t.spread[name]; ok {
			variances = append(variances, v)
		}
	}
	if len(variances) == 0 {
		return nil
	}
	return defined(math.Sqrt(mean(variances)))
}

// sameForAll is the note of a predictor that does not vary.
const sameForAll = "the predictor is the same for all tasks"

// sample is the tasks for which a target is defined.
type sample struct {
	target      string
	tasks       []Task
	y           []float64
	zeroShot    []float64
	names       []string // of tasks
	domains     []string // of tasks
	shared      bool     // some domain has several tasks
	draws       *Resamples
	domainDraws *Resamples
	orders      *Permutations
}

func newSample(tasks []Task, target string, o Options) *sample {
	s := &sample{target: target}
	for _, t := range tasks {
		y, ok := t.Values[target]
		if !ok {
			continue
		}
		s.tasks = append(s.tasks, t)
		s.y = append(s.y, y)
		s.zeroShot = append(s.zeroShot, t.Values[ZeroShotError])
		s.names = append(s.names, t.Task)
		s.domains = append(s.domains, t.Domain)
	}
	units := unitsOf(s.domains)
	s.shared = len(units) < len(s.y)
	s.draws = NewResamples(Singles(len(s.y)), o.Bootstrap, o.Seed)
	if s.shared {
		s.domainDraws = NewResamples(units, o.Bootstrap, o.Seed)
	}
	s.orders = NewPermutations(len(s.y), permutations, o.Seed)
	return s
}

func (s *sample) column(predictor string) []float64 {
	x := make([]float64, len(s.tasks))
	for i, t := range s.tasks {
		x[i] = t.Values[predictor]
	}
	return x
}

func (s *sample) correlate(predictor string) (Correlation, error) {
	x, y, z := s.column(predictor), s.y, s.zeroShot
	c := Correlation{Predictor: predictor, Target: s.target, N: len(y)}
	r, err := Pearson(x, y)
	if err != nil {
		return c, err
	}
	rho, err := Spearman(x, y)
	if err != nil {
		return c, err
	}
	tau, err := Kendall(x, y)
	if err != nil {
		return c, err
	}
	c.R, c.P, c.Rho, c.RhoP, c.Tau, c.TauP = r.Value, r.P, rho.Value, rho.P, tau.Value, tau.P
	switch {
	case len(y) == 0:
		c.Note = "not defined for any task"
	case len(y) < 2:
		c.Note = "one task has no correlation"
	case constant(x):
		c.Note = sameForAll
	case constant(y):
		c.Note = "the target is the same for all tasks"
	case len(y) < fewestUnits:
		c.Note = fmt.Sprintf("%d tasks are too few for an interval", len(y))
	case (predictor == ZeroShotError || predictor == ProbeGain) && (s.target == Gain || s.target == ScaledGain):
		c.Note = "predictor and target both contain zero-shot accuracy: part of r is arithmetic"
	}
	pick := newPicker(len(y))
	c.CI95 = s.draws.Interval(pick.two(pearson, x, y))
	c.CI95ByDomain = s.domainDraws.Interval(pick.two(pearson, x, y))
	c.PPermutation = s.orders.P(permutedPearson(x, y))
	c.MostInfluential = s.mostInfluential(x)
	c.RhoCI95 = s.draws.Interval(pick.spearmanDrawn(x, y))
	c.TauCI95 = s.draws.Interval(kendallDrawn(x, y))
	if c.Line, err = Fit(x, y); err != nil {
		return c, err
	}
	if predictor == ZeroShotError {
		return c, nil
	}
	p, err := Partial(x, y, z)
	if err != nil {
		return c, err
	}
	c.PartialR, c.PartialP = p.Value, p.P
	c.PartialCI95 = s.draws.Interval(pick.three(partial, x, y, z))
	excess := func(x, y, z []float64) float64 { return math.Abs(pearson(x, y)) - math.Abs(pearson(z, y)) }
	c.Excess = defined(excess(x, y, z))
	c.ExcessCI95 = s.draws.Percentile(pick.three(excess, x, y, z))
	c.ExcessP, err = excessP(pearson(x, y), pearson(z, y), pearson(x, z), len(y))
	return c, err
}

// excessP is the p value of |xy| = |zy|: with the signs of x and z turned so
// that both correlate positively with y.
func excessP(xy, zy, xz float64, n int) (*float64, error) {
	if n < 4 || !isFinite(xy) || !isFinite(zy) || !isFinite(xz) {
		return nil, nil
	}
	if math.Signbit(xy) != math.Signbit(zy) {
		xz = -xz
	}
	_, p, err := Williams(math.Abs(xy), math.Abs(zy), xz, n)
	return p, err
}

// mostInfluential finds the task without which r changes most, in Fisher's z: nil
// for fewer than four, where r is not defined, or without any change.
func (s *sample) mostInfluential(x []float64) *Left {
	if len(x) < fewestUnits {
		return nil
	}
	z := math.Atanh(pearson(x, s.y))
	var left *Left
	most := 0.0
	for i, r := range leaveOneOut(x, s.y) {
		change := math.Abs(math.Atanh(r) - z)
		if math.IsNaN(r) && !math.IsNaN(z) {
			change = math.Inf(1) // the task makes the correlation
		}
		if change > most {
			most, left = change, &Left{s.names[i], defined(r)}
		}
	}
	return left
}

// forecasters lists the sets of predictors whose forecasts are compared.
func forecasters() [][]string {
	sets := [][]string{{}}
	for _, p := range Predictors() {
		sets = append(sets, []string{p})
	}
	return append(sets, []string{ZeroShotError, IIMM}, []string{ZeroShotError, ProbeCVAccuracy})
}

// forecasts compares what each set of predictors makes of tasks left out.
func (s *sample) forecasts() ([]Forecast, error) {
	unit := 1.0
	if s.target == Accuracy {
		unit = 100 // fractions to points
	}
	var out []Forecast
	var base []float64
	for _, predictors := range forecasters() {
		f := Forecast{Predictors: predictors, Target: s.target, N: len(s.y)}
		var x [][]float64
		varies := true
		for _, p := range predictors {
			column := s.column(p)
			varies = varies && !constant(column)
			x = append(x, column)
		}
		if varies {
			misses, err := s.misses(x, s.names, unit)
			if err != nil {
				return nil, err
			}
			if len(predictors) == 0 {
				base = misses
			}
			if misses != nil {
				f.Error = defined(mean(misses))
				f.ErrorCI95 = s.draws.Interval(func(items []int) float64 { return meanOf(misses, items) })
				if len(predictors) > 0 && base != nil {
					less := make([]float64, len(misses))
					for i := range less {
						less[i] = base[i] - misses[i]
					}
					f.Reduction = defined(mean(less))
					f.ReductionCI95 = s.draws.Interval(func(items []int) float64 { return meanOf(less, items) })
				}
			}
			if s.shared {
				misses, err := s.misses(x, s.domains, unit)
				if err != nil {
					return nil, err
				}
				if misses != nil {
					f.ErrorByDomain = defined(mean(misses))
				}
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// misses are the absolute errors of the forecasts, nil where there are none.
func (s *sample) misses(x [][]float64, group []string, unit float64) ([]float64, error) {
	forecasts, err := LeaveOut(x, s.y, group)
	if forecasts == nil || err != nil || len(forecasts) == 0 {
		return nil, err
	}
	misses := make([]float64, len(forecasts))
	for i, f := range forecasts {
		misses[i] = unit * math.Abs(f-s.y[i])
	}
	return misses, nil
}

// subsetSpreads looks at IIMM and the trivial baseline as studies of few tasks would have.
func subsetSpreads(g *Group, target string, o Options) []Spread {
	var out []Spread
	for _, predictor := range []string{IIMM, ZeroShotError} {
		_, x, y := g.Pairs(predictor, target)
		subsets, exhaustive := Subsets(len(y), SubsetSize, o.Subsets, o.Seed)
		if subsets == nil {
			continue
		}
		pick := newPicker(SubsetSize)
		r, tau := pick.two(pearson, x, y), kendallDrawn(x, y)
		var rs, taus []float64
		for _, items := range subsets {
			rs = append(rs, r(items))
			taus = append(taus, tau(items))
		}
		out = append(out, Spread{
			Predictor: predictor, Target: target, Size: SubsetSize,
			Subsets: len(subsets), Exhaustive: exhaustive, R: quantiles(rs), Tau: quantiles(taus),
		})
	}
	return out
}
