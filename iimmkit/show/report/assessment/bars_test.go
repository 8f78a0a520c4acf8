package assessment

import (
	"math"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/study/forecast"
)

func TestBarsAreTheForecast(t *testing.T) {
	f := made(t).Forecast
	f.Methods[1].Gain = nil // as one that was refused
	for lang, words := range map[string][]string{English: {"gain", "full tuning (full)"}, Japanese: {"向上", "全体の追加学習 (full)"}} {
		b := Bars(f, lang)
		if len(b.Rows) != len(f.Methods) {
			t.Fatalf("%s: %d rows of %d methods", lang, len(b.Rows), len(f.Methods))
		}
		for i, m := range f.Methods {
			for k, q := range []*forecast.Quantity{m.Gain, m.Forgetting} {
				value, ends := b.Rows[i].Values[k], b.Rows[i].Intervals[k]
				if q == nil {
					if !math.IsNaN(value) || !math.IsNaN(ends[0]) {
						t.Errorf("%s, %s: %v where nothing is forecast", lang, m.Method, value)
					}
				} else if value != q.Value || ends != q.Interval80 {
					t.Errorf("%s, %s: %v %v, forecast %v %v", lang, m.Method, value, ends, q.Value, q.Interval80)
				}
			}
		}
		svg, err := b.SVG()
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range words {
			if !strings.Contains(string(svg), word) {
				t.Errorf("%s: the picture lacks %q", lang, word)
			}
		}
	}
}
