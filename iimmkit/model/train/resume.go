package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// resumePoint is what a resume file says besides weights and optimiser state.
type resumePoint struct {
	Recipe  Recipe       `json:"recipe"`
	Backend string       `json:"backend"`
	Steps   int          `json:"steps"`
	Seconds float64      `json:"seconds"`
	Curve   []CurvePoint `json:"curve"`
}

// saveResume writes weights and optimiser state of a step and where it stands.
func (s *Step) saveResume(path string, p resumePoint) error {
	meta, err := json.Marshal(p)
	if err != nil {
		return err
	}
	list, err := s.State()
	if err != nil {
		return err
	}
	return tensorfile.WriteSafetensors(path, list, map[string]string{"resume": string(meta)})
}

// State returns weights and optimiser state, named by the paths of their variables.
func (s *Step) State() ([]tensorfile.Tensor, error) {
	var list []tensorfile.Tensor
	for _, v := range s.variables() {
		value, err := v.Value()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.Path(), err)
		}
		data, err := tensors.CopyFlatData[float32](value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.Path(), err)
		}
		list = append(list, tensorfile.FromFloat32(v.Path(), v.Shape().Dimensions, data))
	}
	return list, nil
}

// SetState takes over what State returned after so many steps.
func (s *Step) SetState(path string, f *tensorfile.Safetensors, steps int) error {
	for _, v := range s.variables() {
		t, err := f.Tensor(v.Path())
		if err != nil {
			return err
		}
		data, err := t.Float32s()
		if err != nil || len(data) != v.Shape().Size() {
			return fmt.Errorf("%s: tensor %s does not fit (%v; remove the file to start from the beginning)", path, v.Path(), err)
		}
		// FromFlatDataAndDimensions copies, so the mapped file can be closed.
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(data, v.Shape().Dimensions...)); err != nil {
			return fmt.Errorf("%s: %w", v.Path(), err)
		}
	}
	s.t = steps
	return nil
}

// loadResume sets weights and optimiser state to those of a resume file. Where
// there is none, or it is of another recipe or backend, nothing happens and ok
// is false: numbers of different backends are not mixed in one model.
func (s *Step) loadResume(path string, want resumePoint) (p resumePoint, ok bool, err error) {
	f, err := tensorfile.OpenSafetensors(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("%w (remove it to start from the beginning)", err)
	}
	defer f.Close()
	if err := json.Unmarshal([]byte(f.Metadata()["resume"]), &p); err != nil {
		return p, false, fmt.Errorf("%s is not a resume file: %w (remove it to start from the beginning)", path, err)
	}
	if p.Recipe != want.Recipe || p.Backend != want.Backend {
		return p, false, nil
	}
	if err := s.SetState(path, f, p.Steps); err != nil {
		return p, false, err
	}
	return p, true, nil
}

func (s *Step) variables() []*model.Variable {
	return append(append([]*model.Variable{}, s.vars...), s.state...)
}
