package chart

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A specification is checked here as far as can be without Vega-Lite itself: all
// that it refers to must be there. That Vega-Lite 5.6.1 with Vega 5.33.0 (those of
// JupyterLab 4.6) compiles and renders each sample without a warning was tried by
// hand.

// view is one unit of a specification with what it inherits.
type view struct {
	spec object
	rows []object
}

// unitsOf returns the drawn units, the names of all parameters, and how often
// each is defined.
func unitsOf(t *testing.T, spec object, rows []object, params map[string]int) (out []view) {
	t.Helper()
	if data, ok := spec["data"].(object); ok {
		rows = rowsOf(t, data)
	}
	if transform, ok := spec["transform"].([]any); ok {
		for _, step := range transform {
			if as, ok := step.(object)["as"].(string); ok {
				for _, r := range rows {
					r[as] = ""
				}
			}
		}
	}
	if list, ok := spec["params"].([]any); ok {
		for _, p := range list {
			params[p.(object)["name"].(string)]++
		}
	}
	for _, key := range []string{"layer", "vconcat"} {
		if list, ok := spec[key].([]any); ok {
			for _, s := range list {
				out = append(out, unitsOf(t, s.(object), rows, params)...)
			}
			return out
		}
	}
	return []view{{spec, rows}}
}

