// Package assessment turns an assessment into one HTML page that needs no
// network and that people read who do not know the field: what to do, in plain
// words, in English and Japanese, how sure that is, and what it rests on.
package assessment

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
	"github.com/iimmkit/iimm/iimmkit/study/assess"
	"github.com/iimmkit/iimm/iimmkit/study/forecast"
)

//go:embed page.html
var pageSource string

//go:embed style.css
var style string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"picture": func(uri string) template.URL { return template.URL(uri) }, // our own PNG
}).Parse(pageSource))

// Languages of a page.
const (
	English  = "en"
	Japanese = "ja"
)

// Render writes the page in both languages, first that of lang, en or ja. The
// same assessment gives the same bytes.
func Render(w io.Writer, a *assess.Assessment, lang, program string) error {
	if lang != English && lang != Japanese {
		return fmt.Errorf("language %q is neither en nor ja", lang)
	}
	v := view{Style: template.CSS(style), Lang: lang}
	for _, t := range []text{english, japanese} {
		p, err := t.page(a, program)
		if err != nil {
			return err
		}
		v.Pages = append(v.Pages, p)
	}
	v.Title = v.Pages[0].Title
	if lang == Japanese {
		v.Title = v.Pages[1].Title
	}
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// view is what the template shows.
type view struct {
	Title string
	Lang  string
	Style template.CSS
	Pages []content
}

// content is the page in one language.
type content struct {
	Lang, Language string // as "en" and "English"
	Title, Meta    string
	Light          string // green, amber, red or grey
	Headline       string
	Points         []string
	Numbers        []number
	Sections       []section
}

// number is a large figure with what it is and how sure.
type number struct{ What, Value, Range string }

type section struct {
	Title    string
	Text     []string
	List     []string // numbered steps
	Head     []string
	Rows     [][]string
	Figure   template.HTML
	Pictures []picture
	Terms    [][2]string
}

type picture struct {
	URI, Caption string
	Beside       string // URI of a picture to compare with, or empty
}

// Traffic lights.
const (
	green = "green" // tune
	amber = "amber" // it depends on what the intervals leave open
	red   = "red"   // do not tune
	grey  = "grey"  // nothing can be forecast
)

func light(d *forecast.Decision) string {
	switch {
	case d == nil || d.Verdict == forecast.NoForecast:
		return grey
	case !d.Sure:
		return amber
	case d.Verdict == forecast.DoNotTune:
		return red
	}
	return green
}

// Summary is the page's headline and points in one language, for a terminal.
func Summary(a *assess.Assessment, lang string) (headline string, points []string) {
	t := english
	if lang == Japanese {
		t = japanese
	}
	return t.headline(a), t.points(a)
}

func percent(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }

func span(v [2]float64, format func(float64) string, to string) string {
	return format(v[0]) + to + format(v[1])
}

func signed(v float64) string { return fmt.Sprintf("%+.0f", v) }

// of returns the forecast of a method, nil when there is none.
func of(f *forecast.Forecast, method string) *forecast.Method {
	if f == nil {
		return nil
	}
	for i := range f.Methods {
		if f.Methods[i].Method == method {
			return &f.Methods[i]
		}
	}
	return nil
}

// chosen is the method that the decision names, or the one that gains most.
func chosen(a *assess.Assessment) *forecast.Method {
	if a.Decision == nil {
		return nil
	}
	if m := of(a.Forecast, a.Decision.Method); m != nil {
		return m
	}
	var best *forecast.Method
	for i := range a.Forecast.Methods {
		if m := &a.Forecast.Methods[i]; m.Gain != nil && (best == nil || m.Gain.Value > best.Gain.Value) {
			best = m
		}
	}
	return best
}

// curve draws the probe's learning curve.
func (t text) curve(a *assess.Assessment) (template.HTML, error) {
	if a.Budget == nil || a.Budget.Curve == nil {
		return "", nil
	}
	line := chart.Line{Name: t.curveFit}
	last := a.Probe.Curve[len(a.Probe.Curve)-1].PerClass
	const steps = 60
	for k := range steps + 1 {
		n := math.Pow(4*last, float64(k)/steps)
		band := a.Budget.Curve.Band(n, .8)
		line.X, line.Y = append(line.X, n), append(line.Y, a.Budget.Curve.At(n))
		line.Low, line.High = append(line.Low, band[0]), append(line.High, band[1])
	}
	points := chart.Line{Name: t.curveMeasured, Points: true}
	for _, p := range a.Probe.Curve {
		points.X, points.Y = append(points.X, p.PerClass), append(points.Y, p.Accuracy)
	}
	svg, err := chart.Lines{
		Title: t.curveTitle, Subtitle: t.curveSubtitle, X: chart.Axis{Title: t.curveX, Log: true}, Y: chart.Axis{Title: t.curveY, Percent: true},
		Series: []chart.Line{line, points}, Width: 640, Height: 360,
	}.SVG()
	return template.HTML(svg), err
}
