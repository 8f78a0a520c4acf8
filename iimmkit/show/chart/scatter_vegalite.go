package chart

import "encoding/json"

// VegaLite implements Chart: zoom and drag, tooltips, groups picked in the legend.
func (s Scatter) VegaLite() (json.RawMessage, error) {
	d, err := s.data()
	if err != nil {
		return nil, err
	}
	p, labels, _ := s.layout(d, newHead("", "", nil, d.width), "")
	width, height := p.right-p.left, p.bottom-p.top
	w := s.Language.phrases()
	var layers []object
	if s.Fit != nil {
		layers = append(layers, vegaFit(s.Fit, d.x, d.y)...)
	}
	if s.Identity {
		layers = append(layers, vegaLine([]float64{d.x.lo, d.x.hi}, []float64{d.x.lo, d.x.hi}, d.x, d.y, object{"color": zeroColor, "strokeDash": []int{5, 4}, "strokeWidth": 1.2}))
	}
	if s.Y.Zero {
		layers = append(layers, object{"data": object{"values": []object{{"zero": 0}}}, "mark": object{"type": "rule", "color": zeroColor},
			"encoding": object{"y": vegaAxis("zero", d.y)}})
	}

	rows := make([]object, len(d.points))
	whiskers := false
	for i, pt := range d.points {
		row := object{"name": clean(pt.Name), "group": clean(pt.Group), "x": pt.X, "y": pt.Y}
		if l := labels[i]; l.placed {
			at := p.at(pt.X, pt.Y)
			// Vega puts the middle of the text's height where we put the baseline.
			row["label"], row["dx"], row["dy"] = l.text, round2(l.at.X-at.X), round2(l.at.Y-at.Y-.3*smallSize)
		}
		if pt.Interval != nil {
			row["low"], row["high"] = pt.Interval[0], pt.Interval[1]
			whiskers = true
		}
		row["detail"] = clean(pt.Detail) // a tooltip would say undefined
		rows[i] = row
	}
	var names, colors, shapes []string
	for _, g := range d.groups {
		i := d.group[g]
		names, colors, shapes = append(names, clean(g)), append(colors, Color(i)), append(shapes, markerOf(i).vegaShape())
	}
	legend := any(object{"orient": "top", "title": nil, "columns": 6, "labelLimit": 200})
	if len(names) == 1 && names[0] == "" {
		legend = nil
	}
	color := object{"field": "group", "type": "nominal", "scale": object{"domain": names, "range": colors}, "legend": legend}
	shape := object{"field": "group", "type": "nominal", "scale": object{"domain": names, "range": shapes}, "legend": legend}
	tooltip := []object{{"field": "name", "type": "nominal", "title": w.name}, {"field": "group", "type": "nominal", "title": w.group},
		vegaTooltip("x", s.X, "x"), vegaTooltip("y", s.Y, "y")}
	for _, pt := range d.points {
		if pt.Detail != "" {
			tooltip = append(tooltip, object{"field": "detail", "type": "nominal", "title": w.detail})
			break
		}
	}
	x, y := vegaAxis("x", d.x), vegaAxis("y", d.y)
	data := object{"values": rows}
	if whiskers {
		low := vegaAxis("low", d.y)
		layers = append(layers, object{"data": data, "transform": []object{{"filter": "isValid(datum.low)"}},
			"mark":     object{"type": "rule", "strokeWidth": 1.2, "clip": true},
			"encoding": object{"x": x, "y": low, "y2": object{"field": "high"}, "color": color, "opacity": object{"condition": object{"param": "pick", "value": .45}, "value": .05}}})
	}
	layers = append(layers,
		object{"data": data, "params": []object{zoom(), pick("group")},
			"mark":     object{"type": "point", "filled": true, "size": 100, "stroke": white, "strokeWidth": .8, "clip": true},
			"encoding": object{"x": x, "y": y, "color": color, "shape": shape, "opacity": fade(1), "tooltip": tooltip}},
		object{"data": data, "transform": []object{{"filter": "isValid(datum.label)"}},
			"mark": object{"type": "text", "align": "left", "fontSize": smallSize, "color": ink, "clip": true,
				"dx": object{"expr": "datum.dx"}, "dy": object{"expr": "datum.dy"}},
			"encoding": object{"x": x, "y": y, "text": object{"field": "label", "type": "nominal"}, "opacity": fade(1)}})
	return vegaSpec(s.Title, s.Subtitle, d.note, width, height, object{"layer": layers})
}

func vegaFit(f *Fit, x, y scale) []object {
	var layers []object
	if len(f.Low) > 0 {
		rows := make([]object, len(f.X))
		for i := range rows {
			rows[i] = object{"x": f.X[i], "low": f.Low[i], "high": f.High[i]}
		}
		layers = append(layers, object{"data": object{"values": rows},
			"mark":     object{"type": "area", "color": fitColor, "opacity": .1, "clip": true},
			"encoding": object{"x": vegaAxis("x", x), "y": vegaAxis("low", y), "y2": object{"field": "high"}}})
	}
	return append(layers, vegaLine(f.X, f.Y, x, y, object{"color": fitColor, "strokeWidth": 1.8}))
}

// vegaLine is a layer with one line.
func vegaLine(xs, ys []float64, x, y scale, style object) object {
	rows := make([]object, len(xs))
	for i := range rows {
		rows[i] = object{"x": xs[i], "y": ys[i], "order": i}
	}
	mark := object{"type": "line", "clip": true}
	for k, v := range style {
		mark[k] = v
	}
	return object{"data": object{"values": rows}, "mark": mark,
		"encoding": object{"x": vegaAxis("x", x), "y": vegaAxis("y", y), "order": object{"field": "order", "type": "quantitative"}}}
}

func round2(v float64) float64 { return float64(int(v*100+sign(v)*.5)) / 100 }