// rowsOf reads inline data, as JSON rows or as CSV text.
func rowsOf(t *testing.T, data object) (rows []object) {
	t.Helper()
	switch values := data["values"].(type) {
	case []any:
		for _, r := range values {
			rows = append(rows, r.(object))
		}
	case string:
		lines, err := csv.NewReader(strings.NewReader(values)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines[1:] {
			row := object{}
			for i, column := range lines[0] {
				row[column] = line[i]
				if v, err := strconv.ParseFloat(line[i], 64); err == nil && column != "name" && column != "class" {
					row[column] = v
				}
			}
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		t.Error("data without rows")
	}
	return rows
}

var datumField = regexp.MustCompile(`datum\.(\w+)`)

// walk calls f for every value of a JSON tree, with its key.
func walk(key string, v any, f func(key string, v any)) {
	f(key, v)
	switch v := v.(type) {
	case object:
		for k, e := range v {
			walk(k, e, f)
		}
	case []any:
		for _, e := range v {
			walk(key, e, f)
		}
	}
}

func specification(t *testing.T, c Chart) object {
	t.Helper()
	raw, err := c.VegaLite()
	if err != nil {
		t.Fatal(err)
	}
	var spec object
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestSpecificationsReferOnlyToWhatTheyHold(t *testing.T) {
	known := []string{"point", "line", "area", "bar", "rect", "rule", "text", "image"}
	for name, c := range samples() {
		t.Run(name, func(t *testing.T) {
			spec := specification(t, c)
			params := map[string]int{}
			units := unitsOf(t, spec, nil, params)
			for p, n := range params {
				if n > 1 {
					t.Errorf("parameter %s is defined %d times", p, n)
				}
			}
			for _, u := range units {
				mark, _ := u.spec["mark"].(object)
				if kind, _ := mark["type"].(string); !slices.Contains(known, kind) {
					t.Errorf("mark %v", u.spec["mark"])
				}
				if len(u.rows) == 0 {
					t.Error("a unit without data")
				}
				has := func(field string) bool {
					for _, r := range u.rows {
						if _, ok := r[field]; ok {
							return true
						}
					}
					return false
				}
				walk("", map[string]any{"mark": u.spec["mark"], "encoding": u.spec["encoding"], "transform": u.spec["transform"]}, func(key string, v any) {
					text, ok := v.(string)
					if !ok {
						return
					}
					switch key {
					case "field":
						if !has(text) {
							t.Errorf("no row has the field %s", text)
						}
					case "param":
						if params[text] == 0 {
							t.Errorf("no parameter %s", text)
						}
					case "expr", "filter", "test":
						for _, m := range datumField.FindAllStringSubmatch(text, -1) {
							if !has(m[1]) && m[1] != "value" {
								t.Errorf("%s: no row has the field %s", text, m[1])
							}
						}
					}
				})
				// A tooltip writes a missing field as "undefined" or NaN.
				if encoding, _ := u.spec["encoding"].(object); encoding["tooltip"] != nil {
					walk("", encoding["tooltip"], func(key string, v any) {
						if key != "field" {
							return
						}
						for i, r := range u.rows {
							if _, ok := r[v.(string)]; !ok {
								t.Errorf("row %d has no %s for the tooltip", i, v)
								return
							}
						}
					})
				}
			}
			walk("", spec, func(key string, v any) {
				if list, ok := v.([]any); ok && len(list) == 0 {
					t.Errorf("%s is an empty list, which the channel to the kernel cannot carry", key)
				}
				if text, ok := v.(string); ok && (strings.Contains(text, "NaN") || key == "url") {
					t.Errorf("%s: %s", key, text)
				}
			})
		})
	}
}

// both returns the texts of a chart's SVG and all rows of its specification.
func both(t *testing.T, c Chart) (texts []string, rows []object) {
	t.Helper()
	svg, err := c.SVG()
	if err != nil {
		t.Fatal(err)
	}
	texts, _ = wellFormed(t, svg)
	for _, u := range unitsOf(t, specification(t, c), nil, map[string]int{}) {
		if encoding, _ := u.spec["encoding"].(object); encoding["tooltip"] != nil {
			rows = append(rows, u.rows...)
		}
	}
	return texts, rows
}

// TestBothFormsShowTheSameData finds in the SVG what each row of the
// specification holds, and as many.
func TestBothFormsShowTheSameData(t *testing.T) {
	number := func(r object, field string) float64 { return r[field].(float64) }
	for _, c := range []struct {
		name  string
		chart Chart
		// words are the lines of the SVG's hover text that a row must have.
		words func(r object) string
		count int
	}{
		{"scatter", sampleScatter(29), func(r object) string {
			return fmt.Sprintf("%s (%s)\nIIMM: %s\ngain (points): %s", r["name"], r["group"], short(number(r, "x")), short(number(r, "y")))
		}, 29},
		{"frontier", sampleFrontier(), func(r object) string {
			return fmt.Sprintf("%s, α = %s", r["series"], short(number(r, "alpha")))
		}, 22},
		{"reliability", Reliability{Series: []Calibrated{sampleCalibrated("before", .2)}}, func(r object) string {
			lo, hi := wilson(number(r, "accuracy"), int(number(r, "n")))
			if math.Abs(number(r, "low")-lo) > 1e-12 || math.Abs(number(r, "high")-hi) > 1e-12 || math.Abs(number(r, "share")-number(r, "n")/300) > 1e-12 {
				t.Errorf("row %v", r)
			}
			p := Axis{Percent: true}
			return fmt.Sprintf("before\nconfidence %s to %s, %s images\naccuracy: %s [%s, %s]\nconfidence: %s", p.value(number(r, "from")), p.value(number(r, "to")), short(number(r, "n")), p.value(number(r, "accuracy")), p.value(lo), p.value(hi), p.value(number(r, "confidence")))
		}, 18}, // nine bins, each once above and once below
		{"gallery", sampleGallery(8), func(r object) string { return strings.ReplaceAll(r["words"].(string), " test/", "\ntest/") }, 8},
		{"curve", sampleCurve(), func(r object) string {
			return fmt.Sprintf("%s\nlabelled images per class: %s\naccuracy: %s %s", r["series"], short(number(r, "x")), Axis{Percent: true}.value(number(r, "y")), r["interval"])
		}, 28},
		{"class map", sampleClassMap(), func(r object) string {
			if strings.HasPrefix(fmt.Sprint(r["name"]), "a photo") {
				return fmt.Sprintf("caption of %s\n%s", r["class"], r["name"])
			}
			return fmt.Sprintf("image of %s\n%s", r["class"], r["name"])
		}, 243},
	} {
		texts, rows := both(t, c.chart)
		found := 0
		for _, r := range rows {
			if _, ok := r["gap"]; ok { // the arrow
				continue
			}
			found++
			want := c.words(r)
			if c.name == "gallery" {
				want = strings.SplitN(r["words"].(string), " taken", 2)[0] + "\ntaken"
			}
			shown := slices.ContainsFunc(texts, func(s string) bool { return strings.HasPrefix(s, want) })
			// Of a curve with measured points the SVG tells the last place only.
			if !shown && (c.name != "curve" || r["series"] == "measured") {
				t.Errorf("%s: the SVG has no %q", c.name, want)
			}
		}
		if found != c.count {
			t.Errorf("%s: %d rows, want %d", c.name, found, c.count)
		}
	}
	// Cells: every one of every slice.
	h := sampleSlices()
	texts, rows := both(t, h)
	if len(rows) != 3*16 {
		t.Errorf("%d cells", len(rows))
	}
	for _, r := range rows {
		v := h.Slices[int(number(r, "slice"))].Values[int(number(r, "row"))][int(number(r, "column"))]
		text := "a class with one image"
		if r["value"] != nil {
			text = short(number(r, "value"))
			if number(r, "value") != v {
				t.Errorf("%v is %v", r, v)
			}
		} else if !math.IsNaN(v) {
			t.Errorf("%v is %v", r, v)
		}
		if want := h.Rows[int(number(r, "row"))] + " → " + h.Columns[int(number(r, "column"))] + "\nmean cosine: " + text; !slices.Contains(texts, want) {
			t.Errorf("the SVG has no %q", want)
		}
	}
}
