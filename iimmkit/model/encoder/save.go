package encoder

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"

	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
)

// SaveOptions are choices of Save.
type SaveOptions struct {
	// Half stores weights as float16: half the size, values rounded to 11 bits.
	Half bool
}

// Save writes the encoder to a folder in the layout of a library that has its
// family: Hugging Face's for clip and siglip, open_clip's for coca and eva02. The
// folder has the configuration, the tokenizer's files, and last the weights, so that a folder with weights is complete. A CoCa is written without
// its decoder, which is not read either.
func (e *Encoder) Save(dir string, o SaveOptions) error {
	weights := map[string]checkpoint.Weight{}
	for _, p := range e.shape.Params() {
		values, err := e.weight(p.Name)
		if err != nil {
			return err
		}
		weights[p.Name] = checkpoint.Weight{Shape: p.Shape, Data: values}
	}
	lib := familyOf(e.shape).Saves
	names, stored, err := checkpoint.Write(weights, e.shape.Layout(lib))
	if err != nil {
		return err
	}
	tensors := make([]tensorfile.Tensor, len(names))
	for i := range names {
		t := checkpoint.ToTensor(names[i], stored[i])
		if o.Half {
			if t, err = tensorfile.ToFloat16(t); err != nil {
				return fmt.Errorf("weight %s: %w", names[i], err)
			}
		}
		tensors[i] = t
	}
	files, err := e.textFiles(lib)
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := store.WriteFile(filepath.Join(dir, name), data); err != nil {
			return err
		}
	}
	return tensorfile.WriteSafetensors(filepath.Join(dir, weightFiles[lib]), tensors, map[string]string{"format": "pt"})
}

// textFiles are the files of a checkpoint beside its weights.
func (e *Encoder) textFiles(lib family.Library) (map[string][]byte, error) {
	files := map[string][]byte{}
	maps.Copy(files, e.tokenizerFiles)
	config := e.shape.Config()
	if lib == family.OpenCLIPLibrary {
		config = map[string]any{"model_cfg": config, "preprocess_cfg": e.config.Preprocess.OpenCLIP()}
	} else {
		pre, err := e.config.Preprocess.HF()
		if err != nil {
			return nil, err
		}
		files["preprocessor_config.json"] = append(pre, '\n')
	}
	data, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return nil, err
	}
	files[lib.FileName()] = append(data, '\n')
	return files, nil
}
