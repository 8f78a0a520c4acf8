package chart

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"strconv"
)

// VegaLite implements Chart: zoom, tooltips, classes picked in the legend with
// their ellipses, the size of the points by a slider. The points travel as one
// CSV text, which JupyterLab reads many times faster than JSON rows.
func (m EmbeddingMap) VegaLite() (json.RawMessage, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	w := m.Language.phrases()
	width, height := m.size()
	shown, note := m.shown(mapLimitVega)
	x, y := m.scales()
	p := newPlane(width, height, newHead("", "", nil, width), newFoot("", width), x, y).sameUnit()
	p.x.bare, p.y.bare = m.Neighbours, m.Neighbours
	x, y = p.x, p.y

	images := make([]MapPoint, len(shown))
	for i, k := range shown {
		images[i] = m.Images[k]
	}
	// Names may repeat; classes of one name are then one entry of the legend.
	var names, colors, shapes []string
	seen := map[string]bool{}
	for i, n := range m.Classes {
		if n = clean(n); !seen[n] {
			seen[n] = true
			names, colors, shapes = append(names, n), append(colors, Color(i)), append(shapes, markerOf(i).vegaShape())
		}
	}
	legend := object{"title": nil, "orient": "right", "symbolLimit": 60}
	color := object{"field": "class", "type": "nominal", "scale": object{"domain": names, "range": colors}, "legend": legend}
	shape := object{"field": "class", "type": "nominal", "scale": object{"domain": names, "range": shapes}, "legend": legend}
	tooltip := []object{{"field": "class", "type": "nominal", "title": w.class}, {"field": "name", "type": "nominal", "title": w.name}}
	xy := object{"x": vegaAxis("x", x), "y": vegaAxis("y", y)}
	with := func(more object) object {
		for k, v := range xy {
			more[k] = v
		}
		return more
	}
	var layers []object
	params := []object{}
	if len(images) > 0 {
		params = append(params, object{"name": "size", "value": 22, "bind": object{"input": "range", "min": 4, "max": 120, "step": 2, "name": w.pointSize}})
		layers = append(layers, object{"data": m.csv(images), "params": []object{zoom(), pick("class")},
			"mark":     object{"type": "point", "filled": true, "size": object{"expr": "size"}, "clip": true},
			"encoding": with(object{"color": color, "shape": shape, "opacity": fade(.55), "tooltip": tooltip})})
	}
	for _, cl := range m.clouds() {
		layers = append(layers, cl.vega(x, y))
	}
	if len(m.Captions) > 0 {
		star := object{"type": "point", "filled": true, "shape": starPath, "size": 190, "stroke": ink, "strokeWidth": .8, "clip": true}
		text := object{"type": "text", "align": "left", "fontSize": smallSize, "color": ink, "clip": true, "dx": object{"expr": "datum.dx"}, "dy": object{"expr": "datum.dy"}}
		opacity := fade(1)
		layer := object{"data": m.csv(m.Captions), "mark": star, "encoding": with(object{"color": color, "opacity": opacity, "tooltip": tooltip})}
		if len(images) == 0 {
			layer["params"] = []object{zoom(), pick("class")}
		}
		layers = append(layers, layer)
		if labels := m.captionLabels(p); len(labels) > 0 {
			layers = append(layers, object{"data": object{"values": labels}, "mark": text,
				"encoding": with(object{"text": object{"field": "label", "type": "nominal"}, "opacity": opacity})})
		}
	}
	if m.hasArrow() {
		layers = append(layers, m.vegaArrow(p)...)
	}
	body := object{"layer": layers}
	if len(params) > 0 {
		body["params"] = params
	}
	return vegaSpec(m.Title, m.Subtitle, note, p.right-p.left, p.bottom-p.top, body)
}

