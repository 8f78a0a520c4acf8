package chart

import "encoding/json"

// VegaLite implements Chart: zoom, tooltips, methods picked in the legend, and a
// slider of alpha that shows what was measured nearest to it.
func (f Frontier) VegaLite() (json.RawMessage, error) {
	x, y, err := f.scales()
	if err != nil {
		return nil, err
	}
	w := f.Language.phrases()
	var rows []object
	var names, colors, shapes []string
	vertical, horizontal, chosen, start := false, false, false, 1.0
	for k, s := range f.Series {
		name := clean(s.Name)
		names, colors, shapes = append(names, name), append(colors, Color(k)), append(shapes, markerOf(k).vegaShape())
		if s.Chosen != nil && !chosen {
			chosen, start = true, *s.Chosen
		}
		for i, p := range s.Points {
			lo, hi := s.between(i)
			row := object{"series": name, "alpha": p.Alpha, "gain": p.Gain, "forgetting": p.Forgetting, "above": lo, "below": hi,
				"label": w.alpha + " = " + short(p.Alpha) + ": " + f.Y.value(p.Gain) + " / " + f.X.value(p.Forgetting)}
			if in := p.GainInterval; in != nil {
				row["gainLow"], row["gainHigh"], vertical = in[0], in[1], true
			}
			if in := p.ForgettingInterval; in != nil {
				row["forgettingLow"], row["forgettingHigh"], horizontal = in[0], in[1], true
			}
			if s.isChosen(p) {
				row["chosen"] = true
			}
			rows = append(rows, row)
		}
	}
	legend := object{"orient": "top", "title": nil, "labelLimit": 260}
	color := object{"field": "series", "type": "nominal", "scale": object{"domain": names, "range": colors}, "legend": legend}
	shape := object{"field": "series", "type": "nominal", "scale": object{"domain": names, "range": shapes}, "legend": legend}
	tooltip := []object{{"field": "series", "type": "nominal", "title": w.of}, {"field": "alpha", "type": "quantitative", "title": w.alpha, "format": ".3~g"},
		vegaTooltip("gain", f.Y, "y"), vegaTooltip("forgetting", f.X, "x")}
	// A channel of another field keeps the axis's title.
	axis := func(field string, s scale) object {
		a := vegaAxis(field, s)
		a["title"] = axisName(s.axis, field)
		return a
	}
	gx, gy := axis("forgetting", x), axis("gain", y)
	var layers []object
	if f.Limit != nil {
		layers = append(layers,
			object{"data": object{"values": []object{{"limit": *f.Limit, "end": x.hi}}}, "mark": object{"type": "rect", "color": limitColor, "opacity": .07, "clip": true},
				"encoding": object{"x": axis("limit", x), "x2": object{"field": "end"}}},
			object{"data": object{"values": []object{{"limit": *f.Limit}}}, "mark": object{"type": "rule", "color": limitColor, "strokeWidth": 1.3, "strokeDash": []int{5, 4}, "clip": true},
				"encoding": object{"x": axis("limit", x)}})
		layers[0]["encoding"].(object)["x"].(object)["title"] = axisName(f.X, "x")
		layers[1]["encoding"].(object)["x"].(object)["title"] = axisName(f.X, "x")
	}
	if vertical {
		layers = append(layers, object{"transform": []object{{"filter": "isValid(datum.gainLow)"}}, "mark": object{"type": "rule", "clip": true},
			"encoding": object{"x": gx, "y": axis("gainLow", y), "y2": object{"field": "gainHigh"}, "color": color, "opacity": fade(.45)}})
	}
	if horizontal {
		layers = append(layers, object{"transform": []object{{"filter": "isValid(datum.forgettingLow)"}}, "mark": object{"type": "rule", "clip": true},
			"encoding": object{"x": axis("forgettingLow", x), "x2": object{"field": "forgettingHigh"}, "y": gy, "color": color, "opacity": fade(.45)}})
	}
	layers = append(layers,
		object{"mark": object{"type": "line", "strokeWidth": 1.8, "clip": true},
			"encoding": object{"x": gx, "y": gy, "color": color, "order": object{"field": "alpha", "type": "quantitative"}, "opacity": fade(.8)}},
		object{"params": []object{zoom(), pick("series")}, "mark": object{"type": "point", "filled": true, "size": 60, "stroke": white, "strokeWidth": .8, "clip": true},
			"encoding": object{"x": gx, "y": gy, "color": color, "shape": shape, "opacity": fade(1), "tooltip": tooltip}})
	note := sentences(w.blended, f.Note)
	if chosen {
		note = sentences(w.blended, w.ringed, f.Note)
		layers = append(layers, object{"transform": []object{{"filter": "datum.chosen"}}, "mark": object{"type": "point", "filled": false, "size": 260, "color": ink, "strokeWidth": 1.6, "clip": true},
			"encoding": object{"x": gx, "y": gy}})
	}
	nearest := []object{{"filter": "alpha >= datum.above && alpha < datum.below"}}
	layers = append(layers,
		object{"transform": nearest, "mark": object{"type": "point", "filled": true, "size": 170, "opacity": .35, "clip": true}, "encoding": object{"x": gx, "y": gy, "color": color}},
		object{"transform": nearest, "mark": object{"type": "text", "align": "left", "dx": 10, "dy": 10, "fontSize": smallSize, "color": ink, "clip": true},
			"encoding": object{"x": gx, "y": gy, "text": object{"field": "label", "type": "nominal"}}})
	width, height := f.size()
	return vegaSpec(f.Title, f.Subtitle, note, width-90, height-120, object{"data": object{"values": rows}, "layer": layers,
		"params": []object{{"name": "alpha", "value": start, "bind": object{"input": "range", "min": 0, "max": 1, "step": .05, "name": w.alpha + " "}}}})
}
