// Package encodertest makes small encoders for the tests of other packages:
// untrained, but complete, with a tokenizer, and fast.
package encodertest

import (
	"math/rand/v2"

	"github.com/gomlx/compute"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/clip"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/preprocess"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/token"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// Tiny returns a CLIP of 16x16 pixels, two blocks an image tower and one a text
// tower, width 16, with open_clip's random weights, whose vocabulary holds the
// words of captions. It is the same for the same captions.
func Tiny(b compute.Backend, captions ...string) (*encoder.Encoder, error) {
	vocabulary := token.BuildVocabulary(captions, 1)
	tokenizer, err := vocabulary.HF()
	if err != nil {
		return nil, err
	}
	shape := clip.Config{
		EmbedDim: 8, ImageSize: 16, PatchSize: 8, ContextLength: 10, VocabSize: len(vocabulary.Words), EndToken: -1,
		Vision:     transformer.Tower{Width: 16, Layers: 2, Heads: 2, MLPWidth: 32},
		Text:       transformer.Tower{Width: 16, Layers: 1, Heads: 2, MLPWidth: 32},
		Activation: transformer.QuickGELU, Epsilon: 1e-5,
	}
	rng := rand.New(rand.NewPCG(7, 0))
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
	e, err := encoder.New(b, shape, preprocess.Config{
		Size: shape.ImageSize, Mode: preprocess.Shortest, Mean: [3]float32{.5, .5, .5}, Std: [3]float32{.25, .25, .25},
	}, weights, tokenizer)
	if err != nil {
		return nil, err
	}
	e.Name = "tiny"
	return e, nil
}
