package chart

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
)

// Histograms overlays distributions as densities, so that sets of different
// size compare: cosines of matched and mismatched pairs, image to image, text
// to text.
type Histograms struct {
	Title, Subtitle, Note string
	X                     Axis
	Series                []Histogram
	Language              Language
	Width, Height         float64 // 0 means 640 x 400
}

// Histogram is one distribution: Counts[i] values in [Edges[i], Edges[i+1]).
type Histogram struct {
	Name   string
	Edges  []float64 // ascending, one more than Counts
	Counts []float64 // not negative
}

func (h Histogram) check() error {
	if len(h.Counts) == 0 || len(h.Edges) != len(h.Counts)+1 {
		return fmt.Errorf("chart: histogram %q has %d edges for %d counts, want one more", clean(h.Name), len(h.Edges), len(h.Counts))
	}
	total := 0.0
	for i, n := range h.Counts {
		if !finite(n, h.Edges[i], h.Edges[i+1]) || n < 0 || h.Edges[i] >= h.Edges[i+1] {
			return fmt.Errorf("chart: histogram %q, bin %d: count %v in [%v, %v) is not possible", clean(h.Name), i, n, h.Edges[i], h.Edges[i+1])
		}
		total += n
	}
	if total == 0 || math.IsInf(total, 0) {
		return fmt.Errorf("chart: histogram %q counts nothing", clean(h.Name))
	}
	return nil
}

// density returns count/(total*width) per bin, and the mean of the bins.
func (h Histogram) density() (d []float64, mean, total float64) {
	for _, n := range h.Counts {
		total += n
	}
	d = make([]float64, len(h.Counts))
	for i, n := range h.Counts {
		d[i] = n / total / (h.Edges[i+1] - h.Edges[i])
		mean += n / total * (h.Edges[i] + h.Edges[i+1]) / 2
	}
	return d, mean, total
}

// support is the part of the edges that holds counts: bins empty at both
// ends would squeeze the rest.
func (h Histogram) support() (lo, hi float64) {
	first, last := 0, len(h.Counts)-1
	for h.Counts[first] == 0 {
		first++
	}
	for h.Counts[last] == 0 {
		last--
	}
	return h.Edges[first], h.Edges[last+1]
}

func (h Histograms) scales() (x, y scale, err error) {
	if len(h.Series) == 0 {
		return x, y, fmt.Errorf("chart: histograms %q have no series", clean(h.Title))
	}
	err = errors.Join(h.X.linear("x"), checkSize(h.Width, h.Height))
	var xs, ys []float64
	for _, s := range h.Series {
		if e := s.check(); e != nil {
			return x, y, e
		}
		d, _, _ := s.density()
		lo, hi := s.support()
		xs, ys = append(xs, lo, hi), append(ys, d...)
	}
	top := 0.0
	for _, v := range ys {
		top = math.Max(top, v)
	}
	return newScale(h.X, xs), newScale(Axis{Title: h.Language.phrases().density, Min: 0, Max: top * 1.08, Zero: true}, nil), err
}

// outline is the step curve of a histogram, closed at zero.
func (h Histogram) outline(p plane) []XY {
	d, _, _ := h.density()
	lo, hi := h.support()
	out := []XY{p.at(lo, 0)}
	for i := range d {
		if h.Edges[i] >= lo && h.Edges[i+1] <= hi {
			out = append(out, p.at(h.Edges[i], d[i]), p.at(h.Edges[i+1], d[i]))
		}
	}
	return append(out, p.at(hi, 0))
}

// SVG implements Chart.
func (h Histograms) SVG() ([]byte, error) { return drawSVG(h) }

// Alt implements Chart.
func (h Histograms) Alt() string {
	w := h.Language.phrases()
	var parts []string
	for _, s := range h.Series {
		if s.check() == nil {
			_, mean, _ := s.density()
			parts = append(parts, fmt.Sprintf(w.meanAlt, s.Name, short(mean)))
		}
	}
	return clean(sentences(fmt.Sprintf(w.histogramsAlt, h.Title, h.X.Title, strings.Join(parts, w.list)), h.Subtitle, h.Note))
}

