package report

import (
	"html"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
	"github.com/iimmkit/iimm/iimmkit/study/correlation"
)

var (
	texts = regexp.MustCompile(`>([^<>]+)<`)
	asian = regexp.MustCompile(`\p{Han}|\p{Hiragana}|\p{Katakana}`)
	latin = regexp.MustCompile(`[A-Za-z]{3,}`)
)

// Names of tasks, models and measures, and the letters of formulas, stay as they are.
var untranslated = regexp.MustCompile(`world/|task-\d+|micro-[a-z]+|full|probe|IIMM|IntraText|Inter|Intra|Alignment|tau`)

func TestFiguresSpeakJapanese(t *testing.T) {
	runs := made(14, 0, 1)
	for _, r := range made(14, 0, 1) {
		r.Model, r.RunID = "micro-siglip", "siglip-"+r.RunID
		runs = append(runs, r)
	}
	in := input(t, runs)
	plain, err := Figures(in)
	if err != nil {
		t.Fatal(err)
	}
	in.Language = chart.Japanese
	figures, err := Figures(in)
	if err != nil {
		t.Fatal(err)
	}
	if len(figures) != len(plain) || len(figures) < 20 {
		t.Fatalf("%d figures in Japanese, %d in English", len(figures), len(plain))
	}
	for i, f := range figures {
		if f.Name != plain[i].Name || !asian.MatchString(f.Caption) {
			t.Errorf("%s in Japanese, %s in English, caption %q", f.Name, plain[i].Name, f.Caption)
		}
		svg, err := f.Chart.SVG()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range texts.FindAllStringSubmatch(string(svg), -1) {
			text := html.UnescapeString(m[1])
			if word := latin.FindString(untranslated.ReplaceAllString(text, "")); word != "" {
				t.Errorf("%s: %q has the English word %q", f.Name, text, word)
			}
		}
		if !asian.MatchString(string(svg)) {
			t.Errorf("%s has no Japanese", f.Name)
		}
	}
}

func TestLanguageDoesNotChangeWhatIsDrawn(t *testing.T) {
	in := input(t, made(12, 0))
	g := &in.Correlation.Groups[0]
	tasks := in.tasks(g)
	other := in
	other.Language = chart.Japanese
	a, _ := in.scatter(g, tasks, correlation.IIMM, correlation.Gain)
	b, ok := other.scatter(g, tasks, correlation.IIMM, correlation.Gain)
	if !ok || len(a.Points) != len(b.Points) || len(a.Groups) != len(b.Groups) {
		t.Fatalf("%d points of %d groups, %d of %d", len(a.Points), len(a.Groups), len(b.Points), len(b.Groups))
	}
	place := func(groups []string, name string) int {
		for i, g := range groups {
			if g == name {
				return i
			}
		}
		return -1
	}
	for i, p := range a.Points {
		q := b.Points[i]
		if p.X != q.X || p.Y != q.Y || *p.Interval != *q.Interval || place(a.Groups, p.Group) != place(b.Groups, q.Group) || place(a.Groups, p.Group) < 0 {
			t.Errorf("%+v in English, %+v in Japanese", p, q)
		}
	}
}

func TestSummariesOfBothLanguagesNameTheSameNumbers(t *testing.T) {
	in := input(t, made(14, 0, 1))
	g := &in.Correlation.Groups[0]
	for _, target := range []string{correlation.Gain, correlation.Forgetting} {
		c := g.Correlation(correlation.IIMM, target)
		if c == nil || c.R == nil || math.IsNaN(*c.R) {
			t.Fatalf("no correlation with %s", target)
		}
		for _, language := range []chart.Language{chart.English, chart.Japanese} {
			headline, points := Summary(g, language)
			text := strings.Join(points, "\n")
			if !strings.Contains(text, "r = "+decimal(*c.R)) || asian.MatchString(headline) != (language == chart.Japanese) || asian.MatchString(text) != (language == chart.Japanese) {
				t.Errorf("language %d: %s\n%s", language, headline, text)
			}
		}
	}
}

func TestLabelsOfSetsOfPredictors(t *testing.T) {
	for _, c := range []struct {
		language chart.Language
		names    []string
		want     string
	}{
		{chart.English, nil, "mean of the other tasks"},
		{chart.Japanese, nil, "他の課題の平均"},
		{chart.English, []string{correlation.IIMM, correlation.ZeroShotError}, "IIMM + zero-shot error"},
		{chart.Japanese, []string{correlation.IIMM, correlation.ZeroShotError}, "IIMM + ゼロショット誤り率"},
		{chart.Japanese, []string{"own_score"}, "own_score"},
	} {
		if got := Label(c.language, c.names...); got != c.want {
			t.Errorf("%v: %q, want %q", c.names, got, c.want)
		}
	}
	for _, name := range append(correlation.Predictors(), correlation.Targets()...) {
		if japaneseNames[name] == "" {
			t.Errorf("%s has no Japanese name", name)
		}
	}
}
