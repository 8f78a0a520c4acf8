package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
	"github.com/iimmkit/iimm/iimmkit/show/chart/relation"
	"github.com/iimmkit/iimm/iimmkit/study/correlation"
)

// Figure is one chart of the report and the base name of its files.
type Figure struct {
	Name    string // such as full-iimm-gain
	Chart   chart.Chart
	Caption string // what to look at, one or two sentences
	Wide    bool   // wants the whole width of the page
	Tall    bool   // wants the height of two others
}

// Figures returns the charts of the report: those that compare protocols, models
// and methods, then those of each that it tells of at length, the first one
// first. A chart whose values are not defined, as forgetting of a linear probe,
// is left out.
func Figures(in Input) ([]Figure, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	out := in.overviewFigures()
	for _, i := range in.detailed() {
		out = append(out, in.figures(i)...)
	}
	return out, nil
}

// order lists the groups with the first one first.
func (in Input) order() []int {
	first := in.first()
	out := []int{first}
	for i := range in.Correlation.Groups {
		if i != first {
			out = append(out, i)
		}
	}
	return out
}

// prefix names the files of a group: by method, and by model and protocol where
// those differ; numbered where two groups would share a name.
func (in Input) prefix(i int) string {
	groups := in.Correlation.Groups
	models, protocols := false, false
	for _, o := range groups {
		models, protocols = models || o.Model != groups[0].Model, protocols || o.Protocol != groups[0].Protocol
	}
	seen := map[string]bool{}
	name := ""
	for k := range i + 1 {
		name = groups[k].Method
		if models {
			name = groups[k].Model + "-" + name
		}
		if protocols {
			name = groups[k].Protocol + "-" + name
		}
		if name = fileName(name); seen[name] {
			name = fmt.Sprintf("%s_%d", name, k)
		}
		seen[name] = true
	}
	return name
}

// fileName keeps letters, digits, - and inner dots of a name.
func fileName(name string) string {
	return strings.TrimLeft(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, name), ".-")
}

// groupNames words the distance from the pretraining captions.
var groupNames = map[string]string{
	"id": "as in pretraining", "rare": "rare words", "composed": "new combinations", "shift": "shifted images",
	"held": "held-out", "real": "real images", "": "tasks",
}

// groupOrder fixes the colours of groups whatever tasks are there.
var groupOrder = []string{"as in pretraining", "rare words", "new combinations", "shifted images", "held-out", "real images"}

func groupName(group string) string {
	if name, ok := groupNames[group]; ok {
		return name
	}
	return group
}

// axes of what is drawn.
var axes = map[string]chart.Axis{
	correlation.IIMM:            {Title: "IIMM before tuning"},
	correlation.ZeroShotError:   {Title: "zero-shot error before tuning", Percent: true},
	correlation.ProbeCVAccuracy: {Title: "cross-validated probe accuracy before tuning", Percent: true},
	correlation.ProbeGain:       {Title: "probe minus zero-shot accuracy, before tuning", Percent: true},
	correlation.Gain:            {Title: "gain (points)", Zero: true},
	correlation.ScaledGain:      {Title: "scaled gain (share of the zero-shot error)", Zero: true},
	correlation.Forgetting:      {Title: "forgetting (points, positive is worse)", Zero: true},
	correlation.Accuracy:        {Title: "accuracy after tuning", Percent: true},
}

