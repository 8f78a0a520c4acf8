package finetune

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/train"
)

// towers tunes weights of the encoder itself by gradient steps.
type towers struct {
	method Method
	e      *encoder.Encoder
	o      Options
	vars   []*model.Variable
	step   *train.Step
}

// openTowers makes the tuner that moves the weights chosen by moves. Without
// a text tower to move, only weights of the image tower are asked for.
func openTowers(m Method, e *encoder.Encoder, o Options, moves func(weight string) bool) (Tuner, error) {
	t := &towers{method: m, e: e, o: o}
	for _, name := range e.WeightNames() {
		move := moves(name) && (!o.FixedText || inImageTower(name))
		if name == logitScale {
			move = o.TrainLogitScale
		}
		if move {
			t.vars = append(t.vars, e.Weight(name))
		}
	}
	optimizer, err := o.optimizer()
	if err != nil {
		return nil, err
	}
	t.step, err = train.NewStep(e.Backend(), e.Store(), t.vars, train.Options{Optimizer: optimizer, ClipNorm: o.ClipNorm}, t.loss)
	if err != nil {
		return nil, fmt.Errorf("method %s on model %s: %w", m.Name, e.Name, err)
	}
	return t, nil
}

// loss of a batch: pixels [b, 3, size, size], labels int32 [b], mask [c] and
// captions, which are token ids int32 [c, context] or, when the text tower does
// not move, their features [c, d].
func (t *towers) loss(g *graph.Graph, in []*graph.Node) *graph.Node {
	net, texts := t.e.Network(), in[3]
	if !t.o.FixedText {
		texts = net.TextFeatures(g, texts)
	}
	return crossEntropy(classLogits(net.ImageFeatures(g, in[0]), texts, net.LogitScale(g), in[2]), in[1])
}

func (t *towers) Method() Method { return t.method }

func (t *towers) Parameters(int) []Parameter {
	list := make([]Parameter, len(t.vars))
	for i, v := range t.vars {
		list[i] = Parameter{v.Path()[1:], v.Shape().Dimensions}
	}
	return list
}

func (t *towers) Run(ctx context.Context, d Data, seed int, watch Watch) (*Tuned, error) {
	captions, err := t.captions(d)
	if err != nil {
		return nil, err
	}
	if err := t.step.Reset(); err != nil {
		return nil, err
	}
	images := newStream(len(d.Labels), seed)
	chosen := make([]int, t.o.Batch)
	tuned := &Tuned{}
	for k := range t.o.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		images.next(chosen)
		loss, err := t.move(train.Cosine(t.o.Rate, k, t.o.Steps, t.o.Warmup), d, chosen, captions)
		if err != nil {
			return nil, fmt.Errorf("method %s: %w", t.method.Name, err)
		}
		tuned.Losses = append(tuned.Losses, loss)
		if watch != nil {
			watch(k+1, t.o.Steps, loss)
		}
	}
	return tuned, nil
}

// captions are the text inputs of all steps of a run.
type captions struct {
	mask     []float32 // [rows]
	tokens   []int32   // [rows, context]
	features []float32 // [rows, d], when the text tower does not move
}

// captions checks the data and fills its captions up to a multiple of
// Options.Captions, with copies of the first, whose logits are masked.
func (t *towers) captions(d Data) (captions, error) {
	classes, err := d.classes(t.e.Config())
	if err != nil {
		return captions{}, err
	}
	if d.Pixels == nil {
		return captions{}, fmt.Errorf("method %s needs pixels: features do not move", t.method.Name)
	}
	rows := (classes + t.o.Captions - 1) / t.o.Captions * t.o.Captions
	context := t.e.Config().ContextLength
	c := captions{mask: make([]float32, rows), tokens: make([]int32, rows*context)}
	copy(c.tokens, d.Tokens)
	for i := classes; i < rows; i++ {
		c.mask[i] = masked
		copy(c.tokens[i*context:], d.Tokens[:context])
	}
	if t.o.FixedText {
		c.features, err = t.e.TextFeatures(c.tokens)
	}
	return c, err
}

// move takes one step on the chosen images and returns their loss before it.
func (t *towers) move(rate float64, d Data, chosen []int, c captions) (float64, error) {
	cfg, rows := t.e.Config(), len(c.mask)
	width := 3 * cfg.ImageSize * cfg.ImageSize
	pixels := make([]float32, 0, len(chosen)*width)
	labels := make([]int32, len(chosen))
	for k, i := range chosen {
		pixels = append(pixels, d.Pixels[i*width:(i+1)*width]...)
		labels[k] = int32(d.Labels[i])
	}
	texts := tensors.FromFlatDataAndDimensions(c.tokens, rows, cfg.ContextLength)
	if t.o.FixedText {
		texts = tensors.FromFlatDataAndDimensions(c.features, rows, cfg.EmbedDim)
	}
	inputs := []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(pixels, len(chosen), 3, cfg.ImageSize, cfg.ImageSize),
		tensors.FromFlatDataAndDimensions(labels, len(chosen)),
		tensors.FromFlatDataAndDimensions(c.mask, rows),
		texts,
	}
	args := make([]any, len(inputs))
	for i, x := range inputs {
		args[i] = x
	}
	loss, err := t.step.Run(rate, args...)
	for _, x := range inputs {
		if ferr := x.FinalizeAll(); err == nil {
			err = ferr
		}
	}
	return loss, err
}
