package robustness

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/datasets/corrupt"
	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/preprocess"
)

const (
	// edition counts the changes to what corruptions do, each of which makes
	// predictions that were kept useless.
	edition = "1"
	// predictionCache is the folder of kept predictions below the cache directory.
	predictionCache = "robustness"
	// chunk is the number of images that are spoiled before the tower sees them.
	chunk = 64
	// pixelBudget bounds the bytes of pictures that are held between conditions:
	// 512 MB. More are decoded anew each time.
	pixelBudget = 512 << 20
)

// condition is a corruption, or none.
type condition struct {
	kind     corrupt.Kind
	severity int
}

// classifier is a model with the captions and test images of a task.
type classifier struct {
	m      Model
	o      Options
	images *seen
	pixels preprocess.Config // of pictures that have the size of the model's input
	labels []int
	texts  []float32 // unit embeddings [classes, d]
	bits   []byte    // of texts, for keys
	head   string    // hash of what stands behind the encoder
	from   embedding.Provenance
}

func newClassifier(ctx context.Context, m Model, task *datasets.Task, o Options, report progress.Reporter) (*classifier, error) {
	if task.Test == nil || task.Test.Len() == 0 {
		return nil, fmt.Errorf("task %s has no test images", task.Name)
	}
	e := m.Encoder
	switch p, d := m.Probe, e.Config().EmbedDim; {
	case p != nil && m.Task != "" && m.Task != task.Name:
		return nil, fmt.Errorf("%s is a probe of task %s, which cannot classify %s", m.Name, m.Task, task.Name)
	case p != nil && (p.Classes != len(task.Captions) || p.D != d):
		return nil, fmt.Errorf("%s is a probe of %d classes on features of width %d, task %s has %d classes and the model width %d",
			m.Name, p.Classes, p.D, task.Name, len(task.Captions), d)
	case m.Adapter != nil && m.Adapter.Dim != d:
		return nil, fmt.Errorf("%s is an adapter of features of width %d, the model has %d", m.Name, m.Adapter.Dim, d)
	case m.Adapter != nil && task.Ensemble != nil:
		return nil, fmt.Errorf("%s is an adapter, tuned with one caption a class: it cannot be used with several", m.Name)
	}
	// Embedding one image gives the captions' embeddings and the hashes.
	one := *task
	one.Test = datasets.Prefix(task.Test, 1)
	set, err := e.Embed(ctx, &one, "test", progress.Discard)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", task.Name, err)
	}
	c := &classifier{m: m, o: o, texts: set.Texts.Float32s(), from: set.Provenance, pixels: e.Config().Preprocess}
	c.pixels.Mode, c.pixels.Resize = preprocess.CropOnly, 0
	if m.Adapter != nil {
		if c.texts, err = adaptedTexts(m, task.Captions); err != nil {
			return nil, fmt.Errorf("task %s: %w", task.Name, err)
		}
	}
	name, head, err := m.head()
	if err != nil {
		return nil, err
	}
	if c.head = head; head != "" {
		c.from.Hashes[name] = head
	}
	for _, v := range c.texts {
		c.bits = binary.LittleEndian.AppendUint32(c.bits, math.Float32bits(v))
	}
	for i := range task.Test.Len() {
		c.labels = append(c.labels, task.Test.Label(i))
	}
	if c.images, err = look(ctx, task.Test, e.Config().Preprocess, report); err != nil {
		return nil, fmt.Errorf("task %s: %w", task.Name, err)
	}
	c.from.Hashes["pictures"] = c.images.hash
	return c, nil
}

// adaptedTexts are the captions' unit embeddings behind the model's adapter.
func adaptedTexts(m Model, captions []string) ([]float32, error) {
	tokens, err := m.Encoder.Tokenize(captions)
	if err != nil {
		return nil, err
	}
	x, err := m.Encoder.TextFeatures(tokens)
	if err != nil {
		return nil, err
	}
	x = m.Adapter.Texts(x, 1)
	return x, encoder.Normalize(x, m.Adapter.Dim)
}

