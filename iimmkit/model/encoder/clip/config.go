package clip

import (
	"fmt"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

const name = "clip"

// Family is CLIP (Radford et al., 2021).
var Family = family.Family{
	Name:          name,
	ModelType:     "clip",
	ParseHF:       parseHF,
	Claims:        func(c *family.OpenCLIP) bool { return c.Vision.Timm == "" && !c.Text.EmbedClass },
	ParseOpenCLIP: parseOpenCLIP,
	Ignored: []string{
		"text_model.embeddings.position_ids", "vision_model.embeddings.position_ids", "attn_mask",
		// OpenAI's own files hold the sizes.
		"input_resolution", "context_length", "vocab_size",
	},
	Saves: family.HuggingFace,
}

// parseHF reads Hugging Face's config.json of a CLIPModel. Fields that are
// absent have the defaults of transformers 5.23.0.
func parseHF(data []byte) (family.Shape, error) {
	end := 49407
	raw := family.HF{
		EmbedDim: 512,
		Text: family.HFTower{
			Width: 512, MLPWidth: 2048, Layers: 12, Heads: 8, VocabSize: 49408, ContextLength: 77,
			Activation: transformer.QuickGELU, Epsilon: 1e-5, EndToken: &end,
		},
		Vision: family.HFTower{
			Width: 768, MLPWidth: 3072, Layers: 12, Heads: 12, ImageSize: 224, PatchSize: 32,
			Activation: transformer.QuickGELU, Epsilon: 1e-5,
		},
	}
	if err := raw.Parse(data); err != nil {
		return nil, err
	}
	v, t := raw.Vision, raw.Text
	if v.Activation != t.Activation {
		return nil, fmt.Errorf("%s: hidden_act differs between the towers (%q and %q)", family.HFFile, v.Activation, t.Activation)
	}
	if v.Epsilon != t.Epsilon {
		return nil, fmt.Errorf("%s: layer_norm_eps differs between the towers (%g and %g)", family.HFFile, v.Epsilon, t.Epsilon)
	}
	c := Config{
		EmbedDim: raw.EmbedDim,
		Vision:   v.Tower(), ImageSize: v.ImageSize, PatchSize: v.PatchSize,
		Text: t.Tower(), ContextLength: t.ContextLength, VocabSize: t.VocabSize, EndToken: -1,
		Activation: v.Activation, Epsilon: v.Epsilon,
	}
	// eos_token_id 2 is what early checkpoints say although their end token is
	// the largest id; the reference then takes the largest id.
	if t.EndToken != nil && *t.EndToken != 2 {
		c.EndToken = *t.EndToken
	}
	return c, c.check(family.HFFile)
}

func parseOpenCLIP(raw *family.OpenCLIP) (family.Shape, error) {
	vision, err := raw.VisionTower()
	if err != nil {
		return nil, err
	}
	pooled, err := raw.AttentionPool()
	if err != nil {
		return nil, err
	}
	t := raw.Text
	if err := raw.Check(name, append(raw.CausalText(),
		family.Need{Met: !pooled, Field: "vision_cfg.attentional_pool", Value: false},
		family.Need{Met: t.Pool == "argmax" || t.Pool == "eos", Field: "text_cfg.pool_type", Value: "argmax or eos"},
		family.Need{Met: raw.VisionActivation() == raw.TextActivation(), Field: "act_kwargs", Value: "the same in both towers"},
		family.Need{Met: raw.Vision.Epsilon() == t.Epsilon(), Field: "norm_kwargs", Value: "the same in both towers"},
	)...); err != nil {
		return nil, err
	}
	c := Config{
		EmbedDim: raw.EmbedDim,
		Vision:   vision, ImageSize: raw.Vision.ImageSize, PatchSize: raw.Vision.PatchSize,
		Text: raw.TextTower(), ContextLength: t.ContextLength, VocabSize: t.VocabSize, EndToken: -1,
		Activation: raw.TextActivation(), Epsilon: t.Epsilon(), customText: raw.CustomText,
	}
	if t.Pool == "eos" {
		c.EndToken = t.EndToken
	}
	return c, c.check(family.OpenCLIPFile)
}

// check refuses sizes that no checkpoint has, before memory is taken for them.
func (c Config) check(file string) error {
	return family.CheckSizes(file, c.Sizes(), c.PatchSize, c.Vision, c.Text)
}

// Layout says how a library stores the weights of Params.
func (c Config) Layout(lib family.Library) checkpoint.Layout {
	var l checkpoint.Layout
	if lib != family.HuggingFace {
		if c.customText {
			family.CustomText(&l, c.Params())
		}
		return l
	}
	l.Same("visual.class_embedding", "vision_model.embeddings.class_embedding")
	l.Same("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight")
	l.Same("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight")
	l.Affine("visual.ln_pre", "vision_model.pre_layrnorm") // so spelled there
	family.HFBlocks(&l, "visual.", "vision_model", c.Vision.Layers)
	l.Affine("visual.ln_post", "vision_model.post_layernorm")
	l.Transposed("visual.proj", "visual_projection.weight")
	l.Same("token_embedding.weight", "text_model.embeddings.token_embedding.weight")
	l.Same("positional_embedding", "text_model.embeddings.position_embedding.weight")
	family.HFBlocks(&l, "", "text_model", c.Text.Layers)
	l.Affine("ln_final", "text_model.final_layer_norm")
	l.Transposed("text_projection", "text_projection.weight")
	l.Same("logit_scale", "logit_scale")
	return l
}

// Config is Hugging Face's config.json.
func (c Config) Config() map[string]any {
	text := family.HFTowerConfig("clip_text_model", c.Text, c.Activation, c.Epsilon)
	text["vocab_size"], text["max_position_embeddings"], text["projection_dim"] = c.VocabSize, c.ContextLength, c.EmbedDim
	text["eos_token_id"] = 2
	if c.EndToken >= 0 {
		text["eos_token_id"] = c.EndToken
	}
	vision := family.HFTowerConfig("clip_vision_model", c.Vision, c.Activation, c.Epsilon)
	vision["image_size"], vision["patch_size"], vision["num_channels"], vision["projection_dim"] = c.ImageSize, c.PatchSize, 3, c.EmbedDim
	return map[string]any{
		"architectures": []string{"CLIPModel"}, "model_type": "clip", "projection_dim": c.EmbedDim,
		"text_config": text, "vision_config": vision,
	}
}
