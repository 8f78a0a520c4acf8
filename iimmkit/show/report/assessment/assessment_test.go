package assessment

import (
	"bytes"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/study/assess"
	"github.com/iimmkit/iimm/iimmkit/study/forecast"
)

const nasty = `<img src=x onerror="alert(1)">&'"`

// made is an assessment with everything in it.
func made(t *testing.T) *assess.Assessment {
	t.Helper()
	half, chance := .5, .1
	a := &assess.Assessment{
		Task: "folder:parts", Title: nasty, Model: "micro-clip", Backend: "go", Hashes: map[string]string{"model": "0123"},
		Data: assess.Data{
			Images: 200, Train: 120, Test: 80, Unusable: 1, Copies: 2, Leaks: 3,
			Classes: []assess.Class{
				{Name: nasty, Caption: "a photo of " + nasty, Images: 120, ZeroShot: &half, MistakenFor: "b", Share: .4},
				{Name: "b", Caption: "a photo of b", Images: 80, ZeroShot: &chance},
			},
			Problems: []datasets.Problem{{Kind: datasets.Damaged, Path: nasty + ".png", Message: "cut off"}},
			Swapped:  []assess.Swap{{A: nasty, B: "b", AsB: .6, BAsA: .7}},
		},
		ZeroShot: assess.ZeroShot{N: 200, Accuracy: .3, CI95: [2]float64{.24, .37}, Chance: .5},
		Measured: measure.Result{IIMM: .4}, ImagesForIIMM: 77,
		Probe: assess.Probe{Accuracy: .8, CI95: [2]float64{.74, .85}, Curve: []forecast.CurvePoint{{PerClass: 1, Accuracy: .5, Tested: 120}, {PerClass: 4, Accuracy: .6, Tested: 120}, {PerClass: 16, Accuracy: .7, Tested: 120}, {PerClass: 48, Accuracy: .8, Tested: 120}}},
		Pictures: assess.Pictures{Typical: []assess.Picture{{ID: "1", Class: nasty, PNG: "data:image/png;base64,AAAA"}}, Wrong: []assess.Picture{{ID: "2", Class: "b", As: nasty, PNG: "data:image/png;base64,AAAA"}},
			Copies: []assess.Copy{{ID: nasty + "1", Of: "2", PNG: "data:image/png;base64,AAAA", OfPNG: "data:image/png;base64,BBBB"}, {ID: "3", Of: "4", Leak: true}}},
	}
	c, model, err := forecast.ShippedFor("micro")
	if err != nil {
		t.Fatal(err)
	}
	probe, iimm := .86, .458 // as of steel defects, which are inside the calibration
	q := forecast.Query{Model: model, Inputs: forecast.Inputs{ZeroShotAccuracy: .29, ProbeCVAccuracy: &probe, IIMM: &iimm, Classes: 6}, Retain: []forecast.Retain{{Task: "world/shape"}}}
	if a.Forecast, err = c.Forecast(q); err != nil {
		t.Fatal(err)
	}
	d := a.Forecast.Decide(forecast.DefaultPolicy())
	a.Decision = &d
	curve, err := forecast.FitCurve(a.Probe.Curve, 0)
	if err != nil {
		t.Fatal(err)
	}
	if a.Budget, err = c.Budget(forecast.BudgetQuery{Query: q, Method: "full", Curve: curve, CostPerLabel: 1, ValuePerPoint: 2}); err != nil {
		t.Fatal(err)
	}
	return a
}

