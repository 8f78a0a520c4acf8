package chart

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
)

// VegaLite implements Chart: zoom, tooltips, classes picked in the legend.
// The points travel as one CSV text, which JupyterLab reads many times faster
// than JSON rows.
func (m EmbeddingMap) VegaLite() (json.RawMessage, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	width, height := m.size()
	note := m.Note
	shown := thin(len(m.Images), mapLimitVega)
	if len(shown) < len(m.Images) {
		note = sentences(note, fmt.Sprintf("%d of %d images shown.", len(shown), len(m.Images)))
	}
	x, y := m.scales()
	p := newPlane(width, height, newHead("", "", nil, width), newFoot("", width), x, y).sameUnit()
	x, y = p.x, p.y

	images := make([]MapPoint, len(shown))
	for i, k := range shown {
		images[i] = m.Images[k]
	}
	// Names may repeat; classes of one name are then one entry of the legend.
	var names, colors []string
	seen := map[string]bool{}
	for i, n := range m.Classes {
		if n = clean(n); !seen[n] {
			seen[n] = true
			names, colors = append(names, n), append(colors, Color(i))
		}
	}
	color := object{"field": "class", "type": "nominal", "scale": object{"domain": names, "range": colors}, "legend": object{"title": nil, "orient": "right", "symbolLimit": 60}}
	tooltip := []object{{"field": "class", "type": "nominal", "title": "class"}, {"field": "name", "type": "nominal", "title": "name"}}
	xy := object{"x": vegaAxis("x", x), "y": vegaAxis("y", y)}
	with := func(more object) object {
		for k, v := range xy {
			more[k] = v
		}
		return more
	}
	var layers []object
	if len(images) > 0 {
		layers = append(layers, object{"data": m.csv(images), "params": []object{zoom(), pick("class")},
			"mark":     object{"type": "point", "filled": true, "size": 22, "clip": true},
			"encoding": with(object{"color": color, "opacity": fade(.55), "tooltip": tooltip})})
	}
	for _, cl := range m.clouds() {
		xs, ys := make([]float64, len(cl.ellipse)), make([]float64, len(cl.ellipse))
		for i, q := range cl.ellipse {
			xs[i], ys[i] = q.X, q.Y
		}
		style := object{"color": cl.color, "strokeWidth": 1.3}
		if cl.dash != nil {
			style["strokeDash"] = cl.dash
		}
		layers = append(layers, vegaLine(xs, ys, x, y, style))
	}
	if len(m.Captions) > 0 {
		star := object{"type": "point", "filled": true, "shape": starPath, "size": 190, "stroke": ink, "strokeWidth": .8, "clip": true}
		text := object{"type": "text", "align": "left", "fontSize": smallSize, "color": ink, "clip": true, "dx": object{"expr": "datum.dx"}, "dy": object{"expr": "datum.dy"}}
		opacity := fade(1)
		layer := object{"data": m.csv(m.Captions), "mark": star, "encoding": with(object{"color": color, "opacity": opacity, "tooltip": tooltip})}
		if len(images) == 0 {
			layer["params"] = []object{zoom(), pick("class")}
		}
		layers = append(layers, layer, object{"data": object{"values": m.captionLabels(p)}, "mark": text,
			"encoding": with(object{"text": object{"field": "label", "type": "nominal"}, "opacity": opacity})})
	}
	if len(m.Images) > 0 && len(m.Captions) > 0 {
		from, to := centre(m.Images), centre(m.Captions)
		layers = append(layers, vegaLine([]float64{from.X, to.X}, []float64{from.Y, to.Y}, x, y, object{"color": ink, "strokeWidth": 2, "point": object{"color": ink, "size": 40}}))
	}
	return vegaSpec(m.Title, m.subtitle(), note, p.right-p.left, p.bottom-p.top, object{"layer": layers})
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
