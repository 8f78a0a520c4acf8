package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"

	"github.com/iimmkit/iimm/iimmkit/model/finetune"
	"github.com/iimmkit/iimm/iimmkit/show/chart"
	"github.com/iimmkit/iimm/iimmkit/study/correlation"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

// mostDetailed is the number of protocols, models and methods up to which the
// report tells of each at length. Of more it compares all, and tells at length
// of those with the method that it begins with.
const mostDetailed = 6

// detailed lists the groups that the report tells of at length, the first one first.
func (in Input) detailed() []int {
	order := in.order()
	if len(order) <= mostDetailed {
		return order
	}
	method := in.Correlation.Groups[order[0]].Method
	return slices.DeleteFunc(order, func(i int) bool { return in.Correlation.Groups[i].Method != method })
}

// overview compares several models and methods.
type overview struct {
	Statement string
	Figures   []figure
	Means     table
	Pooled    []table
	Left      string // what the page does not tell at length
}

// compared are the predictors and targets of the overview.
var (
	comparedPredictors = []string{correlation.IIMM, correlation.ZeroShotError, correlation.ProbeGain}
	comparedTargets    = []string{correlation.Gain, correlation.ScaledGain, correlation.Forgetting}
)

// leastCompared is the number of protocols, models and methods from which on
// the report compares them; of two, the page shows one after the other.
const leastCompared = 3

// overview is nil where there is too little to compare.
func (in Input) overview() (*overview, error) {
	groups := in.Correlation.Groups
	if len(groups) < leastCompared {
		return nil, nil
	}
	o := &overview{Statement: in.Correlation.Statement, Means: in.means()}
	for _, f := range in.overviewFigures() {
		svg, err := f.Chart.SVG()
		if err != nil {
			return nil, fmt.Errorf("report: chart %s: %w", f.Name, err)
		}
		o.Figures = append(o.Figures, figure{SVG: template.HTML(svg), Caption: f.Caption})
	}
	for _, target := range comparedTargets {
		if t := in.pooled(target); len(t.Rows) > 0 {
			o.Pooled = append(o.Pooled, t)
		}
	}
	if n := len(in.detailed()); n < len(groups) {
		o.Left = fmt.Sprintf("Told at length below: the %s with method %s. All %d are in correlation.json.", plural(n, "model"), groups[in.first()].Method, len(groups))
	}
	return o, nil
}

// axesOf returns the models, with their protocols where these differ, and the
// methods of the groups, in the order in which they come and of package finetune.
func (in Input) axesOf() (models, methods []string) {
	for _, g := range in.Correlation.Groups {
		if name := in.modelName(g); !slices.Contains(models, name) {
			models = append(models, name)
		}
	}
	for _, name := range finetune.Methods() {
		if slices.ContainsFunc(in.Correlation.Groups, func(g correlation.Group) bool { return g.Method == name }) {
			methods = append(methods, name)
		}
	}
	for _, g := range in.Correlation.Groups {
		if !slices.Contains(methods, g.Method) {
			methods = append(methods, g.Method)
		}
	}
	return models, methods
}

func (in Input) modelName(g correlation.Group) string {
	for _, o := range in.Correlation.Groups {
		if o.Protocol != g.Protocol {
			return g.Model + ", " + g.Protocol
		}
	}
	return g.Model
}

// overviewFigures are heat maps of r by model and method.
func (in Input) overviewFigures() []Figure {
	models, methods := in.axesOf()
	if len(in.Correlation.Groups) < leastCompared {
		return nil
	}
	var out []Figure
	for _, target := range []string{correlation.Gain, correlation.Forgetting} {
		for _, predictor := range comparedPredictors {
			h := chart.HeatMap{
				Title:    Label(in.Language, predictor) + in.say(" and ", "と") + Label(in.Language, target),
				Subtitle: in.say("Pearson's r over tasks", "課題間のピアソンの r"), Rows: models, Columns: methods,
				RowTitle: in.say("model", "モデル"), ColumnTitle: in.say("method", "方法"), ValueTitle: "r", Missing: in.say("not defined", "未定義"),
				Diverging: true, Min: -1, Max: 1, Decimals: 2, Language: in.Language, Width: 560,
			}
			some := false
			for _, model := range models {
				row := make([]float64, len(methods))
				for k, method := range methods {
					row[k] = math.NaN()
					for i := range in.Correlation.Groups {
						g := &in.Correlation.Groups[i]
						if c := g.Correlation(predictor, target); in.modelName(*g) == model && g.Method == method && c != nil && c.R != nil {
							row[k], some = *c.R, true
						}
					}
				}
				h.Values = append(h.Values, row)
			}
			if some {
				out = append(out, Figure{Name: "all-" + slug(predictor) + "-" + slug(target), Chart: h, Caption: in.say("Each cell is one model tuned by one method.", "各ますは、一つのモデルを一つの方法で追加学習したものです。")})
			}
		}
	}
	return out
}

// means lists mean gain and forgetting over the runs.
func (in Input) means() table {
	t := table{Head: []string{"model", "method", "runs", "mean gain", "mean forgetting"}}
	for _, m := range experiment.MeansOf(in.Runs) {
		if m.Runs == 0 {
			continue
		}
		forgetting := "–"
		if m.Forgetting != nil {
			forgetting = fmt.Sprintf("%+.1f", *m.Forgetting)
		}
		name := in.modelName(correlation.Group{Protocol: m.Protocol, Model: m.Model})
		t.Rows = append(t.Rows, []cell{{Text: name}, {Text: m.Method}, {Text: fmt.Sprint(m.Runs)}, {Text: fmt.Sprintf("%+.1f", m.Gain)}, {Text: forgetting}})
	}
	return t
}

// pooled sets the compared predictors beside each other, all models of a method
// taken together.
func (in Input) pooled(target string) table {
	t := table{Caption: correlation.Label(target), Head: []string{"pooled over"}}
	for _, p := range comparedPredictors {
		t.Head = append(t.Head, correlation.Label(p))
	}
	t.Head = append(t.Head, "IIMM given zero-shot error")
	for i := range in.Correlation.Pooled {
		p := &in.Correlation.Pooled[i]
		name := p.Model + p.Method
		if name == "" {
			name = "all"
		}
		row := []cell{{Text: fmt.Sprintf("%s (%d)", name, p.Groups)}}
		some := false
		for _, predictor := range comparedPredictors {
			c := p.Correlation(predictor, target)
			if c == nil || c.R == nil {
				row = append(row, cell{Text: "–"})
				continue
			}
			some = true
			row = append(row, withInterval(c.R, c.CI95))
		}
		if c := p.Correlation(correlation.IIMM, target); c != nil && c.PartialR != nil {
			row = append(row, withInterval(c.PartialR, c.PartialCI95))
		} else {
			row = append(row, cell{Text: "–"})
		}
		if some {
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// withInterval writes r and its interval, strong when the interval excludes 0.
func withInterval(r *float64, ci *correlation.Interval) cell {
	c := cell{Text: decimal(*r)}
	if ci != nil {
		c.Text += " " + interval(ci)
		c.Strong = ci[0] > 0 || ci[1] < 0
	}
	return c
}
