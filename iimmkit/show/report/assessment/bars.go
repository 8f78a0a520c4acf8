package assessment

import (
	"math"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
	"github.com/iimmkit/iimm/iimmkit/study/forecast"
)

// Bars is the chart of a forecast in one language, en or ja: what each method is
// expected to gain and to make the model forget, in points, with 80 % intervals.
// What is not forecast, and the forgetting of a method that leaves the model as
// it is, has no bar and is said so.
func Bars(f *forecast.Forecast, lang string) chart.Bars {
	t := english
	language := chart.English
	if lang == Japanese {
		t, language = japanese, chart.Japanese
	}
	b := chart.Bars{
		Title: t.barsTitle, Subtitle: t.barsSubtitle, X: chart.Axis{Title: t.barsX, Zero: true},
		Series: []string{t.barsGain, t.barsForgetting}, Undefined: t.barsUndefined, Language: language,
	}
	for _, m := range f.Methods {
		row := chart.BarRow{Name: t.methodNames[m.Method] + " (" + m.Method + ")"}
		for _, q := range []*forecast.Quantity{m.Gain, m.Forgetting} {
			value, ends := math.NaN(), [2]float64{math.NaN(), math.NaN()}
			if q != nil {
				value, ends = q.Value, q.Interval80
			}
			row.Values, row.Intervals = append(row.Values, value), append(row.Intervals, ends)
		}
		b.Rows = append(b.Rows, row)
	}
	return b
}
