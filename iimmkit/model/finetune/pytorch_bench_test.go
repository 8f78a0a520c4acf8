package finetune_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/clip"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/preprocess"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
)

// BenchmarkTuningStep takes AdamW steps of full tuning on a task of ten
// classes, whose captions are encoded in every step, with models of random
// weights: the size of the shipped CLIP in batches of 32, ViT-B/32 in batches of
// 16. On every usable backend, and with PyTorch, in one run. IIMM_PYTHON says
// which Python has torch and open_clip.
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
		{"ViT-B-32", 16, clip.Config{
			EmbedDim: 512, ImageSize: 224, PatchSize: 32, ContextLength: 77, VocabSize: 49408, EndToken: -1,
			Vision:     transformer.Tower{Width: 768, Layers: 12, Heads: 12, MLPWidth: 3072},
			Text:       transformer.Tower{Width: 512, Layers: 12, Heads: 8, MLPWidth: 2048},
			Activation: transformer.QuickGELU, Epsilon: 1e-5,
		}},
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
					tuner, err := finetune.New(random(b, engine, m.shape, rng), "full", o)
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
			python := os.Getenv("IIMM_PYTHON")
			if python == "" {
				python = "python3"
			}
			for range b.N {
				out, err := exec.Command(python, "testdata/pytorch_step.py", m.name, strconv.Itoa(m.batch), strconv.Itoa(classes)).CombinedOutput()
				lines := strings.Split(strings.TrimSpace(string(out)), "\n")
				last := lines[len(lines)-1]
				if err != nil {
					b.Skipf("%s cannot run torch and open_clip (IIMM_PYTHON says which Python): %v: %s", python, err, last)
				}
				speed, err := strconv.ParseFloat(last, 64)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(speed, "steps/s")
			}
		})
	}
}

func random(b *testing.B, engine compute.Backend, shape clip.Config, rng *rand.Rand) *encoder.Encoder {
	b.Helper()
	weights := map[string]checkpoint.Weight{}
	for _, p := range shape.Params() {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		w := checkpoint.Weight{Shape: p.Shape, Data: make([]float32, n)}
		for i := range w.Data {
			w.Data[i] = float32(p.Fill + p.Std*rng.NormFloat64())
		}
		weights[p.Name] = w
	}
	e, err := encoder.New(engine, shape, preprocess.Config{Size: shape.ImageSize, Mode: preprocess.Shortest}, weights, nil)
	if err != nil {
		b.Fatal(err)
	}
	return e
}
