package tensorfile

import (
	"bytes"
	"fmt"
	"math"
	"slices"
)

// maxPickle is the longest list of tensors that is read: some 80 000 of them.
const maxPickle = 16 << 20

// Torch is an open file of torch.save that holds a dict of tensors, such as
// pytorch_model.bin: a zip archive of a pickle that describes the tensors and
// of their elements, stored uncompressed. No code in it is run. Tensors alias
// the file's memory map where they are contiguous, and are valid until Close.
type Torch struct {
	file    string
	tensors map[string]*torchTensor
	names   []string
	unmap   func() error
}

// torchTensor is a view of a storage, as torch._utils._rebuild_tensor_v2 takes
// it: element [i, j, ...] is at offset + i*stride[0] + j*stride[1] + ...
type torchTensor struct {
	storage       *torchStorage
	offset        int64
	shape, stride []int
}

// torchStorage is the flat array below tensors, several of which may share it.
type torchStorage struct {
	dtype  DType
	key    string
	count  int64
	record *record
}

// OpenTorch maps a file and reads its list of tensors; their elements are only
// read when they are touched. Beside a dict of tensors, a training checkpoint
// with such a dict under the key state_dict is accepted, and a tensor alone, which
// then has the name "". All else, such as
// TorchScript, whole pickled models and files of torch before 1.6, is an error
// that says how to convert it.
func OpenTorch(path string) (*Torch, error) {
	data, unmap, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	t, err := ParseTorch(data, path)
	if err != nil {
		unmap()
		return nil, err
	}
	t.unmap = unmap
	return t, nil
}

