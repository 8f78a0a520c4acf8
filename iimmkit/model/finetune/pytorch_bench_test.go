package finetune_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/clip"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/encodertest"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
)

// The benchmark is run as the command runs.
func TestMain(m *testing.M) {
	backend.Restart()
	os.Exit(m.Run())
}

// BenchmarkTuningStep takes AdamW steps of full tuning on a task of ten
// classes, whose captions are encoded in every step, with models of random
// weights: the size of the shipped CLIP in batches of 32, ViT-B/32 in batches of
// 16. On every usable backend, and with PyTorch, in one run.
func BenchmarkTuningStep(b *testing.B) {
	for _, m := range []struct {
		name  string
		batch int
		shape clip.Config
	}{
		{"micro", 32, clip.Config{
			EmbedDim: 64, ImageSize: 32, PatchSize: 8, ContextLength: 24, VocabSize: 1000, EndToken: -1,
			Vision:     transformer.Tower{Width: 96, Layers: 4, Heads: 4, MLPWidth: 384},
			Text:       transformer.Tower{Width: 64, Layers: 2, Heads: 4, MLPWidth: 256},
			Activation: transformer.QuickGELU, Epsilon: 1e-5,
		}},
		{"ViT-B-32", 16, encodertest.ViTB32()},
	} {
		const classes = 10
		d := finetune.Data{Labels: make([]int, m.batch), Tokens: make([]int32, classes*m.shape.ContextLength), Pixels: make([]float32, m.batch*3*m.shape.ImageSize*m.shape.ImageSize)}
		rng := rand.New(rand.NewPCG(1, 1))
		for i := range d.Labels {
			d.Labels[i] = i % classes
		}
		for i := range d.Tokens {
			d.Tokens[i] = int32(rng.IntN(m.shape.VocabSize))
		}
		for i := range d.Pixels {
			d.Pixels[i] = float32(rng.NormFloat64())
		}
		for _, name := range []string{backend.Go, backend.XLACPU} {
			b.Run(m.name+"/"+name, func(b *testing.B) {
				engine, err := backend.Open(name)
				if err != nil {
					b.Skip(err)
				}
				defer engine.Finalize()
				o := finetune.Defaults()
				o.Batch, o.Captions, o.Rate = m.batch, classes, 1e-5
				steps := func(n int) {
					o.Steps = n
					e, err := encodertest.Random(engine, m.shape, nil)
					if err != nil {
						b.Fatal(err)
					}
					tuner, err := finetune.New(e, "full", o)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := tuner.Run(b.Context(), d, finetune.Job{Watch: func(done, _ int, _ float64) {
						if done == 1 { // the first step compiles
							b.ResetTimer()
						}
					}}); err != nil {
						b.Fatal(err)
					}
				}
				steps(b.N + 1)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
			})
		}
		b.Run(m.name+"/pytorch", func(b *testing.B) {
			encodertest.PyTorch(b, "steps/s", "testdata/pytorch_step.py", m.name, strconv.Itoa(m.batch), strconv.Itoa(classes))
		})
	}
}
