package encoder

import (
	"fmt"
	"path/filepath"

	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
)

// SaveOptions are choices of Save.
type SaveOptions struct {
	// Half stores weights as float16: half the size, values rounded to 11 bits.
	Half bool
}

// Save writes the encoder to a folder in Hugging Face's layout of a CLIPModel:
// config.json, preprocessor_config.json, tokenizer.json when there is one, and
// last model.safetensors, so that a folder with weights is complete.
func (e *Encoder) Save(dir string, o SaveOptions) error {
	weights := map[string]checkpoint.Weight{}
	for _, p := range e.shape.Params() {
		values, err := e.weight(p.Name)
		if err != nil {
			return err
		}
		weights[p.Name] = checkpoint.Weight{Shape: p.Shape, Data: values}
	}
	names, stored, err := checkpoint.Write(weights, e.shape.HFLayout())
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
	config, err := e.shape.HF()
	if err != nil {
		return err
	}
	pre, err := e.config.Preprocess.HF()
	if err != nil {
		return err
	}
	files := []struct {
		name string
		data []byte
	}{{"config.json", append(config, '\n')}, {"preprocessor_config.json", append(pre, '\n')}, {"tokenizer.json", e.tokenizerJSON}}
	for _, f := range files {
		if f.data == nil {
			continue
		}
		if err := store.WriteFile(filepath.Join(dir, f.name), f.data); err != nil {
			return err
		}
	}
	return tensorfile.WriteSafetensors(filepath.Join(dir, "model.safetensors"), tensors, map[string]string{"format": "pt"})
}
