package family

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// OpenCLIPFile is the name of open_clip's configuration.
const OpenCLIPFile = "open_clip_config.json"

// OpenCLIP is the model_cfg of open_clip's open_clip_config.json. Fields have
// the defaults and meanings of open_clip 3.3.0's CLIPVisionCfg and CLIPTextCfg.
type OpenCLIP struct {
	EmbedDim   int      `json:"embed_dim"`
	QuickGELU  bool     `json:"quick_gelu"`
	CustomText bool     `json:"custom_text"`
	LogitBias  *float64 `json:"init_logit_bias"`
	// Decoder is CoCa's captioning decoder, which embeddings do not need.
	Decoder json.RawMessage `json:"multimodal_cfg"`
	Vision  OpenCLIPVision  `json:"vision_cfg"`
	Text    OpenCLIPText    `json:"text_cfg"`
}

// OpenCLIPVision is the vision_cfg: of open_clip's own transformer, or the name
// of a timm model.
type OpenCLIPVision struct {
	Layers        json.RawMessage `json:"layers"` // a number; a list in residual networks
	Width         int             `json:"width"`
	HeadWidth     int             `json:"head_width"`
	MLPRatio      float64         `json:"mlp_ratio"`
	PatchSize     int             `json:"patch_size"`
	ImageSize     int             `json:"image_size"`
	AttentionPool any             `json:"attentional_pool"` // true or false; a name is an unsupported form
	PoolQueries   int             `json:"attn_pooler_queries"`
	PoolHeads     int             `json:"attn_pooler_heads"`
	NoLNPre       bool            `json:"no_ln_pre"`
	Positions     string          `json:"pos_embed_type"`
	Pool          string          `json:"pool_type"`

	Timm         string          `json:"timm_model_name"`
	TimmPool     string          `json:"timm_pool"`
	TimmProj     *string         `json:"timm_proj"`
	TimmProjBias bool            `json:"timm_proj_bias"`
	TimmSizes    json.RawMessage `json:"timm_model_kwargs"` // sizes that differ from the named model's

	blockConfig
	ignoredVision
}

// OpenCLIPText is the text_cfg.
type OpenCLIPText struct {
	ContextLength int     `json:"context_length"`
	VocabSize     int     `json:"vocab_size"`
	Width         int     `json:"width"`
	Heads         int     `json:"heads"`
	Layers        int     `json:"layers"`
	MLPRatio      float64 `json:"mlp_ratio"`
	EmbedClass    bool    `json:"embed_cls"`
	PadToken      *int    `json:"pad_id"`
	EndToken      int     `json:"eos_id"`
	NoCausalMask  bool    `json:"no_causal_mask"`
	Pool          string  `json:"pool_type"`
	ProjBias      bool    `json:"proj_bias"`
	Proj          string  `json:"proj_type"`
	HFModel       string  `json:"hf_model_name"`

	blockConfig
	ignoredText
}

// blockConfig is what both towers can say of their blocks. All but the first
// two are forms of block that no checkpoint of the four families uses.
type blockConfig struct {
	ActKwargs *struct {
		Approximate string `json:"approximate"`
	} `json:"act_kwargs"`
	NormKwargs *struct {
		Epsilon float64 `json:"eps"`
	} `json:"norm_kwargs"`

	LayerScale     *float64 `json:"ls_init_value"`
	BlockType      *string  `json:"block_type"`
	QKNorm         bool     `json:"qk_norm"`
	CosineAttn     bool     `json:"scaled_cosine_attn"`
	ScaleHeads     bool     `json:"scale_heads"`
	ScaleAttnInner bool     `json:"scale_attn_inner"`
	ScaleAttn      bool     `json:"scale_attn"`
	ScaleFC        bool     `json:"scale_fc"`
}

// ignoredVision and ignoredText are fields that matter in training only, or
// not for the embedding. Any other field is unknown and refused, as open_clip does.
type ignoredVision struct {
	PatchDropout   any `json:"patch_dropout"`
	OutputTokens   any `json:"output_tokens"`
	FinalLN        any `json:"final_ln_after_pool"` // the pooled token's norm is the same
	TimmPretrained any `json:"timm_model_pretrained"`
	TimmDrop       any `json:"timm_drop"`
	TimmDropPath   any `json:"timm_drop_path"`
}

type ignoredText struct {
	OutputTokens    any `json:"output_tokens"`
	FinalLN         any `json:"final_ln_after_pool"`
	Tokenizer       any `json:"hf_tokenizer_name"`
	TokenizerMode   any `json:"tokenizer_mode"`
	TokenizerKwargs any `json:"tokenizer_kwargs"`
	HFPretrained    any `json:"hf_model_pretrained"`
	HFProj          any `json:"hf_proj_type"`
	HFPooler        any `json:"hf_pooler_type"`
}

