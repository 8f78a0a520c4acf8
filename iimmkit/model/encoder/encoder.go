// Package encoder opens dual encoders, models that embed images and captions
// in one space, and runs them on a GoMLX backend.
package encoder

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"golang.org/x/sync/errgroup"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/preprocess"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/token"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// Network is the differentiable form of a dual encoder, for training.
type Network = family.Network

// Config describes an opened encoder.
type Config struct {
	Family        string `json:"family"` // one of Families
	EmbedDim      int    `json:"embed_dim"`
	ImageSize     int    `json:"image_size"`
	ContextLength int    `json:"context_length"`
	VocabSize     int    `json:"vocab_size"`
	// Activation is that of the image tower's MLPs, TextActivation that of the
	// text tower's where it differs.
	Activation     transformer.Activation `json:"activation"`
	TextActivation transformer.Activation `json:"text_activation,omitempty"`
	Preprocess     preprocess.Config      `json:"preprocess"`
}

// Encoder is a dual encoder with its weights. It is not safe for concurrent use.
type Encoder struct {
	Name string
	// Unread are the files of weights that lay beside those that were read.
	Unread []string

	config    Config
	network   Network
	shape     family.Shape
	tokenizer *token.Tokenizer // nil when the checkpoint brings none
	// tokenizerFiles are those from which tokenizer was made.
	tokenizerFiles map[string][]byte
	// library wrote the checkpoint that was opened, with configFiles; empty when
	// the encoder was made here.
	library     family.Library
	configFiles map[string][]byte
	backend     compute.Backend
	store       *model.Store
	names       []string // of the weights, in the model's order

	images, texts *model.Exec
	hash          string
}

// Rows of a batch: graphs are compiled for one shape, so the last batch of a
// run is filled up.
const (
	imageBatch = 32
	textBatch  = 32
)

// Config returns the encoder's description.
func (e *Encoder) Config() Config { return e.config }

// Network returns the graph form, for training.
func (e *Encoder) Network() Network { return e.network }

// Over returns an encoder of the same weights, whose graphs see them through
// w: tapped or changed. It shares the weights, and has compiled graphs of its own.
func (e *Encoder) Over(w transformer.Weights) *Encoder {
	view := *e
	view.network, view.images, view.texts = e.shape.Network(w), nil, nil
	return &view
}

// Backend returns the backend on which the encoder runs.
func (e *Encoder) Backend() compute.Backend { return e.backend }

// Store returns the weights: a variable for each, named "/" and the weight's name.
func (e *Encoder) Store() *model.Store { return e.store }

// WeightNames returns the names of all weights in the model's order.
func (e *Encoder) WeightNames() []string { return slices.Clone(e.names) }

// Weight returns the variable of a weight, nil when there is none of that name.
func (e *Encoder) Weight(name string) *model.Variable { return e.store.GetVariable("/" + name) }

// Preprocess returns the pictures as normalised pixels [n, 3, size, size].
func (e *Encoder) Preprocess(pictures []*picture.RGB) []float32 {
	return e.config.Preprocess.Pixels(pictures)
}

// Tokenize returns the captions' token ids [n, ContextLength].
func (e *Encoder) Tokenize(captions []string) ([]int32, error) {
	if e.tokenizer == nil {
		return nil, fmt.Errorf("model %s has no tokenizer: captions cannot be read (put tokenizer.json, or vocab.json and merges.txt, beside its weights)", e.Name)
	}
	return e.tokenizer.Rows(captions), nil
}

// EncodeImages returns unit-norm embeddings [n, d].
func (e *Encoder) EncodeImages(pictures []*picture.RGB) ([]float32, error) {
	x, err := e.ImageFeatures(e.Preprocess(pictures))
	if err != nil {
		return nil, err
	}
	return x, Normalize(x, e.config.EmbedDim)
}

// EncodeTexts returns unit-norm embeddings [n, d].
func (e *Encoder) EncodeTexts(captions []string) ([]float32, error) {
	ids, err := e.Tokenize(captions)
	if err != nil {
		return nil, err
	}
	x, err := e.TextFeatures(ids)
	if err != nil {
		return nil, err
	}
	return x, Normalize(x, e.config.EmbedDim)
}

// ImageFeatures returns unnormalised features [n, d] of normalised pixels
// [n, 3, size, size].
func (e *Encoder) ImageFeatures(pixels []float32) ([]float32, error) {
	size := e.config.ImageSize
	if e.images == nil {
		exec, err := e.compile(func(x *graph.Node) *graph.Node { return e.network.ImageFeatures(x.Graph(), x) })
		if err != nil {
			return nil, err
		}
		e.images = exec
	}
	workers, err := e.workers()
	if err != nil {
		return nil, err
	}
	return batches(e.images, workers, pixels, imageBatch, e.config.EmbedDim, 3, size, size)
}

// TextFeatures returns unnormalised features [n, d] of token ids [n, context].
func (e *Encoder) TextFeatures(ids []int32) ([]float32, error) {
	if e.texts == nil {
		exec, err := e.compile(func(x *graph.Node) *graph.Node { return e.network.TextFeatures(x.Graph(), x) })
		if err != nil {
			return nil, err
		}
		e.texts = exec
	}
	for i, id := range ids {
		if id < 0 || int(id) >= e.config.VocabSize {
			return nil, fmt.Errorf("model %s: token id %d of caption %d is not in the vocabulary of %d", e.Name, id, i/e.config.ContextLength, e.config.VocabSize)
		}
	}
	workers, err := e.workers()
	if err != nil {
		return nil, err
	}
	return batches(e.texts, workers, ids, textBatch, e.config.EmbedDim, e.config.ContextLength)
}

