package finetune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/train"
)

// learner is what a method trains by gradient steps.
type learner interface {
	// variables are the weights that move.
	variables() []*model.Variable
	// name is a variable's name in lists and files.
	name(*model.Variable) string
	// begin gives the weights that the method adds their initial values.
	begin(seed int) error
	// images returns what the graph reads of each image, rows of dims.
	images(Data) (rows []float32, dims []int, err error)
	// captions returns what the graph reads of token ids [n, context].
	captions(tokens []int32) (*tensors.Tensor, error)
	// features are the unnormalised features [b, d] and [c, d] of a batch of
	// images and of captions.
	features(images, captions *graph.Node) (x, texts *graph.Node)
	// embed returns the same features by the weights as they are now.
	embed(images []float32, tokens []int32) (x, texts []float32, err error)
	// end says what came of a run.
	end(*Tuned) error
}

// descent is the tuner of a learner.
type descent struct {
	method Method
	e      *encoder.Encoder
	o      Options
	l      learner
	vars   []*model.Variable // the learner's and, where it moves, the scale of logits
	step   *train.Step
	always bool // a resume file is written after every step
}

// newDescent makes the tuner of a learner.
func newDescent(m Method, e *encoder.Encoder, o Options, l learner) (Tuner, error) {
	t := &descent{method: m, e: e, o: o, l: l, vars: l.variables()}
	if o.Objective == "sigmoid" && e.Weight(logitBias) == nil {
		return nil, fmt.Errorf("method %s: the sigmoid objective needs a logit_bias, which model %s of family %s has not", m.Name, e.Name, e.Config().Family)
	}
	if o.TrainLogitScale && m.MovesTowers {
		t.vars = append(slices.Clone(t.vars), e.Weight(logitScale))
		if o.Objective == "sigmoid" {
			t.vars = append(t.vars, e.Weight(logitBias))
		}
	}
	var err error
	t.step, err = train.NewStep(e.Backend(), e.Store(), t.vars, train.Options{Optimizer: o.optimizer(), ClipNorm: o.ClipNorm, After: clampScale}, t.loss)
	if err != nil {
		return nil, fmt.Errorf("method %s on model %s: %w", m.Name, e.Name, err)
	}
	return t, nil
}

// loss of a batch: images, labels int32 [b], mask [c] and captions.
func (t *descent) loss(g *graph.Graph, in []*graph.Node) *graph.Node {
	x, texts := t.l.features(in[0], in[3])
	net := t.e.Network()
	logits := classLogits(x, texts, net.LogitScale(g))
	if t.o.Objective == "sigmoid" {
		return sigmoidLoss(graph.Add(logits, net.LogitBias(g)), in[1], in[2])
	}
	return crossEntropy(graph.Add(logits, graph.InsertAxes(in[2], 0)), in[1])
}

func (t *descent) Method() Method { return t.method }

func (t *descent) Parameters(int) []Parameter {
	list := make([]Parameter, len(t.vars))
	for i, v := range t.vars {
		list[i] = Parameter{t.l.name(v), v.Shape().Dimensions}
	}
	return list
}

func (t *descent) Run(ctx context.Context, d Data, job Job) (*Tuned, error) {
	b, err := t.batches(d, job.Seed)
	if err != nil {
		return nil, err
	}
	defer b.close()
	rates := t.o.Rates
	if len(rates) == 0 {
		rates = []float64{t.o.Rate}
	}
	if rates[0] == 0 {
		rates = []float64{t.method.Rate}
	}
	defer t.e.Moved()
	var start [][]float32
	if len(rates) > 1 {
		if start, err = values(t.vars); err != nil {
			return nil, err
		}
	}
	var best *outcome
	var failure error
	for i, rate := range rates {
		if i > 0 {
			if err := setValues(t.vars, start); err != nil {
				return nil, err
			}
		}
		r, err := t.descend(ctx, b, rate, job, i)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && len(rates) > 1 && errors.Is(err, train.ErrDiverged):
			failure = err // the other rates may do
			continue
		case err != nil:
			return nil, fmt.Errorf("method %s: %w", t.method.Name, err)
		}
		if best == nil || r.check.better(best.check) {
			best = r
		}
	}
	if best == nil {
		return nil, fmt.Errorf("method %s: no learning rate of %v will do: %w", t.method.Name, rates, failure)
	}
	if len(rates) > 1 || best.step < t.step.Steps() { // else these are the weights already
		if err := setValues(t.vars, best.weights); err != nil {
			return nil, err
		}
	}
	tuned := &Tuned{Losses: best.Losses, Rate: best.rate, Checks: best.Checks, Best: best.step, Moved: encoder.Weights{}}
	own := t.e.WeightNames()
	for i, v := range t.vars {
		if name := v.Path()[1:]; slices.Contains(own, name) {
			tuned.Moved[name] = best.weights[i]
		}
	}
	return tuned, t.l.end(tuned)
}

