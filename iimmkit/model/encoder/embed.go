package encoder

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"strings"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// chunk is the number of images decoded ahead of the tower, a few batches of at
// most some 64 MB together: memory stays bounded whatever the size of the set.
func (e *Encoder) chunk() int {
	batch := imageBatch * 3 * e.config.ImageSize * e.config.ImageSize * 4 // bytes
	return imageBatch * min(max(64<<20/batch, 1), 4)
}

// PixelsOf decodes images lo..hi-1 on all cores and returns their normalised
// pixels [hi-lo, 3, size, size].
func (e *Encoder) PixelsOf(images datasets.Images, lo, hi int) ([]float32, error) {
	return e.config.Preprocess.PixelsOf(hi-lo, func(i int) (*picture.RGB, error) { return images.Image(lo + i) })
}

// FeaturesOf returns unnormalised features [n, d] of all images. The next
// images are decoded while the tower computes.
func (e *Encoder) FeaturesOf(ctx context.Context, images datasets.Images, title string, report progress.Reporter) ([]float32, error) {
	bar := report.Start(title, images.Len())
	defer bar.Done()
	return e.featuresOf(ctx, images, bar, e.ImageFeatures)
}

// featuresOf is FeaturesOf by features, a function of pixels.
func (e *Encoder) featuresOf(ctx context.Context, images datasets.Images, bar progress.Bar, features func(pixels []float32) ([]float32, error)) ([]float32, error) {
	n, chunk := images.Len(), e.chunk()
	type part struct {
		pixels []float32
		err    error
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	parts := make(chan part, 1)
	go func() {
		defer close(parts)
		for lo := 0; lo < n; lo += chunk {
			pixels, err := e.PixelsOf(images, lo, min(n, lo+chunk))
			select {
			case parts <- part{pixels, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	out := make([]float32, 0, n*e.config.EmbedDim)
	for p := range parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if p.err != nil {
			return nil, p.err
		}
		x, err := features(p.pixels)
		if err != nil {
			return nil, err
		}
		out = append(out, x...)
		bar.Add(len(x) / e.config.EmbedDim)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// EmbedOption changes how Embed works.
type EmbedOption func(*embedOptions)

type embedOptions struct{ cached bool }

// Cached lets Embed keep the image features of every few batches in the cache
// and take from there what it computed before: an interrupted embedding goes on
// where it was, and the same images are not embedded twice. What is kept depends
// on the weights, the configuration, the backend and the images' pixels.
func Cached(o *embedOptions) { o.cached = true }

// Embed returns the unit-norm embeddings of a split of a task, its train, val or
// test images, and of the task's captions. The embedding of an ensemble of
// captions is the mean of their unit embeddings, scaled to unit length.
func (e *Encoder) Embed(ctx context.Context, task *datasets.Task, split string, report progress.Reporter, options ...EmbedOption) (*embedding.Set, error) {
	var o embedOptions
	for _, f := range options {
		f(&o)
	}
	images, err := task.Split(split)
	if err != nil {
		return nil, err
	}
	hash, err := e.Hash()
	if err != nil {
		return nil, err
	}
	bar := report.Start("embed", images.Len())
	defer bar.Done()
	features := e.ImageFeatures
	if o.cached {
		features = func(pixels []float32) ([]float32, error) { return e.cachedFeatures(hash, pixels, bar) }
	}
	x, err := e.featuresOf(ctx, images, bar, features)
	if err != nil {
		return nil, err
	}
	d := e.config.EmbedDim
	if err := Normalize(x, d); err != nil {
		return nil, err
	}
	texts, prompts, err := e.encodeClasses(task)
	if err != nil {
		return nil, err
	}
	scale, err := e.LogitScale()
	if err != nil {
		return nil, err
	}
	set := &embedding.Set{
		Images:     embedding.Float32(images.Len(), d, x),
		Texts:      embedding.Float32(len(task.Captions), d, texts),
		ClassNames: task.ClassNames,
		Prompts:    prompts,
		Provenance: embedding.Provenance{
			Model: e.Name, Task: task.Name, Split: split, Backend: backend.Name(e.backend), Normalized: true, LogitScale: &scale,
			Hashes: map[string]string{"model": hash, "task": task.Hash, "captions": embedding.CaptionHash(task.ClassNames, prompts)},
		},
	}
	if e.tokenizer != nil {
		set.Provenance.Hashes["tokenizer"] = e.tokenizer.Hash()
	}
	for i := range images.Len() {
		set.Labels = append(set.Labels, images.Label(i))
		set.IDs = append(set.IDs, images.ID(i))
	}
	return set, nil
}

// encodeClasses returns one unit embedding a class [C, d], and what was encoded:
// a class's captions, on a line each.
func (e *Encoder) encodeClasses(task *datasets.Task) (texts []float32, prompts []string, err error) {
	if task.Ensemble == nil {
		texts, err = e.EncodeTexts(task.Captions)
		return texts, task.Captions, err
	}
	var all []string
	for _, captions := range task.Ensemble {
		all = append(all, captions...)
		prompts = append(prompts, strings.Join(captions, "\n"))
	}
	rows, err := e.EncodeTexts(all)
	if err != nil {
		return nil, nil, err
	}
	d := e.config.EmbedDim
	for _, captions := range task.Ensemble {
		mean := make([]float64, d)
		for range captions {
			for j, v := range rows[:d] {
				mean[j] += float64(v) / float64(len(captions))
			}
			rows = rows[d:]
		}
		for _, v := range mean {
			texts = append(texts, float32(v))
		}
	}
	return texts, prompts, Normalize(texts, d)
}

// embeddingCache is the folder of cached features below the cache directory.
const embeddingCache = "embeddings"

// cachedFeatures is ImageFeatures by way of the cache. modelHash is the
// encoder's Hash now. A damaged entry is said on bar and computed again.
func (e *Encoder) cachedFeatures(modelHash string, pixels []float32, bar progress.Bar) ([]float32, error) {
	key := store.NewKey("image features", modelHash, backend.Name(e.backend))
	key.Add(float32Bytes(pixels))
	kept, err := store.Get(embeddingCache, key)
	want := len(pixels) / (3 * e.config.ImageSize * e.config.ImageSize) * e.config.EmbedDim
	switch {
	case err == nil && len(kept) == 4*want:
		x := make([]float32, want)
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(kept[4*i:]))
		}
		return x, nil
	case errors.Is(err, store.ErrCorrupt):
		bar.Note(err.Error() + ", computed again")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	x, err := e.ImageFeatures(pixels)
	if err != nil {
		return nil, err
	}
	return x, store.Put(embeddingCache, key, float32Bytes(x))
}

// float32Bytes are the values' bits, little-endian.
func float32Bytes(x []float32) []byte {
	out := make([]byte, 4*len(x))
	for i, v := range x {
		binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(v))
	}
	return out
}