func (in Input) figures(i int) []Figure {
	g := &in.Correlation.Groups[i]
	tasks := in.tasks(g)
	prefix := in.prefix(i)
	var out []Figure
	for _, s := range []struct {
		predictor, target, title, caption string
	}{
		{correlation.IIMM, correlation.Gain, "IIMM against gain", "Does the measure tell beforehand how much tuning gains?"},
		{correlation.ZeroShotError, correlation.Gain, "Zero-shot error against gain", "The trivial predictor. Partly arithmetic: gain = error before − error after."},
		{correlation.IIMM, correlation.Forgetting, "IIMM against forgetting", "Does the measure tell beforehand how much the other tasks suffer?"},
		{correlation.ZeroShotError, correlation.Forgetting, "Zero-shot error against forgetting", "The trivial predictor of forgetting."},
		{correlation.IIMM, correlation.ScaledGain, "IIMM against scaled gain", "The paper's headline relation: the share of the zero-shot error that tuning removes."},
		{correlation.ProbeCVAccuracy, correlation.Accuracy, "Probe accuracy against tuned accuracy", "A linear probe, cross-validated on the same embeddings, costs seconds and no tuning."},
		{correlation.ProbeGain, correlation.Gain, "Probe minus zero-shot against gain", "What the probe says there is to gain."},
	} {
		if c, ok := scatter(g, tasks, s.predictor, s.target); ok {
			c.Title = s.title
			out = append(out, Figure{Name: prefix + "-" + slug(s.predictor) + "-" + slug(s.target), Chart: c, Caption: s.caption})
		}
	}
	out = append(out, Figure{Name: prefix + "-tasks", Chart: taskBars(g, tasks), Tall: true,
		Caption: "Tasks are sorted by zero-shot accuracy, the best known first."})
	if c, ok := strengths(g); ok {
		out = append(out, Figure{Name: prefix + "-correlations", Chart: c,
			Caption: "A whisker that crosses 0 means that these tasks do not show a correlation."})
	}
	if c, ok := offTarget(tasks); ok {
		out = append(out, Figure{Name: prefix + "-off-target", Chart: c, Wide: true,
			Caption: "Forgetting of a tuned task is the mean of its row with the sign turned. Rows and columns are sorted by zero-shot accuracy."})
	}
	return out
}

func slug(name string) string { return strings.ReplaceAll(name, "_", "-") }

// scatter draws a predictor against a target; false where fewer than three
// tasks have both.
func scatter(g *correlation.Group, tasks []measured, predictor, target string) (chart.Scatter, bool) {
	s := chart.Scatter{X: axes[predictor], Y: axes[target], Width: 560, Height: 440, Subtitle: annotation(g, predictor, target)}
	var xs []float64
	var extra []string
	for _, t := range tasks {
		x, okX := t.Values[predictor]
		y, okY := t.Values[target]
		if !okX || !okY {
			continue
		}
		p := chart.Point{Name: t.short, Group: groupName(t.Group), X: x, Y: y,
			Detail: fmt.Sprintf("zero-shot %s, tuned %s", percent(1-t.Values[correlation.ZeroShotError]), percent(t.Values[correlation.Accuracy]))}
		half := math.NaN()
		switch target {
		case correlation.Gain:
			half = t.gainHalf
		case correlation.Forgetting:
			half = t.forgettingHalf
		}
		if !math.IsNaN(half) {
			p.Interval = &[2]float64{y - half, y + half}
		}
		if !slices.Contains(groupOrder, p.Group) && !slices.Contains(extra, p.Group) {
			extra = append(extra, p.Group)
		}
		xs = append(xs, x)
		s.Points = append(s.Points, p)
	}
	slices.Sort(extra)
	s.Groups = append(append([]string{}, groupOrder...), extra...)
	if len(s.Points) < 3 {
		return s, false
	}
	if c := g.Correlation(predictor, target); c != nil {
		s.Fit = relation.Line(c.Line, xs)
	}
	if predictor == correlation.ProbeCVAccuracy && target == correlation.Accuracy {
		s.Identity = true
	}
	return s, true
}

// annotation is the line under a scatter's title.
func annotation(g *correlation.Group, predictor, target string) string {
	c := g.Correlation(predictor, target)
	if c == nil || c.R == nil {
		return "correlation not defined"
	}
	text := "r = " + decimal(*c.R)
	if c.CI95 != nil {
		text += " " + interval(c.CI95)
	}
	if c.Tau != nil {
		text += ", tau = " + decimal(*c.Tau)
	}
	text += fmt.Sprintf(", n = %d", c.N)
	if c.PartialR != nil {
		text += "; given zero-shot error: partial r = " + decimal(*c.PartialR)
	}
	return text
}

