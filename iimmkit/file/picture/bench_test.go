package picture_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

func textured(width, height int) *picture.RGB {
	p := picture.New(width, height)
	for i := range p.Pix {
		p.Pix[i] = uint8(i*i>>7 ^ i)
	}
	return p
}

func BenchmarkResize(b *testing.B) {
	for _, c := range []struct {
		name           string
		w, h, toW, toH int
	}{{"640x426to336x224", 640, 426, 336, 224}, {"200to32", 200, 200, 32, 32}, {"28to32", 28, 28, 32, 32}} {
		b.Run(c.name, func(b *testing.B) {
			p := textured(c.w, c.h)
			b.SetBytes(int64(len(p.Pix)))
			for b.Loop() {
				picture.Resize(p, c.toW, c.toH)
			}
		})
	}
}

func BenchmarkDecodeJPEG(b *testing.B) {
	m := image.NewYCbCr(image.Rect(0, 0, 200, 200), image.YCbCrSubsampleRatio420)
	for i := range m.Y {
		m.Y[i] = uint8(i * i >> 5)
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = uint8(i>>3), uint8(i>>5)
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, m, nil); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(3 * 200 * 200)
	for b.Loop() {
		if _, err := picture.Decode(bytes.NewReader(file.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodePNM(b *testing.B) {
	p := textured(200, 200)
	file := append([]byte("P6 200 200 255\n"), p.Pix...)
	b.SetBytes(int64(len(p.Pix)))
	for b.Loop() {
		if _, err := picture.Decode(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
}