// outcome is what a run at one learning rate gives.
type outcome struct {
	progress
	rate    float64
	step    int // after which the weights were these
	check   Check
	weights [][]float32
}

// progress is how far a run at one learning rate is, besides its weights.
type progress struct {
	Losses []float64 `json:"losses"`
	Checks []Check   `json:"checks"`
}

// descend takes all steps at one learning rate.
func (t *descent) descend(ctx context.Context, b *batches, rate float64, job Job, index int) (*outcome, error) {
	if err := t.l.begin(job.Seed); err != nil {
		return nil, err
	}
	if err := t.step.Reset(); err != nil {
		return nil, err
	}
	steps, every := t.o.steps(len(b.training)), t.o.CheckEvery
	if every == 0 {
		every = t.o.epoch(len(b.training))
	}
	r := &outcome{rate: rate, check: Check{Accuracy: -1, Loss: math.Inf(1)}}
	save, err := t.resume(job, index, b, r)
	if err != nil {
		return nil, err
	}
	stale := 0
	for _, c := range r.Checks { // of before the interruption
		stale++
		if c.better(r.check) {
			r.check, stale = c, 0
		}
	}
	patient := func() bool { return t.o.Patience == 0 || stale < t.o.Patience }
	images := newStream(len(b.training), job.Seed)
	chosen := make([]int, t.o.Batch)
	for k := 0; k < steps && patient(); k++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		images.next(chosen)
		if k < t.step.Steps() {
			continue // done before the interruption
		}
		loss, err := t.move(t.o.rate(rate, k, steps), b, chosen, job.Seed, k)
		if err != nil {
			return nil, err
		}
		r.Losses = append(r.Losses, loss)
		done := k + 1
		if b.validation != nil && (done%every == 0 || done == steps) {
			c, err := t.look(b, done)
			if err != nil {
				return nil, err
			}
			r.Checks = append(r.Checks, c)
			stale++
			if c.better(r.check) {
				r.check, stale = c, 0
				if r.weights, err = values(t.vars); err != nil {
					return nil, err
				}
			}
		}
		if job.Watch != nil {
			job.Watch(done, steps, loss)
		}
		if err := save(done == steps || !patient()); err != nil {
			return nil, err
		}
	}
	r.step = r.check.Step
	if b.validation == nil || t.o.KeepLast {
		r.step = t.step.Steps()
		r.weights, err = values(t.vars)
	}
	return r, err
}

// move takes one step on the chosen training images and returns their loss before it.
func (t *descent) move(rate float64, b *batches, chosen []int, seed, k int) (float64, error) {
	width := size(b.dims)
	rows, labels := make([]float32, 0, len(chosen)*width), make([]int32, len(chosen))
	for j, c := range chosen {
		i := b.training[c]
		rows = append(rows, b.rows[i*width:(i+1)*width]...)
		labels[j] = int32(b.labels[i])
	}
	if t.o.Augment != "" && t.method.MovesTowers {
		augment(rows, len(chosen), t.e.Config().ImageSize, t.o.Augment == "shift+flip", uint64(seed), uint64(k))
	}
	inputs := []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(rows, append([]int{len(chosen)}, b.dims...)...),
		tensors.FromFlatDataAndDimensions(labels, len(chosen)),
	}
	loss, err := t.step.Run(rate, inputs[0], inputs[1], b.mask, b.captions)
	for _, x := range inputs {
		if ferr := x.FinalizeAll(); err == nil {
			err = ferr
		}
	}
	return loss, err
}

