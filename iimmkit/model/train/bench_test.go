package train

import (
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// BenchmarkStep does contrastive training steps of 32 pairs with the micro
// model on every usable backend.
func BenchmarkStep(b *testing.B) {
	for _, name := range []string{backend.Go, backend.XLACPU} {
		b.Run(name, func(b *testing.B) {
			engine, err := backend.Open(name)
			if err != nil {
				b.Skip(err)
			}
			r, err := DefaultRecipe("clip")
			if err != nil {
				b.Fatal(err)
			}
			r.Pairs, r.Batch = 320, 32
			data := drawWorld(r, progress.Discard)
			shape, err := r.shape(len(data.vocabulary.Words))
			if err != nil {
				b.Fatal(err)
			}
			e, err := newRandom(engine, shape, 0, data.vocabulary)
			if err != nil {
				b.Fatal(err)
			}
			step, err := pretrainingStep(e, r)
			if err != nil {
				b.Fatal(err)
			}
			in := data.batch(r, 0)
			run := func() {
				if _, err := step.Run(1e-3, tensors.FromFlatDataAndDimensions(in.pixels, r.Batch, 3, 32, 32),
					tensors.FromFlatDataAndDimensions(in.tokens, r.Batch, r.Shape.ContextLength)); err != nil {
					b.Fatal(err)
				}
			}
			run() // compiles
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
		})
	}
}
