package encoder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/clip"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/preprocess"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/token"
)

// registered are checkpoints that the program carries, by name.
var registered = map[string]fs.FS{}

// Register makes Open find a checkpoint folder under names. Packages that
// carry one call it from init.
func Register(files fs.FS, names ...string) {
	for _, n := range names {
		registered[n] = files
	}
}

// Registered returns the names Open knows, sorted.
func Registered() []string {
	var names []string
	for n := range registered {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Open loads a model by the name of a registered checkpoint or from a folder
// in the layout of Hugging Face (config.json, model.safetensors,
// preprocessor_config.json, tokenizer.json) or open_clip (open_clip_config.json).
func Open(b compute.Backend, nameOrDir string) (*Encoder, error) {
	if files, ok := registered[nameOrDir]; ok {
		e, err := openFS(b, files, func(name string) (*tensorfile.Safetensors, error) {
			data, err := fs.ReadFile(files, name)
			if err != nil {
				return nil, err
			}
			return tensorfile.ParseSafetensors(data, nameOrDir+"/"+name)
		})
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", nameOrDir, err)
		}
		e.Name = canonical(nameOrDir)
		return e, nil
	}
	info, err := os.Stat(nameOrDir)
	if err != nil || !info.IsDir() {
		return nil, fmt.Errorf("no model %q: it is neither one of %s nor a folder with a checkpoint", nameOrDir, strings.Join(Registered(), ", "))
	}
	e, err := openFS(b, os.DirFS(nameOrDir), func(name string) (*tensorfile.Safetensors, error) {
		return tensorfile.OpenSafetensors(filepath.Join(nameOrDir, name))
	})
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", nameOrDir, err)
	}
	e.Name = filepath.Base(filepath.Clean(nameOrDir))
	return e, nil
}

// canonical is the longest of the names under which the same files are registered.
func canonical(name string) string {
	best := name
	for n, files := range registered {
		if files == registered[name] && len(n) > len(best) {
			best = n
		}
	}
	return best
}

func openFS(b compute.Backend, files fs.FS, open func(string) (*tensorfile.Safetensors, error)) (*Encoder, error) {
	shape, pre, layout, err := readConfig(files)
	if err != nil {
		return nil, err
	}
	f, err := openWeights(files, open)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	params := shape.Params()
	want := make([]checkpoint.Want, len(params))
	for i, p := range params {
		want[i] = checkpoint.Want{Name: p.Name, Shape: p.Shape}
	}
	weights, err := checkpoint.Read(checkpoint.FromSafetensors(f), layout, want, clip.Ignored)
	if err != nil {
		return nil, err
	}
	tokenizer, err := fs.ReadFile(files, "tokenizer.json")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return New(b, shape, pre, weights, tokenizer)
}

func openWeights(files fs.FS, open func(string) (*tensorfile.Safetensors, error)) (*tensorfile.Safetensors, error) {
	names := []string{"model.safetensors", "open_clip_model.safetensors"}
	for _, name := range names {
		if _, err := fs.Stat(files, name); err == nil {
			return open(name)
		}
	}
	return nil, fmt.Errorf("no weights: none of %s is there", strings.Join(names, ", "))
}

func readConfig(files fs.FS) (clip.Config, preprocess.Config, checkpoint.Layout, error) {
	fail := func(err error) (clip.Config, preprocess.Config, checkpoint.Layout, error) {
		return clip.Config{}, preprocess.Config{}, nil, err
	}
	if data, err := fs.ReadFile(files, "open_clip_config.json"); err == nil {
		shape, err := clip.ParseOpenCLIP(data)
		if err != nil {
			return fail(err)
		}
		pre, err := preprocess.ParseOpenCLIP(data, shape.ImageSize)
		return shape, pre, nil, err
	}
	data, err := fs.ReadFile(files, "config.json")
	if err != nil {
		return fail(errors.New("no configuration: neither config.json nor open_clip_config.json is there"))
	}
	shape, err := clip.ParseHF(data)
	if err != nil {
		return fail(err)
	}
	data, err = fs.ReadFile(files, "preprocessor_config.json")
	if err != nil {
		return fail(fmt.Errorf("preprocessor_config.json: %w", err))
	}
	pre, err := preprocess.ParseHF(data)
	if err == nil && pre.Size != shape.ImageSize {
		err = fmt.Errorf("preprocessor_config.json makes %d pixels a side, config.json wants %d", pre.Size, shape.ImageSize)
	}
	return shape, pre, shape.HFLayout(), err
}

// New makes an encoder of weights by open_clip names, all of shape.Params().
// tokenizer is a tokenizer.json; without one the encoder cannot read captions.
func New(b compute.Backend, shape clip.Config, pre preprocess.Config, weights map[string]checkpoint.Weight, tokenizer []byte) (*Encoder, error) {
	store := model.NewStore()
	e := &Encoder{
		config: Config{
			Family: "clip", EmbedDim: shape.EmbedDim, ImageSize: shape.ImageSize, ContextLength: shape.ContextLength,
			VocabSize: shape.VocabSize, Activation: shape.Activation, Preprocess: pre,
		},
		shape: shape, network: clip.New(shape, store), backend: b, store: store,
	}
	if tokenizer != nil {
		var err error
		if e.tokenizer, err = token.ParseHF(tokenizer, shape.ContextLength, 0); err != nil {
			return nil, err
		}
		e.tokenizerJSON = tokenizer
	}
	for _, p := range shape.Params() {
		w, ok := weights[p.Name]
		if !ok || !slices.Equal(w.Shape, p.Shape) {
			return nil, fmt.Errorf("weight %s is missing or has not the shape %v", p.Name, p.Shape)
		}
		store.VariableWithValue("/"+p.Name, tensors.FromFlatDataAndDimensions(w.Data, p.Shape...))
		e.names = append(e.names, p.Name)
	}
	return e, nil
}
