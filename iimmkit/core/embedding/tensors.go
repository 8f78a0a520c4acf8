package embedding

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// Names of the tensors, arrays and metadata entries of a set.
const (
	keyImages     = "images"
	keyLabels     = "labels"
	keyTexts      = "texts"
	keyIDs        = "ids"
	keyClassNames = "class_names"
	keyPrompts    = "prompts"
	keyProvenance = "provenance"
	keySchema     = "iimm_embeddings" // version of this layout
)

// source is an open file of named tensors.
type source interface {
	Names() []string
	Has(name string) bool
	Tensor(name string) (tensorfile.Tensor, error)
}

// readParts reads the three parts every set has.
func readParts(path string, src source) (*Set, error) {
	for _, name := range []string{keyImages, keyLabels, keyTexts} {
		if !src.Has(name) {
			return nil, fmt.Errorf("%s: no %q in it (it has %s); a set needs images [N,d], labels [N] and texts [C,d]", path, name, list(src.Names()))
		}
	}
	s := &Set{}
	for _, part := range []struct {
		name string
		take func(tensorfile.Tensor) error
	}{
		{keyImages, func(t tensorfile.Tensor) (err error) { s.Images, err = matrix(t); return err }},
		{keyLabels, func(t tensorfile.Tensor) (err error) { s.Labels, err = labels(t); return err }},
		{keyTexts, func(t tensorfile.Tensor) (err error) { s.Texts, err = matrix(t); return err }},
	} {
		t, err := src.Tensor(part.name)
		if err != nil {
			return nil, err
		}
		if err := part.take(t); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return s, nil
}

// list joins names for a message, the first few of them.
func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	const most = 8
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

func readSafetensors(path string) (*Set, error) {
	f, err := tensorfile.OpenSafetensors(path)
	if err != nil {
		return nil, err
	}
	s, err := safetensorsSet(path, f)
	if err != nil {
		f.Close()
		return nil, err
	}
	s.unmap = append(s.unmap, f.Close)
	return s, nil
}

func safetensorsSet(path string, f *tensorfile.Safetensors) (*Set, error) {
	s, err := readParts(path, f)
	if err != nil {
		return nil, err
	}
	meta := f.Metadata()
	if v, ok := meta[keySchema]; ok && v != "1" {
		return nil, fmt.Errorf("%s: embeddings of layout %q, this program reads 1", path, v)
	}
	for _, entry := range []struct {
		key  string
		into any
	}{{keyClassNames, &s.ClassNames}, {keyPrompts, &s.Prompts}, {keyProvenance, &s.Provenance}} {
		text, ok := meta[entry.key]
		if !ok {
			continue
		}
		if err := json.Unmarshal([]byte(text), entry.into); err != nil {
			return nil, fmt.Errorf("%s: metadata %q: %w", path, entry.key, err)
		}
	}
	if f.Has(keyIDs) {
		// A JSON list in bytes: a header could not hold the names of a million images.
		t, err := f.Tensor(keyIDs)
		if err != nil {
			return nil, err
		}
		if t.DType != tensorfile.U8 {
			return nil, fmt.Errorf("%s: %q has type %s, want a JSON list as U8", path, keyIDs, t.DType)
		}
		if err := json.Unmarshal(t.Data, &s.IDs); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", path, keyIDs, err)
		}
	}
	return s, nil
}

// readTorch reads a dict of tensors.
func readTorch(path string) (*Set, error) {
	f, err := tensorfile.OpenTorch(path)
	if err != nil {
		return nil, err
	}
	s, err := readParts(path, f)
	if err != nil {
		f.Close()
		return nil, err
	}
	s.unmap = append(s.unmap, f.Close)
	return s, nil
}

// mapArray maps a file of one array, .npy or torch's.
func mapArray(path string) (tensorfile.Tensor, func() error, error) {
	if filepath.Ext(path) == ".npy" {
		return tensorfile.MapNPY(path)
	}
	f, err := tensorfile.OpenTorch(path)
	if err != nil {
		return tensorfile.Tensor{}, nil, err
	}
	if !f.Has("") {
		f.Close()
		return tensorfile.Tensor{}, nil, fmt.Errorf("%s: it holds a dict (%s), want one tensor", path, list(f.Names()))
	}
	t, err := f.Tensor("")
	if err != nil {
		f.Close()
		return tensorfile.Tensor{}, nil, err
	}
	return t, f.Close, nil
}