// right returns for each image whether it is recognised: 1 or 0.
func (c *classifier) right(ctx context.Context, at condition, bar progress.Bar) ([]float64, error) {
	if at.kind == "" {
		bar.Note("as they are")
	} else {
		bar.Note(fmt.Sprintf("%s %d", at.kind, at.severity))
	}
	predictions, err := c.kept(at, bar)
	if err != nil {
		return nil, err
	}
	if predictions == nil {
		if predictions, err = c.predict(ctx, at, bar); err != nil {
			return nil, err
		}
		if err := c.keep(at, predictions); err != nil {
			return nil, err
		}
	} else {
		bar.Add(len(c.labels))
	}
	right := make([]float64, len(c.labels))
	for i, y := range c.labels {
		if predictions[i] == y {
			right[i] = 1
		}
	}
	return right, nil
}

func (c *classifier) predict(ctx context.Context, at condition, bar progress.Bar) ([]int, error) {
	var images datasets.Images = c.images
	if at.kind != "" {
		var err error
		if images, err = datasets.Corrupted(images, at.kind, at.severity, c.o.Seed); err != nil {
			return nil, err
		}
	}
	var features []float32
	for lo := 0; lo < images.Len(); lo += chunk {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(chunk, images.Len()-lo)
		pixels, err := c.pixels.PixelsOf(n, func(i int) (*picture.RGB, error) { return images.Image(lo + i) })
		if err != nil {
			return nil, err
		}
		x, err := c.m.Encoder.ImageFeatures(pixels)
		if err != nil {
			return nil, err
		}
		features = append(features, x...)
		bar.Add(n)
	}
	if c.m.Probe != nil {
		return c.m.Probe.Predict(features)
	}
	if c.m.Adapter != nil {
		features = c.m.Adapter.Images(features, 1)
	}
	a, err := evaluate.ZeroShot(features, c.texts, c.m.Encoder.Config().EmbedDim, c.labels)
	if err != nil {
		return nil, err
	}
	return a.Predictions, nil
}

// key is of all that predictions depend on.
func (c *classifier) key(at condition) *store.Key {
	k := store.NewKey("predictions under corruption", edition, c.from.Hashes["model"], c.head, c.from.Backend, c.images.hash,
		string(at.kind), fmt.Sprint(at.severity), fmt.Sprint(c.o.Seed))
	k.Add(c.bits)
	return k
}

// kept returns predictions of an earlier call, nil where there are none.
func (c *classifier) kept(at condition, bar progress.Bar) ([]int, error) {
	if c.o.NoCache {
		return nil, nil
	}
	data, err := store.Get(predictionCache, c.key(at))
	switch {
	case errors.Is(err, store.ErrCorrupt):
		bar.Note(err.Error() + ", computed again")
		return nil, nil
	case errors.Is(err, fs.ErrNotExist), err == nil && len(data) != 4*len(c.labels):
		return nil, nil
	case err != nil:
		return nil, err
	}
	predictions := make([]int, len(c.labels))
	for i := range predictions {
		predictions[i] = int(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return predictions, nil
}

func (c *classifier) keep(at condition, predictions []int) error {
	if c.o.NoCache {
		return nil
	}
	var data []byte
	for _, p := range predictions {
		data = binary.LittleEndian.AppendUint32(data, uint32(p))
	}
	return store.Put(predictionCache, c.key(at), data)
}

// seen are images as a model sees them.
type seen struct {
	datasets.Images
	config preprocess.Config
	held   []*picture.RGB // nil when they would take more memory than pixelBudget
	hash   string         // of all pixels: 16 hexadecimal digits of a SHA-256
}

// look decodes all images on all cores.
func look(ctx context.Context, images datasets.Images, config preprocess.Config, report progress.Reporter) (*seen, error) {
	n := images.Len()
	bar := report.Start("read test images", n)
	defer bar.Done()
	s := &seen{Images: images, config: config}
	var held []*picture.RGB
	if n <= pixelBudget/(3*config.Size*config.Size) {
		held = make([]*picture.RGB, n)
	}
	sums := make([][sha256.Size]byte, n)
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		work.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			p, err := s.Image(i)
			if err != nil {
				return err
			}
			sums[i] = sha256.Sum256(p.Pix)
			if held != nil {
				held[i] = p
			}
			bar.Add(1)
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	s.held = held
	h := sha256.New()
	for _, sum := range sums {
		h.Write(sum[:])
	}
	s.hash = hex.EncodeToString(h.Sum(nil)[:8])
	return s, nil
}

func (s *seen) Image(i int) (*picture.RGB, error) {
	if s.held != nil {
		return s.held[i], nil
	}
	p, err := s.Images.Image(i)
	if err != nil {
		return nil, err
	}
	return s.config.Square(p), nil
}
