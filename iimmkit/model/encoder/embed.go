package encoder

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// chunk is the number of images decoded ahead of the tower: memory stays
// bounded whatever the size of the set.
const chunk = 4 * imageBatch

// PixelsOf decodes images lo..hi-1 on all cores and returns their normalised
// pixels [hi-lo, 3, size, size].
func (e *Encoder) PixelsOf(images datasets.Images, lo, hi int) ([]float32, error) {
	pictures := make([]*picture.RGB, hi-lo)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	var mu sync.Mutex
	next := lo
	for range min(runtime.GOMAXPROCS(0), hi-lo) {
		group.Go(func() error {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= hi {
					return nil
				}
				p, err := images.Image(i)
				if err != nil {
					return err
				}
				pictures[i-lo] = p
			}
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return e.Preprocess(pictures), nil
}

// FeaturesOf returns unnormalised features [n, d] of all images. The next
// images are decoded while the tower computes.
func (e *Encoder) FeaturesOf(ctx context.Context, images datasets.Images, title string, report progress.Reporter) ([]float32, error) {
	n := images.Len()
	bar := report.Start(title, n)
	defer bar.Done()
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
		x, err := e.ImageFeatures(p.pixels)
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

// Embed returns the unit-norm embeddings of a split of a task, its train or
// test images, and of the task's captions.
func (e *Encoder) Embed(ctx context.Context, task *datasets.Task, split string, report progress.Reporter) (*embedding.Set, error) {
	images := task.Train
	if split == "test" {
		images = task.Test
	}
	if images == nil || images.Len() == 0 {
		return nil, fmt.Errorf("task %s has no %s images", task.Name, split)
	}
	x, err := e.FeaturesOf(ctx, images, "embed", report)
	if err != nil {
		return nil, err
	}
	d := e.config.EmbedDim
	if err := Normalize(x, d); err != nil {
		return nil, err
	}
	texts, err := e.EncodeTexts(task.Captions)
	if err != nil {
		return nil, err
	}
	hash, err := e.Hash()
	if err != nil {
		return nil, err
	}
	set := &embedding.Set{
		Images:     embedding.Float32(images.Len(), d, x),
		Texts:      embedding.Float32(len(task.Captions), d, texts),
		ClassNames: task.ClassNames,
		Prompts:    task.Captions,
		Provenance: embedding.Provenance{
			Model: e.Name, Task: task.Name, Split: split, Backend: backend.Name(e.backend), Normalized: true,
			Hashes: map[string]string{"model": hash, "task": task.Hash, "captions": embedding.CaptionHash(task.ClassNames, task.Captions)},
		},
	}
	for i := range images.Len() {
		set.Labels = append(set.Labels, images.Label(i))
		set.IDs = append(set.IDs, images.ID(i))
	}
	return set, nil
}
