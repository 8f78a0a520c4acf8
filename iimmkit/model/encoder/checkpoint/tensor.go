package checkpoint

import "github.com/iimmkit/iimm/iimmkit/file/tensorfile"

// ToTensor returns a weight as a named tensor, whose bytes are the weight's own.
func ToTensor(name string, w Weight) tensorfile.Tensor {
	return tensorfile.FromFloat32(name, w.Shape, w.Data)
}
