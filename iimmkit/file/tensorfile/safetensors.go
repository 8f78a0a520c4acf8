package tensorfile

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// maxHeader is the largest header the reference implementation accepts.
const maxHeader = 100_000_000

const metadataKey = "__metadata__"

// Safetensors is an open safetensors file
// (https://github.com/huggingface/safetensors#format). Its tensors alias the
// file's memory map and are valid until Close.
type Safetensors struct {
	file    string
	tensors map[string]Tensor
	names   []string
	meta    map[string]string
	unmap   func() error
}

// OpenSafetensors maps a file and reads its header; the tensors' bytes are
// only read when they are touched.
func OpenSafetensors(path string) (*Safetensors, error) {
	data, unmap, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	s, err := ParseSafetensors(data, path)
	if err != nil {
		unmap()
		return nil, err
	}
	s.unmap = unmap
	return s, nil
}

// entry is a tensor's line of the header.
type entry struct {
	DType   DType    `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets []uint64 `json:"data_offsets"`
}

// ParseSafetensors reads safetensors bytes, which the tensors alias; name is
// used in errors. Like the reference implementation it accepts a file only
// when the tensors fill the data exactly, without overlap and without gap.
func ParseSafetensors(b []byte, name string) (*Safetensors, error) {
	n, err := headerLength(b, uint64(len(b)))
	if err != nil {
		return nil, fmt.Errorf("%s: not a safetensors file: %w", name, err)
	}
	header, data := b[8:8+n], b[8+n:]
	locations, meta, err := locate(header, uint64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("%s: not a safetensors file: %w", name, err)
	}
	s := &Safetensors{file: name, tensors: make(map[string]Tensor, len(locations)), meta: meta}
	for _, l := range locations {
		end := l.Start + int64(l.size())
		s.tensors[l.Name] = Tensor{l.Name, l.DType, l.Shape, data[l.Start:end:end]}
		s.names = append(s.names, l.Name)
	}
	slices.Sort(s.names)
	return s, nil
}

// headerLength reads how long the header of a file of size bytes is, which
// begins with b.
func headerLength(b []byte, size uint64) (uint64, error) {
	if size < 8 {
		return 0, fmt.Errorf("%d bytes, shorter than the length of the header", size)
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || n > size-8 {
		if err := gitLFS(b); err != nil {
			return 0, err
		}
		return 0, fmt.Errorf("its header claims %d bytes, the file has %d (damaged, cut off or another format)", n, size)
	}
	return n, nil
}

// locate reads a header: where in the size bytes of data the tensors are, by
// their order there.
func locate(header []byte, size uint64) ([]Location, map[string]string, error) {
	entries, meta, err := parseHeader(header)
	if err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	locations := make([]Location, 0, len(entries))
	for key, e := range entries {
		width := e.DType.Size()
		count, ok := elements(e.Shape)
		switch {
		case width == 0:
			return nil, nil, fmt.Errorf("tensor %q: element type %q is not supported", key, e.DType)
		case !ok || count > math.MaxInt/width:
			return nil, nil, fmt.Errorf("tensor %q: shape %v is negative or too large", key, e.Shape)
		case len(e.Offsets) != 2 || e.Offsets[0] > e.Offsets[1] || e.Offsets[1] > size:
			return nil, nil, fmt.Errorf("tensor %q: data_offsets %v are not inside the %d bytes of data", key, e.Offsets, size)
		case e.Offsets[1]-e.Offsets[0] != uint64(count*width):
			return nil, nil, fmt.Errorf("tensor %q: %d bytes, but shape %v of %s needs %d", key, e.Offsets[1]-e.Offsets[0], e.Shape, e.DType, count*width)
		}
		if e.Shape == nil {
			e.Shape = []int{}
		}
		locations = append(locations, Location{key, e.DType, e.Shape, int64(e.Offsets[0])})
	}
	slices.SortFunc(locations, func(a, b Location) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.size(), b.size()), cmp.Compare(a.Name, b.Name))
	})
	end := int64(0)
	for _, l := range locations {
		if l.Start != end {
			return nil, nil, fmt.Errorf("tensor %q starts at byte %d of the data, the one before it ends at %d", l.Name, l.Start, end)
		}
		end += int64(l.size())
	}
	if uint64(end) != size {
		return nil, nil, fmt.Errorf("%d bytes of data, the tensors hold %d", size, end)
	}
	return locations, meta, nil
}

// parseHeader decodes the JSON object, refusing a key that comes twice, which
// encoding/json would let win silently.
func parseHeader(header []byte) (map[string]entry, map[string]string, error) {
	d := json.NewDecoder(bytes.NewReader(header))
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		return nil, nil, errors.New("no JSON object")
	}
	entries := map[string]entry{}
	meta := map[string]string{}
	seenMeta := false
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		key, _ := tok.(string)
		if key == metadataKey {
			if seenMeta {
				return nil, nil, fmt.Errorf("%s comes twice", metadataKey)
			}
			seenMeta = true
			if err := d.Decode(&meta); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", metadataKey, err)
			}
			continue
		}
		if _, twice := entries[key]; twice {
			return nil, nil, fmt.Errorf("tensor %q comes twice", key)
		}
		var e entry
		if err := d.Decode(&e); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", key, err)
		}
		entries[key] = e
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, nil, errors.New("something follows the JSON object")
	}
	return entries, meta, nil
}

// Names returns the tensors' names, sorted.
func (s *Safetensors) Names() []string { return slices.Clone(s.names) }

// Tensor returns a tensor by name.
func (s *Safetensors) Tensor(name string) (Tensor, error) {
	t, ok := s.tensors[name]
	if !ok {
		return Tensor{}, fmt.Errorf("%s: no tensor %q", s.file, name)
	}
	return t, nil
}

// Has tells whether a tensor is there.
func (s *Safetensors) Has(name string) bool {
	_, ok := s.tensors[name]
	return ok
}

// Metadata returns the header's free text entries; the caller owns the map.
func (s *Safetensors) Metadata() map[string]string {
	m := make(map[string]string, len(s.meta))
	for k, v := range s.meta {
		m[k] = v
	}
	return m
}

// Close unmaps the file. Tensors taken from it must not be used afterwards.
func (s *Safetensors) Close() error {
	unmap := s.unmap
	s.unmap, s.tensors = nil, nil
	if unmap == nil {
		return nil
	}
	return unmap()
}

// WriteSafetensors writes a file whole or not at all. The bytes depend on the
// arguments only, not on the tensors' order.
func WriteSafetensors(path string, tensors []Tensor, meta map[string]string) error {
	f, err := store.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := EncodeSafetensors(f, tensors, meta); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return f.Commit()
}

// EncodeSafetensors writes the format to w. As the reference implementation
// does, it puts wider element types first and sorts by name, so that every
// tensor is aligned to its element.
func EncodeSafetensors(w io.Writer, tensors []Tensor, meta map[string]string) error {
	tensors = slices.Clone(tensors)
	sort.SliceStable(tensors, func(i, j int) bool {
		a, b := tensors[i], tensors[j]
		if x, y := a.DType.Size(), b.DType.Size(); x != y {
			return x > y
		}
		return a.Name < b.Name
	})
	var header bytes.Buffer
	enc := json.NewEncoder(&header)
	enc.SetEscapeHTML(false)
	put := func(before string, v any) error {
		header.WriteString(before)
		if err := enc.Encode(v); err != nil {
			return err
		}
		header.Truncate(header.Len() - 1) // Encode ends the line
		return nil
	}
	comma := "{"
	if len(meta) > 0 {
		if err := put(comma+`"`+metadataKey+`":`, meta); err != nil {
			return err
		}
		comma = ","
	}
	offset := 0
	seen := make(map[string]bool, len(tensors))
	for _, t := range tensors {
		if err := t.check(); err != nil {
			return err
		}
		switch {
		case t.DType.Size() == 0:
			return fmt.Errorf("tensor %q: safetensors cannot hold %s", t.Name, t.DType)
		case t.Name == metadataKey || seen[t.Name]:
			return fmt.Errorf("tensor %q: name is reserved or comes twice", t.Name)
		}
		seen[t.Name] = true
		if err := put(comma, t.Name); err != nil {
			return err
		}
		comma = ","
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		e := entry{t.DType, shape, []uint64{uint64(offset), uint64(offset + len(t.Data))}}
		if err := put(":", e); err != nil {
			return err
		}
		offset += len(t.Data)
	}
	if comma == "{" {
		header.WriteByte('{')
	}
	header.WriteByte('}')
	for header.Len()%8 != 0 {
		header.WriteByte(' ')
	}
	if header.Len() > maxHeader {
		return fmt.Errorf("safetensors header of %d bytes is larger than readers accept", header.Len())
	}
	if err := binary.Write(w, binary.LittleEndian, uint64(header.Len())); err != nil {
		return err
	}
	if _, err := w.Write(header.Bytes()); err != nil {
		return err
	}
	for _, t := range tensors {
		if _, err := w.Write(t.Data); err != nil {
			return err
		}
	}
	return nil
}
