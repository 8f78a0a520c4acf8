package encoder

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/clip"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/coca"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/eva02"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/preprocess"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/siglip"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// families are all that Open knows.
var families = []family.Family{clip.Family, siglip.Family, coca.Family, eva02.Family}

// Families returns the names of the model families.
func Families() []string {
	var names []string
	for _, f := range families {
		names = append(names, f.Name)
	}
	return names
}

// Files that tuning leaves of what it changed of a model: package finetune
// writes and reads them.
const (
	DeltaFile = "delta.safetensors"         // weights that moved
	LoRAFile  = "adapter_model.safetensors" // as PEFT names it
)

// preprocessorFile is Hugging Face's configuration of the preprocessing.
const preprocessorFile = "preprocessor_config.json"

// familyOf returns the family of a shape.
func familyOf(s family.Shape) family.Family {
	i := slices.IndexFunc(families, func(f family.Family) bool { return f.Name == s.Family() })
	return families[i]
}

// configuration is what the configuration files of a folder say.
type configuration struct {
	shape   family.Shape
	library family.Library // that wrote the folder
	pre     preprocess.Config
	name    string // under which the model was published; empty when not said
	files   map[string][]byte
}

// readConfig reads a folder's configuration: open_clip's when it is there, since
// such folders often have a config.json of timm beside it, else Hugging Face's.
func readConfig(files fs.FS) (c configuration, err error) {
	if data, err := fs.ReadFile(files, family.OpenCLIPFile); err == nil {
		c.library, c.files = family.OpenCLIPLibrary, map[string][]byte{family.OpenCLIPFile: data}
		if c.shape, err = parseOpenCLIP(data); err != nil {
			return c, err
		}
		c.pre, err = preprocess.ParseOpenCLIP(data, c.shape.Sizes().ImageSize)
		return c, err
	}
	data, err := fs.ReadFile(files, family.HFFile)
	if err != nil {
		for _, name := range []string{DeltaFile, LoRAFile} {
			if _, err := fs.Stat(files, name); err == nil {
				return c, fmt.Errorf("it holds what tuning changed of a model (%s), not a whole one: iimm finetune merge makes one of it", name)
			}
		}
		return c, fmt.Errorf("no configuration: neither %s nor %s is there", family.HFFile, family.OpenCLIPFile)
	}
	c.library, c.files = family.HuggingFace, map[string][]byte{family.HFFile: data}
	if c.shape, c.name, err = parseHF(data); err != nil {
		return c, err
	}
	if data, err = fs.ReadFile(files, preprocessorFile); err != nil {
		return c, fmt.Errorf("%s: %w", preprocessorFile, err)
	}
	c.files[preprocessorFile] = data
	if c.pre, err = preprocess.ParseHF(data); err == nil && c.pre.Size != c.shape.Sizes().ImageSize {
		err = fmt.Errorf(preprocessorFile+" makes %d pixels a side, config.json wants %d", c.pre.Size, c.shape.Sizes().ImageSize)
	}
	return c, err
}

// parseHF reads a config.json and the name that it gives the model.
func parseHF(data []byte) (family.Shape, string, error) {
	raw := struct {
		ModelType string `json:"model_type"`
		Name      string `json:"_name_or_path"`
	}{ModelType: clip.Family.ModelType}
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, "", fmt.Errorf("%s: %w", family.HFFile, err)
	}
	var known []string
	for _, f := range families {
		switch f.ModelType {
		case raw.ModelType:
			s, err := f.ParseHF(data)
			return s, raw.Name, err
		case "":
		default:
			known = append(known, f.ModelType)
		}
	}
	return nil, "", fmt.Errorf("%s: model_type %q is none of %s", family.HFFile, raw.ModelType, strings.Join(known, ", "))
}

func parseOpenCLIP(data []byte) (family.Shape, error) {
	raw, err := family.ParseOpenCLIP(data)
	if err != nil {
		return nil, err
	}
	for _, f := range families {
		if f.Claims(raw) {
			return f.ParseOpenCLIP(raw)
		}
	}
	return nil, fmt.Errorf("%s: the image tower %q is of none of the families %s", family.OpenCLIPFile, raw.Vision.Timm, strings.Join(Families(), ", "))
}

// checkActivation refuses a CLIP whose configuration says another activation
// than its weights are known to be made with: OpenAI's, which are recognised by
// their name or by the sizes stored among the tensors, and open_clip's models
// named quickgelu. The wrong one moves features, but raises no other error.
func checkActivation(s family.Shape, names, tensors []string) error {
	if s.Family() != clip.Family.Name || s.Sizes().Text == transformer.QuickGELU {
		return nil
	}
	for _, n := range names {
		if isQuickGELU(n) {
			return fmt.Errorf("the weights named %s are made with the activation %s, but the configuration says %s", n, transformer.QuickGELU, s.Sizes().Text)
		}
	}
	if slices.Contains(tensors, "input_resolution") {
		return fmt.Errorf("the tensor input_resolution marks weights of OpenAI, made with the activation %s, but the configuration says %s", transformer.QuickGELU, s.Sizes().Text)
	}
	return nil
}

// isQuickGELU reports whether a model's published name tells that its weights
// need QuickGELU: open_clip's model names (ViT-B-32-quickgelu), OpenAI's
// repositories (openai/clip-vit-base-patch32) and timm's copies of them
// (timm/vit_base_patch32_clip_224.openai).
func isQuickGELU(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "quickgelu") || strings.HasPrefix(name, "openai/clip-vit-") || strings.HasSuffix(name, ".openai")
}

// publishedName is the name that a folder tells: its own, or that of the
// repository when it lies in Hugging Face's cache.
func publishedName(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if snapshots := filepath.Dir(dir); filepath.Base(snapshots) == "snapshots" {
		repository := filepath.Base(filepath.Dir(snapshots))
		if name, ok := strings.CutPrefix(repository, "models--"); ok {
			return strings.Replace(name, "--", "/", 1)
		}
	}
	return filepath.Base(dir)
}
