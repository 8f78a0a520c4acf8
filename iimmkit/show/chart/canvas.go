package chart

import "image"

// XY is a position on a canvas in pixels, y growing downwards.
type XY struct{ X, Y float64 }

// Style paints a shape. Colours are #rrggbb; an empty one paints nothing.
// Opacity 0 means 1, so that the zero value is opaque.
type Style struct {
	Fill        string
	FillOpacity float64
	Stroke      string
	Width       float64 // of the stroke, 0 means 1
	Opacity     float64 // of the stroke
	Dash        []float64
}

// Anchor says which end of a text sits at its position.
type Anchor int

// Where a text sits.
const (
	Start Anchor = iota
	Middle
	End
)

// TextStyle paints a text; its position is on the baseline.
type TextStyle struct {
	Size   float64
	Color  string
	Bold   bool
	Anchor Anchor
	Rotate float64 // degrees clockwise around the position
	Halo   bool    // a white rim, for texts over marks
}

// Canvas is what a chart is drawn on. Begin is called first, once.
type Canvas interface {
	Begin(width, height float64, alt string)
	// Group starts marks that share a hover text; groups are not nested.
	Group(hover string)
	EndGroup()
	Polyline(points []XY, s Style)
	Polygon(points []XY, s Style)
	Rect(x, y, width, height float64, s Style)
	Circle(center XY, radius float64, s Style)
	Text(at XY, text string, s TextStyle)
	// Image fills a rectangle with a picture.
	Image(m image.Image, x, y, width, height float64) error
}
