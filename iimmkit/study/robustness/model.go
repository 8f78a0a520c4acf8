package robustness

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gomlx/compute"

	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

// Model is what is evaluated: an encoder, whose captions classify, and what
// tuning by methods adapter and probe put behind it.
type Model struct {
	Name    string
	Encoder *encoder.Encoder
	Adapter *finetune.Adapter // changes the features of images and captions
	Probe   *evaluate.Probe   // classifies instead of the captions
	// Task is the one that Probe knows, "" when that is not recorded.
	Task string
}

// Of is the model of an encoder alone.
func Of(e *encoder.Encoder) Model { return Model{Name: e.Name, Encoder: e} }

// Open opens a model: one that encoder.Open knows, or a folder in which iimm
// finetune kept the part that differs from its base. base is the model that was
// tuned, as encoder.Open takes it; "" is the one that the folder names.
func Open(b compute.Backend, nameOrDir, base string) (Model, error) {
	e, failed := encoder.Open(b, nameOrDir)
	if failed == nil {
		return Of(e), nil
	}
	if info, err := os.Stat(nameOrDir); err != nil || !info.IsDir() {
		return Model{}, failed
	}
	k, err := finetune.Open(nameOrDir)
	switch {
	case err != nil:
		return Model{}, err
	case k.Whole:
		return Model{}, failed
	}
	if base == "" {
		base = k.Model
	}
	if e, err = encoder.Open(b, base); err != nil {
		return Model{}, err
	}
	m := Model{Name: filepath.Base(filepath.Clean(nameOrDir)), Encoder: e, Adapter: k.Adapter, Probe: k.Probe}
	if k.Adapter == nil && k.Probe == nil {
		if err := k.Apply(e, 1); err != nil {
			return Model{}, fmt.Errorf("%s: %w", nameOrDir, err)
		}
		return m, nil
	}
	hash, err := e.Hash()
	if err != nil {
		return Model{}, err
	}
	if hash != k.Hash {
		return Model{}, fmt.Errorf("%s: method %s was used on model %s with hash %s, but %s has hash %s", nameOrDir, k.Method, k.Model, k.Hash, base, hash)
	}
	if run, err := experiment.ReadRun(nameOrDir); err == nil {
		m.Task = run.Task
	}
	return m, nil
}

// head identifies what stands behind the encoder; name is "" when nothing does.
func (m Model) head() (name, hash string, err error) {
	var v any
	switch {
	case m.Probe != nil:
		name, v = "probe", m.Probe
	case m.Adapter != nil:
		name, v = "adapter", m.Adapter
	default:
		return "", "", nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "", "", err
	}
	sum := sha256.Sum256(data)
	return name, hex.EncodeToString(sum[:8]), nil
}
