package encoder_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/encodertest"
)

// The benchmarks are run as the command runs.
func TestMain(m *testing.M) {
	backend.Restart()
	os.Exit(m.Run())
}

// benchBatch is the number of images, and of captions, that are embedded at once.
const benchBatch = 32

// BenchmarkViTB32 embeds 32 images of 224 x 224 pixels and 32 captions of 77
// tokens with a CLIP ViT-B/32 of random weights: on every usable backend, and
// with PyTorch, in one run.
func BenchmarkViTB32(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	pixels := make([]float32, benchBatch*3*224*224)
	for i := range pixels {
		pixels[i] = float32(rng.NormFloat64())
	}
	tokens := make([]int32, benchBatch*77)
	for i := range tokens {
		tokens[i] = int32(rng.IntN(49408))
	}
	for _, name := range []string{backend.Go, backend.XLACPU} {
		engine, err := backend.Open(name)
		if err != nil {
			b.Logf("without %s: %v", name, err)
			continue
		}
		e, err := encodertest.Random(engine, encodertest.ViTB32(), nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("images/"+name, func(b *testing.B) {
			perSecond(b, func() error { _, err := e.ImageFeatures(pixels); return err })
		})
		b.Run("texts/"+name, func(b *testing.B) {
			perSecond(b, func() error { _, err := e.TextFeatures(tokens); return err })
		})
		engine.Finalize()
	}
	for _, tower := range []string{"images", "texts"} {
		b.Run(tower+"/pytorch", func(b *testing.B) {
			encodertest.PyTorch(b, "rows/s", "testdata/pytorch_speed.py", tower, strconv.Itoa(benchBatch))
		})
	}
}

// perSecond times calls of embed, each of a batch, after one that compiles.
func perSecond(b *testing.B, embed func() error) {
	if err := embed(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := embed(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(benchBatch*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
