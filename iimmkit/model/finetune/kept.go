package finetune

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute"

	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

// Files in which what came of tuning is kept. Method full leaves a checkpoint.
const (
	deltaFile      = encoder.DeltaFile // weights that moved, of bitfit and attention
	loraFile       = encoder.LoRAFile  // and its configuration, as PEFT names them
	loraConfigFile = "adapter_config.json"
	adapterFile    = "clip_adapter.safetensors"
	probeFile      = "probe.safetensors"
)

// Base names the model that was tuned.
type Base struct {
	Model string // as encoder.Open takes it
	Hash  string // its Encoder.Hash
}

// Kept is what a folder holds of a tuned model: a checkpoint, or the small
// part that makes the tuned model of its base.
type Kept struct {
	Base
	Method string
	// Whole: the folder is a checkpoint, which encoder.Open opens. It does not say
	// from what it was tuned.
	Whole bool

	moved   encoder.Weights
	lora    *loraTensors
	Adapter *Adapter        // of method adapter
	Probe   *evaluate.Probe // of method probe
}

// loraTensors are PEFT's: matrices by the name of their module.
type loraTensors struct {
	rank  int
	scale float64
	a, b  map[string][]float32
}

// Keep writes what came of tuning e, which has the tuned weights, to a folder:
// a checkpoint of method full, else only what differs from the base.
func Keep(dir string, e *encoder.Encoder, base Base, method string, t *Tuned) error {
	meta := map[string]string{"format": "iimm " + method + " 1", "model": base.Model, "model_hash": base.Hash}
	switch {
	case t.Probe != nil:
		return keepProbe(filepath.Join(dir, probeFile), t.Probe, meta)
	case t.Adapter != nil:
		return t.Adapter.keep(filepath.Join(dir, adapterFile), meta)
	case method == full.Name:
		return e.Save(dir, encoder.SaveOptions{})
	}
	if t.LoRA == nil || len(t.Moved) > 0 {
		var list []tensorfile.Tensor
		for _, name := range e.WeightNames() {
			if w, ok := t.Moved[name]; ok {
				list = append(list, tensorfile.FromFloat32(name, e.Weight(name).Shape().Dimensions, w))
			}
		}
		if err := tensorfile.WriteSafetensors(filepath.Join(dir, deltaFile), list, meta); err != nil {
			return err
		}
	}
	if t.LoRA == nil {
		return nil
	}
	return t.LoRA.keep(dir, e, base, meta)
}

// Open reads what Keep wrote.
func Open(dir string) (*Kept, error) {
	k := &Kept{}
	for _, part := range []struct {
		file string
		read func(*Kept, *tensorfile.Safetensors) error
	}{
		{deltaFile, (*Kept).readDelta},
		{loraFile, (*Kept).readLoRA},
		{adapterFile, (*Kept).readAdapter},
		{probeFile, (*Kept).readProbe},
	} {
		path := filepath.Join(dir, part.file)
		f, err := tensorfile.OpenSafetensors(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		method, ok := strings.CutPrefix(f.Metadata()["format"], "iimm ")
		method, version, _ := strings.Cut(method, " ")
		switch {
		case !ok || version != "1":
			err = fmt.Errorf("%s was not written by iimm finetune: its format is %q", path, f.Metadata()["format"])
		case k.Method != "" && k.Method != method:
			err = fmt.Errorf("%s holds what came of methods %s and %s", dir, k.Method, method)
		default:
			k.Method, k.Base = method, Base{f.Metadata()["model"], f.Metadata()["model_hash"]}
			if err = part.read(k, f); err != nil {
				err = fmt.Errorf("%s: %w", path, err)
			}
		}
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return nil, err
		}
	}
	if k.Method != "" {
		return k, nil
	}
	for _, name := range []string{"config.json", "open_clip_config.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return &Kept{Method: full.Name, Whole: true}, nil
		}
	}
	return nil, fmt.Errorf("%s holds no tuned model: neither a checkpoint nor one of %s, %s, %s, %s", dir, deltaFile, loraFile, adapterFile, probeFile)
}

