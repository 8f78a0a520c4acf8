package siglip

import (
	"fmt"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

const name = "siglip"

// Family is SigLIP (Zhai et al., 2023) and SigLIP 2 (Tschannen et al., 2025)
// with pictures of one size; the variant of native aspect ratios is another
// model_type.
var Family = family.Family{
	Name:          name,
	ModelType:     "siglip",
	ParseHF:       parseHF,
	Claims:        func(c *family.OpenCLIP) bool { return c.IsTimm("siglip") },
	ParseOpenCLIP: parseOpenCLIP,
	Ignored:       []string{"text_model.embeddings.position_ids", "vision_model.embeddings.position_ids"},
	Saves:         family.HuggingFace,
}

// epsilon is that of SigLIP's layer norms.
const epsilon = 1e-6

// padToken is that of SigLIP's tokenizer, which is its end token too.
const padToken = 1

// parseHF reads Hugging Face's config.json of a SiglipModel. Fields that are
// absent have the defaults of transformers 5.23.0; real files list few.
func parseHF(data []byte) (family.Shape, error) {
	pad := padToken
	raw := family.HF{
		Text: family.HFTower{
			Width: 768, MLPWidth: 3072, Layers: 12, Heads: 12, VocabSize: 32000, ContextLength: 64,
			Activation: transformer.GELUTanh, Epsilon: epsilon, PadToken: &pad,
		},
		Vision: family.HFTower{
			Width: 768, MLPWidth: 3072, Layers: 12, Heads: 12, ImageSize: 224, PatchSize: 16,
			Activation: transformer.GELUTanh, Epsilon: epsilon,
		},
	}
	if err := raw.Parse(data); err != nil {
		return nil, err
	}
	v, t := raw.Vision, raw.Text
	if v.UseHead != nil && !*v.UseHead {
		return nil, fmt.Errorf("%s: vision_use_head false: the image tower has no pooling", family.HFFile)
	}
	projection := t.Width
	if t.ProjectionSize != nil {
		projection = *t.ProjectionSize
	}
	if projection != v.Width {
		return nil, fmt.Errorf("%s: text features of width %d do not meet image features of width %d", family.HFFile, projection, v.Width)
	}
	c := Config{
		Vision: v.Tower(), ImageSize: v.ImageSize, PatchSize: v.PatchSize, VisionActivation: v.Activation, VisionEpsilon: v.Epsilon,
		Text: t.Tower(), ContextLength: t.ContextLength, VocabSize: t.VocabSize, PadToken: pad, TextActivation: t.Activation, TextEpsilon: t.Epsilon,
	}
	if t.PadToken != nil {
		c.PadToken = *t.PadToken
	}
	return c, c.check(family.HFFile)
}

func parseOpenCLIP(raw *family.OpenCLIP) (family.Shape, error) {
	v, t := raw.Vision, raw.Text
	if err := raw.Check(name,
		family.Need{Met: raw.CustomText, Field: "custom_text", Value: true},
		family.Need{Met: v.TimmPool == "map", Field: "vision_cfg.timm_pool", Value: "map"},
		family.Need{Met: v.TimmProj != nil && *v.TimmProj == "none", Field: "vision_cfg.timm_proj", Value: "none"},
		family.Need{Met: t.NoCausalMask, Field: "text_cfg.no_causal_mask", Value: true},
		family.Need{Met: t.Pool == "last", Field: "text_cfg.pool_type", Value: "last"},
		family.Need{Met: t.ProjBias && t.Proj == "linear", Field: "text_cfg.proj_bias", Value: true},
		family.Need{Met: !t.EmbedClass, Field: "text_cfg.embed_cls", Value: false},
		family.Need{Met: raw.LogitBias != nil, Field: "init_logit_bias", Value: "a number"},
	); err != nil {
		return nil, err
	}
	timm, err := raw.Timm()
	if err != nil {
		return nil, err
	}
	if raw.EmbedDim != timm.Width {
		return nil, fmt.Errorf("%s: embed_dim %d is not the image tower's width %d", family.OpenCLIPFile, raw.EmbedDim, timm.Width)
	}
	c := Config{
		Vision: timm.Tower(), ImageSize: timm.ImageSize, PatchSize: timm.PatchSize, VisionEpsilon: epsilon,
		Text: raw.TextTower(), ContextLength: t.ContextLength, VocabSize: t.VocabSize, PadToken: padToken,
		TextActivation: raw.TextActivation(), TextEpsilon: t.Epsilon(),
	}
	switch timm.Activation {
	case "gelu":
		c.VisionActivation = transformer.GELU
	case "gelu_tanh":
		c.VisionActivation = transformer.GELUTanh
	default:
		return nil, fmt.Errorf("%s: act_layer %q of the image tower is not supported", family.OpenCLIPFile, timm.Activation)
	}
	if t.PadToken != nil {
		c.PadToken = *t.PadToken
	}
	return c, c.check(family.OpenCLIPFile)
}

func (c Config) check(file string) error {
	return family.CheckSizes(file, c.Sizes(), c.PatchSize, c.Vision, c.Text)
}

// Layout says how a library stores the weights of Params: open_clip has the
// image tower as timm does, under visual.trunk.
func (c Config) Layout(lib family.Library) checkpoint.Layout {
	var l checkpoint.Layout
	pool := "visual.attn_pool"
	if lib == family.HuggingFace {
		l.Affine("visual.conv1", "vision_model.embeddings.patch_embedding")
		l.Same("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight")
		family.HFBlocks(&l, "visual.", "vision_model", c.Vision.Layers)
		l.Affine("visual.ln_post", "vision_model.post_layernorm")
		const head = "vision_model.head."
		l.Same(pool+".probe", head+"probe")
		l.Same(pool+".attn.in_proj_weight", head+"attention.in_proj_weight")
		l.Same(pool+".attn.in_proj_bias", head+"attention.in_proj_bias")
		l.Affine(pool+".attn.out_proj", head+"attention.out_proj")
		l.Affine(pool+".ln", head+"layernorm")
		l.Affine(pool+".mlp.c_fc", head+"mlp.fc1")
		l.Affine(pool+".mlp.c_proj", head+"mlp.fc2")
		l.Same("token_embedding.weight", "text_model.embeddings.token_embedding.weight")
		l.Same("positional_embedding", "text_model.embeddings.position_embedding.weight")
		family.HFBlocks(&l, "", "text_model", c.Text.Layers)
		l.Affine("ln_final", "text_model.final_layer_norm")
		l.Affine("text_projection", "text_model.head")
		l.Led("logit_scale", "logit_scale", 1)
		l.Led("logit_bias", "logit_bias", 1)
		return l
	}
	const trunk = "visual.trunk."
	l.Affine("visual.conv1", trunk+"patch_embed.proj")
	l.Led("visual.positional_embedding", trunk+"pos_embed", 1)
	for i := range c.Vision.Layers {
		n, s := fmt.Sprintf("visual.transformer.resblocks.%d", i), fmt.Sprintf("%sblocks.%d", trunk, i)
		l.Affine(n+".ln_1", s+".norm1")
		l.Same(n+".attn.in_proj_weight", s+".attn.qkv.weight")
		l.Same(n+".attn.in_proj_bias", s+".attn.qkv.bias")
		l.Affine(n+".attn.out_proj", s+".attn.proj")
		l.Affine(n+".ln_2", s+".norm2")
		l.Affine(n+".mlp.c_fc", s+".mlp.fc1")
		l.Affine(n+".mlp.c_proj", s+".mlp.fc2")
	}
	l.Affine("visual.ln_post", trunk+"norm")
	l.Same(pool+".probe", trunk+"attn_pool.latent")
	for _, part := range []string{"weight", "bias"} {
		l = append(l, checkpoint.Rule{
			Name:    pool + ".attn.in_proj_" + part,
			Sources: []string{trunk + "attn_pool.q." + part, trunk + "attn_pool.kv." + part}, Parts: []int{1, 2},
		})
	}
	l.Affine(pool+".attn.out_proj", trunk+"attn_pool.proj")
	l.Affine(pool+".ln", trunk+"attn_pool.norm")
	l.Affine(pool+".mlp.c_fc", trunk+"attn_pool.mlp.fc1")
	l.Affine(pool+".mlp.c_proj", trunk+"attn_pool.mlp.fc2")
	family.CustomText(&l, c.Params())
	l.Same("logit_scale", "logit_scale")
	l.Same("logit_bias", "logit_bias")
	return l
}

// Config is Hugging Face's config.json.
func (c Config) Config() map[string]any {
	text := family.HFTowerConfig("siglip_text_model", c.Text, c.TextActivation, c.TextEpsilon)
	text["vocab_size"], text["max_position_embeddings"], text["projection_size"] = c.VocabSize, c.ContextLength, c.Vision.Width
	text["pad_token_id"] = c.PadToken
	vision := family.HFTowerConfig("siglip_vision_model", c.Vision, c.VisionActivation, c.VisionEpsilon)
	vision["image_size"], vision["patch_size"], vision["num_channels"] = c.ImageSize, c.PatchSize, 3
	return map[string]any{"architectures": []string{"SiglipModel"}, "model_type": "siglip", "text_config": text, "vision_config": vision}
}
