package chart

import "encoding/json"

// VegaLite implements Chart: tooltips, classifiers picked in the legend.
func (r Reliability) VegaLite() (json.RawMessage, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	w := r.Language.phrases()
	x, y, share := r.axes()
	var rows []object
	var names, colors, shapes []string
	for k, s := range r.Series {
		name := clean(r.legendOf(s))
		names, colors, shapes = append(names, name), append(colors, Color(k)), append(shapes, markerOf(k).vegaShape())
		for _, b := range s.Bins {
			if b.N == 0 {
				continue
			}
			lo, hi := wilson(*b.Accuracy, b.N)
			step := (b.To - b.From) / float64(len(r.Series))
			left := b.From + float64(k)*step
			rows = append(rows, object{"series": name, "from": b.From, "to": b.To, "left": left, "right": left + .92*step, "n": b.N, "share": float64(b.N) / float64(s.n()),
				"accuracy": *b.Accuracy, "low": lo, "high": hi, "confidence": *b.Confidence})
		}
	}
	legend := object{"orient": "top", "title": nil, "labelLimit": 300, "columns": 2}
	color := object{"field": "series", "type": "nominal", "scale": object{"domain": names, "range": colors}, "legend": legend}
	shape := object{"field": "series", "type": "nominal", "scale": object{"domain": names, "range": shapes}, "legend": legend}
	percent := Axis{Percent: true}
	tooltip := []object{{"field": "series", "type": "nominal", "title": w.of}, vegaTooltip("from", percent, w.from), vegaTooltip("to", percent, w.to), {"field": "n", "type": "quantitative", "title": "n"},
		vegaTooltip("accuracy", percent, w.accuracy), vegaTooltip("low", percent, w.low), vegaTooltip("high", percent, w.high), vegaTooltip("confidence", percent, w.confidence)}
	width, height := r.size()
	plot := func(heightShare float64, layers ...object) object {
		return object{"width": width - 90, "height": (height - 150) * heightShare, "layer": layers}
	}
	noTitle := vegaAxis("confidence", x)
	noTitle["title"] = nil
	low := vegaAxis("low", y)
	low["title"] = w.accuracy
	left := vegaAxis("left", x)
	left["title"] = w.confidence
	diagonal := vegaLine([]float64{0, 1}, []float64{0, 1}, x, y, object{"color": zeroColor, "strokeDash": []int{5, 4}, "strokeWidth": 1.2})
	diagonal["encoding"].(object)["x"].(object)["title"] = nil
	upper := plot(.76, diagonal,
		object{"mark": object{"type": "line", "strokeWidth": 1.6}, "encoding": object{"x": noTitle, "y": vegaAxis("accuracy", y), "color": color, "opacity": fade(.7)}},
		object{"mark": object{"type": "rule", "strokeWidth": 1.2}, "encoding": object{"x": noTitle, "y": low, "y2": object{"field": "high"}, "color": color, "opacity": fade(.5)}},
		object{"params": []object{pick("series")}, "mark": object{"type": "point", "filled": true, "size": 60, "stroke": white, "strokeWidth": .8},
			"encoding": object{"x": noTitle, "y": vegaAxis("accuracy", y), "color": color, "shape": shape, "opacity": fade(1), "tooltip": tooltip}})
	lower := plot(.24, object{"mark": object{"type": "rect"},
		"encoding": object{"x": left, "x2": object{"field": "right"}, "y": vegaAxis("share", share), "y2": object{"datum": 0}, "color": color, "opacity": fade(1), "tooltip": tooltip}})
	return vegaSpec(r.Title, r.Subtitle, sentences(w.wilson, r.Note), width-90, 0, object{"data": object{"values": rows}, "vconcat": []object{upper, lower}, "spacing": 12, "bounds": "flush"})
}
