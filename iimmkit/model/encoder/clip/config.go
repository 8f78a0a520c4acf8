package clip

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

func sprint(prefix string, i int) string { return prefix + strconv.Itoa(i) }

// ParseHF reads Hugging Face's config.json of a CLIPModel. Fields that are
// absent have the defaults of the reference implementation.
func ParseHF(data []byte) (Config, error) {
	type tower struct {
		HiddenSize int      `json:"hidden_size"`
		MLPWidth   int      `json:"intermediate_size"`
		Layers     int      `json:"num_hidden_layers"`
		Heads      int      `json:"num_attention_heads"`
		Act        string   `json:"hidden_act"`
		Eps        *float64 `json:"layer_norm_eps"`
		// vision
		ImageSize   int  `json:"image_size"`
		PatchSize   int  `json:"patch_size"`
		NumChannels *int `json:"num_channels"`
		// text
		VocabSize int  `json:"vocab_size"`
		Context   int  `json:"max_position_embeddings"`
		EOS       *int `json:"eos_token_id"`
	}
	raw := struct {
		ModelType string `json:"model_type"`
		EmbedDim  int    `json:"projection_dim"`
		Text      tower  `json:"text_config"`
		Vision    tower  `json:"vision_config"`
	}{
		EmbedDim: 512,
		Text:     tower{HiddenSize: 512, MLPWidth: 2048, Layers: 12, Heads: 8, VocabSize: 49408, Context: 77},
		Vision:   tower{HiddenSize: 768, MLPWidth: 3072, Layers: 12, Heads: 12, ImageSize: 224, PatchSize: 32},
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	if raw.ModelType != "" && raw.ModelType != "clip" {
		return Config{}, fmt.Errorf("config.json: model_type %q is not clip", raw.ModelType)
	}
	if c := raw.Vision.NumChannels; c != nil && *c != 3 {
		return Config{}, fmt.Errorf("config.json: num_channels %d, only 3 is supported", *c)
	}
	act, eps := raw.Vision.Act, raw.Vision.Eps
	if act == "" {
		act = string(transformer.QuickGELU)
	}
	if t := raw.Text.Act; t != "" && t != act || t == "" && act != string(transformer.QuickGELU) {
		return Config{}, fmt.Errorf("config.json: hidden_act differs between the towers (%q and %q)", act, t)
	}
	epsilon := 1e-5
	if eps != nil {
		epsilon = *eps
	}
	if t := raw.Text.Eps; t != nil && *t != epsilon {
		return Config{}, fmt.Errorf("config.json: layer_norm_eps differs between the towers (%g and %g)", epsilon, *t)
	}
	cfg := Config{
		EmbedDim:  raw.EmbedDim,
		Vision:    Tower{raw.Vision.HiddenSize, raw.Vision.Layers, raw.Vision.Heads, raw.Vision.MLPWidth},
		ImageSize: raw.Vision.ImageSize, PatchSize: raw.Vision.PatchSize,
		Text:          Tower{raw.Text.HiddenSize, raw.Text.Layers, raw.Text.Heads, raw.Text.MLPWidth},
		ContextLength: raw.Text.Context, VocabSize: raw.Text.VocabSize,
		EndToken:   -1,
		Activation: transformer.Activation(act), Epsilon: epsilon,
	}
	// eos_token_id 2 is what early checkpoints say although their end token is
	// the largest id; the reference then takes the largest id.
	if e := raw.Text.EOS; e != nil && *e != 2 {
		cfg.EndToken = *e
	} else if e == nil {
		cfg.EndToken = 49407
	}
	return cfg, cfg.check("config.json")
}

// ParseOpenCLIP reads the model_cfg of open_clip's open_clip_config.json.
func ParseOpenCLIP(data []byte) (Config, error) {
	var raw struct {
		Model struct {
			EmbedDim  int             `json:"embed_dim"`
			QuickGELU bool            `json:"quick_gelu"`
			Decoder   json.RawMessage `json:"multimodal_cfg"`
			Vision    struct {
				ImageSize int             `json:"image_size"`
				Layers    json.RawMessage `json:"layers"`
				Width     int             `json:"width"`
				PatchSize int             `json:"patch_size"`
				HeadWidth int             `json:"head_width"`
				MLPRatio  float64         `json:"mlp_ratio"`
				Timm      string          `json:"timm_model_name"`
			} `json:"vision_cfg"`
			Text struct {
				ContextLength int     `json:"context_length"`
				VocabSize     int     `json:"vocab_size"`
				Width         int     `json:"width"`
				Heads         int     `json:"heads"`
				Layers        int     `json:"layers"`
				MLPRatio      float64 `json:"mlp_ratio"`
				HFModel       string  `json:"hf_model_name"`
			} `json:"text_cfg"`
		} `json:"model_cfg"`
	}
	const file = "open_clip_config.json"
	if err := json.Unmarshal(data, &raw); err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}
	v, t := raw.Model.Vision, raw.Model.Text
	if v.Timm != "" || t.HFModel != "" {
		return Config{}, fmt.Errorf("%s: towers %s%s are not CLIP's own", file, v.Timm, t.HFModel)
	}
	if raw.Model.Decoder != nil {
		return Config{}, fmt.Errorf("%s: multimodal_cfg: a CoCa model is not a CLIP model", file)
	}
	var layers int
	if err := json.Unmarshal(v.Layers, &layers); err != nil {
		return Config{}, fmt.Errorf("%s: vision_cfg.layers is not a number: residual networks are not supported", file)
	}
	or := func(x, d int) int {
		if x == 0 {
			return d
		}
		return x
	}
	ratio := func(x float64) float64 {
		if x == 0 {
			return 4
		}
		return x
	}
	headWidth := or(v.HeadWidth, 64)
	cfg := Config{
		EmbedDim:      raw.Model.EmbedDim,
		Vision:        Tower{v.Width, layers, v.Width / headWidth, int(float64(v.Width) * ratio(v.MLPRatio))},
		ImageSize:     or(v.ImageSize, 224),
		PatchSize:     v.PatchSize,
		Text:          Tower{t.Width, t.Layers, t.Heads, int(float64(t.Width) * ratio(t.MLPRatio))},
		ContextLength: or(t.ContextLength, 77), VocabSize: or(t.VocabSize, 49408),
		EndToken: -1, Activation: transformer.GELU, Epsilon: 1e-5,
	}
	if raw.Model.QuickGELU {
		cfg.Activation = transformer.QuickGELU
	}
	return cfg, cfg.check(file)
}

