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
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/hub"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/preprocess"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/token"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
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

// Open loads a model by the name of a registered checkpoint, by a name of the
// hub once it was fetched (see hub.Find), or from a folder in the layout of Hugging Face (config.json, preprocessor_config.json) or
// open_clip (open_clip_config.json), with its tokenizer.json and its weights
// (see checkpoint.Open).
func Open(b compute.Backend, nameOrDir string) (*Encoder, error) {
	if files, ok := registered[nameOrDir]; ok {
		e, err := openFS(b, files, nameOrDir, func() (*checkpoint.Source, error) { return checkpoint.OpenFS(files) })
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", nameOrDir, err)
		}
		e.Name = canonical(nameOrDir)
		return e, nil
	}
	if dir, ok, err := hub.Find(nameOrDir); err != nil {
		return nil, err
	} else if ok {
		e, err := Open(b, dir)
		if err == nil {
			e.Name = nameOrDir
		}
		return e, err
	}
	info, err := os.Stat(nameOrDir)
	if err != nil || !info.IsDir() {
		return nil, fmt.Errorf("no model %q: it is neither one of %s, nor in the list of iimm models list, nor a folder with a checkpoint", nameOrDir, strings.Join(Registered(), ", "))
	}
	e, err := openFS(b, os.DirFS(nameOrDir), publishedName(nameOrDir), func() (*checkpoint.Source, error) { return checkpoint.Open(nameOrDir) })
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

// openFS opens the checkpoint in files, whose folder has the given name.
func openFS(b compute.Backend, files fs.FS, name string, open func() (*checkpoint.Source, error)) (*Encoder, error) {
	config, err := readConfig(files)
	if err != nil {
		return nil, err
	}
	f, err := open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := checkActivation(config.shape, []string{name, config.name}, f.Names()); err != nil {
		return nil, err
	}
	params := config.shape.Params()
	want := make([]checkpoint.Want, len(params))
	for i, p := range params {
		want[i] = checkpoint.Want{Name: p.Name, Shape: p.Shape}
	}
	e := withoutWeights(b, config.shape, config.pre)
	e.Unread, e.library, e.configFiles = f.Unread(), config.library, config.files
	if err := e.openTokenizer(files, config.library); err != nil {
		return nil, err
	}
	// One by one: widened and joined weights are in memory twice only for a moment.
	err = checkpoint.Each(f, config.shape.Layout(config.library), want, familyOf(config.shape).Ignored, e.add)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// weightFiles are the names under which libraries store weights.
var weightFiles = map[family.Library]string{
	family.HuggingFace:     "model.safetensors",
	family.OpenCLIPLibrary: "open_clip_model.safetensors",
}

// New makes an encoder of the weights of shape.Params(), by name. tokenizer is
// a tokenizer.json; without one the encoder cannot read captions.
func New(b compute.Backend, shape family.Shape, pre preprocess.Config, weights map[string]checkpoint.Weight, tokenizer []byte) (*Encoder, error) {
	e := withoutWeights(b, shape, pre)
	if tokenizer != nil {
		var err error
		if e.tokenizer, err = token.ParseHF(tokenizer, e.config.ContextLength, shape.Sizes().Pad); err != nil {
			return nil, err
		}
		e.tokenizerFiles = map[string][]byte{"tokenizer.json": tokenizer}
	}
	for _, p := range shape.Params() {
		w, ok := weights[p.Name]
		if !ok || !slices.Equal(w.Shape, p.Shape) {
			return nil, fmt.Errorf("weight %s is missing or has not the shape %v", p.Name, p.Shape)
		}
		if err := e.add(p.Name, w); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// withoutWeights makes an encoder without tokenizer, to which all weights are
// still to be added, in the order of shape.Params().
func withoutWeights(b compute.Backend, shape family.Shape, pre preprocess.Config) *Encoder {
	store, sizes := model.NewStore(), shape.Sizes()
	e := &Encoder{
		config: Config{
			Family: shape.Family(), EmbedDim: sizes.EmbedDim, ImageSize: sizes.ImageSize, ContextLength: sizes.ContextLength,
			VocabSize: sizes.VocabSize, Activation: sizes.Vision, Preprocess: pre,
		},
		shape: shape, network: shape.Network(transformer.NewWeights(store)), backend: b, store: store,
	}
	if sizes.Text != sizes.Vision {
		e.config.TextActivation = sizes.Text
	}
	return e
}

// openTokenizer finds the tokenizer in a folder that a library wrote. Without
// one the encoder cannot read captions.
func (e *Encoder) openTokenizer(files fs.FS, library family.Library) error {
	o := token.Options{Family: e.config.Family, Library: token.HuggingFace, Context: e.config.ContextLength, Vocabulary: e.config.VocabSize}
	if library == family.OpenCLIPLibrary {
		o.Library = token.OpenCLIP
	}
	var err error
	if e.tokenizer, err = token.Open(files, o); err != nil {
		e.tokenizer = nil
		if errors.Is(err, token.ErrNone) {
			return nil
		}
		return err
	}
	e.tokenizerFiles = map[string][]byte{}
	for _, name := range token.FileNames {
		if data, err := fs.ReadFile(files, name); err == nil {
			e.tokenizerFiles[name] = data
		}
	}
	return nil
}

// add copies a weight, which may be a view of a mapped file, to the backend.
func (e *Encoder) add(name string, w checkpoint.Weight) error {
	value, err := tensors.FromRaw(e.backend, 0, shapes.Make(dtypes.Float32, w.Shape...), checkpoint.ToTensor(name, w).Data)
	if err != nil {
		return fmt.Errorf("weight %s: %w", name, err)
	}
	e.store.VariableWithValue("/"+name, value)
	e.names = append(e.names, name)
	return nil
}
