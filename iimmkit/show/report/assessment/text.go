package assessment

import (
	"fmt"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/study/assess"
	"github.com/iimmkit/iimm/iimmkit/study/forecast"
)

// text is what the page says in one language. Formats get their arguments in
// the order in which English has them.
type text struct {
	lang, language string
	title, meta    string // %s task; %s model, %d images, %d classes

	// headlines by verdict, sure and unsure
	tuneSure, tuneUnsure, dontSure, dontUnsure, noForecast string

	today, expected, expectedNone, forgets, forgetsNot, forgetsUnknown, moreImages, enough, noBudget string

	numberToday, numberAfter, numberForgetting, numberImages string
	to, unknown, nothing                                     string

	next                                                      string
	fixData, swapped, collect, trial, tune, tuneBlend, retest string
	keepAsIs                                                  string

	data, dataGood, unusable, copies, leaks, few, moreProblems string
	classes                                                    string
	classNone                                                  string
	methods, methodsNote                                       string
	methodHead                                                 []string
	retained                                                   string
	classesHead                                                []string
	methodNames                                                map[string]string
	budget, budgetText, budgetNot, balance, balanceNot         string
	curveTitle, curveSubtitle, curveX, curveY                  string
	curveFit, curveMeasured                                    string
	barsTitle, barsSubtitle, barsX                             string
	barsGain, barsForgetting, barsUndefined                    string
	typical, wrong, wrongCaption                               string
	pairTitle, pairText, pairCaption, leakCaption              string
	standingText                                               string
	sure, sureText, outside, near                              string
	measured                                                   string
	measuredHead                                               []string
	glossary                                                   string
	terms                                                      [][2]string
	provenance                                                 string
}

func (t text) page(a *assess.Assessment, program string) (content, error) {
	c := content{
		Lang: t.lang, Language: t.language, Title: fmt.Sprintf(t.title, a.Title),
		Meta:  fmt.Sprintf(t.meta, a.Model, a.Data.Images, len(a.Data.Classes)),
		Light: light(a.Decision), Headline: t.headline(a), Points: t.points(a), Numbers: t.numbers(a),
	}
	c.Sections = append(c.Sections, section{Title: t.next, List: t.steps(a)}, t.doctor(a))
	if len(a.Pictures.Copies) > 0 {
		c.Sections = append(c.Sections, t.pairs(a))
	}
	if s := t.methodTable(a); s.Rows != nil {
		c.Sections = append(c.Sections, s)
	}
	budget, err := t.labels(a)
	if err != nil {
		return c, err
	}
	if budget.Text != nil {
		c.Sections = append(c.Sections, budget)
	}
	c.Sections = append(c.Sections, t.classTable(a), t.pictures(t.typical, a.Pictures.Typical))
	if len(a.Pictures.Wrong) > 0 {
		c.Sections = append(c.Sections, t.pictures(t.wrong, a.Pictures.Wrong))
	}
	c.Sections = append(c.Sections, t.certainty(a), t.measuredTable(a), section{Title: t.glossary, Terms: t.terms}, t.source(a, program))
	return c, nil
}

// headline is the verdict in one sentence.
func (t text) headline(a *assess.Assessment) string {
	d := a.Decision
	switch {
	case d == nil || d.Verdict == forecast.NoForecast:
		return t.noForecast
	case d.Verdict == forecast.DoNotTune && d.Sure:
		return t.dontSure
	case d.Verdict == forecast.DoNotTune:
		return t.dontUnsure
	case d.Sure:
		return fmt.Sprintf(t.tuneSure, t.methodNames[d.Method])
	}
	return fmt.Sprintf(t.tuneUnsure, t.methodNames[d.Method])
}

// points are the sentences below the headline.
func (t text) points(a *assess.Assessment) []string {
	out := []string{fmt.Sprintf(t.today, percent(a.ZeroShot.Accuracy), span(a.ZeroShot.CI95, percent, t.to), percent(a.ZeroShot.Chance))}
	m := chosen(a)
	if m == nil || m.Accuracy == nil {
		return append(out, t.expectedNone)
	}
	out = append(out, fmt.Sprintf(t.expected, t.methodNames[m.Method], percent(m.Accuracy.Value), span(m.Accuracy.Interval80, percent, t.to)))
	switch {
	case m.Harmless:
		out = append(out, t.forgetsNot)
	case m.Forgetting == nil:
		out = append(out, t.forgetsUnknown)
	default:
		out = append(out, fmt.Sprintf(t.forgets, signedLoss(m.Forgetting.Value), span(m.Forgetting.Interval80, signedLoss, t.to)))
	}
	switch b := a.Budget; {
	case b == nil:
		out = append(out, t.noBudget)
	case b.PerClass == nil:
		out = append(out, fmt.Sprintf(t.budgetNot, b.Within, b.Limit))
	case *b.PerClass > a.Data.Train/max(len(a.Data.Classes), 1):
		out = append(out, fmt.Sprintf(t.moreImages, *b.PerClass, b.Within))
	default:
		out = append(out, fmt.Sprintf(t.enough, *b.PerClass, b.Within))
	}
	return out
}

