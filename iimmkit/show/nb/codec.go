package nb

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
)

// The cache's own form of values: what comes back is what was put in, to the
// bit. JSON has no NaN and gob takes a pointer to 0 for no pointer; both would
// make an undefined number of a defined one, or the reverse.

// deepest is how far values may be nested; what goes round in circles is deeper.
const deepest = 200

var errTooDeep = errors.New("it is nested too deep, or holds itself")

var (
	marshals   = reflect.TypeFor[encoding.BinaryMarshaler]()
	unmarshals = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// selfCoded tells types such as time.Time that write and read themselves.
func selfCoded(t reflect.Type) bool {
	return t.Implements(marshals) && reflect.PointerTo(t).Implements(unmarshals)
}

// describe writes all of a type, so that values of one that has changed are
// not read as if it had not.
func describe(b *strings.Builder, t reflect.Type, within []reflect.Type) {
	b.WriteString(t.PkgPath() + "." + t.String())
	if slices.Contains(within, t) || selfCoded(t) {
		return
	}
	within = append(within, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		if t.Kind() == reflect.Map {
			describe(b, t.Key(), within)
		}
		describe(b, t.Elem(), within)
	case reflect.Struct:
		b.WriteByte('{')
		for i := range t.NumField() {
			b.WriteString(t.Field(i).Name + " ")
			describe(b, t.Field(i).Type, within)
			b.WriteByte(';')
		}
		b.WriteByte('}')
	}
}

// encode appends a value.
func encode(b []byte, v reflect.Value, depth int) ([]byte, error) {
	if depth > deepest {
		return nil, errTooDeep
	}
	if selfCoded(v.Type()) {
		part, err := v.Interface().(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			return nil, err
		}
		return append(binary.AppendUvarint(b, uint64(len(part))), part...), nil
	}
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return append(b, 1), nil
		}
		return append(b, 0), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.AppendVarint(b, v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return binary.AppendUvarint(b, v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Float())), nil
	case reflect.String:
		return append(binary.AppendUvarint(b, uint64(v.Len())), v.String()...), nil
	case reflect.Pointer:
		if v.IsNil() {
			return append(b, 0), nil
		}
		return encode(append(b, 1), v.Elem(), depth+1)
	case reflect.Slice:
		if v.IsNil() {
			return binary.AppendUvarint(b, 0), nil
		}
		b = binary.AppendUvarint(b, uint64(v.Len())+1)
		if size := fixed(v.Type().Elem()); size > 0 {
			return binary.Append(b, binary.LittleEndian, v.Interface())
		}
		fallthrough
	case reflect.Array:
		var err error
		for i := range v.Len() {
			if b, err = encode(b, v.Index(i), depth+1); err != nil {
				return nil, err
			}
		}
		return b, nil
	case reflect.Map:
		if v.IsNil() {
			return binary.AppendUvarint(b, 0), nil
		}
		b = binary.AppendUvarint(b, uint64(v.Len())+1)
		var entries []string // in order, so that the same map gives the same bytes
		for k, e := range v.Seq2() {
			part, err := encode(nil, k, depth+1)
			if err == nil {
				part, err = encode(part, e, depth+1)
			}
			if err != nil {
				return nil, err
			}
			entries = append(entries, string(part))
		}
		slices.Sort(entries)
		return append(b, strings.Join(entries, "")...), nil
	case reflect.Struct:
		var err error
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				// What is kept private cannot be put back; nothing can.
				if !v.Field(i).IsZero() {
					return nil, fmt.Errorf("%s has a private field %s", v.Type(), f.Name)
				}
				continue
			}
			if b, err = encode(b, v.Field(i), depth+1); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	return nil, fmt.Errorf("it holds a %s", v.Type())
}

// fixed is the size of numbers that are written as they lie in memory, else 0.
func fixed(t reflect.Type) int {
	if selfCoded(t) {
		return 0
	}
	switch t.Kind() {
	case reflect.Float32, reflect.Float64, reflect.Int8, reflect.Uint8, reflect.Int16, reflect.Uint16, reflect.Int32, reflect.Uint32, reflect.Int64, reflect.Uint64:
		return int(t.Size())
	}
	return 0
}

var errShort = errors.New("it ends early")

// decode reads into v what encode has written and returns what is behind it.
func decode(b []byte, v reflect.Value) ([]byte, error) {
	length := func() (int, error) {
		n, used := binary.Uvarint(b)
		if used <= 0 {
			return 0, errShort
		}
		b = b[used:]
		if n > math.MaxInt32 {
			return 0, errShort
		}
		return int(n), nil
	}
	if selfCoded(v.Type()) {
		n, err := length()
		if err != nil || n > len(b) {
			return nil, errShort
		}
		return b[n:], v.Addr().Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(b[:n])
	}
	switch v.Kind() {
	case reflect.Bool:
		if len(b) < 1 {
			return nil, errShort
		}
		v.SetBool(b[0] == 1)
		return b[1:], nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, used := binary.Varint(b)
		if used <= 0 {
			return nil, errShort
		}
		v.SetInt(n)
		return b[used:], nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, used := binary.Uvarint(b)
		if used <= 0 {
			return nil, errShort
		}
		v.SetUint(n)
		return b[used:], nil
	case reflect.Float32, reflect.Float64:
		if len(b) < 8 {
			return nil, errShort
		}
		v.SetFloat(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		return b[8:], nil
	case reflect.String:
		n, err := length()
		if err != nil || n > len(b) {
			return nil, errShort
		}
		v.SetString(string(b[:n]))
		return b[n:], nil
	case reflect.Pointer:
		if len(b) < 1 {
			return nil, errShort
		}
		if b[0] == 0 {
			return b[1:], nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		return decode(b[1:], v.Elem())
	case reflect.Slice:
		n, err := length()
		if err != nil || n == 0 {
			return b, err
		}
		n--
		if size := fixed(v.Type().Elem()); size > 0 {
			if n*size > len(b) {
				return nil, errShort
			}
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			_, err := binary.Decode(b, binary.LittleEndian, v.Interface())
			return b[n*size:], err
		}
		if n > len(b) && v.Type().Elem().Size() > 0 {
			return nil, errShort
		}
		v.Set(reflect.MakeSlice(v.Type(), 0, n))
		for range n {
			e := reflect.New(v.Type().Elem()).Elem()
			if b, err = decode(b, e); err != nil {
				return nil, err
			}
			v.Set(reflect.Append(v, e))
		}
		return b, nil
	case reflect.Array:
		var err error
		for i := range v.Len() {
			if b, err = decode(b, v.Index(i)); err != nil {
				return nil, err
			}
		}
		return b, nil
	case reflect.Map:
		n, err := length()
		if err != nil || n == 0 {
			return b, err
		}
		v.Set(reflect.MakeMap(v.Type()))
		for range n - 1 {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			if b, err = decode(b, k); err == nil {
				b, err = decode(b, e)
			}
			if err != nil {
				return nil, err
			}
			v.SetMapIndex(k, e)
		}
		return b, nil
	case reflect.Struct:
		var err error
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				continue
			}
			if b, err = decode(b, v.Field(i)); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	return nil, fmt.Errorf("it holds a %s", v.Type())
}
