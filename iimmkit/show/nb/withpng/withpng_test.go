package withpng

import (
	"bytes"
	"image/png"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
	"github.com/iimmkit/iimm/iimmkit/show/nb"
)

func TestImportingIsEnough(t *testing.T) {
	if nb.RenderPNG == nil {
		t.Fatal("nothing renders PNG")
	}
	data, err := nb.RenderPNG(chart.Scatter{Points: []chart.Point{{X: 1, Y: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := png.Decode(bytes.NewReader(data)); err != nil || m.Bounds().Empty() {
		t.Errorf("%v, %v", m, err)
	}
}