// workers returns how many batches to compute at once. The Go backend spreads
// only its matrix products over the cores, which a tower's other operations,
// half of the time, leave idle; XLA keeps all of them busy with one batch.
func (e *Encoder) workers() (int, error) {
	if backend.Name(e.backend) != backend.Go {
		return 1, nil
	}
	// Weights go to the backend here, since two graphs must not take them there
	// at once.
	for v := range e.store.IterVariables() {
		if !v.HasValue() {
			continue
		}
		value, err := v.Value()
		if err == nil {
			err = value.MaterializeOnDevice(e.backend, true, 0)
		}
		if err != nil {
			return 0, fmt.Errorf("weight %s: %w", v.Path(), err)
		}
	}
	return min(runtime.GOMAXPROCS(0), 4), nil
}

func (e *Encoder) compile(f func(x *graph.Node) *graph.Node) (*model.Exec, error) {
	exec, err := model.NewExec(e.backend, e.store, func(_ *model.Scope, x *graph.Node) *graph.Node { return f(x) })
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", e.Name, err)
	}
	return exec, nil
}

// batches runs exec over rows of the given shape, batch rows at a time, by
// workers side by side, and returns the outputs of width d.
func batches[T float32 | int32](exec *model.Exec, workers int, rows []T, batch, d int, shape ...int) ([]float32, error) {
	width := 1
	for _, n := range shape {
		width *= n
	}
	if len(rows)%width != 0 {
		return nil, fmt.Errorf("%d values are not rows of %d", len(rows), width)
	}
	n := len(rows) / width
	out := make([]float32, n*d)
	dims := append([]int{batch}, shape...)
	var group errgroup.Group
	group.SetLimit(workers)
	for i := 0; i < n; i += batch {
		group.Go(func() error {
			part := rows[i*width : min(n, i+batch)*width]
			if len(part) < batch*width {
				part = append(slices.Clone(part), make([]T, batch*width-len(part))...)
			}
			y, err := call1(exec, tensors.FromFlatDataAndDimensions(part, dims...))
			if err == nil {
				copy(out[i*d:], y[:min(batch, n-i)*d])
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// call1 runs exec and copies its one output out.
func call1(exec *model.Exec, input *tensors.Tensor) (y []float32, err error) {
	fault := exceptions.TryCatch[error](func() {
		var out *tensors.Tensor
		if out, err = exec.Call1(input); err != nil {
			return
		}
		if y, err = tensors.CopyFlatData[float32](out); err == nil {
			err = out.FinalizeAll()
		}
	})
	if fault != nil {
		err = fault
	}
	if ferr := input.FinalizeAll(); err == nil {
		err = ferr
	}
	return y, err
}

// LogitScale returns exp(logit_scale), the factor on cosines.
func (e *Encoder) LogitScale() (float64, error) {
	w, err := e.weight("logit_scale")
	if err != nil {
		return 0, err
	}
	return math.Exp(float64(w[0])), nil
}

// LogitBias returns what is added to scaled cosines: a weight of SigLIP, 0 in
// the other families.
func (e *Encoder) LogitBias() (float64, error) {
	if e.Weight("logit_bias") == nil {
		return 0, nil
	}
	w, err := e.weight("logit_bias")
	if err != nil {
		return 0, err
	}
	return float64(w[0]), nil
}

// Weights is a copy of an encoder's weights by name.
type Weights map[string][]float32

func (e *Encoder) weight(name string) ([]float32, error) {
	value, err := e.Weight(name).Value()
	if err != nil {
		return nil, fmt.Errorf("weight %s: %w", name, err)
	}
	return tensors.CopyFlatData[float32](value)
}

// Snapshot returns a copy of all weights.
func (e *Encoder) Snapshot() (Weights, error) {
	w := make(Weights, len(e.names))
	for _, name := range e.names {
		values, err := e.weight(name)
		if err != nil {
			return nil, err
		}
		w[name] = values
	}
	return w, nil
}

// Restore sets the weights to those of a snapshot. Compiled graphs stay valid.
func (e *Encoder) Restore(w Weights) error {
	e.hash = ""
	for _, name := range e.names {
		v := e.Weight(name)
		values, ok := w[name]
		if !ok || len(values) != v.Shape().Size() {
			return fmt.Errorf("snapshot does not fit: weight %s", name)
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape().Dimensions...)); err != nil {
			return fmt.Errorf("weight %s: %w", name, err)
		}
	}
	return nil
}

// Moved tells the encoder that its weights were changed through their variables.
func (e *Encoder) Moved() { e.hash = "" }

// Hash identifies weights, activation and preprocessing: 16 hexadecimal digits
// of a SHA-256. It is computed once, until the weights are restored or Moved.
func (e *Encoder) Hash() (string, error) {
	if e.hash != "" {
		return e.hash, nil
	}
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(e.config); err != nil {
		return "", err
	}
	for _, name := range e.names {
		values, err := e.weight(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, name, e.Weight(name).Shape().Dimensions)
		buf := make([]byte, 0, 4*len(values))
		for _, v := range values {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		h.Write(buf)
	}
	e.hash = hex.EncodeToString(h.Sum(nil)[:8])
	return e.hash, nil
}

// Normalize scales rows of width d to unit length in place, summing in
// float64. A zero or non-finite row is an error.
func Normalize(x []float32, d int) error {
	for i := 0; i+d <= len(x); i += d {
		row := x[i : i+d]
		var sum float64
		for _, v := range row {
			sum += float64(v) * float64(v)
		}
		norm := math.Sqrt(sum)
		if !(norm > 0) || math.IsInf(norm, 0) {
			return fmt.Errorf("embedding %d has length %g: it cannot be normalised", i/d, norm)
		}
		for j := range row {
			row[j] = float32(float64(row[j]) / norm)
		}
	}
	return nil
}
