package nb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"reflect"
	"strings"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// cellValues is the cache's folder of what Cache keeps.
const cellValues = "cells"

// Cache returns the value that produce makes, and makes it once only: later
// cells, which are programs of their own, and later sessions get the kept one,
// equal to the last bit, and say so. What the value depends on besides produce
// itself is given as dependsOn (parameters, data, versions): with another value of
// these, another key or another type it is made anew. iimm cache clean cells
// forgets all.
//
// A kept value that is damaged is noticed by its checksum, said, and made
// again. An error of produce, or a value that cannot be kept (it holds
// functions, interfaces or filled private fields: use File), ends the cell.
func Cache[T any](key string, produce func() (T, error), dependsOn ...any) T {
	v, err := cached(key, produce, dependsOn)
	Check(err)
	return v
}

func cached[T any](key string, produce func() (T, error), dependsOn []any) (v T, err error) {
	entry, err := valueKey(key, reflect.TypeFor[T](), dependsOn)
	if err != nil {
		return v, err
	}
	data, err := store.Get(cellValues, entry)
	switch {
	case err == nil:
		if took, made, err := decodeValue(data, &v); err == nil {
			tell(fmt.Sprintf("%s: kept since %s, which had taken %s", key, made.Format("2006-01-02 15:04"), progress.FormatDuration(took)))
			return v, nil
		}
		var fresh T // not the half that was read
		v = fresh
		tell(key + ": what is kept cannot be read; it is made again")
	case errors.Is(err, store.ErrCorrupt):
		tell(key + ": what was kept is damaged; it is made again")
	case !errors.Is(err, fs.ErrNotExist):
		return v, err
	}
	start := time.Now()
	if v, err = produce(); err != nil {
		return v, err
	}
	head := binary.LittleEndian.AppendUint64(nil, uint64(time.Since(start)))
	head = binary.LittleEndian.AppendUint64(head, uint64(start.Unix()))
	if data, err = encode(head, reflect.ValueOf(&v).Elem(), 0); err != nil {
		return v, fmt.Errorf("nb.Cache(%q): a %T cannot be kept: %w; write it to nb.File, or return what it is made of", key, v, err)
	}
	return v, store.Put(cellValues, entry, data)
}

func decodeValue(data []byte, v any) (took time.Duration, made time.Time, err error) {
	if len(data) < 16 {
		return 0, made, errShort
	}
	took, made = time.Duration(binary.LittleEndian.Uint64(data)), time.Unix(int64(binary.LittleEndian.Uint64(data[8:])), 0)
	rest, err := decode(data[16:], reflect.ValueOf(v).Elem())
	if err == nil && len(rest) > 0 {
		err = errors.New("something is behind it")
	}
	return took, made, err
}

// valueKey hashes the key, the value's type and everything it depends on.
func valueKey(key string, t reflect.Type, dependsOn []any) (*store.Key, error) {
	if key == "" {
		return nil, errors.New("nb.Cache: the key is empty")
	}
	var of strings.Builder
	describe(&of, t, nil)
	entry := store.NewKey("nb.Cache", key, of.String())
	for i, d := range dependsOn {
		if d == nil {
			entry.Add([]byte("nil"))
			continue
		}
		data, err := encode(nil, reflect.ValueOf(d), 0)
		if err != nil {
			return nil, fmt.Errorf("nb.Cache(%q): what it depends on, number %d, is a %T: %w; give its hash or name", key, i+1, d, err)
		}
		of.Reset()
		describe(&of, reflect.TypeOf(d), nil)
		entry.Add([]byte(of.String()))
		entry.Add(data)
	}
	return entry, nil
}

// tell shows a remark in small print.
func tell(text string) {
	show(display{data: map[string]any{
		mimeHTML:  `<div style="font-size:small;color:#777">` + html.EscapeString(text) + `</div>`,
		mimePlain: text,
	}})
}
