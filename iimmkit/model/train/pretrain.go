package train

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"time"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/iimmkit/iimm/datasets/world"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/family"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/preprocess"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/token"
)

// CurvePoint is one measurement during pretraining. Losses are in nats; Recall1
// is the share of held-out pictures whose caption comes first among 256.
type CurvePoint struct {
	Step           int     `json:"step"`
	Loss           float64 `json:"loss"`
	ValidationLoss float64 `json:"validation_loss"`
	Recall1        float64 `json:"recall_at_1_of_256"`
	LogitScale     float64 `json:"logit_scale"`
}

// Pretrained is a trained micro model.
type Pretrained struct {
	Encoder *encoder.Encoder
	Curve   []CurvePoint
	Seconds float64
}

// worldPreprocess is how the micro models see pictures.
var worldPreprocess = preprocess.Config{
	Size: world.Size, Mode: preprocess.Shortest, Mean: [3]float32{.5, .5, .5}, Std: [3]float32{.25, .25, .25},
}

const (
	validationPairs = 2560
	validationBatch = 256
)

// Pretrain trains a dual encoder from random weights on the synthetic world
// with its family's objective: the symmetric contrastive loss of CLIP (Radford
// et al., 2021), or SigLIP's sigmoid loss (Zhai et al., 2023). The
// result is a function of the recipe and the backend. With a resume file, the
// state is kept there every few hundred steps, and a run that was cut off goes
// on from it to the same result; the file is removed at the end.
func Pretrain(ctx context.Context, b compute.Backend, r Recipe, resume string, report progress.Reporter) (*Pretrained, error) {
	start := time.Now()
	point := resumePoint{Recipe: r, Backend: backend.Name(b)}
	data := drawWorld(r, report)
	shape, err := r.shape(len(data.vocabulary.Words))
	if err != nil {
		return nil, err
	}
	e, err := newRandom(b, shape, r.Seed, data.vocabulary)
	if err != nil {
		return nil, err
	}
	step, err := pretrainingStep(e, r)
	if err != nil {
		return nil, err
	}
	if resume != "" {
		if p, ok, err := step.loadResume(resume, point); err != nil {
			return nil, err
		} else if ok {
			point = p
		}
	}
	from := point.Steps
	bar := report.Start("pretrain", r.Steps)
	defer bar.Done()
	bar.Add(from)
	batches := make(chan batch, 2)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(batches)
		for t := from; t < r.Steps; t++ {
			select {
			case batches <- data.batch(r, t):
			case <-ctx.Done():
				return
			}
		}
	}()
	var mean float64
	every := max(1, min(250, r.Steps/4))
	for t := from; t < r.Steps; t++ {
		in, ok := <-batches
		if !ok || ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		loss, err := step.Run(Cosine(r.Rate, t, r.Steps, r.Warmup),
			tensors.FromFlatDataAndDimensions(in.pixels, r.Batch, 3, world.Size, world.Size),
			tensors.FromFlatDataAndDimensions(in.tokens, r.Batch, r.Shape.ContextLength))
		if err != nil {
			return nil, err
		}
		mean += (loss - mean) / float64(t%every+1)
		if (t+1)%every == 0 || t+1 == r.Steps {
			p, err := data.validate(e, objectiveOf(r.Family))
			if err != nil {
				return nil, err
			}
			p.Step, p.Loss = t+1, mean
			mean = 0
			point.Curve = append(point.Curve, p)
			bar.Note(fmt.Sprintf("loss %.3f, validation %.3f, recall %.2f", p.Loss, p.ValidationLoss, p.Recall1))
			if resume != "" {
				now := point
				now.Steps, now.Seconds = t+1, point.Seconds+time.Since(start).Seconds()
				if err := step.saveResume(resume, now); err != nil {
					return nil, err
				}
			}
		}
		bar.Add(1)
	}
	if resume != "" {
		if err := os.Remove(resume); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return &Pretrained{Encoder: e, Curve: point.Curve, Seconds: point.Seconds + time.Since(start).Seconds()}, nil
}

// newRandom returns an encoder with its family's random initial weights. Each
// weight has its own stream, so that the order of weights does not matter.
func newRandom(b compute.Backend, shape family.Shape, seed uint64, v token.Vocabulary) (*encoder.Encoder, error) {
	weights := map[string]checkpoint.Weight{}
	for _, p := range shape.Params() {
		h := fnv.New64a()
		h.Write([]byte(p.Name))
		rng := rand.New(rand.NewPCG(seed, h.Sum64()))
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		w := checkpoint.Weight{Shape: p.Shape, Data: make([]float32, n)}
		for i := range w.Data {
			w.Data[i] = float32(p.Fill + p.Std*rng.NormFloat64())
		}
		weights[p.Name] = w
	}
	tokenizer, err := v.HF()
	if err != nil {
		return nil, err
	}
	pre := worldPreprocess
	if microFamilies[shape.Family()].Saves == family.OpenCLIPLibrary {
		pre.Convention = preprocess.OpenCLIP // as the library crops whose layout it is kept in
	}
	return encoder.New(b, shape, pre, weights, tokenizer)
}

func pretrainingStep(e *encoder.Encoder, r Recipe) (*Step, error) {
	var vars []*model.Variable
	for _, name := range e.WeightNames() {
		vars = append(vars, e.Weight(name))
	}
	adam := NewAdamW(r.WeightDecay)
	adam.Beta2 = r.Beta2
	return NewStep(e.Backend(), e.Store(), vars, Options{
		Optimizer: adam, ClipNorm: r.ClipNorm,
		After: func(name string, value *Node) *Node {
			if name == "logit_scale" { // Radford et al. keep it from exceeding 100
				return ClipScalar(value, 0, math.Log(100))
			}
			return value
		},
	}, func(g *Graph, in []*Node) *Node {
		images := L2Normalize(e.Network().ImageFeatures(g, in[0]), -1)
		texts := L2Normalize(e.Network().TextFeatures(g, in[1]), -1)
		return objectiveOf(r.Family).graph(images, texts, e.Network().LogitScale(g), e.Network().LogitBias(g))
	})
}