// ParseTorch is OpenTorch for the bytes of a file, which the tensors alias;
// name is used in errors.
func ParseTorch(b []byte, name string) (*Torch, error) {
	t := &Torch{file: name, tensors: map[string]*torchTensor{}}
	if err := t.parse(b); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

func (t *Torch) parse(b []byte) error {
	a, err := openArchive(b)
	if err != nil {
		return err
	}
	pickle, err := a.record("data.pkl")
	if err == nil {
		err = pickle.verify()
	}
	if err == nil && len(pickle.data) > maxPickle {
		err = fmt.Errorf("%d bytes, more than %d", len(pickle.data), maxPickle)
	}
	if err != nil {
		return fmt.Errorf("data.pkl: %w", err)
	}
	root, err := unpickle(pickle.data, torchWords)
	if err != nil {
		return fmt.Errorf("data.pkl: %w", err)
	}
	if tensor, ok := root.(*torchTensor); ok {
		root = &pickledDict{keys: []any{""}, values: []any{tensor}}
	}
	dict, err := stateDict(root)
	if err != nil {
		return err
	}
	for i, key := range dict.keys {
		name, ok := key.(string)
		if !ok {
			return fmt.Errorf("not a dict of tensors: a key is %s, not a string", kind(key))
		}
		tensor, ok := dict.values[i].(*torchTensor)
		if !ok {
			return fmt.Errorf("not a dict of tensors: %q is %s (in Python, save the weights alone: torch.save(model.state_dict(), FILE))", name, kind(dict.values[i]))
		}
		if t.tensors[name] != nil {
			return fmt.Errorf("tensor %q comes twice", name)
		}
		if err := tensor.bind(a); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		t.tensors[name] = tensor
		t.names = append(t.names, name)
	}
	slices.Sort(t.names)
	return nil
}

// stateDict returns the dict of tensors in what was saved.
func stateDict(root any) (*pickledDict, error) {
	dict, ok := root.(*pickledDict)
	if !ok {
		return nil, fmt.Errorf("it holds %s, not a dict of tensors", kind(root))
	}
	for i, key := range dict.keys {
		if key != "state_dict" {
			continue
		}
		inner, ok := dict.values[i].(*pickledDict)
		if !ok {
			return nil, fmt.Errorf("state_dict is %s, not a dict of tensors", kind(dict.values[i]))
		}
		return inner, nil
	}
	return dict, nil
}

// bind finds the tensor's elements in the archive and verifies that all are there.
func (x *torchTensor) bind(a *archive) error {
	s := x.storage
	if s.record == nil {
		r, err := a.record("data/" + s.key)
		if err != nil {
			return fmt.Errorf("its storage %q: %w", s.key, err)
		}
		s.record = r
	}
	size := int64(s.dtype.Size())
	if s.count < 0 || s.count > math.MaxInt64/size || s.count*size != int64(len(s.record.data)) {
		return fmt.Errorf("its storage has %d elements of %s, but %d bytes", s.count, s.dtype, len(s.record.data))
	}
	n, ok := elements(x.shape)
	if !ok {
		return fmt.Errorf("shape %v is negative or too large", x.shape)
	}
	if x.offset < 0 || x.offset > s.count {
		return fmt.Errorf("it begins at element %d of a storage of %d", x.offset, s.count)
	}
	if n == 0 {
		return nil
	}
	last := x.offset
	for i, d := range x.shape {
		stride := int64(x.stride[i])
		if stride < 0 || d > 1 && stride > (s.count-last)/int64(d-1) {
			return fmt.Errorf("shape %v with strides %v reaches beyond its storage of %d elements", x.shape, x.stride, s.count)
		}
		last += int64(d-1) * stride
	}
	if last >= s.count {
		return fmt.Errorf("shape %v with strides %v reaches beyond its storage of %d elements", x.shape, x.stride, s.count)
	}
	// A stride of 0 repeats elements; that must not become a bomb.
	if n > len(a.b)/int(size) {
		return fmt.Errorf("shape %v of %s is larger than the file", x.shape, s.dtype)
	}
	return nil
}

// Names returns the tensors' names, sorted.
func (t *Torch) Names() []string { return slices.Clone(t.names) }

// Has tells whether a tensor is there.
func (t *Torch) Has(name string) bool { return t.tensors[name] != nil }

// Tensor returns a tensor by name. The first time that its storage is used,
// its checksum is compared.
func (t *Torch) Tensor(name string) (Tensor, error) {
	x := t.tensors[name]
	if x == nil {
		return Tensor{}, fmt.Errorf("%s: no tensor %q", t.file, name)
	}
	r := x.storage.record
	if err := r.verify(); err != nil {
		return Tensor{}, fmt.Errorf("%s: tensor %q: %w", t.file, name, err)
	}
	out := Tensor{Name: name, DType: x.storage.dtype, Shape: slices.Clone(x.shape)}
	n, size := out.Len(), out.DType.Size()
	if n == 0 {
		return out, nil
	}
	from := r.data[int(x.offset)*size:]
	if x.contiguous() {
		out.Data = from[: n*size : n*size]
		if r.bigEndian {
			out.Data = bytes.Clone(out.Data)
		}
	} else {
		out.Data = make([]byte, n*size)
		gather(out.Data, from, size, x.shape, x.stride)
	}
	if r.bigEndian {
		swapBytes(out.Data, size)
	}
	return out, nil
}

// contiguous tells whether the elements lie in C order without gaps.
func (x *torchTensor) contiguous() bool {
	want := 1
	for i := len(x.shape) - 1; i >= 0; i-- {
		if x.shape[i] != 1 && x.stride[i] != want {
			return false
		}
		want *= x.shape[i]
	}
	return true
}

// gather copies strided elements of size bytes from src to dst in C order and
// returns what is left of dst. No dimension is 0.
func gather(dst, src []byte, size int, shape, stride []int) []byte {
	if len(shape) == 0 {
		return dst[copy(dst, src[:size]):]
	}
	step := stride[0] * size
	if len(shape) > 1 || step == 0 {
		for i := range shape[0] {
			dst = gather(dst, src[i*step:], size, shape[1:], stride[1:])
		}
		return dst
	}
	n := shape[0]
	switch size {
	case 4: // nearly all there is; worth a loop without calls
		for i := range n {
			*(*[4]byte)(dst[4*i:]) = *(*[4]byte)(src[i*step:])
		}
	default:
		for i := range n {
			copy(dst[i*size:(i+1)*size], src[i*step:])
		}
	}
	return dst[n*size:]
}

// Close unmaps the file. Tensors taken from it must not be used afterwards.
func (t *Torch) Close() error {
	unmap := t.unmap
	t.unmap, t.tensors = nil, nil
	if unmap == nil {
		return nil
	}
	return unmap()
}
