package report

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/iimmkit/iimm/iimmkit/study/correlation"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

// view is what the page's template shows. All texts are escaped by it; only
// the style sheet and our own SVG are marked as markup.
type view struct {
	Title       string
	Style       template.CSS
	Meta        []string
	Verdict     verdict
	Japanese    verdict
	Key         table     // IIMM, zero-shot error and probe side by side
	Overview    *overview // nil where there is nothing to compare
	Sections    []section
	Definitions [][2]string
	Published   string
	Reproduced  []string
	Caveats     []string
	Provenance  [][2]string
	Failures    []string
}

// section is one protocol, model and method.
type section struct {
	Title        string
	Note         string
	Statement    string
	Notes        []string
	Figures      []figure
	Associations []table
	Forecasts    table
	Subsets      table
	Tasks        table
}

type figure struct {
	SVG     template.HTML
	Caption string
	Class   string // of the style sheet
}

// table is a head and rows; the first column is a name, the others numbers.
type table struct {
	Caption string
	Class   string // of the style sheet
	Head    []string
	Rows    [][]cell
}

type cell struct {
	Text   string
	Strong bool
}

func newView(in Input) (*view, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	order := in.order()
	g := &in.Correlation.Groups[order[0]]
	v := &view{
		Title: in.Title, Style: template.CSS(style), Verdict: english(g), Japanese: japanese(g), Key: keyTable(g),
		Definitions: definitions, Published: published(g), Reproduced: reproduced(g), Caveats: caveats(g),
		Provenance: in.provenance(),
	}
	if v.Title == "" {
		v.Title = "Learning and forgetting: what was forecast, what was measured"
	}
	v.Meta = []string{"model " + g.Model, "method " + g.Method, plural(g.N, "task"), plural(len(g.Seeds), "seed")}
	if g.Protocol != "" {
		v.Meta = append(v.Meta, "protocol "+g.Protocol)
	}
	var err error
	if v.Overview, err = in.overview(); err != nil {
		return nil, err
	}
	for _, i := range in.detailed() {
		s, err := in.section(i)
		if err != nil {
			return nil, err
		}
		v.Sections = append(v.Sections, s)
	}
	for _, r := range in.Runs {
		if r.Error != "" {
			v.Failures = append(v.Failures, fmt.Sprintf("%s, %s on %s, seed %d: %s", r.Model, r.Method, r.Task, r.Seed, r.Error))
		}
	}
	return v, nil
}

func (in Input) section(i int) (section, error) {
	g := &in.Correlation.Groups[i]
	tasks := in.tasks(g)
	s := section{Title: g.Model + ", " + methodName(g.Method), Statement: g.Statement,
		Forecasts: forecastTable(g), Subsets: subsetTable(g), Tasks: taskTable(g, tasks)}
	if g.Protocol != "" {
		s.Title += ", protocol " + g.Protocol
	}
	for _, note := range g.Notes {
		s.Notes = append(s.Notes, strings.ReplaceAll(note, "ci95_by_domain", "the column “by domain”"))
	}
	if i == in.first() {
		s.Statement = "" // the page begins with it
	}
	if g.Method == "probe" {
		s.Note = "A linear probe trains a classifier on frozen embeddings. The towers do not move, so nothing else is forgotten: forgetting is not defined and left out."
	}
	for _, target := range correlation.Targets() {
		if t := associations(g, target); len(t.Rows) > 0 {
			s.Associations = append(s.Associations, t)
		}
	}
	for _, f := range in.figures(i) {
		svg, err := f.Chart.SVG()
		if err != nil {
			return s, fmt.Errorf("report: chart %s: %w", f.Name, err)
		}
		class := ""
		switch {
		case f.Wide:
			class = "wide"
		case f.Tall:
			class = "tall"
		}
		s.Figures = append(s.Figures, figure{SVG: template.HTML(svg), Caption: f.Caption, Class: class})
	}
	return s, nil
}

