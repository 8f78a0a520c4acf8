package tensorfile

import (
	"errors"
	"fmt"
)

// torchType is the class of a storage.
type torchType DType

var torchTypes = map[string]torchType{
	"torch.FloatStorage":    torchType(F32),
	"torch.DoubleStorage":   torchType(F64),
	"torch.HalfStorage":     torchType(F16),
	"torch.BFloat16Storage": torchType(BF16),
	"torch.LongStorage":     torchType(I64),
	"torch.IntStorage":      torchType(I32),
	"torch.ShortStorage":    torchType(I16),
	"torch.CharStorage":     torchType(I8),
	"torch.ByteStorage":     torchType(U8),
	"torch.BoolStorage":     torchType(Bool),
}

// torchFunction is something that a pickle may call, by its name.
type torchFunction string

const (
	orderedDict      torchFunction = "collections.OrderedDict"
	rebuildTensor    torchFunction = "torch._utils._rebuild_tensor_v2"
	rebuildParameter torchFunction = "torch._utils._rebuild_parameter"
)

// torchWords is what torch.save writes: values are also torchType,
// torchFunction, *torchStorage and *torchTensor.
var torchWords = vocabulary{global: torchGlobal, call: torchCall, persistent: newTorchStorage, build: torchBuild}

// torchGlobal returns what a name of a Python module stands for.
func torchGlobal(name string) (any, error) {
	if t, ok := torchTypes[name]; ok {
		return t, nil
	}
	switch f := torchFunction(name); f {
	case orderedDict, rebuildTensor, rebuildParameter:
		return f, nil
	}
	return nil, refuse(name)
}

// refuse is the error for a pickle that wants something else of Python.
func refuse(name string) error {
	const most = 80
	if len(name) > most {
		name = name[:most] + "..."
	}
	return fmt.Errorf("refused: it calls for %q, which a dict of tensors does not need; nothing was run (in Python, save the weights alone: torch.save(model.state_dict(), FILE))", name)
}

// torchCall returns what a call of f gives.
func torchCall(f any, args tuple) (any, error) {
	name, ok := f.(torchFunction)
	if !ok {
		return nil, fmt.Errorf("refused: it calls %s", kind(f))
	}
	switch {
	case name == orderedDict && len(args) == 0:
		return &pickledDict{ordered: true}, nil
	case name == rebuildParameter && len(args) == 3: // tensor, requires_grad, hooks
		if x, ok := args[0].(*torchTensor); ok {
			return x, nil
		}
	case name == rebuildTensor && len(args) == 6: // storage, offset, shape, strides, requires_grad, hooks
		storage, ok1 := args[0].(*torchStorage)
		offset, ok2 := args[1].(int64)
		shape, ok3 := ints(args[2])
		stride, ok4 := ints(args[3])
		if ok1 && ok2 && ok3 && ok4 && len(shape) == len(stride) {
			return &torchTensor{storage, offset, shape, stride}, nil
		}
	}
	return nil, fmt.Errorf("the arguments of %s are not those of a plain tensor", name)
}

// ints returns the integers of a tuple, at most 64, torch's limit to axes.
func ints(v any) ([]int, bool) {
	t, ok := v.(tuple)
	if !ok || len(t) > 64 {
		return nil, false
	}
	out := make([]int, len(t))
	for i, x := range t {
		n, ok := x.(int64)
		if !ok || int64(int(n)) != n {
			return nil, false
		}
		out[i] = int(n)
	}
	return out, true
}

// newTorchStorage returns what a persistent id stands for:
// ("storage", class, key, device, elements).
func newTorchStorage(id any) (any, error) {
	t, _ := id.(tuple)
	if len(t) == 5 && t[0] == "storage" {
		class, ok1 := t[1].(torchType)
		key, ok2 := t[2].(string)
		count, ok3 := t[4].(int64)
		if ok1 && ok2 && ok3 {
			return &torchStorage{dtype: DType(class), key: key, count: count}, nil
		}
	}
	return nil, errors.New("a persistent id is not that of a storage of torch.save")
}

// torchBuild drops the attributes of an OrderedDict: a module's state dict has
// one, the versions of its layers, of no use here.
func torchBuild(target, state any) error {
	if d, ok := target.(*pickledDict); !ok || !d.ordered {
		return fmt.Errorf("attributes are set on %s; only dicts of tensors are read", kind(target))
	}
	if _, ok := state.(*pickledDict); !ok {
		return fmt.Errorf("attributes are set from %s", kind(state))
	}
	return nil
}
