package correlation

import (
	"fmt"
	"math"
	"strings"
)

// Label is the name of a predictor or target in running text.
func Label(name string) string {
	if label, ok := labels[name]; ok {
		return label
	}
	return name
}

var labels = map[string]string{
	IIMM: "IIMM", Inter: "Inter", Intra: "Intra", Alignment: "Alignment", IntraText: "IntraText",
	ModalityGap: "modality gap", ZeroShotError: "zero-shot error",
	ProbeCVAccuracy: "cross-validated probe accuracy", ProbeGain: "probe minus zero-shot accuracy",
	Gain: "gain", ScaledGain: "scaled gain", Accuracy: "final accuracy", Forgetting: "forgetting",
}

// Label is the forecast's predictors in running text.
func (f Forecast) Label() string {
	if len(f.Predictors) == 0 {
		return "mean of the other tasks"
	}
	parts := make([]string, len(f.Predictors))
	for i, p := range f.Predictors {
		parts[i] = Label(p)
	}
	return strings.Join(parts, " + ")
}

// excludesZero is false for an interval that is not defined.
func (i *Interval) excludesZero() bool { return i != nil && (i[0] > 0 || i[1] < 0) }

// String writes the interval with two decimals.
func (i *Interval) String() string {
	if i == nil {
		return "[not defined]"
	}
	return fmt.Sprintf("[%s, %s]", number(i[0]), number(i[1]))
}

// number has two decimals and no minus sign before zero.
func number(v float64) string {
	s := fmt.Sprintf("%.2f", v)
	if s == "-0.00" {
		return "0.00"
	}
	return s
}

// statement says in one plain paragraph what was found, whichever way it went.
func statement(g *Group) string {
	var s []string
	s = append(s, fmt.Sprintf("%s of model %s, method %s, %s.", counted(g.N, "task"), g.Model, g.Method, counted(len(g.Seeds), "seed")))
	for _, target := range []string{Gain, Forgetting} {
		s = append(s, sayCorrelation(g, target)...)
	}
	for _, target := range []string{Accuracy, Gain, Forgetting} {
		s = append(s, sayForecast(g, target)...)
	}
	if sub := g.Subset(IIMM, Gain); sub != nil && sub.R != nil {
		s = append(s, fmt.Sprintf("Had only %d of these tasks been studied, r of IIMM with gain would have been anywhere from %s to %s (5 %% to 95 %% of %s).",
			sub.Size, number(sub.R.P5), number(sub.R.P95), subsetsOf(sub)))
	}
	return strings.Join(s, " ")
}

