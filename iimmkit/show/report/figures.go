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

// say returns what is said in the language of the charts.
func (in Input) say(english, japanese string) string {
	if in.Language == chart.Japanese {
		return japanese
	}
	return english
}

// groupNames words the distance from the pretraining captions, in English and
// Japanese.
var groupNames = map[string][2]string{
	"id": {"as in pretraining", "事前学習と同様"}, "rare": {"rare words", "まれな語"}, "composed": {"new combinations", "新しい組み合わせ"},
	"shift": {"shifted images", "画質の変化"}, "held": {"held-out", "未学習の対象"}, "real": {"real images", "実画像"}, "": {"tasks", "課題"},
}

// groupOrder fixes the colours of groups whatever tasks are there.
var groupOrder = []string{"id", "rare", "composed", "shift", "held", "real"}

func (in Input) groupName(group string) string {
	if name, ok := groupNames[group]; ok {
		return in.say(name[0], name[1])
	}
	return group
}

// axis is that of what is drawn.
func (in Input) axis(name string) chart.Axis {
	switch name {
	case correlation.IIMM:
		return chart.Axis{Title: in.say("IIMM before tuning", "追加学習前のIIMM")}
	case correlation.ZeroShotError:
		return chart.Axis{Title: in.say("zero-shot error before tuning", "追加学習前のゼロショット誤り率"), Percent: true}
	case correlation.ProbeCVAccuracy:
		return chart.Axis{Title: in.say("cross-validated probe accuracy before tuning", "追加学習前のプローブ正解率（交差検証）"), Percent: true}
	case correlation.ProbeGain:
		return chart.Axis{Title: in.say("probe minus zero-shot accuracy, before tuning", "プローブとゼロショットの正解率の差（追加学習前）"), Percent: true}
	case correlation.Gain:
		return chart.Axis{Title: in.say("gain (points)", "向上（ポイント）"), Zero: true}
	case correlation.ScaledGain:
		return chart.Axis{Title: in.say("scaled gain (share of the zero-shot error)", "相対的な向上（ゼロショット誤り率に占める割合）"), Zero: true}
	case correlation.Forgetting:
		return chart.Axis{Title: in.say("forgetting (points, positive is worse)", "忘却（ポイント、正が悪化）"), Zero: true}
	case correlation.Accuracy:
		return chart.Axis{Title: in.say("accuracy after tuning", "追加学習後の正解率"), Percent: true}
	}
	return chart.Axis{Title: name}
}

func (in Input) figures(i int) []Figure {
	g := &in.Correlation.Groups[i]
	tasks := in.tasks(g)
	prefix := in.prefix(i)
	var out []Figure
	for _, s := range []struct {
		predictor, target, title, caption string
	}{
		{correlation.IIMM, correlation.Gain, in.say("IIMM against gain", "IIMMと向上"),
			in.say("Does the measure tell beforehand how much tuning gains?", "追加学習でどれだけ向上するかは、この指標で前もって分かるでしょうか。")},
		{correlation.ZeroShotError, correlation.Gain, in.say("Zero-shot error against gain", "ゼロショット誤り率と向上"),
			in.say("The trivial predictor. Partly arithmetic: gain = error before − error after.", "自明な予測変数です。一部は算術的な関係です：向上 = 前の誤り率 − 後の誤り率。")},
		{correlation.IIMM, correlation.Forgetting, in.say("IIMM against forgetting", "IIMMと忘却"),
			in.say("Does the measure tell beforehand how much the other tasks suffer?", "他の課題がどれだけ損なわれるかは、この指標で前もって分かるでしょうか。")},
		{correlation.ZeroShotError, correlation.Forgetting, in.say("Zero-shot error against forgetting", "ゼロショット誤り率と忘却"),
			in.say("The trivial predictor of forgetting.", "忘却についての自明な予測変数です。")},
		{correlation.IIMM, correlation.ScaledGain, in.say("IIMM against scaled gain", "IIMMと相対的な向上"),
			in.say("The paper's headline relation: the share of the zero-shot error that tuning removes.", "論文の中心となる関係です：ゼロショットの誤りのうち、追加学習でなくなる割合。")},
		{correlation.ProbeCVAccuracy, correlation.Accuracy, in.say("Probe accuracy against tuned accuracy", "プローブ正解率と追加学習後の正解率"),
			in.say("A linear probe, cross-validated on the same embeddings, costs seconds and no tuning.", "同じ埋め込みで交差検証した線形プローブは数秒で済み、追加学習を要しません。")},
		{correlation.ProbeGain, correlation.Gain, in.say("Probe minus zero-shot against gain", "プローブとゼロショットの差と向上"),
			in.say("What the probe says there is to gain.", "プローブから見た、向上の余地です。")},
	} {
		if c, ok := in.scatter(g, tasks, s.predictor, s.target); ok {
			c.Title = s.title
			out = append(out, Figure{Name: prefix + "-" + slug(s.predictor) + "-" + slug(s.target), Chart: c, Caption: s.caption})
		}
	}
	out = append(out, Figure{Name: prefix + "-tasks", Chart: in.taskBars(g, tasks), Tall: true,
		Caption: in.say("Tasks are sorted by zero-shot accuracy, the best known first.", "ゼロショット正解率の高い課題から順に並べています。")})
	if c, ok := in.strengths(g); ok {
		out = append(out, Figure{Name: prefix + "-correlations", Chart: c,
			Caption: in.say("A whisker that crosses 0 means that these tasks do not show a correlation.", "ひげが0をまたぐ場合、これらの課題では相関が確認できません。")})
	}
	if c, ok := in.offTarget(tasks); ok {
		out = append(out, Figure{Name: prefix + "-off-target", Chart: c, Wide: true,
			Caption: in.say("Forgetting of a tuned task is the mean of its row with the sign turned. Rows and columns are sorted by zero-shot accuracy.",
				"ある課題を追加学習したときの忘却は、その行の平均の符号を変えたものです。行と列はゼロショット正解率の順です。")})
	}
	return out
}

