package train

import (
	"fmt"
	"strings"

	"github.com/iimmkit/iimm/datasets/world"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/clip"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/coca"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/eva02"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/siglip"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// Recipe is everything that determines a pretrained micro model.
type Recipe struct {
	Family      string  `json:"family"` // one of encoder.Families
	Shape       Shape   `json:"shape"`
	Seed        uint64  `json:"seed"`
	Pairs       int     `json:"pairs"` // pictures, each with world.CaptionsPerImage captions
	Steps       int     `json:"steps"`
	Batch       int     `json:"batch"`
	Rate        float64 `json:"learning_rate"`
	Warmup      int     `json:"warmup_steps"`
	WeightDecay float64 `json:"weight_decay"`
	Beta2       float64 `json:"beta2"`
	ClipNorm    float64 `json:"clip_norm"`
	Spell       float64 `json:"spell"`     // share of words that are spelled in letters
	Shift       int     `json:"shift"`     // pictures are moved by up to so many pixels
	MinCount    int     `json:"min_count"` // of a word in the captions to be in the vocabulary
}

// Shape is what may be chosen of a micro model's shape; the rest is its
// family's way. The vocabulary follows from the captions.
type Shape struct {
	EmbedDim      int               `json:"embed_dim"`
	Vision        transformer.Tower `json:"vision"`
	ImageSize     int               `json:"image_size"`
	PatchSize     int               `json:"patch_size"`
	Text          transformer.Tower `json:"text"`
	ContextLength int               `json:"context_length"`
}

// microFamily is how the micro model of a family differs from micro-clip.
type microFamily struct {
	family.Family
	style string // what it is, for the card
	// shape makes the family's own of a choice.
	shape func(s Shape, vocabulary int) family.Shape
	// adapt changes micro-clip's recipe.
	adapt     func(*Recipe)
	objective objective
}

// poolQueries of micro-coca; the published models have 256. Only the first
// makes the embedding.
const poolQueries = 8

var microFamilies = map[string]microFamily{
	clip.Family.Name: {
		Family: clip.Family,
		style:  "CLIP",
		shape: func(s Shape, vocabulary int) family.Shape {
			return clip.Config{
				EmbedDim: s.EmbedDim, Vision: s.Vision, ImageSize: s.ImageSize, PatchSize: s.PatchSize,
				Text: s.Text, ContextLength: s.ContextLength, VocabSize: vocabulary,
				Activation: transformer.QuickGELU, Epsilon: 1e-5, EndToken: -1,
			}
		},
		adapt:     func(*Recipe) {},
		objective: contrastive,
	},
	siglip.Family.Name: {
		Family: siglip.Family,
		style:  "SigLIP",
		shape: func(s Shape, vocabulary int) family.Shape {
			return siglip.Config{
				Vision: s.Vision, ImageSize: s.ImageSize, PatchSize: s.PatchSize, VisionActivation: transformer.GELUTanh, VisionEpsilon: 1e-6,
				Text: s.Text, ContextLength: s.ContextLength, VocabSize: vocabulary, TextActivation: transformer.GELUTanh, TextEpsilon: 1e-6,
			}
		},
		adapt: func(r *Recipe) {
			r.Steps = fewerSteps
			r.Shape.EmbedDim = r.Shape.Vision.Width // it has no projection
		},
		objective: sigmoid,
	},
	coca.Family.Name: {
		Family: coca.Family,
		style:  "CoCa, without its captioning decoder,",
		shape: func(s Shape, vocabulary int) family.Shape {
			return coca.Config{
				EmbedDim: s.EmbedDim, Vision: s.Vision, ImageSize: s.ImageSize, PatchSize: s.PatchSize,
				PoolQueries: poolQueries, PoolHeads: s.Vision.Heads,
				Text: s.Text, ContextLength: s.ContextLength, VocabSize: vocabulary,
				Activation: transformer.GELU, Epsilon: 1e-5,
			}
		},
		adapt: func(r *Recipe) {
			r.Steps = fewerSteps
			r.Shape.ContextLength-- // the class token takes a place
		},
		objective: contrastive,
	},
	eva02.Family.Name: {
		Family: eva02.Family,
		style:  "EVA-02-CLIP",
		shape: func(s Shape, vocabulary int) family.Shape {
			return eva02.Config{
				EmbedDim: s.EmbedDim, Vision: s.Vision, ImageSize: s.ImageSize, PatchSize: s.PatchSize, Reference: s.ImageSize / s.PatchSize,
				Text: s.Text, ContextLength: s.ContextLength, VocabSize: vocabulary,
				Activation: transformer.GELU, TextEpsilon: 1e-5,
			}
		},
		adapt: func(r *Recipe) {
			r.Steps = fewerSteps
			r.Shape.Vision.MLPWidth = 8 * r.Shape.Vision.Width / 3 // gated, so narrower
		},
		objective: contrastive,
	},
}

// fewerSteps than micro-clip's, so that the other three are made within an hour.
const fewerSteps = 2500

// DefaultRecipe is the recipe of a family's shipped micro model, whose card
// tells what came of it.
func DefaultRecipe(familyName string) (Recipe, error) {
	r := Recipe{
		Family: familyName,
		Shape: Shape{
			EmbedDim: 64, ImageSize: world.Size, PatchSize: 8, ContextLength: 24,
			Vision: transformer.Tower{Width: 96, Layers: 4, Heads: 4, MLPWidth: 384},
			Text:   transformer.Tower{Width: 64, Layers: 2, Heads: 4, MLPWidth: 256},
		},
		Pairs: 200_000, Steps: 4000, Batch: 256, Rate: 1.2e-3, Warmup: 200, WeightDecay: .05, Beta2: .98,
		ClipNorm: 1, Spell: .06, Shift: 2, MinCount: 20,
	}
	f, ok := microFamilies[familyName]
	if !ok {
		return Recipe{}, fmt.Errorf("no model family %q: there are %s", familyName, strings.Join(encoder.Families(), ", "))
	}
	f.adapt(&r)
	return r, nil
}

// shape is the recipe's whole shape, with a vocabulary of so many words.
func (r Recipe) shape(vocabulary int) (family.Shape, error) {
	f, ok := microFamilies[r.Family]
	if !ok {
		return nil, fmt.Errorf("no model family %q: there are %s", r.Family, strings.Join(encoder.Families(), ", "))
	}
	return f.shape(r.Shape, vocabulary), nil
}