func subsetsOf(s *Spread) string {
	if s.Exhaustive {
		return fmt.Sprintf("all %d subsets", s.Subsets)
	}
	return fmt.Sprintf("%d random subsets", s.Subsets)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func sayCorrelation(g *Group, target string) []string {
	iimm, trivial := g.Correlation(IIMM, target), g.Correlation(ZeroShotError, target)
	if iimm == nil || trivial == nil || iimm.N == 0 {
		return nil
	}
	var s []string
	switch {
	case iimm.R == nil:
		s = append(s, fmt.Sprintf("IIMM and %s: no correlation is defined (%s).", target, iimm.Note))
	case iimm.CI95 == nil:
		s = append(s, fmt.Sprintf("IIMM and %s: r = %s, without an interval: too few tasks to conclude anything.", target, number(*iimm.R)))
	case iimm.CI95.excludesZero():
		s = append(s, fmt.Sprintf("IIMM and %s: r = %s, 95 %% interval %s, which excludes 0.", target, number(*iimm.R), iimm.CI95))
	default:
		s = append(s, fmt.Sprintf("IIMM and %s: r = %s, 95 %% interval %s, which includes 0: these tasks do not show a correlation.", target, number(*iimm.R), iimm.CI95))
	}
	if by := iimm.CI95ByDomain; by != nil && iimm.CI95 != nil && by.excludesZero() != iimm.CI95.excludesZero() {
		verb := "includes"
		if by.excludesZero() {
			verb = "excludes"
		}
		s = append(s, fmt.Sprintf("Resampling whole image domains instead of tasks the interval is %s and %s 0.", by, verb))
	}
	if iimm.R == nil || trivial.R == nil {
		return s
	}
	trivially := fmt.Sprintf("Zero-shot error, the trivial predictor, has r = %s", number(*trivial.R))
	if trivial.CI95 != nil {
		trivially += " " + trivial.CI95.String()
	}
	if excess := iimm.Excess; excess != nil {
		by := number(math.Abs(*excess))
		switch {
		case *excess < 0:
			trivially += ", in size larger than IIMM's by " + by
		case *excess > 0:
			trivially += ", in size smaller than IIMM's by " + by
		default:
			trivially += ", in size equal to IIMM's"
		}
		if iimm.ExcessCI95 != nil {
			if iimm.ExcessCI95.excludesZero() {
				trivially += " (the interval of the difference excludes 0)"
			} else {
				trivially += " (the interval of the difference includes 0)"
			}
		}
	}
	if target == Gain {
		trivially += "; that is partly arithmetic, since gain = zero-shot error - final error"
	}
	s = append(s, trivially+".")
	if iimm.PartialR != nil {
		p := fmt.Sprintf("Given zero-shot error, the partial r of IIMM is %s", number(*iimm.PartialR))
		if iimm.PartialCI95 != nil {
			p += " " + iimm.PartialCI95.String()
		}
		s = append(s, p+".")
	}
	return s
}

func sayForecast(g *Group, target string) []string {
	best, base := g.BestForecast(target)
	if best == nil || base == nil || base.Error == nil {
		return nil
	}
	subject := "The " + Label(target) + " of a task left out"
	if *best.Error >= *base.Error {
		return []string{fmt.Sprintf("%s is forecast by no predictor better than by the mean of the other tasks (%.1f points off; best predictor: %s, %.1f).",
			subject, *base.Error, best.Label(), *best.Error)}
	}
	text := fmt.Sprintf("%s is forecast best by %s (%.1f points off on average, the mean of the other tasks %.1f)",
		subject, best.Label(), *best.Error, *base.Error)
	if best.ReductionCI95 != nil && !best.ReductionCI95.excludesZero() {
		text += ", an advantage whose interval includes 0"
	}
	text += "."
	if target == Accuracy && g.Method == "probe" && strings.Contains(best.Label(), Label(ProbeCVAccuracy)) {
		text += " That is no surprise: the method itself is a probe."
	}
	return []string{text}
}

// BestForecast returns the set of predictors with the smallest leave-one-out
// error for a target, and the mean of the other tasks; nil where there is none.
// Of the best of so many sets some of the advantage is chance.
func (g *Group) BestForecast(target string) (best, base *Forecast) {
	for i := range g.LeaveOneOut {
		f := &g.LeaveOneOut[i]
		switch {
		case f.Target != target || f.Error == nil:
		case len(f.Predictors) == 0:
			base = f
		case best == nil || *f.Error < *best.Error-1e-9: // equal to rounding, the smaller set stays
			best = f
		}
	}
	return best, base
}

// notes warns of what limits the numbers. retained counts the different sets of
// tasks that forgetting was measured on.
func notes(g *Group, retained int) []string {
	notes := []string{}
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if g.N < fewestUnits {
		add("%s: at least %d are needed for any interval, at least 12 for a conclusion", counted(g.N, "task"), fewestUnits)
	} else if g.N <= SubsetSize {
		add("%d tasks: with so few, almost any correlation can come out by chance", g.N)
	}
	if g.Domains < g.N {
		text := "ci95_by_domain resamples domains"
		if g.Domains < fewestUnits {
			text = "too few domains to resample them"
		}
		add("%d tasks come from %d image domains; tasks of one domain are not independent: %s", g.N, g.Domains, text)
	}
	fewest, most := math.MaxInt, 0
	for _, t := range g.Tasks {
		fewest, most = min(fewest, len(t.Seeds)), max(most, len(t.Seeds))
	}
	if fewest < most {
		add("tasks have from %d to %d seeds", fewest, most)
	}
	noisy := 0
	for _, t := range g.Tasks {
		if v, ok := t.spread[Gain]; ok && math.Sqrt(v) > math.Abs(t.Values[Gain]) {
			noisy++
		}
	}
	if noisy > 0 {
		add("on %d of %d tasks the gain is smaller than its standard deviation between seeds", noisy, g.N)
	}
	if retained > 1 {
		add("forgetting was measured on %d different sets of tasks: its values do not compare well", retained)
	}
	for _, p := range Predictors() {
		if c := g.Correlation(p, Gain); c != nil && c.N > 1 && c.Note == sameForAll {
			add("%s is the same for all tasks: no correlation is defined", Label(p))
		}
	}
	for _, target := range Targets() {
		c := g.Correlation(IIMM, target)
		switch {
		case c == nil || c.N == g.N:
		case c.N == 0 && target == Forgetting:
			add("forgetting is not defined for this method")
		case c.N == 0:
			add("%s is not defined for any task", Label(target))
		default:
			add("%s is defined for %d of %d tasks", Label(target), c.N, g.N)
		}
	}
	return notes
}

// overview says what the whole report rests on and, where groups were pooled,
// what they come to together.
func overview(r *Report) string {
	s := []string{sayGroups(r), sayTests(r)}
	for i, p := range r.Pooled {
		if r.Overall(i) {
			s = append(s, sayPooled(&p, Gain)...)
			s = append(s, sayPooled(&p, Forgetting)...)
		}
	}
	return strings.Join(s, " ")
}

func sayGroups(r *Report) string {
	protocols, models, methods := map[string]bool{}, map[string]bool{}, map[string]bool{}
	fewest, most := math.MaxInt, 0
	for _, g := range r.Groups {
		protocols[g.Protocol], models[g.Model], methods[g.Method] = true, true, true
		fewest, most = min(fewest, g.N), max(most, g.N)
	}
	tasks := counted(most, "task")
	if fewest < most {
		tasks = fmt.Sprintf("%d to %d tasks", fewest, most)
	}
	text := fmt.Sprintf("%s: %s, %s", counted(len(r.Groups), "group"), counted(len(models), "model"), counted(len(methods), "method"))
	if len(protocols) > 1 {
		text += ", " + counted(len(protocols), "protocol")
	}
	if len(r.Groups) > 1 {
		return text + ", " + tasks + " each."
	}
	return text + ", " + tasks + "."
}

func sayTests(r *Report) string {
	var plain, holm, bh int
	for _, g := range r.Groups {
		for _, c := range g.Correlations {
			if c.P == nil {
				continue
			}
			for _, k := range []struct {
				p     float64
				count *int
			}{{*c.P, &plain}, {*c.PHolm, &holm}, {*c.PBH, &bh}} {
				if k.p <= .05 {
					*k.count++
				}
			}
		}
	}
	if r.Tests == 0 {
		return "No correlation could be tested."
	}
	return fmt.Sprintf("%s r were tested, of which chance alone would give %.1f a p of at most 0.05: %d have it, %d after Benjamini and Hochberg's adjustment, %d after Holm's.",
		counted(r.Tests, "correlation"), .05*float64(r.Tests), plain, bh, holm)
}

// sayPooled compares IIMM with the trivial predictor.
func sayPooled(p *Pooled, target string) []string {
	c, trivial := p.Correlation(IIMM, target), p.Correlation(ZeroShotError, target)
	if c == nil || c.R == nil {
		return nil
	}
	where := "Pooled over " + counted(c.Groups, "group")
	if p.Protocol != "" {
		where += " of protocol " + p.Protocol
	}
	text := fmt.Sprintf("%s, IIMM and %s: r = %s", where, target, FigureInterval(c.R, c.CI95))
	if c.Groups > 1 {
		text += fmt.Sprintf(" (in the groups from %s to %s)", number(*c.RMin), number(*c.RMax))
	}
	if trivial != nil && trivial.R != nil {
		text += "; zero-shot error: r = " + FigureInterval(trivial.R, trivial.CI95)
	}
	if c.PartialR != nil {
		text += "; IIMM given zero-shot error: r = " + FigureInterval(c.PartialR, c.PartialCI95)
	}
	return []string{text + "."}
}
