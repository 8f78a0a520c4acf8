package drift

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// OpenBatch reads the images of a batch: a set in any format that package
// embedding opens, whose labels and captions are not looked at, or image
// embeddings alone, [n,d], in an .npy file.
func OpenBatch(path string, options ...embedding.Option) (*embedding.Set, error) {
	if !strings.EqualFold(filepath.Ext(path), ".npy") {
		return embedding.Open(path, options...)
	}
	t, err := tensorfile.ReadNPY(path)
	if err != nil {
		return nil, err
	}
	if len(t.Shape) != 2 || t.Shape[1] < 1 {
		return nil, fmt.Errorf("%s: an array of shape %v, want [images, width]", path, t.Shape)
	}
	set := &embedding.Set{}
	if t.DType == tensorfile.F64 {
		x, err := t.Float64s()
		set.Images = embedding.Float64(t.Shape[0], t.Shape[1], x)
		return set, err
	}
	x, err := t.Float32s()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	set.Images = embedding.Float32(t.Shape[0], t.Shape[1], x)
	return set, nil
}

// SameModel refuses embeddings of which it is known that two models made them,
// as far as both sets tell: by the hash of the model, else by its name.
func SameModel(ref, batch embedding.Provenance) error {
	one, other := ref.Hashes["model"], batch.Hashes["model"]
	if one == "" || other == "" {
		one, other = ref.Model, batch.Model
	}
	if one == "" || other == "" || one == other {
		return nil
	}
	why := fmt.Sprintf("the reference was embedded by %s, the batch by %s", ref.Model, batch.Model)
	if ref.Model == batch.Model {
		why = fmt.Sprintf("both were embedded by %s, but not with the same weights", ref.Model)
	}
	return errors.New(why + ": embed both with one model")
}