// strengths shows r of every predictor with gain, forgetting and final accuracy.
func strengths(g *correlation.Group) (chart.Bars, bool) {
	b := chart.Bars{Subtitle: "Pearson's r over tasks, 95 % bootstrap interval",
		X: chart.Axis{Title: "r", Min: -1.08, Max: 1.08}, Undefined: "–", Width: 560, Height: 480}
	targets := []string{correlation.Gain, correlation.Forgetting, correlation.Accuracy}
	targets = slices.DeleteFunc(targets, func(t string) bool {
		c := g.Correlation(correlation.IIMM, t)
		return c == nil || c.N < 3
	})
	for _, t := range targets {
		b.Series = append(b.Series, correlation.Label(t))
	}
	b.Title = "How predictors go with " + listed(b.Series)
	for _, p := range correlation.Predictors() {
		row := chart.BarRow{Name: correlation.Label(p)}
		for _, t := range targets {
			r, ends := math.NaN(), [2]float64{math.NaN(), math.NaN()}
			if c := g.Correlation(p, t); c != nil && c.R != nil {
				r = *c.R
				if c.CI95 != nil {
					ends = *c.CI95
				}
			}
			row.Values, row.Intervals = append(row.Values, r), append(row.Intervals, ends)
		}
		b.Rows = append(b.Rows, row)
	}
	return b, len(targets) > 0
}

// taskBars shows gain and forgetting of every task.
func taskBars(g *correlation.Group, tasks []measured) chart.Bars {
	forgets := slices.ContainsFunc(tasks, func(t measured) bool { _, ok := t.Values[correlation.Forgetting]; return ok })
	b := chart.Bars{Title: "Gain per task", X: chart.Axis{Title: "points"}, Series: []string{"gain"}, Width: 560, Height: 950,
		Note: "Whiskers: 95 % intervals from the number of test images, as if the images before and after were different ones, so rather too wide."}
	if len(g.Seeds) > 1 {
		b.Subtitle = fmt.Sprintf("mean of %d seeds", len(g.Seeds))
	}
	if forgets {
		b.Title, b.Series = "Gain and forgetting per task", []string{"gain", "forgetting"}
	}
	for _, t := range tasks {
		row := chart.BarRow{Name: t.short, Detail: fmt.Sprintf("zero-shot %s, tuned %s", percent(1-t.Values[correlation.ZeroShotError]), percent(t.Values[correlation.Accuracy]))}
		add := func(v, half float64) {
			row.Values, row.Intervals = append(row.Values, v), append(row.Intervals, [2]float64{v - half, v + half})
		}
		add(t.Values[correlation.Gain], t.gainHalf)
		if forgets {
			v, ok := t.Values[correlation.Forgetting]
			if !ok {
				v = math.NaN()
			}
			add(v, t.forgettingHalf)
		}
		b.Rows = append(b.Rows, row)
	}
	return b
}

// offTarget shows the change of every task after tuning on every other; false
// where nothing was retained.
func offTarget(tasks []measured) (chart.HeatMap, bool) {
	columns, change := matrix(tasks)
	h := chart.HeatMap{Title: "What tuning on one task does to the others", Subtitle: "change of accuracy in points; orange is forgetting",
		Columns: columns, RowTitle: "tuned on", ColumnTitle: "tested on", Values: change, ValueTitle: "change (points)",
		Missing: "the tuned task itself, or not measured", Diverging: true, Width: math.Min(1120, math.Max(640, 220+62*float64(len(columns))))}
	some := false
	for i, t := range tasks {
		h.Rows = append(h.Rows, t.short)
		for _, v := range change[i] {
			some = some || !math.IsNaN(v)
		}
	}
	return h, some
}
