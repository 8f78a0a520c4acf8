package report

import (
	"fmt"
	"math"
	"strings"

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

// english says what was found, whichever way it went.
func english(g *correlation.Group) verdict {
	var v verdict
	var heads []string
	for _, target := range []string{correlation.Gain, correlation.Forgetting} {
		iimm, trivial := g.Correlation(correlation.IIMM, target), g.Correlation(correlation.ZeroShotError, target)
		if iimm == nil || iimm.N == 0 {
			continue
		}
		name := correlation.Label(target)
		switch found(iimm) {
		case undefined:
			heads = append(heads, fmt.Sprintf("no correlation of IIMM with %s is defined", name))
		case uncertain:
			heads = append(heads, fmt.Sprintf("too few tasks to say whether IIMM goes with %s", name))
		case notShown:
			heads = append(heads, fmt.Sprintf("no correlation of IIMM with %s is shown", name))
		case higher, lower:
			head := fmt.Sprintf("IIMM goes with %s %s", map[finding]string{higher: "more", lower: "less"}[found(iimm)], name)
			switch {
			case against(iimm) > 0:
				head += ", more closely than the trivial zero-shot error"
			case against(iimm) < 0:
				head += ", less closely than the trivial zero-shot error"
			case trivial != nil && trivial.R != nil:
				head += ", not shown to be closer than the trivial zero-shot error"
			}
			heads = append(heads, head)
		}
		v.Points = append(v.Points, englishTarget(name, target, iimm, trivial, g))
	}
	v.Headline = capital(strings.Join(heads, "; ")) + "."
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
		s = append(s, fmt.Sprintf("%s: IIMM, measured before tuning, has r = %s; the 95 %% interval %s %s.", capital(name), decimal(*iimm.R), interval(iimm.CI95), verb))
	}
	if trivial != nil && trivial.R != nil {
		text := fmt.Sprintf("Zero-shot error alone, which needs no new measure, has r = %s", strength(trivial))
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

func capital(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}
