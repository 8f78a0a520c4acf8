package encoder_test

import (
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	_ "github.com/iimmkit/iimm/iimmkit/model/encoder/micro"
)

// BenchmarkImages embeds pictures with the micro model on every usable backend.
func BenchmarkImages(b *testing.B) {
	for _, name := range []string{backend.Go, backend.XLACPU} {
		b.Run(name, func(b *testing.B) {
			engine, err := backend.Open(name)
			if err != nil {
				b.Skip(err)
			}
			e, err := encoder.Open(engine, "micro")
			if err != nil {
				b.Fatal(err)
			}
			size := e.Config().ImageSize
			const n = 256
			pixels := make([]float32, n*3*size*size)
			for i := range pixels {
				pixels[i] = float32(i%17) / 17
			}
			for b.Loop() {
				if _, err := e.ImageFeatures(pixels); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "images/s")
		})
	}
}
