package encoder

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// Configurations of real checkpoints, as open_clip 3.3.0 has them.
const (
	textB   = `"text_cfg":{"context_length":77,"vocab_size":49408,"width":512,"heads":8,"layers":12}`
	siglipT = `"text_cfg":{"context_length":64,"vocab_size":%d,"hf_tokenizer_name":"timm/ViT-B-16-SigLIP","tokenizer_kwargs":{"clean":"canonicalize"},"width":%d,"heads":%d,"layers":%d,"mlp_ratio":%g,"no_causal_mask":true,"proj_bias":true,"pool_type":"last","norm_kwargs":{"eps":1e-6}%s}`
	siglipV = `"init_logit_bias":-10,"custom_text":true,"vision_cfg":{"image_size":%d,"timm_model_name":%q,"timm_model_pretrained":false,"timm_pool":"map","timm_proj":"none"}`
	clipB32 = `{"embed_dim":512,"quick_gelu":true,"vision_cfg":{"image_size":224,"layers":12,"width":768,"patch_size":32},` + textB + `}`
	cocaB32 = `{"embed_dim":512,"vision_cfg":{"image_size":224,"layers":12,"width":768,"patch_size":32,"attentional_pool":true,"attn_pooler_heads":8,"output_tokens":true},"text_cfg":{"context_length":76,"vocab_size":49408,"width":512,"heads":8,"layers":12,"embed_cls":true,"output_tokens":true},"multimodal_cfg":{"context_length":76,"vocab_size":49408,"width":512,"heads":8,"layers":12,"attn_pooler_heads":8},"custom_text":true}`
	evaB16  = `{"embed_dim":512,"vision_cfg":{"image_size":224,"timm_model_name":"eva02_base_patch16_clip_224","timm_model_pretrained":false,"timm_pool":"token","timm_proj":null},` + textB + `,"custom_text":true}`
	evaL14  = `{"embed_dim":768,"vision_cfg":{"image_size":224,"timm_model_name":"eva02_large_patch14_clip_224","timm_model_pretrained":false,"timm_pool":"token","timm_proj":null},"text_cfg":{"context_length":77,"vocab_size":49408,"width":768,"heads":12,"layers":12},"custom_text":true}`
)

var (
	siglipB16  = fmt.Sprintf(`{"embed_dim":768,`+siglipV+`,`+siglipT+`}`, 224, "vit_base_patch16_siglip_224", 32000, 768, 12, 12, 4., "")
	siglip2B16 = fmt.Sprintf(`{"embed_dim":768,`+siglipV+`,`+siglipT+`}`, 224, "vit_base_patch16_siglip_224", 256000, 768, 12, 12, 4., `,"act_kwargs":{"approximate":"tanh"}`)
	siglip2L   = fmt.Sprintf(`{"embed_dim":1024,`+siglipV+`,`+siglipT+`}`, 512, "vit_large_patch16_siglip_512", 256000, 1024, 16, 24, 4., `,"act_kwargs":{"approximate":"tanh"}`)
	so400m     = fmt.Sprintf(`{"embed_dim":1152,`+siglipV+`,`+siglipT+`}`, 384, "vit_so400m_patch14_siglip_384", 32000, 1152, 16, 27, 3.7362, "")
)

