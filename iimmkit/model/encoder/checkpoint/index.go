package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// indexSuffix ends the name of a file that says in which of several files,
// shards, each tensor is.
const indexSuffix = ".index.json"

// IsIndex reports whether a file of weights is an index of shards.
func IsIndex(name string) bool { return strings.HasSuffix(name, indexSuffix) }

// Shards returns the files that the index of the given name places tensors in.
func Shards(name string, data []byte) ([]string, error) {
	index, err := parseIndex(data, path.Ext(strings.TrimSuffix(name, indexSuffix)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return slices.Compact(slices.Sorted(maps.Values(index))), nil
}

// WeightFiles are the names under which libraries keep weights, or the index to
// them, the preferred first: safetensors before torch pickles and, in a folder
// with an open_clip_config.json, open_clip's own files before those that may
// describe its image tower alone.
func WeightFiles(openCLIP bool) []string {
	stems := []string{"", "open_clip_"}
	if openCLIP {
		slices.Reverse(stems)
	}
	var names []string
	for _, stem := range stems {
		for _, file := range []string{"model.safetensors", "pytorch_model.bin"} {
			names = append(names, stem+file, stem+file+indexSuffix)
		}
	}
	return names
}

// parseIndex returns the weight_map of an index of shards: for each tensor the
// file that holds it, one in the index's own folder with the given extension.
func parseIndex(data []byte, extension string) (map[string]string, error) {
	var raw struct {
		Map json.RawMessage `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, err
	}
	// Token by token, since of a name that comes twice Unmarshal keeps the last.
	d := json.NewDecoder(bytes.NewReader(raw.Map))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("no object weight_map")
	}
	index := map[string]string{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := d.Token()
		if err != nil {
			return nil, err
		}
		tensor, shard := key.(string), ""
		if s, ok := value.(string); ok {
			shard = s
		}
		// A name with a separator of any system could lead out of the folder.
		if strings.ContainsAny(shard, `/\:`) || path.Ext(shard) != extension {
			return nil, fmt.Errorf("tensor %q: %q is not a %s file of this folder", tensor, fmt.Sprint(value), extension)
		}
		if _, twice := index[tensor]; twice {
			return nil, fmt.Errorf("tensor %q comes twice", tensor)
		}
		index[tensor] = shard
	}
	if len(index) == 0 {
		return nil, errors.New("weight_map is empty")
	}
	return index, nil
}