// vega is the layer of an ellipse; that of a class is picked with it.
func (cl cloud) vega(x, y scale) object {
	rows := make([]object, len(cl.ellipse))
	for i, q := range cl.ellipse {
		rows[i] = object{"x": q.X, "y": q.Y, "order": i, "class": clean(cl.name)}
	}
	mark := object{"type": "line", "clip": true, "color": cl.color, "strokeWidth": 1.3}
	if cl.dash != nil {
		mark["strokeDash"] = cl.dash
	}
	encoding := object{"x": vegaAxis("x", x), "y": vegaAxis("y", y), "order": object{"field": "order", "type": "quantitative"}}
	if cl.class {
		encoding["opacity"] = fade(.8)
		encoding["detail"] = object{"field": "class", "type": "nominal"}
	}
	return object{"data": object{"values": rows}, "mark": mark, "encoding": encoding}
}

// vegaArrow are the layers of the arrow from the mean image to the mean caption:
// line, head, and what it measures.
func (m EmbeddingMap) vegaArrow(p plane) []object {
	from, to := centre(m.Images), centre(m.Captions)
	a, b := p.at(from.X, from.Y), p.at(to.X, to.Y)
	layers := []object{vegaLine([]float64{from.X, to.X}, []float64{from.Y, to.Y}, p.x, p.y, object{"color": ink, "strokeWidth": 2})}
	if math.Hypot(b.X-a.X, b.Y-a.Y) < 2 {
		return layers
	}
	layers = append(layers, object{"data": object{"values": []object{{"x": to.X, "y": to.Y, "gap": clean(m.gapHover())}}},
		"mark": object{"type": "point", "filled": true, "shape": "triangle-up", "size": 110, "color": ink, "opacity": 1, "clip": true,
			"angle": round2(math.Mod(math.Atan2(b.X-a.X, a.Y-b.Y)*180/math.Pi+360, 360))},
		"encoding": object{"x": vegaAxis("x", p.x), "y": vegaAxis("y", p.y), "tooltip": object{"field": "gap", "type": "nominal"}}})
	middle := spot{at: XY{(a.X + b.X) / 2, (a.Y + b.Y) / 2}, radius: 3, text: elide(m.Gap, smallSize, 200)}
	if l := placeLabels(p.area, []spot{middle}, [][]XY{{a, b}}, smallSize)[0]; l.placed {
		layers = append(layers, object{"data": object{"values": []object{{"x": (from.X + to.X) / 2, "y": (from.Y + to.Y) / 2, "gap": l.text}}},
			"mark": object{"type": "text", "align": "left", "fontSize": smallSize, "color": ink, "clip": true,
				"dx": round2(l.at.X - middle.at.X), "dy": round2(l.at.Y - middle.at.Y - .3*smallSize)},
			"encoding": object{"x": vegaAxis("x", p.x), "y": vegaAxis("y", p.y), "text": object{"field": "gap", "type": "nominal"}}})
	}
	return layers
}

// captionLabels are the names of the captions and where they have room.
func (m EmbeddingMap) captionLabels(p plane) []object {
	spots := make([]spot, len(m.Captions))
	for i, pt := range m.Captions {
		spots[i] = spot{at: p.at(pt.X, pt.Y), radius: 7, text: elide(m.Classes[pt.Class], smallSize, 140)}
	}
	rows := []object{}
	for i, l := range placeLabels(p.area, spots, nil, smallSize) {
		if l.placed {
			pt := m.Captions[i]
			rows = append(rows, object{"x": pt.X, "y": pt.Y, "class": clean(m.Classes[pt.Class]), "label": l.text,
				"dx": round2(l.at.X - spots[i].at.X), "dy": round2(l.at.Y - spots[i].at.Y - .3*smallSize)})
		}
	}
	return rows
}

// csv writes points as inline data.
func (m EmbeddingMap) csv(points []MapPoint) object {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	w.Write([]string{"x", "y", "class", "name"})
	for _, p := range points {
		w.Write([]string{number(p.X), number(p.Y), clean(m.Classes[p.Class]), clean(p.Name)})
	}
	w.Flush() // a buffer cannot fail
	return object{"values": b.String(), "format": object{"type": "csv", "parse": object{"x": "number", "y": "number", "class": "string", "name": "string"}}}
}