func writeSafetensors(path string, s *Set) error {
	meta := map[string]string{keySchema: "1"}
	for key, v := range map[string]any{keyClassNames: s.ClassNames, keyPrompts: s.Prompts, keyProvenance: s.Provenance} {
		if names, ok := v.([]string); ok && len(names) == 0 {
			continue
		}
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
		meta[key] = string(b)
	}
	tensors := []tensorfile.Tensor{s.Images.tensor(keyImages), labelTensor(s.Labels), s.Texts.tensor(keyTexts)}
	if len(s.IDs) > 0 {
		b, err := json.Marshal(s.IDs)
		if err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
		tensors = append(tensors, tensorfile.FromUint8(keyIDs, []int{len(b)}, b))
	}
	return tensorfile.WriteSafetensors(path, tensors, meta)
}

func readNPZ(path string) (*Set, error) {
	f, err := tensorfile.OpenNPZ(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := readParts(path, f)
	if err != nil {
		return nil, err
	}
	for _, names := range []struct {
		key  string
		into *[]string
	}{{keyClassNames, &s.ClassNames}, {keyPrompts, &s.Prompts}, {keyIDs, &s.IDs}} {
		if !f.Has(names.key) {
			continue
		}
		t, err := f.Tensor(names.key)
		if err != nil {
			return nil, err
		}
		if *names.into, err = t.Strings(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if f.Has(keyProvenance) {
		t, err := f.Tensor(keyProvenance)
		if err != nil {
			return nil, err
		}
		text, err := t.Strings()
		if err == nil && len(text) == 1 {
			err = json.Unmarshal([]byte(text[0]), &s.Provenance)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", path, keyProvenance, err)
		}
	}
	return s, nil
}

func writeNPZ(path string, s *Set) error {
	tensors := []tensorfile.Tensor{s.Images.tensor(keyImages), labelTensor(s.Labels), s.Texts.tensor(keyTexts)}
	for _, names := range []struct {
		key  string
		list []string
	}{{keyClassNames, s.ClassNames}, {keyPrompts, s.Prompts}, {keyIDs, s.IDs}} {
		if len(names.list) > 0 {
			tensors = append(tensors, tensorfile.FromStrings(names.key, []int{len(names.list)}, names.list))
		}
	}
	b, err := json.Marshal(s.Provenance)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return tensorfile.WriteNPZ(path, append(tensors, tensorfile.FromStrings(keyProvenance, []int{}, []string{string(b)})))
}

// arrayFiles are the files of a set kept as one array each.
type arrayFiles struct{ images, labels, texts string }

// The suffixes of the published arrays: DATA_MODEL_im_features.npy and so on.
const (
	suffixImages = "_im_features.npy"
	suffixLabels = "_labels.npy"
	suffixTexts  = "_text_features.npy"
)

func readFolder(dir string) (*Set, error) {
	for _, ext := range []string{".npy", ".pt"} {
		plain := arrayFiles{filepath.Join(dir, "images"+ext), filepath.Join(dir, "labels"+ext), filepath.Join(dir, "texts"+ext)}
		if _, err := os.Stat(plain.images); err == nil {
			return plain.read()
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var starts []string
	for _, e := range entries {
		if start, ok := strings.CutSuffix(e.Name(), suffixImages); ok {
			starts = append(starts, start)
		}
	}
	switch len(starts) {
	case 1:
		return published(filepath.Join(dir, starts[0])).read()
	case 0:
		return nil, fmt.Errorf("%s: a folder of embeddings has images.npy, labels.npy and texts.npy (or .pt), or one *%s, *%s and *%s", dir, suffixImages, suffixLabels, suffixTexts)
	}
	return nil, fmt.Errorf("%s: several sets in it; name one by the start of its files, as %s", dir, filepath.Join(dir, starts[0]))
}

func published(start string) arrayFiles {
	return arrayFiles{start + suffixImages, start + suffixLabels, start + suffixTexts}
}

// publishedPrefix returns the files whose names start with path, or nil.
func publishedPrefix(path string) *arrayFiles {
	files := published(path)
	if _, err := os.Stat(files.images); err != nil {
		return nil
	}
	return &files
}

func (f arrayFiles) read() (*Set, error) {
	s := &Set{}
	err := func() error {
		for _, part := range []struct {
			path string
			take func(tensorfile.Tensor) error
		}{
			{f.images, func(t tensorfile.Tensor) (err error) { s.Images, err = matrix(t); return err }},
			{f.labels, func(t tensorfile.Tensor) (err error) { s.Labels, err = labels(t); return err }},
			{f.texts, func(t tensorfile.Tensor) (err error) { s.Texts, err = matrix(t); return err }},
		} {
			t, unmap, err := mapArray(part.path)
			if err != nil {
				return err
			}
			s.unmap = append(s.unmap, unmap)
			t.Name = filepath.Base(part.path)
			if err := part.take(t); err != nil {
				return fmt.Errorf("%s: %w", part.path, err)
			}
		}
		return nil
	}()
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}
