package chart

import (
	"fmt"
	"image"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// japaneseSamples have all their titles and names in Japanese, so that what is
// left of Latin letters is the chart's own.
func japaneseSamples(t *testing.T) map[string]Chart {
	t.Helper()
	confusion, err := Confusion(Japanese, []string{"円", "星"}, [][]int{{3, 1}, {0, 0}}, [][]int{{4, 0}, {0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	limit, chosen := 1.0, .5
	point := MapPoint{X: 1, Y: 1}
	return map[string]Chart{
		"scatter": Scatter{Language: Japanese, Title: "題", X: Axis{Title: "横"}, Y: Axis{Title: "縦"}, Points: []Point{{Name: "点", Group: "組", X: 1, Y: 1}, {Name: "外", X: math.NaN()}},
			Fit: &Fit{X: []float64{0, 1}, Y: []float64{0, 1}, Low: []float64{0, 1}, High: []float64{0, 1}}, Identity: true},
		"bars":        Bars{Language: Japanese, Title: "題", X: Axis{Title: "横"}, Series: []string{"利得", "忘却"}, Rows: []BarRow{{Name: "行", Values: []float64{1, math.NaN()}, Intervals: [][2]float64{{0, 2}, {0, 2}}}}},
		"heat map":    HeatMap{Language: Japanese, Title: "題", Rows: []string{"円", "星"}, Columns: []string{"円"}, Values: [][]float64{{1}, {math.NaN()}}},
		"confusion":   confusion,
		"histograms":  Histograms{Language: Japanese, Title: "題", X: Axis{Title: "余弦"}, Series: []Histogram{{Name: "一致", Edges: []float64{0, 1}, Counts: []float64{1}}}},
		"lines":       Lines{Language: Japanese, Title: "題", X: Axis{Title: "横"}, Y: Axis{Title: "縦"}, Series: []Line{{Name: "線", X: []float64{0, 1}, Y: []float64{0, math.NaN()}, Low: []float64{0, 0}, High: []float64{1, 1}}}},
		"map":         EmbeddingMap{Language: Japanese, Title: "題", Classes: []string{"円"}, Images: []MapPoint{point, {X: 2, Y: 3}, {}}, Captions: []MapPoint{{X: 5}}},
		"reliability": Reliability{Language: Japanese, Title: "題", Series: []Calibrated{{Name: "前", Bins: []ConfidenceBin{{From: .5, To: 1, N: 3, Accuracy: float(1), Confidence: float(.7)}}}}},
		"frontier":    Frontier{Language: Japanese, Title: "題", X: Axis{Title: "忘却"}, Y: Axis{Title: "利得"}, Limit: &limit, Series: []Blend{{Name: "全層", Chosen: &chosen, Points: []BlendPoint{{Alpha: .5, GainInterval: &[2]float64{0, 1}}}}}},
		"gallery":     Gallery{Language: Japanese, Title: "題", Pictures: []Picture{{Image: image.NewGray(image.Rect(0, 0, 2, 2)), Words: []string{"円"}}}},
	}
}

var latin = regexp.MustCompile(`[A-Za-z]{2,}`)

func TestAJapaneseChartSaysNothingInEnglish(t *testing.T) {
	for name, c := range japaneseSamples(t) {
		svg, err := c.SVG()
		if err != nil {
			t.Fatal(name, err)
		}
		texts, _ := wellFormed(t, svg)
		texts = append(texts, c.Alt())
		spec := specification(t, c)
		for _, u := range unitsOf(t, spec, nil, map[string]int{}) {
			walk("", u.spec["encoding"], func(key string, v any) {
				if s, ok := v.(string); ok && key == "title" {
					texts = append(texts, s)
				}
			})
		}
		walk("", spec["title"], func(key string, v any) {
			if s, ok := v.(string); ok && (key == "text" || key == "subtitle") {
				texts = append(texts, s)
			}
		})
		if params, ok := spec["params"].([]any); ok {
			for _, p := range params {
				texts = append(texts, p.(object)["bind"].(object)["name"].(string))
			}
		}
		for _, text := range texts {
			for _, word := range latin.FindAllString(text, -1) {
				if word != "ECE" {
					t.Errorf("%s: %q in %q", name, word, text)
				}
			}
		}
	}
}

// Every phrase is there in both languages, with the same places for values.
func TestPhrasesAreCompleteAndTakeTheSameValues(t *testing.T) {
	en, ja := reflect.ValueOf(english), reflect.ValueOf(japanese)
	verb := regexp.MustCompile(`%[a-z]`)
	for i := range en.NumField() {
		name := en.Type().Field(i).Name
		a, b := en.Field(i).String(), ja.Field(i).String()
		if a == "" || b == "" {
			t.Errorf("%s: %q, %q", name, a, b)
		}
		if x, y := fmt.Sprint(verb.FindAllString(a, -1)), fmt.Sprint(verb.FindAllString(b, -1)); x != y {
			t.Errorf("%s takes %s in English and %s in Japanese", name, x, y)
		}
	}
	w := English.phrases()
	if got := w.join([]string{"a", "b", "c"}); got != "a, b and c" {
		t.Error(got)
	}
	if got := Japanese.phrases().join([]string{"甲", "乙", "丙"}); got != "甲、乙と丙" {
		t.Error(got)
	}
	if got := w.without([]string{"a", "b", "c", "d", "e", "f", "g"}, 9); !strings.HasPrefix(got, "7 of 9 ") || !strings.HasSuffix(got, "f, ….") {
		t.Error(got)
	}
}
