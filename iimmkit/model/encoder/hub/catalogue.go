package hub

import "slices"

// Entry is a model that has a short name.
type Entry struct {
	Name       string `json:"name"`
	Family     string `json:"family"`
	Repository string `json:"repository"`
	// OpenCLIP is the name and the tag under which open_clip has the same weights.
	OpenCLIP string `json:"open_clip"`
	// Licence of the publishers' code or model card (OpenAI's page names none);
	// what the model's page says today decides.
	Licence string `json:"licence"`
}

// catalogue: the four models of the paper (arXiv 2407.15731) come first.
//
// Repositories are those of the table in open_clip 3.3.0 (pretrained.py), but for
// CLIP, where OpenAI's own are taken: Hugging Face's layout states QuickGELU.
var catalogue = []Entry{
	{"clip-b-32", "clip", "openai/clip-vit-base-patch32", "ViT-B-32 openai", "MIT"},
	{"coca-b-32", "coca", "laion/CoCa-ViT-B-32-laion2B-s13B-b90k", "coca_ViT-B-32 laion2b_s13b_b90k", "MIT"},
	{"eva02-b-16", "eva02", "timm/eva02_base_patch16_clip_224.merged2b_s8b_b131k", "EVA02-B-16 merged2b_s8b_b131k", "MIT"},
	{"siglip-b-16", "siglip", "timm/ViT-B-16-SigLIP", "ViT-B-16-SigLIP webli", "Apache-2.0"},
	{"clip-b-16", "clip", "openai/clip-vit-base-patch16", "ViT-B-16 openai", "MIT"},
	{"clip-l-14", "clip", "openai/clip-vit-large-patch14", "ViT-L-14 openai", "MIT"},
	{"siglip2-b-16", "siglip", "timm/ViT-B-16-SigLIP2", "ViT-B-16-SigLIP2 webli", "Apache-2.0"},
}

// Catalogue returns the models that have a short name.
func Catalogue() []Entry { return slices.Clone(catalogue) }
