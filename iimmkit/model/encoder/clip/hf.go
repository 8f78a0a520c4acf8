package clip

import "github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"

// HFLayout says how Hugging Face's CLIPModel stores the weights of Params.
func (c Config) HFLayout() checkpoint.Layout {
	var l checkpoint.Layout
	same := func(name, source string) { l = append(l, checkpoint.Rule{Name: name, Sources: []string{source}}) }
	affine := func(name, source string) {
		same(name+".weight", source+".weight")
		same(name+".bias", source+".bias")
	}
	transposed := func(name, source string) {
		l = append(l, checkpoint.Rule{Name: name, Sources: []string{source}, Transpose: true})
	}
	blocks := func(name, source string, layers int) {
		for i := range layers {
			n, s := sprint(name, i), sprint(source, i)
			affine(n+".ln_1", s+".layer_norm1")
			for _, part := range []string{"weight", "bias"} {
				var sources []string
				for _, x := range []string{"q", "k", "v"} {
					sources = append(sources, s+".self_attn."+x+"_proj."+part)
				}
				l = append(l, checkpoint.Rule{Name: n + ".attn.in_proj_" + part, Sources: sources})
			}
			affine(n+".attn.out_proj", s+".self_attn.out_proj")
			affine(n+".ln_2", s+".layer_norm2")
			affine(n+".mlp.c_fc", s+".mlp.fc1")
			affine(n+".mlp.c_proj", s+".mlp.fc2")
		}
	}
	same("visual.class_embedding", "vision_model.embeddings.class_embedding")
	same("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight")
	same("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight")
	affine("visual.ln_pre", "vision_model.pre_layrnorm") // so spelled there
	blocks("visual.transformer.resblocks.", "vision_model.encoder.layers.", c.Vision.Layers)
	affine("visual.ln_post", "vision_model.post_layernorm")
	transposed("visual.proj", "visual_projection.weight")
	same("token_embedding.weight", "text_model.embeddings.token_embedding.weight")
	same("positional_embedding", "text_model.embeddings.position_embedding.weight")
	blocks("transformer.resblocks.", "text_model.encoder.layers.", c.Text.Layers)
	affine("ln_final", "text_model.final_layer_norm")
	transposed("text_projection", "text_projection.weight")
	same("logit_scale", "logit_scale")
	return l
}

// Ignored lists tensors that checkpoints carry and the model has no use for:
// position counters and OpenAI's sizes.
var Ignored = []string{
	"text_model.embeddings.position_ids", "vision_model.embeddings.position_ids",
	"input_resolution", "context_length", "vocab_size", "attn_mask",
}
