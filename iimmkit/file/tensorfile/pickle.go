package tensorfile

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// unpickle runs a pickle of protocol 2 (Python's PEP 307 and pickletools) as
// far as it is needed for dictionaries of arrays. Nothing is imported and no
// code is run: what the pickle may name and call is what the vocabulary knows,
// and all else is an error. Values are nil, bool, int64, longInt, float64,
// string, tuple, *pickledList, *pickledDict and those of the vocabulary. A list
// or dict may contain itself: do not print values or walk them unbounded.
//
// What is allocated is bounded by a multiple of the pickle's length: lengths
// are compared with the bytes that are there, and shared values stay shared.
func unpickle(b []byte, words vocabulary) (any, error) {
	p := unpickler{b: b, memo: map[uint64]any{}, words: words}
	for {
		at := p.pos
		done := p.step()
		switch {
		case p.err != nil:
			return nil, fmt.Errorf("byte %d: %w", at, p.err)
		case done && len(p.stack) != 1:
			return nil, fmt.Errorf("byte %d: %d values at the end, not one", at, len(p.stack))
		case done:
			return p.stack[0], nil
		}
	}
}

// vocabulary is what a pickle may name and call.
type vocabulary struct {
	global func(name string) (any, error) // what a name of a Python module stands for
	call   func(function any, args tuple) (any, error)
	// persistent returns what a persistent id stands for.
	persistent func(id any) (any, error)
	build      func(target, state any) error // sets the attributes of a value
	raw        bool                          // strings are bytes, as Python 2 wrote them
}

type (
	tuple       []any
	pickledList struct{ items []any }
	// pickledDict keeps its entries as they come: Python's keys need not be
	// comparable in Go, and may come twice.
	pickledDict struct {
		keys, values []any
		ordered      bool // a collections.OrderedDict
	}
	// longInt is an integer beyond 64 bits, whose value nothing here needs.
	longInt struct{}
)

// kind names a value's Python type without looking into it.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case int64, longInt:
		return "an int"
	case float64:
		return "a float"
	case string:
		return "a string"
	case tuple:
		return "a tuple"
	case *pickledList:
		return "a list"
	case *pickledDict:
		return "a dict"
	case *torchStorage:
		return "a storage"
	case *torchTensor:
		return "a tensor"
	case *pickledArray:
		return "an array"
	}
	return "a type or function"
}

// maxStack bounds the values in the making. Python's pickler hands lists and
// dicts over a thousand items at a time; only a tuple's items pile up.
const maxStack = 1 << 16

// unpickler is the machine. The first error stays in err; after it, methods
// return zero values that lead nowhere.
type unpickler struct {
	b     []byte
	pos   int
	stack []any
	marks []int // heights of the stack at the open marks
	memo  map[uint64]any
	words vocabulary
	err   error
}

func (p *unpickler) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// take returns the next n bytes.
func (p *unpickler) take(n uint64) []byte {
	if n > uint64(len(p.b)-p.pos) {
		p.fail("the pickle ends too early")
	}
	if p.err != nil {
		return nil
	}
	b := p.b[p.pos : p.pos+int(n)]
	p.pos += int(n)
	return b
}

// number returns the next n bytes, at most 8, as a little-endian integer.
func (p *unpickler) number(n uint64) uint64 {
	var full [8]byte
	copy(full[:], p.take(n))
	return binary.LittleEndian.Uint64(full[:])
}

// long returns the next n bytes as a two's complement integer.
func (p *unpickler) long(n uint64) any {
	b := p.take(n)
	if len(b) > 8 {
		return longInt{}
	}
	var full [8]byte
	if len(b) > 0 && b[len(b)-1]&0x80 != 0 {
		full = [8]byte{255, 255, 255, 255, 255, 255, 255, 255}
	}
	copy(full[:], b)
	return int64(binary.LittleEndian.Uint64(full[:]))
}

func (p *unpickler) text(n uint64) string {
	b := p.take(n)
	if !p.words.raw && !utf8.Valid(b) {
		p.fail("a string is not UTF-8")
	}
	return string(b)
}

// global reads the two lines that name something of a Python module.
func (p *unpickler) global() string {
	const longest = 1024
	lines := strings.SplitN(string(p.b[p.pos:min(len(p.b), p.pos+longest)]), "\n", 3)
	if len(lines) < 3 {
		p.fail("a name has no end")
		return ""
	}
	p.pos += len(lines[0]) + len(lines[1]) + 2
	return lines[0] + "." + lines[1]
}

func (p *unpickler) push(v any) {
	if len(p.stack) == maxStack {
		p.fail("more than %d values at once", maxStack)
	}
	if p.err == nil {
		p.stack = append(p.stack, v)
	}
}

// reach returns the n topmost values, none of them below the last mark.
func (p *unpickler) reach(n int) []any {
	floor := 0
	if len(p.marks) > 0 {
		floor = p.marks[len(p.marks)-1]
	}
	if len(p.stack)-n < floor {
		p.fail("a value is missing")
	}
	if p.err != nil {
		return make([]any, n)
	}
	return p.stack[len(p.stack)-n:]
}

func (p *unpickler) top() any { return p.reach(1)[0] }

// pop removes the n topmost values, n at most 3, and returns them.
func (p *unpickler) pop(n int) []any {
	values := append([]any(nil), p.reach(n)...)
	if p.err == nil {
		p.drop(n)
	}
	return values
}

