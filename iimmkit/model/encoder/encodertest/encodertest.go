// Package encodertest makes small encoders for the tests of other packages:
// untrained, but complete, with a tokenizer, and fast.
package encodertest

import (
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/compute"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/clip"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/coca"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/eva02"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/preprocess"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/siglip"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/token"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// Tiny is TinyOf the family clip.
func Tiny(b compute.Backend, captions ...string) (*encoder.Encoder, error) {
	return TinyOf(b, clip.Family.Name, captions...)
}

// TinyOf returns a model of a family, of 16x16 pixels, two blocks an image
// tower and one a text tower, width 16, with the family's random weights, whose
// vocabulary holds the words of captions. It is the same for the same captions.
func TinyOf(b compute.Backend, familyName string, captions ...string) (*encoder.Encoder, error) {
	vocabulary := token.BuildVocabulary(captions, 1)
	tokenizer, err := vocabulary.HF()
	if err != nil {
		return nil, err
	}
	shape, err := tinyShape(familyName, len(vocabulary.Words))
	if err != nil {
		return nil, err
	}
	e, err := Random(b, shape, tokenizer)
	if err != nil {
		return nil, err
	}
	e.Name = "tiny"
	return e, nil
}

func tinyShape(name string, vocabulary int) (family.Shape, error) {
	const image, patch, context, d, epsilon = 16, 8, 10, 8, 1e-5
	vision := transformer.Tower{Width: 16, Layers: 2, Heads: 2, MLPWidth: 32}
	text := transformer.Tower{Width: 16, Layers: 1, Heads: 2, MLPWidth: 32}
	switch name {
	case clip.Family.Name:
		return clip.Config{
			EmbedDim: d, Vision: vision, ImageSize: image, PatchSize: patch, Text: text, ContextLength: context, VocabSize: vocabulary,
			EndToken: -1, Activation: transformer.QuickGELU, Epsilon: epsilon,
		}, nil
	case siglip.Family.Name:
		return siglip.Config{
			Vision: vision, ImageSize: image, PatchSize: patch, VisionActivation: transformer.GELU, VisionEpsilon: epsilon,
			Text: text, ContextLength: context, VocabSize: vocabulary, TextActivation: transformer.GELUTanh, TextEpsilon: epsilon,
		}, nil
	case coca.Family.Name:
		return coca.Config{
			EmbedDim: d, Vision: vision, ImageSize: image, PatchSize: patch, PoolQueries: 3, PoolHeads: 2,
			Text: text, ContextLength: context, VocabSize: vocabulary, Activation: transformer.GELU, Epsilon: epsilon,
		}, nil
	case eva02.Family.Name:
		return eva02.Config{
			EmbedDim: d, Vision: vision, ImageSize: image, PatchSize: patch, Reference: 3,
			Text: text, ContextLength: context, VocabSize: vocabulary, Activation: transformer.GELU, TextEpsilon: epsilon,
		}, nil
	}
	return nil, fmt.Errorf("no model family %q", name)
}

// Random returns a model of a shape with its family's random weights, always
// the same. Without a tokenizer.json it cannot read captions.
func Random(b compute.Backend, shape family.Shape, tokenizer []byte) (*encoder.Encoder, error) {
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
	return encoder.New(b, shape, preprocess.Config{
		Size: shape.Sizes().ImageSize, Mode: preprocess.Shortest, Mean: [3]float32{.5, .5, .5}, Std: [3]float32{.25, .25, .25},
	}, weights, tokenizer)
}

// ViTB32 is the shape of OpenAI's CLIP ViT-B/32.
func ViTB32() clip.Config {
	return clip.Config{
		EmbedDim: 512, ImageSize: 224, PatchSize: 32, ContextLength: 77, VocabSize: 49408, EndToken: -1,
		Vision:     transformer.Tower{Width: 768, Layers: 12, Heads: 12, MLPWidth: 3072},
		Text:       transformer.Tower{Width: 512, Layers: 12, Heads: 8, MLPWidth: 2048},
		Activation: transformer.QuickGELU, Epsilon: 1e-5,
	}
}
