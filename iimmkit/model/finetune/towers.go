package finetune

import (
	"errors"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

// towers tunes weights of the encoder itself, and is the base of what tunes
// additions to them.
type towers struct {
	e         *encoder.Encoder
	fixedText bool
	vars      []*model.Variable
}

// openTowers makes the tuner that moves the weights chosen by moves. Without
// a text tower to move, only weights of the image tower are.
func openTowers(m Method, e *encoder.Encoder, o Options, moves func(weight string) bool) (Tuner, error) {
	t := &towers{e: e, fixedText: o.FixedText}
	for _, name := range e.WeightNames() {
		if moves(name) && name != logitScale && name != logitBias && (!o.FixedText || inImageTower(name)) {
			t.vars = append(t.vars, e.Weight(name))
		}
	}
	return newDescent(m, e, o, t)
}

func inImageTower(weight string) bool { return strings.HasPrefix(weight, "visual.") }

func inBlock(weight string) bool { return strings.Contains(weight, "resblocks.") }

func (t *towers) variables() []*model.Variable { return t.vars }

func (t *towers) name(v *model.Variable) string { return v.Path()[1:] }

func (t *towers) begin(int) error { return nil }

func (t *towers) images(d Data) ([]float32, []int, error) {
	if d.Pixels == nil {
		return nil, nil, errors.New("pixels are needed: features do not move")
	}
	size := t.e.Config().ImageSize
	return d.Pixels, []int{3, size, size}, nil
}

func (t *towers) captions(tokens []int32) (*tensors.Tensor, error) {
	c := t.e.Config()
	n := len(tokens) / c.ContextLength
	if !t.fixedText {
		return tensors.FromFlatDataAndDimensions(tokens, n, c.ContextLength), nil
	}
	x, err := t.e.TextFeatures(tokens)
	if err != nil {
		return nil, err
	}
	return tensors.FromFlatDataAndDimensions(x, n, c.EmbedDim), nil
}

func (t *towers) features(images, captions *graph.Node) (x, texts *graph.Node) {
	net, g := t.e.Network(), images.Graph()
	if !t.fixedText {
		captions = net.TextFeatures(g, captions)
	}
	return net.ImageFeatures(g, images), captions
}

func (t *towers) embed(images []float32, tokens []int32) (x, texts []float32, err error) {
	if x, err = t.e.ImageFeatures(images); err != nil {
		return nil, nil, err
	}
	texts, err = t.e.TextFeatures(tokens)
	return x, texts, err
}

func (t *towers) end(*Tuned) error { return nil }
