package coca

import (
	"fmt"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

const name = "coca"

// Family is CoCa (Yu et al., 2022) as open_clip trains it. transformers has no
// such model.
var Family = family.Family{
	Name:          name,
	Claims:        func(c *family.OpenCLIP) bool { return c.Vision.Timm == "" && c.Text.EmbedClass },
	ParseOpenCLIP: parseOpenCLIP,
	Ignored:       []string{"text_decoder.", "text.attn_mask"},
	Saves:         family.OpenCLIPLibrary,
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
		family.Need{Met: raw.CustomText || raw.Decoder != nil, Field: "custom_text", Value: true},
		family.Need{Met: pooled, Field: "vision_cfg.attentional_pool", Value: true},
		family.Need{Met: raw.VisionActivation() == raw.TextActivation(), Field: "act_kwargs", Value: "the same in both towers"},
		family.Need{Met: raw.Vision.Epsilon() == t.Epsilon(), Field: "norm_kwargs", Value: "the same in both towers"},
	)...); err != nil {
		return nil, err
	}
	c := Config{
		EmbedDim: raw.EmbedDim,
		Vision:   vision, ImageSize: raw.Vision.ImageSize, PatchSize: raw.Vision.PatchSize,
		PoolQueries: raw.Vision.PoolQueries, PoolHeads: raw.Vision.PoolHeads,
		Text: raw.TextTower(), ContextLength: t.ContextLength, VocabSize: t.VocabSize,
		Activation: raw.TextActivation(), Epsilon: t.Epsilon(),
	}
	if t.PadToken != nil {
		c.PadToken = *t.PadToken
	}
	if err := family.CheckSizes(family.OpenCLIPFile, c.Sizes(), c.PatchSize, c.Vision, c.Text,
		family.Size{Name: "attn_pooler_queries", N: c.PoolQueries}, family.Size{Name: "attn_pooler_heads", N: c.PoolHeads}); err != nil {
		return nil, err
	}
	if c.EmbedDim%c.PoolHeads != 0 {
		return nil, fmt.Errorf("%s: embed_dim %d is not a multiple of %d attn_pooler_heads", family.OpenCLIPFile, c.EmbedDim, c.PoolHeads)
	}
	return c, nil
}

// Layout says how open_clip stores the weights of Params.
func (c Config) Layout(family.Library) checkpoint.Layout {
	var l checkpoint.Layout
	for _, p := range c.Params() {
		if strings.HasPrefix(p.Name, "visual.") {
			l.Same(p.Name, p.Name)
		}
	}
	family.CustomText(&l, c.Params())
	l.Same("logit_scale", "logit_scale")
	return l
}

// Config is the model_cfg of open_clip's configuration, of a model without a
// decoder: what open_clip calls a CustomTextCLIP.
func (c Config) Config() map[string]any {
	text := family.TextConfig(c.Text, c.ContextLength, c.VocabSize, c.Activation, c.Epsilon)
	text["embed_cls"], text["pad_id"] = true, c.PadToken
	vision := family.VisionConfig(c.Vision, c.ImageSize, c.PatchSize, c.Activation, c.Epsilon)
	vision["attentional_pool"], vision["attn_pooler_queries"], vision["attn_pooler_heads"] = true, c.PoolQueries, c.PoolHeads
	return map[string]any{
		"embed_dim": c.EmbedDim, "custom_text": true, "quick_gelu": c.Activation == transformer.QuickGELU,
		"vision_cfg": vision, "text_cfg": text,
	}
}
