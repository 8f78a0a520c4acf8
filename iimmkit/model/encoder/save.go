package encoder

import (
	"bytes"
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

// Save writes the encoder to a folder, in the layout in which it came, with
// the same configuration. One that was made here is written as a library does
// that has its family: Hugging Face for clip and siglip, open_clip for coca and
// eva02. The folder has the configuration, the tokenizer's files, and last the
// weights, so that a folder with weights is complete. A CoCa is written without
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
	lib := e.layout()
	names, stored, err := checkpoint.Write(e.names, weights, e.shape.Layout(lib))
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
	files, err := e.textFiles(lib, o)
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
func (e *Encoder) textFiles(lib family.Library, o SaveOptions) (map[string][]byte, error) {
	files := map[string][]byte{}
	maps.Copy(files, e.tokenizerFiles)
	if e.library != "" {
		maps.Copy(files, e.configFiles)
		if lib == family.HuggingFace {
			var err error
			if files[family.HFFile], err = withDType(files[family.HFFile], o); err != nil {
				return nil, err
			}
		}
		return files, nil
	}
	config := e.shape.Config()
	if lib == family.OpenCLIPLibrary {
		config = map[string]any{"model_cfg": config, "preprocess_cfg": e.config.Preprocess.OpenCLIP()}
	} else {
		pre, err := e.config.Preprocess.HF()
		if err != nil {
			return nil, err
		}
		files[preprocessorFile] = append(pre, '\n')
	}
	data, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return nil, err
	}
	files[lib.FileName()] = append(data, '\n')
	return files, nil
}

// withDType is a config.json that names, where it names one, the type in which
// the weights are stored: transformers computes in it.
func withDType(config []byte, o SaveOptions) ([]byte, error) {
	stored := "float32"
	if o.Half {
		stored = "float16"
	}
	var c map[string]any
	d := json.NewDecoder(bytes.NewReader(config))
	d.UseNumber()
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("%s: %w", family.HFFile, err)
	}
	changed := false
	for _, part := range []any{c, c["text_config"], c["vision_config"]} {
		part, _ := part.(map[string]any)
		for _, key := range []string{"dtype", "torch_dtype"} {
			if was, ok := part[key]; ok && was != stored {
				part[key], changed = stored, true
			}
		}
	}
	if !changed {
		return config, nil
	}
	data, err := json.MarshalIndent(c, "", "  ")
	return append(data, '\n'), err
}

// StoredNames are the names of the tensors in which a weight is stored in the
// encoder's layout, in the order of its rows.
func (e *Encoder) StoredNames(weight string) []string {
	return e.shape.Layout(e.layout()).Rule(weight).Sources
}

// layout is the library in whose layout the encoder is saved.
func (e *Encoder) layout() family.Library {
	if e.library != "" {
		return e.library
	}
	return familyOf(e.shape).Saves
}
