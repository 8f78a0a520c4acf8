package chart

import (
	"encoding/json"
	"slices"
)

// mostPicked is how many rows can be chosen from a list.
const mostPicked = 200

// VegaLite implements Chart: tooltips, a list of the slices, and a list of the
// rows of which one stands out, with its column where that has the same name.
func (h HeatMap) VegaLite() (json.RawMessage, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	w := h.Language.phrases()
	colours, stops := h.colours()
	cellW := clampTo((h.width()-200)/float64(len(h.Columns)), 3, 64)
	cellH := clampTo(cellW, 3, 30)
	numbers := h.numbersFit(cellW, cellH)
	details := slices.ContainsFunc(h.Slices, func(s Slice) bool { return s.Details != nil })
	// Names may repeat; positions do not.
	var rows []object
	for k, s := range h.slices() {
		for i, row := range s.Values {
			for j, v := range row {
				cell := object{"slice": k, "row": i, "column": j, "value": nullable(v)}
				if details {
					cell["detail"] = clean(s.detail(i, j)) // a tooltip would say undefined
				}
				if numbers && finite(v) {
					cell["number"], cell["ink"] = h.number(v), readableOn(h.paint(v))
				}
				rows = append(rows, cell)
			}
		}
	}
	titled := func(t string) any {
		if t == "" {
			return nil
		}
		return t
	}
	x := object{"field": "column", "type": "ordinal", "title": titled(h.ColumnTitle), "scale": object{"domain": index(len(h.Columns))}, "axis": object{"labelExpr": nameOf(h.Columns, "datum.value"), "labelAngle": -45, "labelLimit": 130}}
	y := object{"field": "row", "type": "ordinal", "title": titled(h.RowTitle), "scale": object{"domain": index(len(h.Rows))}, "axis": object{"labelExpr": nameOf(h.Rows, "datum.value"), "labelLimit": 130}}
	color := object{"condition": object{"test": "!isValid(datum.value)", "value": emptyCell}, "field": "value", "type": "quantitative", "title": titled(h.ValueTitle),
		"scale": object{"domain": []float64{colours.lo, colours.hi}, "range": stops, "clamp": true}}
	rowTitle, columnTitle := axisName(Axis{Title: h.RowTitle}, w.rowName), axisName(Axis{Title: h.ColumnTitle}, w.columnName)
	if rowTitle == columnTitle { // a tooltip has one line for each title
		rowTitle, columnTitle = rowTitle+" ("+w.rowName+")", columnTitle+" ("+w.columnName+")"
	}
	tooltip := []object{{"field": "rowName", "type": "nominal", "title": rowTitle}, {"field": "columnName", "type": "nominal", "title": columnTitle},
		{"field": "words", "type": "nominal", "title": axisName(Axis{Title: h.ValueTitle}, w.value)}}
	if details {
		tooltip = append(tooltip, object{"field": "detail", "type": "nominal", "title": w.detail})
	}
	// The names once, not in every cell.
	transform := []object{{"calculate": nameOf(h.Rows, "datum.row"), "as": "rowName"}, {"calculate": nameOf(h.Columns, "datum.column"), "as": "columnName"},
		{"calculate": "isValid(datum.value) ? format(datum.value, '.4~g') : " + nameOf([]string{h.missing()}, "0"), "as": "words"}}
	var params []object
	if len(h.Slices) > 1 {
		var names []string
		for _, s := range h.Slices {
			names = append(names, clean(s.Name))
		}
		params = append(params, object{"name": "slice", "value": 0, "bind": object{"input": "select", "options": index(len(names)), "labels": names, "name": w.show}})
		transform = append([]object{{"filter": "datum.slice == slice"}}, transform...)
	}
	opacity := object{"value": 1}
	if len(h.Rows) > 1 && len(h.Rows) <= mostPicked {
		labels := []string{w.all}
		for _, n := range h.Rows {
			labels = append(labels, clean(n))
		}
		params = append(params, object{"name": "only", "value": -1,
			"bind": object{"input": "select", "options": append([]int{-1}, index(len(h.Rows))...), "labels": labels, "name": axisName(Axis{Title: h.RowTitle}, w.rowName) + " "}})
		test := "only < 0 || datum.row == only || datum.columnName == " + nameOf(h.Rows, "only")
		opacity = object{"condition": object{"test": test, "value": 1}, "value": .15}
	}
	layers := []object{{"mark": object{"type": "rect", "invalid": nil}, "encoding": object{"x": x, "y": y, "color": color, "opacity": opacity, "tooltip": tooltip}}}
	if numbers {
		layers = append(layers, object{"transform": []object{{"filter": "isValid(datum.number)"}}, "mark": object{"type": "text", "fontSize": 10},
			"encoding": object{"x": x, "y": y, "text": object{"field": "number", "type": "nominal"}, "opacity": opacity, "color": object{"field": "ink", "type": "nominal", "scale": nil}}})
	}
	body := object{
		"width": cellW * float64(len(h.Columns)), "height": cellH * float64(len(h.Rows)),
		"data": object{"values": rows}, "transform": transform, "layer": layers, "resolve": object{"scale": object{"color": "independent"}}}
	if len(params) > 0 {
		body["params"] = params
	}
	return vegaSpec(h.Title, h.Subtitle, h.note(), 0, 0, body)
}

// nameOf is a Vega expression for the name at a position.
func nameOf(list []string, position string) string {
	labels := make([]string, len(list))
	for i, n := range list {
		labels[i] = clean(n)
	}
	b, _ := json.Marshal(labels) // strings cannot fail
	return string(b) + "[" + position + "]"
}

func index(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