// signedLoss writes a loss as the change that a reader sees.
func signedLoss(forgetting float64) string { return fmt.Sprintf("%+.1f", -forgetting) }

func (t text) numbers(a *assess.Assessment) []number {
	out := []number{{t.numberToday, percent(a.ZeroShot.Accuracy), span(a.ZeroShot.CI95, percent, t.to)}}
	m := chosen(a)
	if m != nil && m.Accuracy != nil {
		out = append(out, number{fmt.Sprintf(t.numberAfter, t.methodNames[m.Method]), percent(m.Accuracy.Value), span(m.Accuracy.Interval80, percent, t.to)})
		switch {
		case m.Harmless:
			out = append(out, number{t.numberForgetting, t.nothing, ""})
		case m.Forgetting != nil:
			out = append(out, number{t.numberForgetting, signedLoss(m.Forgetting.Value), span(m.Forgetting.Interval80, signedLoss, t.to)})
		}
	}
	if b := a.Budget; b != nil && b.PerClass != nil {
		out = append(out, number{t.numberImages, fmt.Sprint(*b.PerClass), fmt.Sprintf("%d%s%d", b.PerClassBand80[0], t.to, b.PerClassBand80[1])})
	}
	return out
}

// steps are what to do next, in order.
func (t text) steps(a *assess.Assessment) []string {
	var out []string
	if a.Data.Unusable+a.Data.Copies+a.Data.Leaks > 0 {
		out = append(out, t.fixData)
	}
	for _, s := range a.Data.Swapped {
		out = append(out, fmt.Sprintf(t.swapped, s.A, s.B))
	}
	if b := a.Budget; b != nil && b.PerClass != nil && *b.PerClass > a.Data.Train/max(len(a.Data.Classes), 1) {
		out = append(out, fmt.Sprintf(t.collect, *b.PerClass))
	}
	d := a.Decision
	switch {
	case d == nil || d.Verdict == forecast.NoForecast:
		out = append(out, t.trial)
	case d.Verdict == forecast.DoNotTune && d.Sure:
		return append(out, t.keepAsIs)
	case d.Verdict == forecast.DoNotTune:
		out = append(out, t.trial)
	default:
		out = append(out, fmt.Sprintf(t.tune, d.Method))
		if m := of(a.Forecast, d.Method); m != nil && !m.Harmless {
			out = append(out, t.tuneBlend)
		}
	}
	return append(out, t.retest)
}

// mostProblems is how many problems are listed.
const mostProblems = 12

func (t text) doctor(a *assess.Assessment) section {
	s := section{Title: t.data}
	for _, c := range []struct {
		format string
		n      int
	}{{t.unusable, a.Data.Unusable}, {t.leaks, a.Data.Leaks}, {t.copies, a.Data.Copies}} {
		if c.n > 0 {
			s.Text = append(s.Text, fmt.Sprintf(c.format, c.n))
		}
	}
	if s.Text == nil {
		s.Text = []string{t.dataGood}
	}
	few := 0
	for _, c := range a.Data.Classes {
		if c.Images < 10 {
			few++
		}
	}
	if few > 0 {
		s.Text = append(s.Text, fmt.Sprintf(t.few, few))
	}
	for _, f := range a.Data.Findings {
		s.Text = append(s.Text, f.Message)
	}
	for i, p := range a.Data.Problems {
		if i == mostProblems {
			s.Text = append(s.Text, fmt.Sprintf(t.moreProblems, len(a.Data.Problems)-i))
			break
		}
		s.Rows = append(s.Rows, []string{p.Path, p.Message})
	}
	return s
}

func (t text) methodTable(a *assess.Assessment) section {
	s := section{Title: t.methods, Text: []string{t.methodsNote}, Head: t.methodHead}
	if a.Forecast == nil {
		return s
	}
	quantity := func(q *forecast.Quantity, format func(float64) string) string {
		if q == nil {
			return t.unknown
		}
		return format(q.Value) + " (" + span(q.Interval80, format, t.to) + ")"
	}
	for _, m := range a.Forecast.Methods {
		for _, r := range m.Retained {
			s.Text = append(s.Text, fmt.Sprintf(t.retained, t.methodNames[m.Method], r.Task, signedLoss(r.Forgetting.Value), span(r.Forgetting.Interval80, signedLoss, t.to)))
		}
	}
	for _, m := range a.Forecast.Methods {
		forgetting := quantity(m.Forgetting, signedLoss)
		if m.Harmless {
			forgetting = t.nothing
		}
		s.Rows = append(s.Rows, []string{t.methodNames[m.Method] + " (" + m.Method + ")", quantity(m.Accuracy, percent), quantity(m.Gain, signed), forgetting})
	}
	return s
}

