package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
	"github.com/iimmkit/iimm/iimmkit/study/correlation"
)

// decimal has two decimals and a true minus sign.
func decimal(v float64) string { return signed(fmt.Sprintf("%.2f", v)) }

// points has one decimal.
func points(v float64) string { return signed(fmt.Sprintf("%.1f", v)) }

// percent of a fraction.
func percent(v float64) string { return signed(fmt.Sprintf("%.1f", 100*v)) + " %" }

func signed(number string) string {
	if strings.Trim(number, "-0.") == "" {
		return strings.TrimPrefix(number, "-")
	}
	return strings.Replace(number, "-", "−", 1)
}

func interval(i *correlation.Interval) string {
	return "[" + decimal(i[0]) + ", " + decimal(i[1]) + "]"
}

// strength is r with its interval, as "0.35 [−0.02, 0.64]".
func strength(c *correlation.Correlation) string {
	if c == nil || c.R == nil {
		return "–"
	}
	if c.CI95 == nil {
		return decimal(*c.R)
	}
	return decimal(*c.R) + " " + interval(c.CI95)
}

func pvalue(p *float64) string {
	switch {
	case p == nil:
		return "–"
	case *p < .001:
		return "< 0.001"
	}
	return fmt.Sprintf("%.3f", *p)
}

// finding is what a correlation comes to.
type finding int

const (
	undefined finding = iota
	uncertain         // no interval: too few tasks
	notShown          // the interval includes 0
	higher            // the interval excludes 0
	lower
)

func found(c *correlation.Correlation) finding {
	switch {
	case c == nil || c.R == nil:
		return undefined
	case c.CI95 == nil:
		return uncertain
	case c.CI95[0] > 0:
		return higher
	case c.CI95[1] < 0:
		return lower
	}
	return notShown
}

// against tells how IIMM compares in size with zero-shot error: 1 stronger, -1
// weaker, each by more than chance; 0 when the interval of the difference
// includes 0 or there is none.
func against(c *correlation.Correlation) int {
	switch {
	case c == nil || c.ExcessCI95 == nil:
		return 0
	case c.ExcessCI95[0] > 0:
		return 1
	case c.ExcessCI95[1] < 0:
		return -1
	}
	return 0
}

// verdict is the report in a few sentences of one language: a headline and
// what stands behind it.
type verdict struct {
	Headline string
	Points   []string
}

// Label names a predictor or a target in running text, several predictors joined
// by +; none is what forecasts without any: the mean of the other tasks.
func Label(language chart.Language, names ...string) string {
	if language != chart.Japanese {
		return correlation.Forecast{Predictors: names}.Label()
	}
	if len(names) == 0 {
		return "他の課題の平均"
	}
	words := make([]string, len(names))
	for i, name := range names {
		if words[i] = japaneseNames[name]; words[i] == "" {
			words[i] = name
		}
	}
	return strings.Join(words, " + ")
}

// Summary says in one language what was found of a group, whichever way it went:
// a headline and what stands behind it. The Japanese says the same, shorter.
func Summary(g *correlation.Group, language chart.Language) (headline string, points []string) {
	v := english(g)
	if language == chart.Japanese {
		v = japanese(g)
	}
	return v.Headline, v.Points
}

// english says what was found, whichever way it went.
func english(g *correlation.Group) verdict {
	var v verdict
	said := map[finding][]string{} // targets by what IIMM came to
	var compared []string
	for _, target := range []string{correlation.Gain, correlation.Forgetting} {
		iimm, trivial := g.Correlation(correlation.IIMM, target), g.Correlation(correlation.ZeroShotError, target)
		if iimm == nil || iimm.N == 0 {
			continue
		}
		name := correlation.Label(target)
		f := found(iimm)
		said[f] = append(said[f], name)
		if f == higher || f == lower {
			how := "not shown to be closer"
			if a := against(iimm); a != 0 {
				how = map[int]string{1: "closer", -1: "less close"}[a]
			}
			if trivial != nil && trivial.R != nil {
				compared = append(compared, how+" than that of the trivial zero-shot error for "+name)
			}
		}
		v.Points = append(v.Points, englishTarget(name, target, iimm, trivial, g))
	}
	var heads []string
	for _, f := range []finding{higher, lower, notShown, uncertain, undefined} {
		if len(said[f]) > 0 {
			heads = append(heads, fmt.Sprintf(map[finding]string{
				higher: "IIMM goes with more %s", lower: "IIMM goes with less %s", notShown: "no correlation of IIMM with %s is shown",
				uncertain: "too few tasks to say whether IIMM goes with %s", undefined: "no correlation of IIMM with %s is defined",
			}[f], map[bool]string{true: listedOr(said[f]), false: listed(said[f])}[f != higher && f != lower]))
		}
	}
	if len(compared) > 0 {
		heads = append(heads, "the relation is "+strings.Join(compared, ", "))
	}
	v.Headline = capital(strings.Join(heads, "; ")) + "."
	for _, p := range []struct{ name, label string }{
		{correlation.ZeroShotError, "Zero-shot error alone"}, {correlation.ProbeGain, "What a cross-validated probe gains on the same embeddings"},
	} {
		more := map[finding][]string{}
		for _, target := range []string{correlation.Gain, correlation.Forgetting} {
			f := found(g.Correlation(p.name, target))
			more[f] = append(more[f], correlation.Label(target))
		}
		var parts []string
		for _, f := range []finding{higher, lower} {
			if len(more[f]) > 0 {
				parts = append(parts, map[finding]string{higher: "more ", lower: "less "}[f]+listed(more[f]))
			}
		}
		if len(parts) > 0 {
			v.Headline += fmt.Sprintf(" %s goes with %s.", p.label, listed(parts))
		} else if len(more[notShown]) > 0 {
			v.Headline += fmt.Sprintf(" %s is not shown to go with %s either.", p.label, listedOr(more[notShown]))
			if len(said[notShown]) == 0 {
				v.Headline = strings.TrimSuffix(v.Headline, " either.") + "."
			}
		}
	}
	v.Points = append(v.Points, englishForecasts(g)...)
	return v
}

