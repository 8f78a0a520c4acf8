package checkpoint

import (
	"fmt"

	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// safetensors makes a safetensors file a source of weights.
type safetensors struct{ *tensorfile.Safetensors }

// FromSafetensors returns the tensors of an opened file.
func FromSafetensors(f *tensorfile.Safetensors) Tensors { return safetensors{f} }

func (s safetensors) Float32(name string) ([]int, []float32, error) {
	t, err := s.Tensor(name)
	if err != nil {
		return nil, nil, err
	}
	switch t.DType {
	case tensorfile.F32, tensorfile.F16, tensorfile.BF16, tensorfile.F64:
	default:
		return nil, nil, fmt.Errorf("holds %s, not floating-point numbers", t.DType)
	}
	data, err := t.Float32s()
	return t.Shape, data, err
}

// ToTensor returns a weight as a named tensor.
func ToTensor(name string, w Weight) tensorfile.Tensor {
	return tensorfile.FromFloat32(name, w.Shape, w.Data)
}
