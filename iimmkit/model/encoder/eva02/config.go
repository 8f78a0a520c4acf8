package eva02

import (
	"fmt"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

const name = "eva02"

// Family is EVA-02-CLIP (Fang et al., 2023; Sun et al., 2023). transformers
// has no such model.
var Family = family.Family{
	Name:          name,
	Claims:        func(c *family.OpenCLIP) bool { return c.IsTimm("eva02_") },
	ParseOpenCLIP: parseOpenCLIP,
	Ignored:       []string{"text.attn_mask"},
	Saves:         family.OpenCLIPLibrary,
}

// timmEpsilon is that of timm's layer norms.
const timmEpsilon = 1e-6

func parseOpenCLIP(raw *family.OpenCLIP) (family.Shape, error) {
	v, t := raw.Vision, raw.Text
	if err := raw.Check(name, append(raw.CausalText(),
		family.Need{Met: raw.CustomText, Field: "custom_text", Value: true},
		family.Need{Met: v.TimmPool == "token", Field: "vision_cfg.timm_pool", Value: "token"},
		family.Need{Met: v.TimmProj == nil || *v.TimmProj == "", Field: "vision_cfg.timm_proj", Value: "null"},
		family.Need{Met: t.Pool == "argmax", Field: "text_cfg.pool_type", Value: "argmax"},
		family.Need{Met: !t.EmbedClass, Field: "text_cfg.embed_cls", Value: false},
	)...); err != nil {
		return nil, err
	}
	timm, err := raw.Timm()
	if err != nil {
		return nil, err
	}
	if r := timm.Reference; len(r) != 2 || r[0] != r[1] {
		return nil, fmt.Errorf("%s: ref_feat_shape %v is not that of a square", family.OpenCLIPFile, r)
	}
	c := Config{
		EmbedDim: raw.EmbedDim,
		Vision:   timm.Tower(), ImageSize: timm.ImageSize, PatchSize: timm.PatchSize, Reference: timm.Reference[0],
		Text: raw.TextTower(), ContextLength: t.ContextLength, VocabSize: t.VocabSize, Activation: raw.TextActivation(),
		TextEpsilon: t.Epsilon(),
	}
	if err := family.CheckSizes(family.OpenCLIPFile, c.Sizes(), c.PatchSize, c.Vision, c.Text, family.Size{Name: "ref_feat_shape", N: c.Reference}); err != nil {
		return nil, err
	}
	if head := c.Vision.Width / c.Vision.Heads; head%4 != 0 {
		return nil, fmt.Errorf("%s: heads of width %d: rotary positions need a multiple of 4", family.OpenCLIPFile, head)
	}
	return c, nil
}

// Layout says how open_clip stores the weights of Params: the image tower as
// timm does, under visual.trunk.
func (c Config) Layout(family.Library) checkpoint.Layout {
	var l checkpoint.Layout
	const trunk = "visual.trunk."
	l.Led("visual.class_embedding", trunk+"cls_token", 2)
	l.Led("visual.positional_embedding", trunk+"pos_embed", 1)
	l.Affine("visual.conv1", trunk+"patch_embed.proj")
	for i := range c.Vision.Layers {
		n, s := fmt.Sprintf("visual.transformer.resblocks.%d", i), fmt.Sprintf("%sblocks.%d", trunk, i)
		l.Affine(n+".ln_1", s+".norm1")
		l.Joined(n+".attn.in_proj_weight", s+".attn.q_proj.weight", s+".attn.k_proj.weight", s+".attn.v_proj.weight")
		l.Same(n+".attn.q_proj.bias", s+".attn.q_proj.bias")
		l.Same(n+".attn.v_proj.bias", s+".attn.v_proj.bias")
		l.Affine(n+".attn.norm", s+".attn.norm")
		l.Affine(n+".attn.out_proj", s+".attn.proj")
		l.Affine(n+".ln_2", s+".norm2")
		l.Affine(n+".mlp.c_gate", s+".mlp.fc1_g")
		l.Affine(n+".mlp.c_fc", s+".mlp.fc1_x")
		l.Affine(n+".mlp.norm", s+".mlp.norm")
		l.Affine(n+".mlp.c_proj", s+".mlp.fc2")
	}
	l.Affine("visual.ln_post", trunk+"norm")
	l.Affine("visual.head", trunk+"head")
	family.CustomText(&l, c.Params())
	l.Same("logit_scale", "logit_scale")
	return l
}

// Config is the model_cfg of open_clip's configuration.
func (c Config) Config() map[string]any {
	return map[string]any{
		"embed_dim": c.EmbedDim, "custom_text": true, "quick_gelu": c.Activation == transformer.QuickGELU,
		"vision_cfg": family.TimmConfig("eva02_base_patch16_clip_224", "token", nil, family.Timm{
			ImageSize: c.ImageSize, PatchSize: c.PatchSize, Width: c.Vision.Width, Layers: c.Vision.Layers, Heads: c.Vision.Heads,
			MLPRatio: family.Ratio(c.Vision), Reference: []int{c.Reference, c.Reference},
		}),
		"text_cfg": family.TextConfig(c.Text, c.ContextLength, c.VocabSize, c.Activation, c.TextEpsilon),
	}
}