func englishTarget(name, target string, iimm, trivial *correlation.Correlation, g *correlation.Group) string {
	var s []string
	switch f := found(iimm); f {
	case undefined:
		s = append(s, fmt.Sprintf("%s: no correlation with IIMM is defined.", capital(name)))
	case uncertain:
		s = append(s, fmt.Sprintf("%s: IIMM has r = %s over %d tasks, too few for an interval.", capital(name), decimal(*iimm.R), iimm.N))
	default:
		verb := "includes 0, so these tasks do not show a correlation"
		if f != notShown {
			verb = "excludes 0"
		}
		verb += byDomain(iimm)
		s = append(s, fmt.Sprintf("%s: IIMM, measured before tuning, has r = %s; the 95 %% interval %s %s.", capital(name), decimal(*iimm.R), interval(iimm.CI95), verb))
	}
	if trivial != nil && trivial.R != nil {
		text := fmt.Sprintf("Zero-shot error alone, which needs no new measure, has r = %s%s", strength(trivial), byDomain(trivial))
		if iimm.Excess != nil {
			switch d := *iimm.Excess; {
			case against(iimm) > 0:
				text += fmt.Sprintf(", weaker by %s (beyond chance)", decimal(math.Abs(d)))
			case against(iimm) < 0:
				text += fmt.Sprintf(", stronger by %s (beyond chance)", decimal(math.Abs(d)))
			case d > 0:
				text += fmt.Sprintf(", weaker by %s (within chance)", decimal(math.Abs(d)))
			case d < 0:
				text += fmt.Sprintf(", stronger by %s (within chance)", decimal(math.Abs(d)))
			}
		}
		if iimm.PartialR != nil {
			text += fmt.Sprintf("; with it known, IIMM's partial r is %s", decimal(*iimm.PartialR))
			if iimm.PartialCI95 != nil {
				text += " " + interval(iimm.PartialCI95)
			}
		}
		s = append(s, text+".")
	}
	if target == correlation.Gain {
		if probe := g.Correlation(correlation.ProbeGain, target); probe != nil && probe.R != nil {
			s = append(s, fmt.Sprintf("A linear probe cross-validated on the same embeddings (its accuracy minus the zero-shot accuracy) has r = %s.", strength(probe)))
		}
	}
	return strings.Join(s, " ")
}

// byDomain warns where resampling whole image domains, whose tasks are not
// independent, comes to another conclusion than resampling tasks.
func byDomain(c *correlation.Correlation) string {
	d := c.CI95ByDomain
	if d == nil || c.CI95 == nil {
		return ""
	}
	includes := d[0] <= 0 && d[1] >= 0
	if includes == (found(c) == notShown) {
		return ""
	}
	return fmt.Sprintf(" (resampled by whole image domains it is %s, which %s 0)", interval(d), map[bool]string{true: "includes", false: "excludes"}[includes])
}

func englishForecasts(g *correlation.Group) []string {
	var out []string
	for _, target := range []string{correlation.Accuracy, correlation.Gain, correlation.Forgetting} {
		best, base, iimm := forecasts(g, target)
		if best == nil || base == nil || iimm == nil {
			continue
		}
		out = append(out, fmt.Sprintf("Forecasting the %s of a task that was left out: IIMM is %s points off on average, the mean of the other tasks %s, the best predictor (%s) %s.",
			correlation.Label(target), points(*iimm.Error), points(*base.Error), best.Label(), points(*best.Error)))
	}
	return out
}

// forecasts returns the best set of predictors for a target, the mean of the
// other tasks and IIMM alone; nil where there is none.
func forecasts(g *correlation.Group, target string) (best, base, iimm *correlation.Forecast) {
	best, base = g.BestForecast(target)
	for i, f := range g.LeaveOneOut {
		if f.Target == target && f.Error != nil && len(f.Predictors) == 1 && f.Predictors[0] == correlation.IIMM {
			iimm = &g.LeaveOneOut[i]
		}
	}
	return best, base, iimm
}

// listed joins words with commas and "and".
func listed(words []string) string { return joined(words, " and ") }

func listedOr(words []string) string { return joined(words, " or ") }

func joined(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + last + words[len(words)-1]
}

func capital(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}
