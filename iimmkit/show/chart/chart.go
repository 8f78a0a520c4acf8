// Package chart draws the project's pictures from plain data. Every kind is
// described once and rendered three ways: SVG (no script, hover text, the
// viewer's fonts), Vega-Lite v5 (interactive in JupyterLab, without network)
// and, through package chart/png, PNG.
//
// Nothing undefined is ever drawn: a NaN or infinite value is refused with an
// error, or left out and said under the picture, as each kind documents.
// The same description gives the same bytes.
package chart

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// Chart is a picture: Scatter, Bars, HeatMap, Histograms, EmbeddingMap, Lines,
// Reliability, Frontier or Gallery.
type Chart interface {
	// SVG returns a complete SVG document.
	SVG() ([]byte, error)
	// VegaLite returns a Vega-Lite v5 specification that carries its data.
	VegaLite() (json.RawMessage, error)
	// Alt says in words what the picture shows.
	Alt() string
	// Draw puts the picture on a canvas, which package chart/png implements.
	Draw(Canvas) error
}

// Axis describes one numeric axis.
type Axis struct {
	Title string
	// Percent shows values in [0,1] as per cent.
	Percent bool
	// Zero makes the axis include 0 and draws a line there.
	Zero bool
	// Min and Max fix the range when Min < Max; else it follows the data.
	Min, Max float64
	// Log makes the axis logarithmic, where the kind says that it can be: a
	// learning curve over 5, 10, 20 … images.
	Log bool
}

// check refuses a range that is not a range.
func (a Axis) check(name string) error {
	if !finite(a.Min, a.Max) || a.Min > a.Max {
		return fmt.Errorf("chart: %s axis: range %v to %v, want finite and ascending", name, a.Min, a.Max)
	}
	if a.Log && (a.Zero || a.Min < a.Max && a.Min <= 0) {
		return fmt.Errorf("chart: %s axis: a logarithmic axis has no 0", name)
	}
	return nil
}

// linear is check for the kinds whose axis cannot be logarithmic.
func (a Axis) linear(name string) error {
	if a.Log {
		return fmt.Errorf("chart: %s axis: this kind of chart has no logarithmic axes", name)
	}
	return a.check(name)
}

// checkValues refuses what a logarithmic axis cannot show.
func (a Axis) checkValues(name string, values []float64) error {
	for _, v := range values {
		if a.Log && !(v > 0) {
			return fmt.Errorf("chart: %s axis: %v cannot be on a logarithmic axis", name, v)
		}
	}
	return nil
}

// value formats v for hover texts.
func (a Axis) value(v float64) string {
	if a.Percent {
		return short(100*v) + " %"
	}
	return short(v)
}

func finite(values ...float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// checkSize refuses sizes no screen has. Zero means the kind's own size.
func checkSize(width, height float64) error {
	for _, v := range []float64{width, height} {
		if v != 0 && (math.IsNaN(v) || v < 120 || v > 10000) {
			return fmt.Errorf("chart: size %g x %g, want 120 to 10000 pixels", width, height)
		}
	}
	return nil
}

// sentences joins what is not empty.
func sentences(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, " ")
}
