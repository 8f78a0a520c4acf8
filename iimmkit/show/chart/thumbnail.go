package chart

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
)

// Thumbnail returns a picture whose longer side has size to 2 size pixels:
// smaller ones are enlarged pixel by pixel, so that a reader sees what a model
// sees, larger ones averaged down to 2 size. A picture without pixels is
// returned as it is.
func Thumbnail(m image.Image, size int) image.Image {
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	longer := max(w, h)
	if w == 0 || h == 0 || longer >= size && longer <= 2*size {
		return m
	}
	source := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(source, source.Rect, m, b.Min, draw.Src)
	if longer < size {
		k := (size + longer - 1) / longer
		out := image.NewRGBA(image.Rect(0, 0, k*w, k*h))
		for y := range k * h {
			for x := range k * w {
				copy(out.Pix[out.PixOffset(x, y):][:4], source.Pix[source.PixOffset(x/k, y/k):][:4])
			}
		}
		return out
	}
	to := 2 * size
	out := image.NewRGBA(image.Rect(0, 0, max(1, w*to/longer), max(1, h*to/longer)))
	dw, dh := out.Rect.Dx(), out.Rect.Dy()
	for y := range dh {
		y0, y1 := y*h/dh, (y+1)*h/dh
		for x := range dw {
			x0, x1 := x*w/dw, (x+1)*w/dw
			var sum [4]int
			for sy := y0; sy < y1; sy++ {
				row := source.Pix[source.PixOffset(x0, sy) : source.PixOffset(x1-1, sy)+4]
				for i, v := range row {
					sum[i%4] += int(v)
				}
			}
			n := (x1 - x0) * (y1 - y0)
			for c, v := range sum {
				out.Pix[out.PixOffset(x, y)+c] = uint8((v + n/2) / n)
			}
		}
	}
	return out
}

// DataURI writes a picture into the text of a page: as PNG, or as JPEG where
// that is less than half as long, as it is of photographs and never of drawings or
// of pixels made large.
func DataURI(m image.Image) (string, error) {
	var whole, lossy bytes.Buffer
	if err := png.Encode(&whole, m); err != nil {
		return "", fmt.Errorf("chart: picture: %w", err)
	}
	kind, data := "png", whole.Bytes()
	if o, ok := m.(interface{ Opaque() bool }); ok && o.Opaque() {
		if err := jpeg.Encode(&lossy, m, &jpeg.Options{Quality: 90}); err != nil {
			return "", fmt.Errorf("chart: picture: %w", err)
		}
		if 2*lossy.Len() < whole.Len() {
			kind, data = "jpeg", lossy.Bytes()
		}
	}
	return "data:image/" + kind + ";base64," + base64.StdEncoding.EncodeToString(data), nil
}