func (t text) labels(a *assess.Assessment) (section, error) {
	s := section{Title: t.budget}
	b := a.Budget
	if b == nil {
		return s, nil
	}
	if b.PerClass == nil {
		s.Text = append(s.Text, fmt.Sprintf(t.budgetNot, b.Within, b.Limit))
	} else {
		s.Text = append(s.Text, fmt.Sprintf(t.budgetText, *b.PerClass, b.PerClassBand80[0], b.PerClassBand80[1], b.Within, a.ImagesForIIMM))
	}
	if v := b.Balance; v != nil {
		if v.Best > 0 {
			s.Text = append(s.Text, fmt.Sprintf(t.balance, v.CostPerLabel, v.ValuePerPoint, v.Best, v.Net))
		} else {
			s.Text = append(s.Text, fmt.Sprintf(t.balanceNot, v.CostPerLabel, v.ValuePerPoint))
		}
	}
	var err error
	s.Figure, err = t.curve(a)
	return s, err
}

// mostClasses is how many classes are listed.
const mostClasses = 100

func (t text) classTable(a *assess.Assessment) section {
	s := section{Title: t.classes, Head: t.classesHead}
	for i, c := range a.Data.Classes {
		if i == mostClasses {
			s.Text = append(s.Text, fmt.Sprintf(t.classNone, len(a.Data.Classes)-i))
			break
		}
		known, as := t.unknown, "–"
		if c.ZeroShot != nil {
			known = percent(*c.ZeroShot)
		}
		if c.MistakenFor != "" {
			as = fmt.Sprintf("%s (%s)", c.MistakenFor, percent(c.Share))
		}
		s.Rows = append(s.Rows, []string{c.Name, c.Caption, fmt.Sprint(c.Images), known, as})
	}
	return s
}

func (t text) pictures(title string, list []assess.Picture) section {
	s := section{Title: title}
	for _, p := range list {
		caption := p.Class
		if p.As != "" {
			caption = fmt.Sprintf(t.wrongCaption, p.Class, p.As)
		}
		s.Pictures = append(s.Pictures, picture{URI: p.PNG, Caption: caption})
	}
	return s
}

// pairs shows copies beside what they are copies of.
func (t text) pairs(a *assess.Assessment) section {
	s := section{Title: t.pairTitle, Text: []string{t.pairText}}
	for _, c := range a.Pictures.Copies {
		caption := t.pairCaption
		if c.Leak {
			caption = t.leakCaption
		}
		s.Pictures = append(s.Pictures, picture{c.PNG, fmt.Sprintf(caption, c.ID, c.Of), c.OfPNG})
	}
	return s
}

// certainty says what the forecast rests on.
func (t text) certainty(a *assess.Assessment) section {
	s := section{Title: t.sure}
	if a.Forecast == nil {
		s.Text = append(s.Text, t.noForecast)
		s.Text = append(s.Text, a.Notes...)
		return s
	}
	c := a.Forecast.Calibration
	s.Text = append(s.Text, fmt.Sprintf(t.sureText, c.Tasks, strings.Join(c.Models, ", "), c.Source))
	if a.Standing != nil {
		s.Text = append(s.Text, fmt.Sprintf(t.standingText, a.Standing.Tasks, percent(a.Standing.IIMM), percent(a.Standing.ZeroShot), percent(a.Standing.Probe)))
	}
	if m := chosen(a); m != nil && m.Basis != nil {
		switch m.Basis.Extrapolation.Status {
		case forecast.Near:
			s.Text = append(s.Text, t.near)
		case forecast.Outside:
			s.Text = append(s.Text, t.outside)
		}
	}
	s.Text = append(s.Text, a.Notes...)
	return s
}

func (t text) measuredTable(a *assess.Assessment) section {
	s := section{Title: t.measured, Head: t.measuredHead}
	m, ci := a.Measured, a.Intervals
	value := func(v float64) string { return fmt.Sprintf("%.3f", v) }
	row := func(name string, v float64, ci [2]float64) {
		s.Rows = append(s.Rows, []string{name, value(v), span(ci, value, t.to)})
	}
	row("IIMM", m.IIMM, ci.IIMM)
	row("Inter", m.Inter, ci.Inter)
	row("Intra", m.Intra, ci.Intra)
	row("Alignment", m.Alignment, ci.Alignment)
	row("ModalityGap", m.ModalityGap, ci.ModalityGap)
	row("probe", a.Probe.Accuracy, a.Probe.CI95)
	return s
}

func (t text) source(a *assess.Assessment, program string) section {
	s := section{Title: t.provenance, Rows: [][]string{{"model", a.Model}, {"backend", a.Backend}, {"seed", fmt.Sprint(a.Seed)}}}
	for _, name := range []string{"model", "task", "captions", "tokenizer"} {
		if h := a.Hashes[name]; h != "" {
			s.Rows = append(s.Rows, []string{"hash of " + name, h})
		}
	}
	if a.Forecast != nil {
		c := a.Forecast.Calibration
		s.Rows = append(s.Rows, []string{"calibration", c.Name + ", " + c.Hash})
	}
	if program != "" {
		s.Rows = append(s.Rows, []string{"written by", program})
	}
	return s
}