// pairs is the drawn world: packed pictures and token rows.
type pairs struct {
	pictures   []uint8 // [n, Size, Size, 3]
	tokens     []int32 // [n, captions, context]
	vocabulary token.Vocabulary
	order      []int // of the epoch last asked for
	epoch      int

	validationPixels []float32
	validationTokens []int32
}

// drawWorld draws the recipe's pictures and its held-out ones, and reads the
// captions into tokens.
func drawWorld(r Recipe, report progress.Reporter) *pairs {
	bar := report.Start("draw pictures", r.Pairs)
	defer bar.Done()
	pictures, captions := world.Pairs(r.Pairs, r.Seed)
	bar.Add(r.Pairs)
	var all []string
	for _, c := range captions {
		all = append(all, c[:]...)
	}
	d := &pairs{pictures: pictures, vocabulary: token.BuildVocabulary(all, r.MinCount), epoch: -1}
	spelled := rand.New(rand.NewPCG(r.Seed, 1))
	spell := func() bool { return spelled.Float64() < r.Spell }
	for _, c := range all {
		d.tokens = d.row(d.tokens, c, r.Shape.ContextLength, spell)
	}
	held, captions := world.Pairs(validationPairs, r.Seed+1)
	for i := range validationPairs {
		d.validationPixels = appendPixels(d.validationPixels, held[i*world.Bytes:(i+1)*world.Bytes], 0, 0)
		d.validationTokens = d.row(d.validationTokens, captions[i][0], r.Shape.ContextLength, func() bool { return false })
	}
	return d
}

// row appends a caption's ids, cut or filled up to context.
func (d *pairs) row(dst []int32, caption string, context int, spell func() bool) []int32 {
	n := len(dst)
	dst = d.vocabulary.Encode(dst, caption, spell)
	if end := dst[len(dst)-1]; len(dst) > n+context {
		dst = append(dst[:n+context-1], end)
	}
	for len(dst) < n+context {
		dst = append(dst, 0)
	}
	return dst
}

type batch struct {
	pixels []float32
	tokens []int32
}

// batch returns the pairs of step t: the epoch's order is a function of seed
// and epoch, captions and shifts are one of seed and step.
func (d *pairs) batch(r Recipe, t int) batch {
	perEpoch := r.Pairs / r.Batch
	if epoch := t / perEpoch; epoch != d.epoch {
		d.epoch = epoch
		d.order = rand.New(rand.NewPCG(r.Seed, 1000+uint64(epoch))).Perm(r.Pairs)
	}
	rng := rand.New(rand.NewPCG(r.Seed, 1_000_000+uint64(t)))
	c := r.Shape.ContextLength
	out := batch{make([]float32, 0, r.Batch*world.Bytes), make([]int32, 0, r.Batch*c)}
	for _, i := range d.order[t%perEpoch*r.Batch:][:r.Batch] {
		dx, dy := rng.IntN(2*r.Shift+1)-r.Shift, rng.IntN(2*r.Shift+1)-r.Shift
		out.pixels = appendPixels(out.pixels, d.pictures[i*world.Bytes:(i+1)*world.Bytes], dx, dy)
		k := i*world.CaptionsPerImage + rng.IntN(world.CaptionsPerImage)
		out.tokens = append(out.tokens, d.tokens[k*c:(k+1)*c]...)
	}
	return out
}

// appendPixels appends a packed picture as normalised planes, moved by dx, dy
// around the edges.
func appendPixels(dst []float32, pix []uint8, dx, dy int) []float32 {
	const size = world.Size
	for ch := range 3 {
		scale, mean := 1/(255*worldPreprocess.Std[ch]), worldPreprocess.Mean[ch]/worldPreprocess.Std[ch]
		for y := range size {
			row := (y - dy + size) % size * size
			for x := range size {
				dst = append(dst, float32(pix[3*(row+(x-dx+size)%size)+ch])*scale-mean)
			}
		}
	}
	return dst
}

// validate measures loss and recall on the held-out pairs.
func (d *pairs) validate(e *encoder.Encoder, o objective) (CurvePoint, error) {
	images, err := e.ImageFeatures(d.validationPixels)
	if err != nil {
		return CurvePoint{}, err
	}
	texts, err := e.TextFeatures(d.validationTokens)
	if err != nil {
		return CurvePoint{}, err
	}
	dim := e.Config().EmbedDim
	if err := encoder.Normalize(images, dim); err != nil {
		return CurvePoint{}, err
	}
	if err := encoder.Normalize(texts, dim); err != nil {
		return CurvePoint{}, err
	}
	scale, err := e.LogitScale()
	if err != nil {
		return CurvePoint{}, err
	}
	bias, err := e.LogitBias()
	if err != nil {
		return CurvePoint{}, err
	}
	p := CurvePoint{LogitScale: scale}
	const n = validationBatch
	for at := 0; at < validationPairs; at += n {
		logits := pairLogits(images[at*dim:(at+n)*dim], texts[at*dim:(at+n)*dim], dim, scale, bias)
		p.ValidationLoss += o.plain(logits, n) * n / validationPairs
		p.Recall1 += float64(firstPlaces(logits, n)) / validationPairs
	}
	return p, nil
}