// Apply gives an encoder, which is the base, part of the way to the tuned
// weights: 1, and it is the tuned model. It is an error for methods adapter and
// probe, which do not change weights.
func (k *Kept) Apply(e *encoder.Encoder, part float64) error {
	switch {
	case k.Whole:
		return errors.New("a whole checkpoint is opened, not applied")
	case k.Adapter != nil:
		return errors.New("an adapter cannot become part of the weights: its layers are not linear")
	case k.Probe != nil:
		return errors.New("a probe cannot become part of the weights: it classifies the image features of one task and knows no captions")
	}
	if hash, err := e.Hash(); err != nil {
		return err
	} else if hash != k.Hash {
		return fmt.Errorf("model %s has hash %s, but %s with hash %s was tuned", e.Name, hash, k.Model, k.Hash)
	}
	if k.lora != nil {
		l, err := k.lora.of(e)
		if err != nil {
			return err
		}
		if err := l.AddTo(e, part); err != nil {
			return err
		}
	}
	if k.moved == nil {
		return nil
	}
	start, err := e.Snapshot()
	if err != nil {
		return err
	}
	tuned := encoder.Weights{}
	for name, w := range start {
		if tuned[name] = w; k.moved[name] != nil {
			tuned[name] = k.moved[name]
		}
	}
	for name := range k.moved {
		if start[name] == nil || len(start[name]) != len(k.moved[name]) {
			return fmt.Errorf("the moved weight %s does not fit model %s", name, e.Name)
		}
	}
	return Interpolate(e, start, tuned, part)
}

// Interpolate sets an encoder's weights to start + part·(tuned-start), which is
// WiSE-FT (Wortsman et al., 2022).
func Interpolate(e *encoder.Encoder, start, tuned encoder.Weights, part float64) error {
	w := make(encoder.Weights, len(start))
	for name, from := range start {
		to := tuned[name]
		if len(to) != len(from) {
			return fmt.Errorf("weight %s of %d values cannot be mixed with one of %d", name, len(from), len(to))
		}
		mixed := make([]float32, len(from))
		for i, v := range from {
			mixed[i] = float32((1-part)*float64(v) + part*float64(to[i]))
		}
		w[name] = mixed
	}
	return e.Restore(w)
}

func (k *Kept) readDelta(f *tensorfile.Safetensors) error {
	k.moved = encoder.Weights{}
	for _, name := range f.Names() {
		values, err := float32s(f, name)
		if err != nil {
			return err
		}
		k.moved[name] = values
	}
	return nil
}

// float32s copies a tensor out of a file.
func float32s(f *tensorfile.Safetensors, name string) ([]float32, error) {
	t, err := f.Tensor(name)
	if err != nil {
		return nil, err
	}
	values, err := t.Float32s()
	return slices.Clone(values), err
}

const peftPrefix, peftA, peftB = "base_model.model.", ".lora_A.weight", ".lora_B.weight"

// module is the layer that a pair updates, as the library names it in whose
// layout e is saved. Where that library keeps the three matrices of attention in
// one, q_proj and v_proj stand for its parts, which PEFT does not know.
func (p LoRAPair) module(e *encoder.Encoder) string {
	sources := e.StoredNames(p.Weight)
	switch third := p.First / p.Rows; {
	case len(sources) == 3:
		return strings.TrimSuffix(sources[third], ".weight")
	case strings.HasSuffix(sources[0], ".in_proj_weight"):
		return strings.TrimSuffix(sources[0], "in_proj_weight") + []string{"q_proj", "k_proj", "v_proj"}[third]
	}
	return strings.TrimSuffix(sources[0], ".weight")
}