// The numbers of parameters are those of the models that open_clip 3.3.0 with
// timm 1.0.31 makes of the same configurations, CoCa's without its decoder.
func TestRealConfigurationsHaveTheReferenceSizes(t *testing.T) {
	for _, c := range []struct {
		name, family, config string
		d, pixels, context   int
		vision, text         transformer.Activation
		parameters           int
	}{
		{"ViT-B-32-quickgelu", "clip", clipB32, 512, 224, 77, transformer.QuickGELU, transformer.QuickGELU, 151277313},
		{"coca_ViT-B-32", "coca", cocaB32, 512, 224, 76, transformer.GELU, transformer.GELU, 152592641},
		{"EVA02-B-16", "eva02", evaB16, 512, 224, 77, transformer.SiLU, transformer.GELU, 149691137},
		{"EVA02-L-14", "eva02", evaL14, 768, 224, 77, transformer.SiLU, transformer.GELU, 427755457},
		{"ViT-B-16-SigLIP", "siglip", siglipB16, 768, 224, 64, transformer.GELU, transformer.GELU, 203155970},
		{"ViT-B-16-SigLIP2", "siglip", siglip2B16, 768, 224, 64, transformer.GELU, transformer.GELUTanh, 375187970},
		{"ViT-L-16-SigLIP2-512", "siglip", siglip2L, 1024, 512, 64, transformer.GELUTanh, transformer.GELUTanh, 882313218},
		{"ViT-SO400M-14-SigLIP-384", "siglip", so400m, 1152, 384, 64, transformer.GELU, transformer.GELU, 877960498},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := parseOpenCLIP([]byte(`{"model_cfg":` + c.config + `}`))
			if err != nil {
				t.Fatal(err)
			}
			want := family.Sizes{
				EmbedDim: c.d, ImageSize: c.pixels, ContextLength: c.context, VocabSize: s.Sizes().VocabSize, Pad: s.Sizes().Pad,
				Vision: c.vision, Text: c.text,
			}
			if s.Family() != c.family || s.Sizes() != want {
				t.Errorf("family %s, sizes %+v, want %s, %+v", s.Family(), s.Sizes(), c.family, want)
			}
			if n := parameters(s); n != c.parameters {
				t.Errorf("%d parameters, the reference has %d", n, c.parameters)
			}
		})
	}
}

func parameters(s family.Shape) int {
	total := 0
	for _, p := range s.Params() {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		total += n
	}
	return total
}

// Real files of SigLIP on Hugging Face list almost nothing.
func TestHuggingFaceDefaultsAreTransformers(t *testing.T) {
	for _, c := range []struct {
		config     string
		want       family.Sizes
		parameters int // of transformers 5.23.0's default models
	}{
		{
			`{"model_type":"siglip","text_config":{"model_type":"siglip_text_model"},"vision_config":{"model_type":"siglip_vision_model"}}`,
			family.Sizes{EmbedDim: 768, ImageSize: 224, ContextLength: 64, VocabSize: 32000, Pad: 1, Vision: transformer.GELUTanh, Text: transformer.GELUTanh}, 203155970,
		},
		{
			`{"model_type":"clip"}`,
			family.Sizes{EmbedDim: 512, ImageSize: 224, ContextLength: 77, VocabSize: 49408, Vision: transformer.QuickGELU, Text: transformer.QuickGELU}, 151277313,
		},
	} {
		s, _, err := parseHF([]byte(c.config))
		if err != nil {
			t.Fatal(err)
		}
		if s.Sizes() != c.want || parameters(s) != c.parameters {
			t.Errorf("%s: %+v with %d parameters, want %+v with %d", c.config, s.Sizes(), parameters(s), c.want, c.parameters)
		}
	}
}

