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
	"github.com/iimmkit/iimm/iimmkit/model/encoder/clip"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/preprocess"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/token"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// Recipe is everything that determines a pretrained micro model.
type Recipe struct {
	Shape       clip.Config `json:"shape"` // VocabSize and EndToken follow from the captions
	Seed        uint64      `json:"seed"`
	Pairs       int         `json:"pairs"` // pictures, each with world.CaptionsPerImage captions
	Steps       int         `json:"steps"`
	Batch       int         `json:"batch"`
	Rate        float64     `json:"learning_rate"`
	Warmup      int         `json:"warmup_steps"`
	WeightDecay float64     `json:"weight_decay"`
	Beta2       float64     `json:"beta2"`
	ClipNorm    float64     `json:"clip_norm"`
	Spell       float64     `json:"spell"`     // share of words that are spelled in letters
	Shift       int         `json:"shift"`     // pictures are moved by up to so many pixels
	MinCount    int         `json:"min_count"` // of a word in the captions to be in the vocabulary
}

// DefaultRecipe is the recipe of the shipped micro-clip, whose card has the
// vocabulary size that followed from it.
func DefaultRecipe() Recipe {
	return Recipe{
		Shape: clip.Config{
			EmbedDim: 64, ImageSize: world.Size, PatchSize: 8, ContextLength: 24,
			Vision:     transformer.Tower{Width: 96, Layers: 4, Heads: 4, MLPWidth: 384},
			Text:       transformer.Tower{Width: 64, Layers: 2, Heads: 4, MLPWidth: 256},
			Activation: transformer.QuickGELU, Epsilon: 1e-5, EndToken: -1,
		},
		Pairs: 200_000, Steps: 4000, Batch: 256, Rate: 1.2e-3, Warmup: 200, WeightDecay: .05, Beta2: .98,
		ClipNorm: 1, Spell: .06, Shift: 2, MinCount: 20,
	}
}

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
// with the symmetric contrastive loss of CLIP (Radford et al., 2021). The
// result is a function of the recipe and the backend. With a resume file, the
// state is kept there every few hundred steps, and a run that was cut off goes
// on from it to the same result; the file is removed at the end.
func Pretrain(ctx context.Context, b compute.Backend, r Recipe, resume string, report progress.Reporter) (*Pretrained, error) {
	start := time.Now()
	point := resumePoint{Recipe: r, Backend: backend.Name(b)}
	data := drawWorld(r, report)
	r.Shape.VocabSize = len(data.vocabulary.Words)
	e, err := newRandom(b, r.Shape, r.Seed, data.vocabulary)
	if err != nil {
		return nil, err
	}
	step, err := contrastiveStep(e, r)
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
	every := max(1, min(250, r.Steps/10))
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
			p, err := data.validate(e)
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

// newRandom returns an encoder with open_clip's random initial weights. Each
// weight has its own stream, so that the order of weights does not matter.
func newRandom(b compute.Backend, shape clip.Config, seed uint64, v token.Vocabulary) (*encoder.Encoder, error) {
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
	return encoder.New(b, shape, worldPreprocess, weights, tokenizer)
}

func contrastiveStep(e *encoder.Encoder, r Recipe) (*Step, error) {
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
		return Contrastive(images, texts, e.Network().LogitScale(g))
	})
}

// Contrastive is the symmetric contrastive loss of n pairs of unit rows
// images, texts [n, d]: the mean of the cross-entropies of each image over all
// texts and of each text over all images. scale multiplies the cosines.
func Contrastive(images, texts, scale *Node) *Node {
	logits := Mul(DotGeneral(images, []int{1}, nil, texts, []int{1}, nil), scale) // [images, texts]
	n := logits.Shape().Dim(0)
	right := ReduceAllSum(Mul(images, texts)) // of the cosines of the pairs
	total := Add(ReduceAllSum(logSumExp(logits, 1)), ReduceAllSum(logSumExp(logits, 0)))
	return DivScalar(Sub(total, MulScalar(Mul(right, scale), 2)), 2*float64(n))
}

func logSumExp(x *Node, axis int) *Node {
	most := StopGradient(ReduceAndKeep(x, ReduceMax, axis))
	return Add(Log(ReduceAndKeep(Exp(Sub(x, most)), ReduceSum, axis)), most)
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
func (d *pairs) validate(e *encoder.Encoder) (CurvePoint, error) {
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
	p := CurvePoint{LogitScale: scale}
	const n = validationBatch
	for at := 0; at < validationPairs; at += n {
		loss, first := pairLoss(images[at*dim:(at+n)*dim], texts[at*dim:(at+n)*dim], dim, scale)
		p.ValidationLoss += loss * n / validationPairs
		p.Recall1 += float64(first) / validationPairs
	}
	return p, nil
}

// pairLoss is Contrastive in plain float64, and the number of images whose own
// text is the nearest.
func pairLoss(images, texts []float32, d int, scale float64) (loss float64, first int) {
	n := len(images) / d
	logits := make([]float64, n*n)
	for i := range n {
		for j := range n {
			var dot float64
			for k := range d {
				dot += float64(images[i*d+k]) * float64(texts[j*d+k])
			}
			logits[i*n+j] = scale * dot
		}
	}
	for i := range n {
		var row, column float64 // sums of exp relative to the own pair
		best := true
		own := logits[i*n+i]
		for j := range n {
			row += math.Exp(logits[i*n+j] - own)
			column += math.Exp(logits[j*n+i] - own)
			best = best && (j == i || logits[i*n+j] < own)
		}
		loss += (math.Log(row) + math.Log(column)) / 2 / float64(n)
		if best {
			first++
		}
	}
	return loss, first
}