// popMark removes the last mark and returns all values that were above it.
func (p *unpickler) popMark() []any {
	if len(p.marks) == 0 {
		p.fail("a mark is missing")
		return nil
	}
	n := len(p.stack) - p.marks[len(p.marks)-1]
	values := append([]any(nil), p.reach(n)...)
	p.drop(n)
	p.marks = p.marks[:len(p.marks)-1]
	return values
}

// drop shortens the stack and lets go of the values.
func (p *unpickler) drop(n int) {
	end := len(p.stack) - n
	clear(p.stack[end:])
	p.stack = p.stack[:end]
}

func (p *unpickler) put(index uint64) {
	if v := p.top(); p.err == nil {
		p.memo[index] = v
	}
}

func (p *unpickler) get(index uint64) {
	v, ok := p.memo[index]
	if !ok {
		p.fail("value %d is asked for, but was not kept", index)
	}
	p.push(v)
}

func (p *unpickler) append(values []any) {
	list, ok := p.top().(*pickledList)
	if !ok {
		p.fail("items are appended to %s", kind(p.top()))
		return
	}
	list.items = append(list.items, values...)
}

func (p *unpickler) set(pairs []any) {
	dict, ok := p.top().(*pickledDict)
	switch {
	case !ok:
		p.fail("keys are set in %s", kind(p.top()))
	case len(pairs)%2 != 0:
		p.fail("a key has no value")
	default:
		for i := 0; i < len(pairs); i += 2 {
			dict.keys = append(dict.keys, pairs[i])
			dict.values = append(dict.values, pairs[i+1])
		}
	}
}

// call replaces a function and its arguments by the result.
func (p *unpickler) call() {
	v := p.pop(2)
	args, ok := v[1].(tuple)
	if !ok {
		p.fail("a call has %s for arguments", kind(v[1]))
		return
	}
	result, err := p.words.call(v[0], args)
	if err != nil {
		p.fail("%w", err)
	}
	p.push(result)
}

// build sets attributes of the value below them.
func (p *unpickler) build() {
	state := p.pop(1)[0]
	target := p.top()
	if p.err != nil {
		return
	}
	if err := p.words.build(target, state); err != nil {
		p.fail("%w", err)
	}
}

// step runs one instruction, named in the comment as Python's pickletools
// does; true after the last.
func (p *unpickler) step() (done bool) {
	switch code := p.number(1); code {
	case 0x80: // PROTO
		if v := p.number(1); v != 2 {
			p.fail("pickle protocol %d; only 2 is read", v)
		}
	case '.': // STOP
		if len(p.marks) > 0 {
			p.fail("a mark is left at the end")
		}
		return true
	case '(': // MARK
		if len(p.marks) == maxStack {
			p.fail("more than %d marks at once", maxStack)
		}
		p.marks = append(p.marks, len(p.stack))

	case 'N': // NONE
		p.push(nil)
	case 0x88: // NEWTRUE
		p.push(true)
	case 0x89: // NEWFALSE
		p.push(false)
	case 'K': // BININT1
		p.push(int64(p.number(1)))
	case 'M': // BININT2
		p.push(int64(p.number(2)))
	case 'J': // BININT
		p.push(int64(int32(p.number(4))))
	case 0x8a: // LONG1
		p.push(p.long(p.number(1)))
	case 'G': // BINFLOAT, the one number stored big-endian
		p.push(math.Float64frombits(bits.ReverseBytes64(p.number(8))))
	case 'X': // BINUNICODE
		p.push(p.text(p.number(4)))
	case 'T': // BINSTRING
		p.push(p.text(p.number(4)))
	case 'U': // SHORT_BINSTRING
		p.push(p.text(p.number(1)))

	case ')': // EMPTY_TUPLE
		p.push(tuple{})
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		p.push(tuple(p.pop(int(code) - 0x84)))
	case 't': // TUPLE
		p.push(tuple(p.popMark()))
	case ']': // EMPTY_LIST
		p.push(&pickledList{})
	case 'a': // APPEND
		p.append(p.pop(1))
	case 'e': // APPENDS
		p.append(p.popMark())
	case '}': // EMPTY_DICT
		p.push(&pickledDict{})
	case 's': // SETITEM
		p.set(p.pop(2))
	case 'u': // SETITEMS
		p.set(p.popMark())

	case 'q': // BINPUT
		p.put(p.number(1))
	case 'r': // LONG_BINPUT
		p.put(p.number(4))
	case 'h': // BINGET
		p.get(p.number(1))
	case 'j': // LONG_BINGET
		p.get(p.number(4))

	case 'c': // GLOBAL
		v, err := p.words.global(p.global())
		if err != nil {
			p.fail("%w", err)
		}
		p.push(v)
	case 'Q': // BINPERSID
		v, err := p.words.persistent(p.pop(1)[0])
		if err != nil {
			p.fail("%w", err)
		}
		p.push(v)
	case 'R': // REDUCE
		p.call()
	case 'b': // BUILD
		p.build()
	case 'i': // INST
		p.fail("%w", refuse(p.global()))
	case 'o', 0x81, 0x92: // OBJ, NEWOBJ, NEWOBJ_EX
		p.fail("an object of a class is made; only dicts of tensors are read")
	default:
		p.fail("instruction 0x%02x is none that a dict of tensors needs", code)
	}
	return false
}