func (l *LoRA) keep(dir string, e *encoder.Encoder, base Base, meta map[string]string) error {
	var list []tensorfile.Tensor
	var modules []string
	for _, p := range l.Pairs {
		m := p.module(e)
		modules = append(modules, m)
		list = append(list,
			tensorfile.FromFloat32(peftPrefix+m+peftA, []int{l.Rank, p.Columns}, p.A),
			tensorfile.FromFloat32(peftPrefix+m+peftB, []int{p.Rows, l.Rank}, p.B))
	}
	config, err := json.MarshalIndent(map[string]any{
		"peft_type": "LORA", "task_type": nil, "base_model_name_or_path": base.Model, "inference_mode": true,
		"r": l.Rank, "lora_alpha": l.Scale * float64(l.Rank), "lora_dropout": 0, "bias": "none", "fan_in_fan_out": false,
		"target_modules": modules,
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := store.WriteFile(filepath.Join(dir, loraConfigFile), append(config, '\n')); err != nil {
		return err
	}
	meta["rank"], meta["scale"] = strconv.Itoa(l.Rank), strconv.FormatFloat(l.Scale, 'g', -1, 64)
	return tensorfile.WriteSafetensors(filepath.Join(dir, loraFile), list, meta)
}

func (k *Kept) readLoRA(f *tensorfile.Safetensors) error {
	l := &loraTensors{a: map[string][]float32{}, b: map[string][]float32{}}
	var err error
	if l.rank, err = strconv.Atoi(f.Metadata()["rank"]); err != nil || l.rank < 1 {
		return fmt.Errorf("rank %q is not a positive number", f.Metadata()["rank"])
	}
	if l.scale, err = number(f, "scale"); err != nil {
		return err
	}
	for _, name := range f.Names() {
		values, err := float32s(f, name)
		if err != nil {
			return err
		}
		module := strings.TrimPrefix(name, peftPrefix)
		if m, ok := strings.CutSuffix(module, peftA); ok {
			l.a[m] = values
		} else if m, ok := strings.CutSuffix(module, peftB); ok {
			l.b[m] = values
		} else {
			return fmt.Errorf("tensor %s is none of LoRA", name)
		}
	}
	k.lora = l
	return nil
}

// number reads a finite number of a file's metadata.
func number(f *tensorfile.Safetensors, key string) (float64, error) {
	v, err := strconv.ParseFloat(f.Metadata()[key], 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%s %q is not a number", key, f.Metadata()[key])
	}
	return v, nil
}

// of finds the weights of e that the matrices update.
func (l *loraTensors) of(e *encoder.Encoder) (*LoRA, error) {
	out := &LoRA{Rank: l.rank, Scale: l.scale}
	found := 0
	for _, name := range e.WeightNames() {
		if !inBlock(name) {
			continue
		}
		for _, p := range pairsOf(name, e.Weight(name).Shape().Dimensions, true) {
			m := p.module(e)
			if p.A, p.B = l.a[m], l.b[m]; p.A != nil && p.B != nil {
				out.Pairs = append(out.Pairs, p)
				found++
			}
		}
	}
	if found == 0 || found != len(l.a) || found != len(l.b) {
		return nil, fmt.Errorf("%d of the %d updates have a weight in model %s", found, max(len(l.a), len(l.b)), e.Name)
	}
	return out, nil
}

func (a *Adapter) keep(path string, meta map[string]string) error {
	meta["ratio"] = strconv.FormatFloat(a.Ratio, 'g', -1, 64)
	var list []tensorfile.Tensor
	for i, w := range append(slices.Clone(a.Image), a.Text...) {
		shape := []int{a.Hidden, a.Dim}
		if i%2 == 1 {
			shape = []int{a.Dim, a.Hidden}
		}
		list = append(list, tensorfile.FromFloat32(adapterNames[i], shape, w))
	}
	return tensorfile.WriteSafetensors(path, list, meta)
}

func (k *Kept) readAdapter(f *tensorfile.Safetensors) error {
	ratio, err := number(f, "ratio")
	if err != nil {
		return err
	}
	a := &Adapter{Ratio: ratio}
	var layers AdapterLayers
	for i, name := range adapterNames {
		if i == 2 && !f.Has(name) {
			break
		}
		t, err := f.Tensor(name)
		if err != nil {
			return err
		}
		if i == 0 && len(t.Shape) == 2 {
			a.Hidden, a.Dim = t.Shape[0], t.Shape[1]
		}
		want := []int{a.Hidden, a.Dim}
		if i%2 == 1 {
			want = []int{a.Dim, a.Hidden}
		}
		if !slices.Equal(t.Shape, want) || a.Hidden < 1 || a.Dim < 1 {
			return fmt.Errorf("tensor %s has shape %v, not %v", name, t.Shape, want)
		}
		values, err := float32s(f, name)
		if err != nil {
			return err
		}
		layers = append(layers, values)
	}
	a.Image, a.Text = layers[:2], layers[2:]
	if len(a.Text) == 0 {
		a.Text = nil
	}
	k.Adapter = a
	return nil
}

// keepProbe writes the probe in the form score = weight·(x-mean)/scale + bias;
// a class that had no training image has bias -Inf.
func keepProbe(path string, p *evaluate.Probe, meta map[string]string) error {
	weight := make([]float64, p.Classes*p.D)
	bias := slices.Repeat([]float64{math.Inf(-1)}, p.Classes)
	for k, c := range p.Present {
		copy(weight[c*p.D:], p.Weight[k*p.D:(k+1)*p.D])
		bias[c] = p.Bias[k]
	}
	meta["l2"], meta["features"] = fmt.Sprint(p.L2), "unnormalised image features"
	return tensorfile.WriteSafetensors(path, []tensorfile.Tensor{
		tensorfile.FromFloat64("bias", []int{p.Classes}, bias),
		tensorfile.FromFloat64("mean", []int{p.D}, p.Mean),
		tensorfile.FromFloat64("scale", []int{p.D}, p.Scale),
		tensorfile.FromFloat64("weight", []int{p.Classes, p.D}, weight),
	}, meta)
}

func (k *Kept) readProbe(f *tensorfile.Safetensors) error {
	read := map[string][]float64{}
	for _, name := range []string{"bias", "mean", "scale", "weight"} {
		t, err := f.Tensor(name)
		if err != nil {
			return err
		}
		if read[name], err = t.Float64s(); err != nil {
			return err
		}
	}
	p := &evaluate.Probe{D: len(read["mean"]), Classes: len(read["bias"]), Mean: slices.Clone(read["mean"]), Scale: slices.Clone(read["scale"])}
	if p.D == 0 || p.Classes == 0 || len(read["scale"]) != p.D || len(read["weight"]) != p.D*p.Classes {
		return fmt.Errorf("the probe's tensors do not fit each other: %d means, %d scales, %d biases, %d weights",
			p.D, len(read["scale"]), p.Classes, len(read["weight"]))
	}
	var err error
	if p.L2, err = number(f, "l2"); err != nil {
		return err
	}
	for c, b := range read["bias"] {
		if !math.IsInf(b, -1) {
			p.Present, p.Bias = append(p.Present, c), append(p.Bias, b)
			p.Weight = append(p.Weight, read["weight"][c*p.D:(c+1)*p.D]...)
		}
	}
	k.Probe = p
	return nil
}

// Merge writes the model that a folder's part makes of its base to a folder out,
// in the base's layout. model names the base; "": as the folder does.
func Merge(b compute.Backend, dir, model, out string) (*Kept, error) {
	k, err := Open(dir)
	if err != nil {
		return nil, err
	}
	if k.Whole {
		return nil, fmt.Errorf("%s is a whole checkpoint: there is nothing to merge", dir)
	}
	if model == "" {
		model = k.Model
	}
	e, err := encoder.Open(b, model)
	if err != nil {
		return nil, err
	}
	if err := k.Apply(e, 1); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if _, err := Open(out); err == nil {
		return nil, fmt.Errorf("%s holds a model already: choose another folder", out)
	}
	return k, e.Save(out, encoder.SaveOptions{})
}