// Draw implements Chart.
func (h Histograms) Draw(c Canvas) error {
	x, y, err := h.scales()
	if err != nil {
		return err
	}
	width, height := h.Width, h.Height
	if width == 0 {
		width = 640
	}
	if height == 0 {
		height = 400
	}
	var legend []key
	for k, s := range h.Series {
		_, mean, total := s.density()
		legend = append(legend, key{name: fmt.Sprintf(h.Language.phrases().means, s.Name, short(mean), grouped(total)), color: Color(k), form: keyBox})
	}
	top, bottom := newHead(h.Title, h.Subtitle, legend, width), newFoot(h.Note, width)
	p := newPlane(width, height, top, bottom, x, y)
	c.Begin(width, height, h.Alt())
	top.draw(c)
	p.axes(c)
	for k, s := range h.Series {
		c.Polygon(p.cut(s.outline(p)), Style{Fill: Color(k), FillOpacity: .16})
	}
	for k, s := range h.Series {
		_, mean, total := s.density()
		c.Group(fmt.Sprintf("%s\n%s: %s\nn: %s", s.Name, h.Language.phrases().mean, h.X.value(mean), grouped(total)))
		p.clipped(c, s.outline(p), Style{Stroke: Color(k), Width: 1.8})
		if p.x.has(mean) {
			c.Polyline([]XY{p.at(mean, 0), {p.x.pixel(mean), p.top}}, Style{Stroke: Color(k), Width: 1.2, Dash: []float64{3, 3}})
		}
		c.EndGroup()
	}
	bottom.draw(c, height)
	return nil
}

// cut holds a polygon's points inside the area.
func (a area) cut(points []XY) []XY {
	for i, p := range points {
		points[i] = XY{clampTo(p.X, a.left, a.right), clampTo(p.Y, a.top, a.bottom)}
	}
	return points
}

// grouped writes a count with thin spaces between thousands.
func grouped(n float64) string {
	s := fmt.Sprintf("%.0f", n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// VegaLite implements Chart: zoom, tooltips, series picked in the legend.
func (h Histograms) VegaLite() (json.RawMessage, error) {
	x, y, err := h.scales()
	if err != nil {
		return nil, err
	}
	var rows, means []object
	var names, colors []string
	for k, s := range h.Series {
		d, mean, total := s.density()
		name := clean(s.Name)
		names, colors = append(names, name), append(colors, Color(k))
		lo, hi := s.support()
		for i := range d {
			if s.Edges[i] >= lo && s.Edges[i+1] <= hi {
				rows = append(rows, object{"series": name, "edge": s.Edges[i], "density": d[i]})
			}
		}
		rows = append(rows, object{"series": name, "edge": hi, "density": 0})
		means = append(means, object{"series": name, "mean": mean, "n": total})
	}
	sort.SliceStable(rows, func(a, b int) bool { return rows[a]["edge"].(float64) < rows[b]["edge"].(float64) })
	color := object{"field": "series", "type": "nominal", "title": nil, "scale": object{"domain": names, "range": colors}, "legend": object{"orient": "top", "columns": 4, "labelLimit": 200}}
	width, height := h.Width, h.Height
	if width == 0 {
		width = 640
	}
	if height == 0 {
		height = 400
	}
	return vegaSpec(h.Title, h.Subtitle, h.Note, width-90, height-130, object{"layer": []object{
		{"data": object{"values": rows}, "params": []object{zoom(), pick("series")},
			"mark": object{"type": "area", "interpolate": "step-after", "fillOpacity": .16, "line": object{"strokeWidth": 1.8, "interpolate": "step-after"}, "clip": true},
			"encoding": object{"x": vegaAxis("edge", x), "y": vegaStacked(vegaAxis("density", y)), "color": color, "opacity": fade(1),
				"tooltip": []object{{"field": "series", "type": "nominal", "title": h.Language.phrases().of}, vegaTooltip("edge", h.X, h.Language.phrases().from), vegaTooltip("density", Axis{}, h.Language.phrases().density)}}},
		{"data": object{"values": means}, "mark": object{"type": "rule", "strokeDash": []int{3, 3}, "strokeWidth": 1.2, "clip": true},
			"encoding": object{"x": vegaAxis("mean", x), "color": color, "opacity": fade(1),
				"tooltip": []object{{"field": "series", "type": "nominal", "title": h.Language.phrases().of}, {"field": "mean", "type": "quantitative", "title": h.Language.phrases().mean, "format": ".4~g"}, {"field": "n", "type": "quantitative", "title": "n", "format": ",d"}}}},
	}})
}

// vegaStacked keeps areas from being piled on each other.
func vegaStacked(channel object) object {
	channel["stack"] = nil
	return channel
}
