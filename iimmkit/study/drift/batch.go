package drift

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
)

// OpenBatch reads the images of a batch: a set in any format that package
// embedding opens, whose labels and captions are not looked at, or image
// embeddings alone, [n,d], in an .npy file.
func OpenBatch(path string, options ...embedding.Option) (*embedding.Set, error) {
	if !strings.EqualFold(filepath.Ext(path), ".npy") {
		return embedding.Open(path, options...)
	}
	images, err := embedding.ReadTable(path)
	if err != nil {
		return nil, err
	}
	return &embedding.Set{Images: images}, nil
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
