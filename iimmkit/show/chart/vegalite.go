package chart

import (
	"encoding/json"
	"fmt"
)

// object is a JSON object of a Vega-Lite specification; encoding/json writes
// its keys in order, so that the same chart gives the same bytes.
type object = map[string]any

// vegaSchema names the newest version that JupyterLab carries; it is a name,
// nothing is fetched from it.
const vegaSchema = "https://vega.github.io/schema/vega-lite/v5.json"

// vegaSpec completes a specification with the parts all kinds share.
func vegaSpec(title, subtitle, note string, width, height float64, body object) (json.RawMessage, error) {
	if width == 0 { // the body states its own width
		width = body["width"].(float64)
	}
	heading := object{"text": wrapOr(title, titleSize, width), "anchor": "start", "fontSize": titleSize}
	if lines := append(wrap(subtitle, textSize, width), wrap(note, textSize, width)...); len(lines) > 0 {
		heading["subtitle"] = lines
		heading["subtitleColor"] = inkSoft
	}
	spec := object{
		"$schema":    vegaSchema,
		"title":      heading,
		"background": white,
		"config": object{
			"font": fonts,
			"axis": object{"gridColor": gridColor, "domainColor": axisColor, "tickColor": axisColor, "labelColor": inkSoft, "titleColor": ink, "titleFontWeight": "normal", "titleFontSize": textSize, "labelFontSize": textSize - 1},
			"view": object{"stroke": nil},
			// A legend shows its colours whole, whatever the opacity of the marks.
			"legend": object{"symbolOpacity": 1, "symbolStrokeWidth": 0, "labelColor": ink, "labelFontSize": textSize - 1, "titleFontSize": textSize - 1, "titleFontWeight": "normal"},
			"range":  object{"category": palette},
		},
	}
	if _, ok := body["width"]; !ok && height > 0 {
		spec["width"], spec["height"] = width, height
	}
	for k, v := range body {
		spec[k] = v
	}
	b, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("chart: %w", err)
	}
	return b, nil
}

func wrapOr(text string, size, width float64) []string {
	if lines := wrap(text, size, width); len(lines) > 0 {
		return lines
	}
	return []string{""}
}

// vegaAxis describes one positional channel with an explicit domain.
func vegaAxis(field string, s scale) object {
	axis := object{"tickCount": 7}
	if s.bare {
		axis = object{"labels": false, "ticks": false, "grid": false}
	}
	if s.axis.Percent {
		axis["format"] = "~%"
	}
	kind := object{"domain": s.domain(), "zero": false, "nice": false}
	if s.axis.Log {
		kind = object{"type": "log", "domain": s.domain(), "nice": false}
		var at []float64
		for _, t := range s.onto(0, 550).ticks(64) {
			at = append(at, t.value)
		}
		if len(at) > 0 {
			axis["values"] = at
		}
	}
	title := any(nil)
	if s.axis.Title != "" {
		title = s.axis.Title
	}
	return object{"field": field, "type": "quantitative", "title": title, "axis": axis,
		"scale": kind}
}

// vegaTooltip describes one line of a tooltip.
func vegaTooltip(field string, a Axis, fallback string) object {
	format := ".4~g"
	if a.Percent {
		format = ".1~%"
	}
	return object{"field": field, "type": "quantitative", "title": axisName(a, fallback), "format": format}
}

// zoom lets the reader drag and zoom both axes.
func zoom() object {
	return object{"name": "zoom", "select": "interval", "bind": "scales"}
}

// pick fades all but the groups picked in the legend.
func pick(field string) object {
	return object{"name": "pick", "select": object{"type": "point", "fields": []string{field}}, "bind": "legend"}
}

func fade(full float64) object {
	return object{"condition": object{"param": "pick", "value": full}, "value": .08}
}