// look measures the validation images.
func (t *descent) look(b *batches, step int) (Check, error) {
	scores, err := t.logits(b.held, b.tokens)
	if err != nil {
		return Check{}, fmt.Errorf("validation after %d steps: %w", step, err)
	}
	accuracy, err := evaluate.FromScores(scores, b.heldLabels, b.classes)
	if err != nil {
		return Check{}, err
	}
	loss, err := evaluate.LogLoss(scores, b.heldLabels, b.classes)
	return Check{Step: step, Accuracy: accuracy.Top1, Loss: loss}, err
}

// logits returns exp(logit_scale)·cos [n, classes] by the weights as they are.
func (t *descent) logits(rows []float32, tokens []int32) ([]float64, error) {
	x, texts, err := t.l.embed(rows, tokens)
	if err != nil {
		return nil, err
	}
	d := t.e.Config().EmbedDim
	for _, features := range [][]float32{x, texts} {
		if err := encoder.Normalize(features, d); err != nil {
			return nil, err
		}
	}
	scores, err := evaluate.Cosines(x, texts, d)
	if err != nil {
		return nil, err
	}
	scale, err := t.e.LogitScale()
	for i := range scores {
		scores[i] *= scale
	}
	return scores, err
}

// batches are the images and captions of a run.
type batches struct {
	rows     []float32 // of all images
	dims     []int     // of a row
	labels   []int
	classes  int
	training []int // indices of the images to train on
	// validation are those to look at, held their rows; nil when there are none.
	validation []int
	held       []float32
	heldLabels []int

	tokens   []int32 // [classes, context]
	mask     *tensors.Tensor
	captions *tensors.Tensor // filled up
}

// batches prepares the data. Captions are filled up to a multiple of
// Options.Captions with copies of the first, whose logits are masked.
func (t *descent) batches(d Data, seed int) (*batches, error) {
	b := &batches{labels: d.Labels, tokens: d.Tokens}
	var err error
	if b.classes, err = d.classes(t.e.Config()); err != nil {
		return nil, err
	}
	if b.training, b.validation, err = split(d.Labels, b.classes, t.o.Validation, seed); err != nil {
		return nil, err
	}
	if b.rows, b.dims, err = t.l.images(d); err != nil {
		return nil, fmt.Errorf("method %s: %w", t.method.Name, err)
	}
	width := size(b.dims)
	for _, i := range b.validation {
		b.held = append(b.held, b.rows[i*width:(i+1)*width]...)
		b.heldLabels = append(b.heldLabels, d.Labels[i])
	}
	rows := (b.classes + t.o.Captions - 1) / t.o.Captions * t.o.Captions
	context := t.e.Config().ContextLength
	mask, tokens := make([]float32, rows), make([]int32, rows*context)
	copy(tokens, d.Tokens)
	for i := b.classes; i < rows; i++ {
		mask[i] = masked
		copy(tokens[i*context:], d.Tokens[:context])
	}
	if b.captions, err = t.l.captions(tokens); err != nil {
		return nil, err
	}
	b.mask = tensors.FromFlatDataAndDimensions(mask, rows)
	return b, nil
}

// close frees the tensors. What goes wrong then is nobody's concern.
func (b *batches) close() {
	_ = b.mask.FinalizeAll()
	_ = b.captions.FinalizeAll()
}

// values returns copies of the variables' values.
func values(vars []*model.Variable) ([][]float32, error) {
	list := make([][]float32, len(vars))
	for i, v := range vars {
		value, err := v.Value()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.Path(), err)
		}
		if list[i], err = tensors.CopyFlatData[float32](value); err != nil {
			return nil, fmt.Errorf("%s: %w", v.Path(), err)
		}
	}
	return list, nil
}

// setValues sets the variables to values.
func setValues(vars []*model.Variable, values [][]float32) error {
	for i, v := range vars {
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(values[i], v.Shape().Dimensions...)); err != nil {
			return fmt.Errorf("%s: %w", v.Path(), err)
		}
	}
	return nil
}