// HF returns the model as Hugging Face's config.json.
func (c Config) HF() ([]byte, error) {
	type object = map[string]any
	eos := 2
	if c.EndToken >= 0 {
		eos = c.EndToken
	}
	return json.MarshalIndent(object{
		"architectures":  []string{"CLIPModel"},
		"model_type":     "clip",
		"projection_dim": c.EmbedDim,
		"text_config": object{
			"model_type": "clip_text_model", "hidden_size": c.Text.Width, "intermediate_size": c.Text.MLPWidth,
			"num_hidden_layers": c.Text.Layers, "num_attention_heads": c.Text.Heads, "hidden_act": c.Activation,
			"layer_norm_eps": c.Epsilon, "vocab_size": c.VocabSize, "max_position_embeddings": c.ContextLength,
			"projection_dim": c.EmbedDim, "eos_token_id": eos,
		},
		"vision_config": object{
			"model_type": "clip_vision_model", "hidden_size": c.Vision.Width, "intermediate_size": c.Vision.MLPWidth,
			"num_hidden_layers": c.Vision.Layers, "num_attention_heads": c.Vision.Heads, "hidden_act": c.Activation,
			"layer_norm_eps": c.Epsilon, "image_size": c.ImageSize, "patch_size": c.PatchSize, "num_channels": 3,
			"projection_dim": c.EmbedDim,
		},
	}, "", "  ")
}

// check refuses sizes that no checkpoint has, before memory is taken for them.
func (c Config) check(file string) error {
	const most = 1 << 20
	for _, s := range []struct {
		name string
		n    int
	}{
		{"embedding width", c.EmbedDim}, {"vision width", c.Vision.Width}, {"vision layers", c.Vision.Layers},
		{"vision heads", c.Vision.Heads}, {"vision MLP width", c.Vision.MLPWidth}, {"image size", c.ImageSize},
		{"patch size", c.PatchSize}, {"text width", c.Text.Width}, {"text layers", c.Text.Layers},
		{"text heads", c.Text.Heads}, {"text MLP width", c.Text.MLPWidth}, {"context length", c.ContextLength},
		{"vocabulary size", c.VocabSize},
	} {
		if s.n < 1 || s.n > most {
			return fmt.Errorf("%s: %s %d is not in 1..%d", file, s.name, s.n, most)
		}
	}
	switch {
	case c.ImageSize%c.PatchSize != 0:
		return fmt.Errorf("%s: image size %d is not a multiple of patch size %d", file, c.ImageSize, c.PatchSize)
	case c.Vision.Width%c.Vision.Heads != 0 || c.Text.Width%c.Text.Heads != 0:
		return errors.New(file + ": width is not a multiple of the number of heads")
	case !c.Activation.Valid():
		return fmt.Errorf("%s: unknown activation %q", file, string(c.Activation))
	case c.Epsilon <= 0:
		return fmt.Errorf("%s: layer_norm_eps %g is not positive", file, c.Epsilon)
	}
	return nil
}