func slug(name string) string { return strings.ReplaceAll(name, "_", "-") }

// scatter draws a predictor against a target; false where fewer than three
// tasks have both.
func (in Input) scatter(g *correlation.Group, tasks []measured, predictor, target string) (chart.Scatter, bool) {
	s := chart.Scatter{X: in.axis(predictor), Y: in.axis(target), Width: 560, Height: 440, Subtitle: in.annotation(g, predictor, target), Language: in.Language}
	for _, group := range groupOrder {
		s.Groups = append(s.Groups, in.groupName(group))
	}
	var xs []float64
	var extra []string
	for _, t := range tasks {
		x, okX := t.Values[predictor]
		y, okY := t.Values[target]
		if !okX || !okY {
			continue
		}
		p := chart.Point{Name: t.short, Group: in.groupName(t.Group), X: x, Y: y, Detail: in.beforeAndAfter(t)}
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
		if !slices.Contains(s.Groups, p.Group) && !slices.Contains(extra, p.Group) {
			extra = append(extra, p.Group)
		}
		xs = append(xs, x)
		s.Points = append(s.Points, p)
	}
	slices.Sort(extra)
	s.Groups = append(s.Groups, extra...)
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

// beforeAndAfter is the hover text of a task.
func (in Input) beforeAndAfter(t measured) string {
	return fmt.Sprintf(in.say("zero-shot %s, tuned %s", "ゼロショット %s、追加学習後 %s"), percent(1-t.Values[correlation.ZeroShotError]), percent(t.Values[correlation.Accuracy]))
}

// annotation is the line under a scatter's title.
func (in Input) annotation(g *correlation.Group, predictor, target string) string {
	c := g.Correlation(predictor, target)
	if c == nil || c.R == nil {
		return in.say("correlation not defined", "相関は定義されません")
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
		text += in.say("; given zero-shot error: partial r = ", "。ゼロショット誤り率を固定した偏相関 r = ") + decimal(*c.PartialR)
	}
	return text
}

// strengths shows r of every predictor with gain, forgetting and final accuracy.
func (in Input) strengths(g *correlation.Group) (chart.Bars, bool) {
	b := chart.Bars{Subtitle: in.say("Pearson's r over tasks, 95 % bootstrap interval", "課題間のピアソンの r、ブートストラップによる95 %区間"),
		X: chart.Axis{Title: "r", Min: -1.08, Max: 1.08}, Undefined: "–", Language: in.Language, Width: 560, Height: 480}
	targets := []string{correlation.Gain, correlation.Forgetting, correlation.Accuracy}
	targets = slices.DeleteFunc(targets, func(t string) bool {
		c := g.Correlation(correlation.IIMM, t)
		return c == nil || c.N < 3
	})
	for _, t := range targets {
		b.Series = append(b.Series, Label(in.Language, t))
	}
	b.Title = in.say("How predictors go with "+listed(b.Series), strings.Join(b.Series, "・")+"と予測変数の相関")
	for _, p := range correlation.Predictors() {
		row := chart.BarRow{Name: Label(in.Language, p)}
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
func (in Input) taskBars(g *correlation.Group, tasks []measured) chart.Bars {
	forgets := slices.ContainsFunc(tasks, func(t measured) bool { _, ok := t.Values[correlation.Forgetting]; return ok })
	b := chart.Bars{Title: in.say("Gain per task", "課題ごとの向上"), X: chart.Axis{Title: in.say("points", "ポイント")}, Series: []string{Label(in.Language, correlation.Gain)},
		Language: in.Language, Width: 560, Height: 950,
		Note: in.say("Whiskers: 95 % intervals from the number of test images, as if the images before and after were different ones, so rather too wide.",
			"ひげ：試験画像の枚数から求めた95 %区間。前後で別の画像を使ったものとして計算しているため、やや広めです。")}
	if len(g.Seeds) > 1 {
		b.Subtitle = fmt.Sprintf(in.say("mean of %d seeds", "シード %d 個の平均"), len(g.Seeds))
	}
	if forgets {
		b.Title, b.Series = in.say("Gain and forgetting per task", "課題ごとの向上と忘却"), append(b.Series, Label(in.Language, correlation.Forgetting))
	}
	for _, t := range tasks {
		row := chart.BarRow{Name: t.short, Detail: in.beforeAndAfter(t)}
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
func (in Input) offTarget(tasks []measured) (chart.HeatMap, bool) {
	columns, change := matrix(tasks)
	h := chart.HeatMap{
		Title:    in.say("What tuning on one task does to the others", "ある課題の追加学習が他の課題に及ぼす影響"),
		Subtitle: in.say("change of accuracy in points; orange is forgetting", "正解率の変化（ポイント）。橙色は忘却"),
		Columns:  columns, RowTitle: in.say("tuned on", "追加学習した課題"), ColumnTitle: in.say("tested on", "試験した課題"), Values: change,
		ValueTitle: in.say("change (points)", "変化（ポイント）"), Missing: in.say("the tuned task itself, or not measured", "追加学習した課題自身、または未測定"),
		Diverging: true, Language: in.Language, Width: math.Min(1120, math.Max(640, 220+62*float64(len(columns))))}
	some := false
	for i, t := range tasks {
		h.Rows = append(h.Rows, t.short)
		for _, v := range change[i] {
			some = some || !math.IsNaN(v)
		}
	}
	return h, some
}