// ParseOpenCLIP reads an open_clip_config.json.
func ParseOpenCLIP(data []byte) (*OpenCLIP, error) {
	var raw struct {
		Model json.RawMessage `json:"model_cfg"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("%s: %w", OpenCLIPFile, err)
	}
	if raw.Model == nil {
		return nil, fmt.Errorf("%s: no model_cfg", OpenCLIPFile)
	}
	linear := "linear"
	c := &OpenCLIP{
		Vision: OpenCLIPVision{
			Layers: json.RawMessage("12"), Width: 768, HeadWidth: 64, MLPRatio: 4, PatchSize: 16, ImageSize: 224,
			PoolQueries: 256, PoolHeads: 8, Positions: "learnable", Pool: "tok", TimmPool: "avg", TimmProj: &linear,
		},
		Text: OpenCLIPText{
			ContextLength: 77, VocabSize: 49408, Width: 512, Heads: 8, Layers: 12, MLPRatio: 4, EndToken: 2, Pool: "argmax", Proj: "linear",
		},
	}
	// Towers are read strictly, so that no form of model goes unseen.
	towers := struct {
		Vision json.RawMessage `json:"vision_cfg"`
		Text   json.RawMessage `json:"text_cfg"`
		*OpenCLIP
	}{OpenCLIP: c}
	if err := json.Unmarshal(raw.Model, &towers); err != nil {
		return nil, fmt.Errorf("%s: model_cfg: %w", OpenCLIPFile, err)
	}
	for _, t := range []struct {
		name string
		data json.RawMessage
		into any
	}{{"vision_cfg", towers.Vision, &c.Vision}, {"text_cfg", towers.Text, &c.Text}} {
		if t.data == nil {
			return nil, fmt.Errorf("%s: no %s", OpenCLIPFile, t.name)
		}
		if err := strict(t.data, t.into); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", OpenCLIPFile, t.name, err)
		}
	}
	if c.Text.HFModel != "" {
		return nil, fmt.Errorf("%s: text_cfg: the text tower %q is not open_clip's own", OpenCLIPFile, c.Text.HFModel)
	}
	if err := c.Vision.blockConfig.check(); err != nil {
		return nil, fmt.Errorf("%s: vision_cfg: %w", OpenCLIPFile, err)
	}
	if err := c.Text.blockConfig.check(); err != nil {
		return nil, fmt.Errorf("%s: text_cfg: %w", OpenCLIPFile, err)
	}
	return c, nil
}

// strict reads a JSON object that may have no unknown field.
func strict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func (b blockConfig) check() error {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"ls_init_value", b.LayerScale != nil}, {"block_type", b.BlockType != nil && *b.BlockType != "default"}, {"qk_norm", b.QKNorm},
		{"scaled_cosine_attn", b.CosineAttn}, {"scale_heads", b.ScaleHeads}, {"scale_attn_inner", b.ScaleAttnInner},
		{"scale_attn", b.ScaleAttn}, {"scale_fc", b.ScaleFC},
	} {
		if f.set {
			return fmt.Errorf("%s is not supported", f.name)
		}
	}
	if n := b.NormKwargs; n != nil && !(n.Epsilon >= 0 && n.Epsilon < 1) {
		return fmt.Errorf("norm_kwargs.eps %g is not between 0 and 1", n.Epsilon)
	}
	if a := b.ActKwargs; a != nil && a.Approximate != "" && a.Approximate != "none" && a.Approximate != "tanh" {
		return fmt.Errorf("act_kwargs.approximate %q is not supported", a.Approximate)
	}
	return nil
}

// Epsilon is that of the tower's layer norms.
func (b blockConfig) Epsilon() float64 {
	if b.NormKwargs == nil || b.NormKwargs.Epsilon == 0 {
		return 1e-5
	}
	return b.NormKwargs.Epsilon
}

// TextActivation is the activation of the text tower.
func (c *OpenCLIP) TextActivation() transformer.Activation { return c.activation(c.Text.blockConfig) }

// VisionActivation is the activation of an image tower that is not timm's.
func (c *OpenCLIP) VisionActivation() transformer.Activation {
	return c.activation(c.Vision.blockConfig)
}

func (c *OpenCLIP) activation(b blockConfig) transformer.Activation {
	switch {
	case c.QuickGELU:
		return transformer.QuickGELU
	case b.ActKwargs != nil && b.ActKwargs.Approximate == "tanh":
		return transformer.GELUTanh
	}
	return transformer.GELU
}

// TextTower is the size of the text tower.
func (c *OpenCLIP) TextTower() transformer.Tower {
	t := c.Text
	return transformer.Tower{Width: t.Width, Layers: t.Layers, Heads: t.Heads, MLPWidth: scaled(t.Width, t.MLPRatio)}
}

// VisionTower is the size of an image tower that is not timm's.
func (c *OpenCLIP) VisionTower() (transformer.Tower, error) {
	v := c.Vision
	if v.Timm != "" {
		return transformer.Tower{}, fmt.Errorf("%s: the image tower %q of timm is of no supported family", OpenCLIPFile, v.Timm)
	}
	var layers int
	if err := json.Unmarshal(v.Layers, &layers); err != nil {
		return transformer.Tower{}, fmt.Errorf("%s: vision_cfg.layers is not a number: residual networks are not supported", OpenCLIPFile)
	}
	if v.HeadWidth < 1 || v.NoLNPre || v.Positions != "learnable" || v.Pool != "tok" {
		return transformer.Tower{}, fmt.Errorf("%s: vision_cfg: head_width %d, no_ln_pre %t, pos_embed_type %q, pool_type %q: only a positive width, false, \"learnable\", \"tok\" are supported",
			OpenCLIPFile, v.HeadWidth, v.NoLNPre, v.Positions, v.Pool)
	}
	return transformer.Tower{Width: v.Width, Layers: layers, Heads: v.Width / v.HeadWidth, MLPWidth: scaled(v.Width, v.MLPRatio)}, nil
}

// scaled is Python's int(width·ratio), 0 when that is no size.
func scaled(width int, ratio float64) int {
	n := float64(width) * ratio
	if !(n >= 0 && n <= mostSize) {
		return 0
	}
	return int(n)
}

// AttentionPool reports whether the image tower ends in an attention pooler.
func (c *OpenCLIP) AttentionPool() (bool, error) {
	switch p := c.Vision.AttentionPool.(type) {
	case nil:
		return false, nil
	case bool:
		return p, nil
	default:
		return false, fmt.Errorf("%s: attentional_pool %v is not supported", OpenCLIPFile, p)
	}
}

// Need is something that a family needs of a configuration.
type Need struct {
	Met   bool
	Field string
	Value any
}

// Check returns an error that names the first need which the configuration
// does not meet.
func (c *OpenCLIP) Check(family string, needs ...Need) error {
	for _, n := range needs {
		if !n.Met {
			return fmt.Errorf("%s: %s must be %v in a model of family %s", OpenCLIPFile, n.Field, n.Value, family)
		}
	}
	return nil
}

// CausalText are the needs of CLIP's text tower, which other families share:
// causal, read at one token, projected without a bias.
func (c *OpenCLIP) CausalText() []Need {
	t := c.Text
	return []Need{
		{!t.NoCausalMask, "text_cfg.no_causal_mask", false},
		{!t.ProjBias, "text_cfg.proj_bias", false},
		{t.Proj == "linear", "text_cfg.proj_type", "linear"},
		{c.LogitBias == nil, "init_logit_bias", "absent"},
	}
}

// CustomText adds the rules for the text tower's weights as open_clip stores
// them in models whose configuration has custom_text: below "text.".
func CustomText(l *checkpoint.Layout, params transformer.Params) {
	for _, p := range params {
		if !strings.HasPrefix(p.Name, "visual.") && !strings.HasPrefix(p.Name, "logit_") {
			l.Same(p.Name, "text."+p.Name)
		}
	}
}

// TextConfig is the text_cfg of a tower, without what only its family has.
func TextConfig(t transformer.Tower, context, vocabulary int, a transformer.Activation, epsilon float64) map[string]any {
	o := towerConfig(t, a, epsilon)
	o["context_length"], o["vocab_size"], o["heads"] = context, vocabulary, t.Heads
	return o
}

// VisionConfig is the vision_cfg of a tower of open_clip's own, without what
// only its family has.
func VisionConfig(t transformer.Tower, image, patch int, a transformer.Activation, epsilon float64) map[string]any {
	o := towerConfig(t, a, epsilon)
	o["image_size"], o["patch_size"], o["head_width"] = image, patch, t.Width/t.Heads
	return o
}

func towerConfig(t transformer.Tower, a transformer.Activation, epsilon float64) map[string]any {
	o := map[string]any{"width": t.Width, "layers": t.Layers, "mlp_ratio": Ratio(t), "norm_kwargs": map[string]any{"eps": epsilon}}
	if a == transformer.GELUTanh {
		o["act_kwargs"] = map[string]any{"approximate": "tanh"}
	}
	return o
}

// Ratio is a ratio of which libraries make the tower's MLP width again, by
// int(width·ratio).
func Ratio(t transformer.Tower) float64 {
	ratio := float64(t.MLPWidth) / float64(t.Width)
	if scaled(t.Width, ratio) != t.MLPWidth { // rounded down below the whole number
		ratio = math.Nextafter(ratio, math.Inf(1))
	}
	return ratio
}