func render(t *testing.T, a *assess.Assessment, lang string) string {
	t.Helper()
	var b bytes.Buffer
	if err := Render(&b, a, lang, "iimm test"); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestThePageSaysWhatWasFoundInBothLanguages(t *testing.T) {
	a := made(t)
	page := render(t, a, English)
	for _, want := range []string{"30 %", "24 % to 37 %", "24 %～37 %", "cut off", "world/shape", "77", "<svg", "data:image/png;base64,AAAA", "data:image/png;base64,BBBB", "3 (training) and 4 (test)", a.Forecast.Calibration.Hash} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, lang := range []string{English, Japanese} {
		headline, points := Summary(a, lang)
		for _, s := range append([]string{headline}, points...) {
			if strings.Contains(s, "%!") || s == "" {
				t.Errorf("%s: %q", lang, s)
			}
			if !strings.Contains(page, s) {
				t.Errorf("%s: the page does not say %q", lang, s)
			}
		}
	}
	if strings.Contains(page, "%!") || strings.Contains(page, "<img src=x") {
		t.Error("a format without its argument, or a name that is markup")
	}
	if !strings.Contains(page, `id="lang-en" checked`) || !strings.Contains(render(t, a, Japanese), `id="lang-ja" checked`) {
		t.Error("the page does not open in the language asked for")
	}
	if page != render(t, a, English) {
		t.Error("the same assessment gives another page")
	}
	if err := Render(&bytes.Buffer{}, a, "de", ""); err == nil {
		t.Error("a language that is not there was taken")
	}
}

func TestThePageNeedsNoNetwork(t *testing.T) {
	a := made(t)
	a.Title, a.Data.Classes[0].Name, a.Data.Classes[0].Caption = "parts", "a", "a"
	a.Data.Problems, a.Data.Swapped, a.Pictures.Copies, a.Pictures.Typical[0].Class, a.Pictures.Wrong[0].As = nil, nil, nil, "a", "a"
	page := render(t, a, English)
	for _, found := range regexp.MustCompile(`(?:src|href|url\()\s*=?\s*["']?[^"'>\s)]+`).FindAllString(page, -1) {
		if !strings.Contains(found, "data:") && !strings.HasPrefix(found, "src '") {
			t.Errorf("the page refers to %s", found)
		}
	}
	if !strings.Contains(page, "default-src 'none'") || strings.Contains(page, "<script") {
		t.Error("the page could load or run something")
	}
}

func TestTheLightFollowsTheDecision(t *testing.T) {
	for want, d := range map[string]*forecast.Decision{
		green: {Verdict: forecast.Full, Method: "full", Sure: true},
		amber: {Verdict: forecast.SmallMethod, Method: "lora"},
		red:   {Verdict: forecast.DoNotTune, Sure: true},
		grey:  {Verdict: forecast.NoForecast, Sure: true},
	} {
		if got := light(d); got != want {
			t.Errorf("%+v shows %s, want %s", d, got, want)
		}
	}
	if light(nil) != grey || light(&forecast.Decision{Verdict: forecast.DoNotTune}) != amber {
		t.Error("no forecast, or an unsure one, is not shown as such")
	}
}

// Every verdict has its words, with as many arguments as there are.
func TestEveryVerdictHasWords(t *testing.T) {
	for _, verdict := range []string{forecast.Full, forecast.SmallMethod, forecast.DoNotTune, forecast.NoForecast} {
		for _, sure := range []bool{false, true} {
			a := made(t)
			a.Decision = &forecast.Decision{Verdict: verdict, Sure: sure, Method: map[string]string{forecast.Full: "full", forecast.SmallMethod: "probe"}[verdict]}
			page := render(t, a, English)
			if strings.Contains(page, "%!") {
				t.Errorf("%s, %v: %s", verdict, sure, regexp.MustCompile(`.{40}%!.{40}`).FindString(page))
			}
		}
	}
	a := made(t)
	a.Forecast, a.Decision, a.Budget, a.Standing, a.Notes = nil, nil, nil, nil, []string{"nothing is forecast"}
	page := render(t, a, Japanese)
	if strings.Contains(page, "%!") || !strings.Contains(page, "nothing is forecast") {
		t.Error("an assessment without forecast")
	}
}

// A text that is forgotten in one language is found here.
func TestBothLanguagesSayEverything(t *testing.T) {
	for _, l := range []text{english, japanese} {
		v := reflect.ValueOf(l)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s has no %s", l.lang, v.Type().Field(i).Name)
			}
		}
		for _, m := range forecast.Shipped()[0].Methods {
			if l.methodNames[m] == "" {
				t.Errorf("%s has no name for method %s", l.lang, m)
			}
		}
	}
	verbs := regexp.MustCompile(`%(?:\[\d\])?[+.0-9]*[a-zA-Z]`)
	e, j := reflect.ValueOf(english), reflect.ValueOf(japanese)
	for i := range e.NumField() {
		if e.Field(i).Kind().String() != "string" {
			continue
		}
		if a, b := len(verbs.FindAllString(strings.ReplaceAll(e.Field(i).String(), "%%", ""), -1)), len(verbs.FindAllString(strings.ReplaceAll(j.Field(i).String(), "%%", ""), -1)); a != b {
			t.Errorf("%s takes %d arguments in English, %d in Japanese", e.Type().Field(i).Name, a, b)
		}
	}
}
