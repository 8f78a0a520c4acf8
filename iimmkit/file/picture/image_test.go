package picture

import (
	"bytes"
	"image/png"
	"slices"
	"testing"
)

func TestPicturesAreImages(t *testing.T) {
	p := New(3, 2)
	for i := range p.Pix {
		p.Pix[i] = uint8(10 * i)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	got, err := Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Width != 3 || got.Height != 2 || !slices.Equal(got.Pix, p.Pix) {
		t.Errorf("through PNG %v became %v", p.Pix, got.Pix)
	}
	if _, _, _, a := p.At(3, 0).RGBA(); a != 0 {
		t.Error("outside of the bounds is not transparent")
	}
}
