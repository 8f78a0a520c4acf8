package tensorfile

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// ReadPickle reads a pickled dict of NumPy arrays and lists, as Python 2 wrote
// many data sets (protocol 2). Lists of integers become I64 tensors, strings
// and lists of them Unicode ones; entries of other kinds are left out. No code
// is run, whatever the file asks for: what is none of this is an error.
func ReadPickle(path string) (map[string]Tensor, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	tensors, err := parsePickle(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return tensors, nil
}

func parsePickle(b []byte) (map[string]Tensor, error) {
	v, err := unpickle(b, numpyWords)
	if err != nil {
		return nil, fmt.Errorf("not a pickle of arrays: %w", err)
	}
	dict, ok := v.(*pickledDict)
	if !ok {
		return nil, fmt.Errorf("not a pickle of arrays: it holds %s, not a dict", kind(v))
	}
	out := map[string]Tensor{}
	// Values may be shared; without a bound, a small file could ask for much.
	left := len(b)
	for i, key := range dict.keys {
		name, ok := key.(string)
		if !ok {
			continue
		}
		switch v := dict.values[i].(type) {
		case *pickledArray:
			if left -= len(v.data); left < 0 {
				return nil, errors.New("its arrays share their data")
			}
			t, err := v.tensor(name)
			if err != nil {
				return nil, fmt.Errorf("array %q: %w", name, err)
			}
			out[name] = t
		case string:
			out[name] = FromStrings(name, nil, []string{strings.ToValidUTF8(v, "\ufffd")})
		case *pickledList:
			if left -= len(v.items); left < 0 {
				return nil, errors.New("its entries share their lists")
			}
			if t, ok := listTensor(name, v.items); ok {
				out[name] = t
			}
		}
	}
	return out, nil
}

// listTensor makes a tensor of a list of integers or of strings.
func listTensor(name string, items []any) (Tensor, bool) {
	var numbers []int64
	var texts []string
	longest, total := 1, 0
	for _, x := range items {
		switch x := x.(type) {
		case int64:
			numbers = append(numbers, x)
		case string:
			texts = append(texts, strings.ToValidUTF8(x, "\ufffd"))
			longest, total = max(longest, len(x)), total+len(x)+1
		}
	}
	switch {
	case len(numbers) == len(items):
		return FromInt64(name, []int{len(numbers)}, numbers), true
	// A tensor pads all to the longest: one long among many short ones would
	// take far more memory than the file has bytes.
	case len(texts) == len(items) && longest*len(texts) <= 64*total:
		return FromStrings(name, []int{len(texts)}, texts), true
	}
	return Tensor{}, false
}

// numpyWords is what arrays are pickled with: values are also numpyName,
// *pickledArray and *pickledDType.
var numpyWords = vocabulary{global: numpyGlobal, call: numpyCall, build: numpyBuild, raw: true,
	persistent: func(any) (any, error) { return nil, errors.New("refused: it refers to another file") }}

// numpyName is a class or function of NumPy.
type numpyName string

const (
	numpyReconstruct numpyName = "numpy.core.multiarray._reconstruct"
	numpyArray       numpyName = "numpy.ndarray"
	numpyDType       numpyName = "numpy.dtype"
	codecsEncode     numpyName = "_codecs.encode" // how Python 3 writes bytes in protocol 2
)

func numpyGlobal(name string) (any, error) {
	switch n := numpyName(name); n {
	case numpyReconstruct, numpyArray, numpyDType, codecsEncode:
		return n, nil
	case "numpy._core.multiarray._reconstruct":
		return numpyReconstruct, nil
	}
	const most = 80
	if len(name) > most {
		name = name[:most] + "..."
	}
	return nil, fmt.Errorf("refused: it calls for %q, which a dict of arrays does not need; nothing was run", name)
}

type (
	pickledArray struct {
		shape   []int
		dtype   DType
		fortran bool
		data    string
		built   bool
	}
	pickledDType struct {
		code string // u1, i8, f4 ...
		big  bool
	}
)

func numpyCall(function any, args tuple) (any, error) {
	name, _ := function.(numpyName)
	switch {
	case name == numpyReconstruct && len(args) == 3 && args[0] == numpyArray:
		return &pickledArray{}, nil
	case name == numpyDType && len(args) >= 1:
		if code, ok := args[0].(string); ok {
			return &pickledDType{code: code}, nil
		}
	case name == codecsEncode && len(args) == 2 && args[1] == "latin1":
		if text, ok := args[0].(string); ok {
			b := make([]byte, 0, len(text))
			for _, r := range text {
				if r > 255 {
					return nil, errors.New("text beyond Latin-1 stands for bytes")
				}
				b = append(b, byte(r))
			}
			return string(b), nil
		}
	}
	return nil, fmt.Errorf("refused: it calls %s", kind(function))
}

func numpyBuild(target, state any) error {
	s, ok := state.(tuple)
	if !ok {
		return fmt.Errorf("attributes are set from %s", kind(state))
	}
	switch t := target.(type) {
	case *pickledDType: // version, byte order, ...
		if len(s) >= 2 {
			if order, ok := s[1].(string); ok {
				t.big = order == ">"
				return nil
			}
		}
	case *pickledArray: // version, shape, type, Fortran order, data
		if len(s) != 5 {
			break
		}
		shape, ok1 := ints(s[1])
		dtype, ok2 := s[2].(*pickledDType)
		fortran, ok3 := s[3].(bool)
		data, ok4 := s[4].(string)
		if !ok1 || !ok2 || !ok3 || !ok4 {
			break
		}
		known, ok := map[string]DType{"b1": Bool, "u1": U8, "i1": I8, "u2": U16, "i2": I16, "u4": U32, "i4": I32, "u8": U64, "i8": I64,
			"f2": F16, "f4": F32, "f8": F64}[dtype.code]
		if !ok || dtype.big && known.Size() > 1 {
			return fmt.Errorf("an array of type %.20q is not read", dtype.code)
		}
		*t = pickledArray{shape, known, fortran, data, true}
		return nil
	}
	return fmt.Errorf("the attributes set on %s are not those of an array", kind(target))
}

func (a *pickledArray) tensor(name string) (Tensor, error) {
	dims := 0
	for _, n := range a.shape {
		if n > 1 {
			dims++
		}
	}
	switch {
	case !a.built:
		return Tensor{}, errors.New("has no data")
	case a.fortran && dims > 1:
		return Tensor{}, errors.New("is in Fortran order, which is not read")
	}
	t := Tensor{Name: name, DType: a.dtype, Shape: a.shape, Data: []byte(a.data)}
	return t, t.check()
}
