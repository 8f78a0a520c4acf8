package family

import (
	"encoding/json"
	"fmt"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// HFFile is the name of Hugging Face's configuration.
const HFFile = "config.json"

// HF is what Hugging Face's config.json says of a dual encoder.
type HF struct {
	ModelType string  `json:"model_type"`
	EmbedDim  int     `json:"projection_dim"`
	Text      HFTower `json:"text_config"`
	Vision    HFTower `json:"vision_config"`
}

// HFTower is one of its two towers. Fields that a file leaves out keep the
// values they had before Parse: the defaults of the reference implementation.
type HFTower struct {
	Width      int                    `json:"hidden_size"`
	MLPWidth   int                    `json:"intermediate_size"`
	Layers     int                    `json:"num_hidden_layers"`
	Heads      int                    `json:"num_attention_heads"`
	Activation transformer.Activation `json:"hidden_act"`
	Epsilon    float64                `json:"layer_norm_eps"`
	// vision
	ImageSize   int   `json:"image_size"`
	PatchSize   int   `json:"patch_size"`
	NumChannels *int  `json:"num_channels"`
	UseHead     *bool `json:"vision_use_head"`
	// text
	VocabSize      int  `json:"vocab_size"`
	ContextLength  int  `json:"max_position_embeddings"`
	EndToken       *int `json:"eos_token_id"`
	PadToken       *int `json:"pad_token_id"`
	ProjectionSize *int `json:"projection_size"`
}

// Tower is the tower's size.
func (t HFTower) Tower() transformer.Tower {
	return transformer.Tower{Width: t.Width, Layers: t.Layers, Heads: t.Heads, MLPWidth: t.MLPWidth}
}

// Parse reads a config.json over the defaults in c.
func (c *HF) Parse(data []byte) error {
	if err := json.Unmarshal(data, c); err != nil {
		return fmt.Errorf("%s: %w", HFFile, err)
	}
	if n := c.Vision.NumChannels; n != nil && *n != 3 {
		return fmt.Errorf("%s: num_channels %d, only 3 is supported", HFFile, *n)
	}
	for name, t := range map[string]HFTower{"vision_config": c.Vision, "text_config": c.Text} {
		if !t.Activation.IsGELU() {
			return fmt.Errorf("%s: %s: unknown activation %q", HFFile, name, string(t.Activation))
		}
		if !(t.Epsilon > 0 && t.Epsilon < 1) {
			return fmt.Errorf("%s: %s: layer_norm_eps %g is not between 0 and 1", HFFile, name, t.Epsilon)
		}
	}
	return nil
}

// HFBlocks adds the rules for the blocks of a tower: name is the prefix of
// ours, source the prefix of Hugging Face's, which CLIP and SigLIP share.
func HFBlocks(l *checkpoint.Layout, name, source string, layers int) {
	for i := range layers {
		n, s := fmt.Sprintf("%stransformer.resblocks.%d", name, i), fmt.Sprintf("%s.encoder.layers.%d", source, i)
		l.Affine(n+".ln_1", s+".layer_norm1")
		for _, part := range []string{"weight", "bias"} {
			l.Joined(n+".attn.in_proj_"+part, s+".self_attn.q_proj."+part, s+".self_attn.k_proj."+part, s+".self_attn.v_proj."+part)
		}
		l.Affine(n+".attn.out_proj", s+".self_attn.out_proj")
		l.Affine(n+".ln_2", s+".layer_norm2")
		l.Affine(n+".mlp.c_fc", s+".mlp.fc1")
		l.Affine(n+".mlp.c_proj", s+".mlp.fc2")
	}
}

// HFTowerConfig is what config.json says of a tower's blocks.
func HFTowerConfig(modelType string, t transformer.Tower, a transformer.Activation, epsilon float64) map[string]any {
	return map[string]any{
		"model_type": modelType, "hidden_size": t.Width, "intermediate_size": t.MLPWidth, "num_hidden_layers": t.Layers,
		"num_attention_heads": t.Heads, "hidden_act": a, "layer_norm_eps": epsilon,
	}
}
