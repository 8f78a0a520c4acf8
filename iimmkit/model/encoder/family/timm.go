package family

import (
	"fmt"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// Timm is the size of one of timm's image towers.
type Timm struct {
	ImageSize  int     `json:"img_size"`
	PatchSize  int     `json:"patch_size"`
	Width      int     `json:"embed_dim"`
	Layers     int     `json:"depth"`
	Heads      int     `json:"num_heads"`
	MLPRatio   float64 `json:"mlp_ratio"`
	Activation string  `json:"act_layer,omitempty"`      // of SigLIP's; gelu or gelu_tanh
	Reference  []int   `json:"ref_feat_shape,omitempty"` // of EVA-02's rotary positions: squares a side
}

// timmTowers are the towers behind the names in open_clip's configurations,
// as timm 1.0.31 makes them (models/vision_transformer.py, models/eva.py).
var timmTowers = func() map[string]Timm {
	base := Timm{Width: 768, Layers: 12, Heads: 12, MLPRatio: 4, Activation: "gelu"}
	large := Timm{Width: 1024, Layers: 24, Heads: 16, MLPRatio: 4, Activation: "gelu"}
	so400m := Timm{Width: 1152, Layers: 27, Heads: 16, MLPRatio: 3.7362, Activation: "gelu"}
	giant := Timm{Width: 1536, Layers: 40, Heads: 16, MLPRatio: 4, Activation: "gelu"}
	of := func(t Timm, patch, image int) Timm {
		t.PatchSize, t.ImageSize = patch, image
		return t
	}
	tanh := func(t Timm) Timm {
		t.Activation = "gelu_tanh"
		return t
	}
	eva := func(t Timm) Timm {
		t.MLPRatio, t.Activation, t.Reference = 8./3, "", []int{16, 16}
		return t
	}
	return map[string]Timm{
		"vit_base_patch16_siglip_224":     of(base, 16, 224),
		"vit_base_patch16_siglip_256":     of(base, 16, 256),
		"vit_base_patch16_siglip_384":     of(base, 16, 384),
		"vit_base_patch16_siglip_512":     of(base, 16, 512),
		"vit_base_patch32_siglip_256":     of(tanh(base), 32, 256),
		"vit_large_patch16_siglip_256":    of(large, 16, 256),
		"vit_large_patch16_siglip_384":    of(large, 16, 384),
		"vit_large_patch16_siglip_512":    of(tanh(large), 16, 512),
		"vit_so400m_patch14_siglip_224":   of(so400m, 14, 224),
		"vit_so400m_patch14_siglip_378":   of(so400m, 14, 378),
		"vit_so400m_patch14_siglip_384":   of(so400m, 14, 384),
		"vit_so400m_patch16_siglip_256":   of(tanh(so400m), 16, 256),
		"vit_so400m_patch16_siglip_384":   of(tanh(so400m), 16, 384),
		"vit_so400m_patch16_siglip_512":   of(tanh(so400m), 16, 512),
		"vit_giantopt_patch16_siglip_256": of(tanh(giant), 16, 256),
		"vit_giantopt_patch16_siglip_384": of(tanh(giant), 16, 384),
		"eva02_base_patch16_clip_224":     of(eva(base), 16, 224),
		"eva02_large_patch14_clip_224":    of(eva(large), 14, 224),
		"eva02_large_patch14_clip_336":    of(eva(large), 14, 336),
	}
}()

// Timm returns the size of the named timm tower, with what timm_model_kwargs
// changes. Unknown names are an error, and sizes that differ from image_size.
func (c *OpenCLIP) Timm() (Timm, error) {
	v := c.Vision
	t, ok := timmTowers[v.Timm]
	if !ok {
		return t, fmt.Errorf("%s: the sizes of timm's image tower %q are not known", OpenCLIPFile, v.Timm)
	}
	if v.TimmSizes != nil {
		if err := strict(v.TimmSizes, &t); err != nil {
			return t, fmt.Errorf("%s: timm_model_kwargs: %w", OpenCLIPFile, err)
		}
	}
	if t.ImageSize != v.ImageSize {
		return t, fmt.Errorf("%s: image_size %d, but the image tower %q takes %d pixels a side", OpenCLIPFile, v.ImageSize, v.Timm, t.ImageSize)
	}
	return t, nil
}

// Tower is the tower's size.
func (t Timm) Tower() transformer.Tower {
	return transformer.Tower{Width: t.Width, Layers: t.Layers, Heads: t.Heads, MLPWidth: scaled(t.Width, t.MLPRatio)}
}

// IsTimm reports whether the image tower is a timm model whose name contains part.
func (c *OpenCLIP) IsTimm(part string) bool { return strings.Contains(c.Vision.Timm, part) }

// TimmConfig is the vision_cfg of a timm tower of these sizes: by the name of
// the tower that has them, or else by the given one with timm_model_kwargs,
// which open_clip 3.3.0 itself does not read.
func TimmConfig(name, pool string, proj any, t Timm) map[string]any {
	o := map[string]any{
		"image_size": t.ImageSize, "timm_model_name": name, "timm_model_pretrained": false, "timm_pool": pool, "timm_proj": proj,
	}
	for known, k := range timmTowers {
		if k.Tower() == t.Tower() && k.ImageSize == t.ImageSize && k.PatchSize == t.PatchSize && k.Activation == t.Activation && slices.Equal(k.Reference, t.Reference) {
			o["timm_model_name"] = known
			return o
		}
	}
	o["timm_model_kwargs"] = t
	return o
}