func TestConfigurationsOfOtherModelsAreRefused(t *testing.T) {
	change := func(config, old, new string) string {
		changed := strings.Replace(config, old, new, 1)
		if changed == config {
			t.Fatalf("%q is not in %s", old, config)
		}
		return changed
	}
	for _, c := range []struct{ name, config, want string }{
		{"unknown timm tower", change(siglipB16, "vit_base_patch16_siglip_224", "vit_base_patch16_siglip_gap_224"), "vit_base_patch16_siglip_gap_224"},
		{"timm tower of no family", change(siglipB16, "vit_base_patch16_siglip_224", "convnext_base"), "convnext_base"},
		{"EVA-02 with post-norm", change(evaB16, "eva02_base_patch16_clip_224", "eva02_enormous_patch14_clip_224"), "eva02_enormous_patch14_clip_224"},
		{"other size than the named tower's", change(evaB16, `"image_size":224`, `"image_size":336`), "336"},
		{"unknown field", change(clipB32, `"patch_size":32`, `"patch_size":32,"registers":4`), "registers"},
		{"layer scale", change(clipB32, `"patch_size":32`, `"patch_size":32,"ls_init_value":1e-5`), "ls_init_value"},
		{"residual network", change(clipB32, `"layers":12`, `"layers":[3,4,6,3]`), "residual"},
		{"Hugging Face's text tower", change(clipB32, `"context_length":77`, `"hf_model_name":"roberta-base"`), "roberta-base"},
		{"logit bias in CLIP", change(clipB32, `"embed_dim"`, `"init_logit_bias":-10,"embed_dim"`), "init_logit_bias"},
		{"unmasked CLIP", change(clipB32, `"heads":8`, `"heads":8,"no_causal_mask":true`), "no_causal_mask"},
		{"two poolers", change(cocaB32, `"attentional_pool":true`, `"attentional_pool":"parallel"`), "parallel"},
		{"heads that do not divide", change(cocaB32, `"attn_pooler_heads":8`, `"attn_pooler_heads":7`), "attn_pooler_heads"},
		{"masked SigLIP", change(siglipB16, `"no_causal_mask":true`, `"no_causal_mask":false`), "no_causal_mask"},
		{"pooled by mean", change(siglipB16, `"timm_pool":"map"`, `"timm_pool":"avg"`), "timm_pool"},
		{"no number of layers", change(clipB32, `"layers":12`, `"layers":99999999`), "vision layers"},
		{"no towers", `{"embed_dim":512}`, "vision_cfg"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseOpenCLIP([]byte(`{"model_cfg":` + c.config + `}`))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), family.OpenCLIPFile) {
				t.Errorf("error %v does not name the file and %q", err, c.want)
			}
		})
	}
	for _, c := range []struct{ config, want string }{
		{`{"model_type":"siglip2"}`, "siglip2"}, // of native aspect ratios
		{`{"model_type":"siglip","vision_config":{"vision_use_head":false}}`, "vision_use_head"},
		{`{"model_type":"siglip","text_config":{"hidden_act":"relu"}}`, "relu"},
		{`{"model_type":"siglip","text_config":{"projection_size":512}}`, "512"},
		{`{"model_type":"clip","text_config":{"hidden_act":"gelu"}}`, "hidden_act"},
		{`{"model_type":"clip","vision_config":{"num_channels":1}}`, "num_channels"},
	} {
		if _, _, err := parseHF([]byte(c.config)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v does not contain %q", c.config, err, c.want)
		}
	}
}

func TestActivationMustFitTheName(t *testing.T) {
	gelu, err := parseOpenCLIP([]byte(`{"model_cfg":` + strings.Replace(clipB32, `"quick_gelu":true,`, "", 1) + `}`))
	if err != nil {
		t.Fatal(err)
	}
	quick, err := parseOpenCLIP([]byte(`{"model_cfg":` + clipB32 + `}`))
	if err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(t.TempDir(), "models--openai--clip-vit-base-patch32", "snapshots", "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268")
	for _, c := range []struct {
		name    string
		tensors []string
		refused bool
	}{
		{"ViT-B-32-quickgelu", nil, true},
		{publishedName(cache), nil, true},
		{"timm/vit_base_patch32_clip_224.openai", nil, true},
		{"model", []string{"input_resolution", "visual.proj"}, true},
		{"ViT-B-32", []string{"visual.proj"}, false},
		{"laion/CLIP-ViT-B-32-laion2B-s34B-b79K", nil, false},
	} {
		if err := checkActivation(gelu, []string{c.name}, c.tensors); (err != nil) != c.refused {
			t.Errorf("GELU with the name %s and tensors %v: %v", c.name, c.tensors, err)
		}
		if err := checkActivation(quick, []string{c.name}, c.tensors); err != nil {
			t.Errorf("QuickGELU with the name %s: %v", c.name, err)
		}
	}
}

// Files of OpenAI's that a configuration gives another activation are refused,
// as they lie on the disk.
func TestFixtureWithAnotherActivationIsRefused(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, dir := range modelFolders(t) {
		data, err := os.ReadFile(filepath.Join(dir, family.OpenCLIPFile))
		if err != nil || !strings.Contains(string(data), "quick_gelu") {
			continue
		}
		e, err := Open(b, dir)
		if err != nil {
			t.Fatal(err)
		}
		if e.Config().Activation != transformer.QuickGELU || e.Config().Family != "clip" {
			continue
		}
		found = true
		t.Run(filepath.Base(dir), func(t *testing.T) {
			copied := filepath.Join(t.TempDir(), "ViT-B-32-quickgelu")
			if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(b, copied); err != nil {
				t.Errorf("as it was: %v", err)
			}
			var config map[string]map[string]any
			if err := json.Unmarshal(data, &config); err != nil {
				t.Fatal(err)
			}
			delete(config["model_cfg"], "quick_gelu")
			changed, err := json.Marshal(config)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(copied, family.OpenCLIPFile), changed, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(b, copied); err == nil || !strings.Contains(err.Error(), "quick_gelu") {
				t.Errorf("with GELU: error %v does not name quick_gelu", err)
			}
		})
	}
	if !found {
		t.Skip("the fixtures have no open_clip model with quick_gelu")
	}
}

