package report

import (
	"fmt"
	"html/template"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
	"github.com/iimmkit/iimm/iimmkit/study/correlation"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

// Of many models and methods the page compares all, and tells at length of the
// models tuned by the method that it begins with.
func TestManyGroupsAreCompared(t *testing.T) {
	var runs []experiment.Run
	for k, model := range []string{"micro-clip", "micro-coca", "micro-eva02", "micro-siglip"} {
		for _, r := range made(8, 0) {
			r.Model, r.RunID = model, fmt.Sprint(r.RunID, k)
			r.Gain += float64(k)
			runs = append(runs, r)
		}
	}
	in := input(t, runs)
	page := render(t, in)
	for _, want := range []string{"All models and methods", template.HTMLEscapeString(in.Correlation.Statement), "Taken together", "Told at length below: the 4 models with method full", "all (8)", "micro-coca, method full"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "micro-coca, linear probe") {
		t.Error("a probe is told of at length")
	}
	figures, err := Figures(in)
	if err != nil {
		t.Fatal(err)
	}
	h, ok := figures[0].Chart.(chart.HeatMap)
	if figures[0].Name != "all-iimm-gain" || !ok || len(h.Rows) != 4 || strings.Join(h.Columns, " ") != "full probe" {
		t.Fatalf("the first figure is %s: %+v", figures[0].Name, h)
	}
	for i, model := range h.Rows {
		for k, method := range h.Columns {
			for _, g := range in.Correlation.Groups {
				if g.Model == model && g.Method == method && h.Values[i][k] != *g.Correlation(correlation.IIMM, correlation.Gain).R {
					t.Errorf("%s, %s: r = %v", model, method, h.Values[i][k])
				}
			}
		}
	}
	means := in.means()
	for _, row := range means.Rows {
		sum, n := 0., 0.
		for _, r := range runs {
			if r.Model == row[0].Text && r.Method == row[1].Text {
				sum, n = sum+r.Gain, n+1
			}
		}
		if want := fmt.Sprintf("%+.1f", sum/n); row[3].Text != want || (row[4].Text == "–") != (row[1].Text == "probe") {
			t.Errorf("mean gain %v, want %s", row, want)
		}
	}
}

func TestTwoGroupsAreNotCompared(t *testing.T) {
	if strings.Contains(render(t, input(t, made(6, 0))), "All models and methods") {
		t.Error("one model's tuning and its probe are compared")
	}
}
