package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/study/correlation"
)

func plain(texts ...string) []cell {
	out := make([]cell, len(texts))
	for i, t := range texts {
		out[i] = cell{Text: t}
	}
	return out
}

// keyTable sets IIMM beside the trivial baseline and the probe.
func keyTable(g *correlation.Group) table {
	t := table{Head: []string{"Pearson's r over tasks [95 % interval]"}}
	var targets []string
	for _, target := range []string{correlation.Gain, correlation.Forgetting, correlation.Accuracy} {
		if c := g.Correlation(correlation.IIMM, target); c != nil && c.N > 1 {
			targets = append(targets, target)
			t.Head = append(t.Head, "with "+correlation.Label(target))
		}
	}
	for _, p := range []struct{ name, label string }{
		{correlation.IIMM, "IIMM"},
		{correlation.ZeroShotError, "zero-shot error (trivial baseline)"},
		{correlation.ProbeCVAccuracy, "cross-validated probe accuracy"},
		{correlation.ProbeGain, "probe minus zero-shot accuracy"},
	} {
		row := plain(p.label)
		for _, target := range targets {
			c := g.Correlation(p.name, target)
			// What the interval tells apart from 0 stands out.
			row = append(row, cell{strength(c), found(c) == higher || found(c) == lower})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// associations is every predictor against one target.
func associations(g *correlation.Group, target string) table {
	t := table{Caption: capital(correlation.Label(target)), Head: []string{"predictor", "n", "r", "95 % interval", "p", "rho", "p", "tau", "p", "partial r given zero-shot error", "95 % interval"}}
	byDomain := slices.ContainsFunc(g.Correlations, func(c correlation.Correlation) bool { return c.Target == target && c.CI95ByDomain != nil })
	if byDomain {
		t.Head = slices.Insert(t.Head, 4, "by domain")
	}
	number := func(v *float64) string {
		if v == nil {
			return "–"
		}
		return decimal(*v)
	}
	ends := func(i *correlation.Interval) string {
		if i == nil {
			return "–"
		}
		return interval(i)
	}
	for _, p := range correlation.Predictors() {
		c := g.Correlation(p, target)
		if c == nil || c.N == 0 {
			continue
		}
		f := found(c)
		row := plain(correlation.Label(p), fmt.Sprint(c.N))
		row = append(row, cell{number(c.R), f == higher || f == lower}, cell{Text: ends(c.CI95)})
		if byDomain {
			row = append(row, cell{Text: ends(c.CI95ByDomain)})
		}
		row = append(row, plain(pvalue(c.P), number(c.Rho), pvalue(c.RhoP), number(c.Tau), pvalue(c.TauP), number(c.PartialR), ends(c.PartialCI95))...)
		t.Rows = append(t.Rows, row)
	}
	return t
}

// forecastTable is the error of leave-one-task-out forecasts.
func forecastTable(g *correlation.Group) table {
	t := table{Head: []string{"forecast by"}}
	var targets []string
	for _, target := range []string{correlation.Accuracy, correlation.Gain, correlation.Forgetting} {
		if best, base := g.BestForecast(target); best != nil && base != nil {
			targets = append(targets, target)
			t.Head = append(t.Head, correlation.Label(target), "95 % interval")
		}
	}
	if len(targets) == 0 {
		return table{}
	}
	var labels []string
	for _, f := range g.LeaveOneOut {
		if label := f.Label(); !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	for _, label := range labels {
		row := plain(label)
		for _, target := range targets {
			best, _ := g.BestForecast(target)
			text, ends, strong := "–", "–", false
			for _, f := range g.LeaveOneOut {
				if f.Target == target && f.Label() == label && f.Error != nil {
					text, strong = points(*f.Error), label == best.Label()
					if f.ErrorCI95 != nil {
						ends = "[" + points(f.ErrorCI95[0]) + ", " + points(f.ErrorCI95[1]) + "]"
					}
				}
			}
			row = append(row, cell{text, strong}, cell{Text: ends})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// subsetTable is the spread of r over studies of nine tasks.
func subsetTable(g *correlation.Group) table {
	t := table{Head: []string{"r over subsets of nine tasks", "lowest", "5 %", "median", "95 %", "highest", "subsets"}}
	for _, s := range g.Subsets {
		if s.R == nil {
			continue
		}
		how := " random"
		if s.Exhaustive {
			how = " (all)"
		}
		t.Rows = append(t.Rows, plain(correlation.Label(s.Predictor)+" with "+correlation.Label(s.Target),
			decimal(s.R.Min), decimal(s.R.P5), decimal(s.R.Median), decimal(s.R.P95), decimal(s.R.Max), fmt.Sprint(s.Subsets)+how))
	}
	return t
}

// taskTable is what was measured, a row a task.
func taskTable(g *correlation.Group, tasks []measured) table {
	t := table{Class: "tasks", Head: []string{"task", "group", "domain", "classes", "train", "test", "zero-shot", "after", "gain", "scaled gain", "forgetting", "IIMM", "Inter", "Intra", "modality gap", "probe (cv)"}}
	several := len(g.Seeds) > 1
	if several {
		t.Head = append(t.Head, "seeds", "gain, lowest to highest seed")
	}
	value := func(m measured, name string, format func(float64) string) cell {
		v, ok := m.Values[name]
		if !ok {
			return cell{Text: "–"}
		}
		return cell{Text: format(v)}
	}
	three := func(v float64) string { return signed(fmt.Sprintf("%.3f", v)) }
	half := func(c cell, h float64) cell {
		if c.Text != "–" && !math.IsNaN(h) {
			c.Text += " ± " + points(h)
		}
		return c
	}
	for _, m := range tasks {
		row := plain(m.Task.Task, Input{}.groupName(m.Group), m.Domain) // the page is English
		var classes, train, test []int
		for _, r := range m.runs {
			classes, train, test = append(classes, r.Classes), append(train, r.NTrain), append(test, r.NTest)
		}
		row = append(row, plain(span(classes), span(train), span(test), percent(1-m.Values[correlation.ZeroShotError]), percent(m.Values[correlation.Accuracy]))...)
		row = append(row,
			half(value(m, correlation.Gain, points), m.gainHalf),
			value(m, correlation.ScaledGain, decimal),
			half(value(m, correlation.Forgetting, points), m.forgettingHalf),
			value(m, correlation.IIMM, three), value(m, correlation.Inter, three), value(m, correlation.Intra, three),
			value(m, correlation.ModalityGap, decimal), value(m, correlation.ProbeCVAccuracy, percent))
		if several {
			seeds := make([]string, len(m.Seeds))
			for i, s := range m.Seeds {
				seeds[i] = fmt.Sprint(s)
			}
			lo, hi := math.Inf(1), math.Inf(-1)
			for _, r := range m.runs {
				lo, hi = math.Min(lo, r.Gain), math.Max(hi, r.Gain)
			}
			spread := "–"
			if len(m.runs) > 0 {
				spread = points(lo) + " to " + points(hi)
			}
			row = append(row, plain(strings.Join(seeds, ", "), spread)...)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