// Whatever the bytes of a configuration are, reading it ends in an error or in
// a model whose weights can be listed and stored.
func FuzzConfiguration(f *testing.F) {
	for _, c := range []string{clipB32, cocaB32, evaB16, siglipB16, siglip2L, so400m} {
		f.Add([]byte(`{"model_cfg":` + c + `,"preprocess_cfg":{}}`))
	}
	f.Add([]byte(`{"model_type":"siglip","text_config":{"hidden_size":48,"num_attention_heads":3},"vision_config":{"image_size":20,"patch_size":7}}`))
	f.Add([]byte(`{"model_type":"clip","projection_dim":24,"text_config":{"eos_token_id":2,"layer_norm_eps":0.00001}}`))
	f.Add([]byte(strings.Replace(`{"model_cfg":`+evaB16+`}`, `null`, `null,"timm_model_kwargs":{"img_size":224,"embed_dim":48,"num_heads":3,"ref_feat_shape":[6,6]}`, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		check := func(s family.Shape, lib family.Library) {
			names := map[string]bool{}
			for _, p := range s.Params() {
				for _, n := range p.Shape {
					if n < 1 {
						t.Fatalf("weight %s has the shape %v", p.Name, p.Shape)
					}
				}
				if names[p.Name] {
					t.Fatalf("weight %s is listed twice", p.Name)
				}
				names[p.Name] = true
			}
			for _, r := range s.Layout(lib) {
				if !names[r.Name] {
					t.Fatalf("the layout stores a weight %s that the model has not", r.Name)
				}
			}
			if _, err := json.Marshal(s.Config()); err != nil {
				t.Fatal(err)
			}
		}
		if s, err := parseOpenCLIP(data); err == nil {
			check(s, family.OpenCLIPLibrary)
		}
		if s, _, err := parseHF(data); err == nil {
			check(s, family.HuggingFace)
		}
	})
}

func TestSavedFixtureOpensAgain(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range modelFolders(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			e, err := Open(b, dir)
			if err != nil {
				t.Fatal(err)
			}
			checkSaved(t, e, tensorsOf(t, dir))
			e.library = "" // as if it was made here
			checkSaved(t, e, nil)
		})
	}
}

// tensorsOf returns the names of the tensors in a folder's checkpoint.
func tensorsOf(t *testing.T, dir string) []string {
	t.Helper()
	f, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return f.Names()
}

// checkSaved saves and opens the encoder. The tensors are stored under names
// of stored, when there are any.
func checkSaved(t *testing.T, e *Encoder, stored []string) {
	t.Helper()
	out := t.TempDir()
	if err := e.Save(out, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := Open(e.Backend(), out)
	if err != nil {
		t.Fatal(err)
	}
	before, err1 := json.Marshal(e.shape.Config())
	after, err2 := json.Marshal(again.shape.Config())
	if err1 != nil || err2 != nil || string(before) != string(after) {
		t.Errorf("configuration %s became %s (%v, %v)", before, after, err1, err2)
	}
	h1, err1 := e.Hash()
	h2, err2 := again.Hash()
	if err1 != nil || err2 != nil || h1 != h2 {
		t.Errorf("hash %s became %s (%v, %v)", h1, h2, err1, err2)
	}
	if e.Config() != again.Config() {
		t.Errorf("configuration %+v became %+v", e.Config(), again.Config())
	}
	for _, name := range tensorsOf(t, out) {
		if stored != nil && !slices.Contains(stored, name) {
			t.Errorf("tensor %s is not one of the checkpoint that was opened", name)
		}
	}
	for name, data := range e.configFiles {
		if now, err := os.ReadFile(filepath.Join(out, name)); e.library != "" && !strings.Contains(string(data), "dtype") && string(now) != string(data) {
			t.Errorf("%s became %s (%v)", name, now, err)
		}
	}
}
