// Package withpng gives every chart that a cell shows a PNG besides, for viewers
// that show neither Vega-Lite nor SVG (voila, previews of repositories). Import
// it once in a notebook, with the blank name: later cells then have it too, and
// take about a tenth of a second more to link each.
package withpng

import (
	"github.com/iimmkit/iimm/iimmkit/show/chart/png"
	"github.com/iimmkit/iimm/iimmkit/show/nb"
)

func init() { nb.RenderPNG = png.Render }