func methodName(method string) string {
	if method == "probe" {
		return "linear probe"
	}
	return "method " + method
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

var definitions = [][2]string{
	{"IIMM", "(Inter + Intra)/2, of the image embeddings of the training part and one caption embedding a class, all of length 1, before tuning (Niss, Vogt-Lowell, Tsiligkaridis, arXiv 2407.15731)."},
	{"Inter", "mean cosine of an image with the captions of the other classes; Intra: mean cosine of two images."},
	{"gain", "accuracy after tuning minus zero-shot accuracy on the task's test images, in points; scaled gain divides by the zero-shot error."},
	{"forgetting", "mean over the other tasks of zero-shot accuracy minus accuracy after tuning, in points; positive is worse."},
	{"zero-shot error", "1 minus the accuracy of the untuned model: the trivial predictor, beside which any other has to stand."},
	{"probe", "accuracy of a linear classifier on the untuned embeddings, cross-validated on the training part: seconds, no tuning."},
}

// published sets our figure beside the paper's.
func published(g *correlation.Group) string {
	text := "The paper reports, for full fine-tuning of four models on nine data sets, a Kendall tau of IIMM with scaled gain of 0.78 to 0.89 (from published notes on it)."
	if c := g.Correlation(correlation.IIMM, correlation.ScaledGain); c != nil && c.Tau != nil {
		text += fmt.Sprintf(" Here tau is %s", decimal(*c.Tau))
		if c.TauCI95 != nil {
			text += " " + interval(c.TauCI95)
		}
		text += fmt.Sprintf(" over %s.", plural(c.N, "task"))
	}
	return text
}

func reproduced(g *correlation.Group) []string {
	out := []string{"Reproduced: the procedure. Embed a task, measure IIMM and its parts, tune, measure gain on the task and forgetting on all others, correlate over tasks."}
	if strings.HasPrefix(g.Model, "micro") {
		return append(out, "Not reproduced: the paper's models, data sets and numbers. The model here is a small dual encoder trained by this project on drawn images; what holds for it need not hold for CLIP, and the reverse.")
	}
	return append(out, "Not reproduced: the paper's choice of data sets, which is not published in full, its hyper-parameter search, and its numbers.")
}

func caveats(g *correlation.Group) []string {
	out := []string{
		"Gain is error before tuning minus error after it, so zero-shot error correlates with gain partly by arithmetic. Final accuracy is forecast as well for that reason.",
		"Tuning steps and learning rate are choices; harder tuning forgets more. Seeds, where several, are averaged before anything is correlated.",
		"P values are two-sided and not adjusted for their number; the best of many predictors owes some of its lead to chance.",
	}
	if g.Domains < g.N {
		out = append(out, fmt.Sprintf("The %d tasks come from %d image domains. Tasks of one domain share the law of their images and are not independent; r resampled by whole domains is given beside r.", g.N, g.Domains))
	}
	return out
}

// provenance lists what the numbers depend on.
func (in Input) provenance() [][2]string {
	var out [][2]string
	add := func(name, value string) {
		if value != "" {
			out = append(out, [2]string{name, value})
		}
	}
	var protocols, models, methods, backends, seeds []string
	hashes := map[string][]string{}
	var train, test []int
	seconds, failed := 0.0, 0
	phases := map[string]float64{}
	unique := func(list []string, v string) []string {
		if v == "" || slices.Contains(list, v) {
			return list
		}
		return append(list, v)
	}
	for _, r := range in.Runs {
		if r.Error != "" {
			failed++
			continue
		}
		protocols, models, methods = unique(protocols, r.Protocol), unique(models, r.Model), unique(methods, r.Method)
		backends, seeds = unique(backends, r.Backend), unique(seeds, fmt.Sprint(r.Seed))
		train, test = append(train, r.NTrain), append(test, r.NTest)
		seconds += r.Seconds
		for name, s := range r.PhaseSeconds {
			phases[name] += s
		}
		for name, h := range r.Hashes {
			hashes[name] = unique(hashes[name], h)
		}
	}
	for _, p := range protocols {
		about := ""
		name, _, changed := strings.Cut(p, ":")
		if known, err := experiment.ProtocolNamed(name); err == nil {
			about = ": " + known.About
			if changed {
				about += ", changed as its name says"
			}
		}
		add("protocol", p+about)
	}
	add("models", strings.Join(models, ", "))
	add("methods", strings.Join(methods, ", "))
	add("backends", strings.Join(backends, ", "))
	add("seeds", strings.Join(seeds, ", "))
	counts := fmt.Sprintf("%d used", in.Correlation.Runs)
	if failed > 0 {
		counts += fmt.Sprintf(", %d failed and left out", failed)
	}
	add("runs", counts)
	add("training images a task", span(train))
	add("test images a task", span(test))
	add("computing time of the runs", duration(seconds)+phaseShares(phases, seconds))
	for _, name := range sorted(hashes) {
		h := hashes[name]
		slices.Sort(h)
		label := "hash of " + map[string]string{"model": "the model's weights", "task": "tasks (images, class names, captions)", "off_target": "retained tasks", "config": "method and settings"}[name]
		if label == "hash of " {
			label += name
		}
		if len(h) > 4 {
			add(label, fmt.Sprintf("%d different, one a task; they stand in ledger.jsonl", len(h)))
		} else {
			add(label, strings.Join(h, ", "))
		}
	}
	add("intervals", fmt.Sprintf("95 %%, %d bootstrap resamples of tasks, seed %d", in.Correlation.Bootstrap, in.Correlation.Seed))
	add("written by", in.Program)
	return out
}

func span(v []int) string {
	if len(v) == 0 {
		return ""
	}
	lo, hi := slices.Min(v), slices.Max(v)
	if lo == hi {
		return fmt.Sprint(lo)
	}
	return fmt.Sprintf("%d to %d", lo, hi)
}

func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
}

// phaseShares names the phases that took a tenth of the time or more.
func phaseShares(phases map[string]float64, total float64) string {
	var parts []string
	for _, name := range sorted(phases) {
		if share := phases[name] / total; total > 0 && share >= .1 {
			parts = append(parts, fmt.Sprintf("%s %.0f %%", strings.ReplaceAll(name, "_", " "), 100*share))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
