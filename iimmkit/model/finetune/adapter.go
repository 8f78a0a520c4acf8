package finetune

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

// adapter is CLIP-Adapter (Gao et al., 2021): features f of the frozen towers
// become (1-ratio)·f + ratio·relu(W2·relu(W1·f)), images and captions with
// matrices of their own.
var adapter = Method{
	Name:    "adapter",
	About:   "two small layers behind each tower, mixed into its frozen features",
	Forgets: true,
	Rate:    3e-2,
	open:    openAdapter,
	own:     func(from Options, to *Options) { to.Adapter = from.Adapter },
}

// AdapterOptions are the hyper-parameters of method adapter.
type AdapterOptions struct {
	Ratio     float64 `json:"ratio"`     // share of the adapter in the features
	Reduction int     `json:"reduction"` // the inner width is d over this
	// ImagesOnly leaves captions as they are.
	ImagesOnly bool `json:"images_only,omitempty"`
}

// Adapter changes the unnormalised features of a tuned encoder.
type Adapter struct {
	Dim, Hidden int
	Ratio       float64
	Image       AdapterLayers
	Text        AdapterLayers // nil: captions stay as they are
}

// AdapterLayers are W1 [Hidden, Dim] and W2 [Dim, Hidden].
type AdapterLayers [][]float32

// Images returns adapted copies of image features [n, Dim], with part times
// the ratio: 1, and they are the tuned ones; 0, and they are as before.
func (a *Adapter) Images(x []float32, part float64) []float32 { return a.adapt(a.Image, x, part) }

// Texts is Images of captions.
func (a *Adapter) Texts(x []float32, part float64) []float32 { return a.adapt(a.Text, x, part) }

func (a *Adapter) adapt(l AdapterLayers, x []float32, part float64) []float32 {
	y := slices.Clone(x)
	if l == nil {
		return y
	}
	ratio := a.Ratio * part
	hidden := make([]float64, a.Hidden)
	for i := 0; i < len(x); i += a.Dim {
		row := x[i : i+a.Dim]
		for k := range hidden {
			hidden[k] = max(0, dot(l[0][k*a.Dim:(k+1)*a.Dim], row))
		}
		for k := range row {
			sum := 0.
			for j, w := range l[1][k*a.Hidden : (k+1)*a.Hidden] {
				sum += float64(w) * hidden[j]
			}
			y[i+k] = float32((1-ratio)*float64(row[k]) + ratio*max(0, sum))
		}
	}
	return y
}

func dot(a, b []float32) float64 {
	sum := 0.
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// adapted learns the layers of an Adapter.
type adapted struct {
	e      *encoder.Encoder
	o      AdapterOptions
	dim    int
	hidden int
	vars   []*model.Variable // W1 and W2 of images and, unless ImagesOnly, of captions
}

// adapterNames are the names of the layers, as CLIP-Adapter has them.
var adapterNames = []string{"image_adapter.fc.0.weight", "image_adapter.fc.2.weight", "text_adapter.fc.0.weight", "text_adapter.fc.2.weight"}

func openAdapter(m Method, e *encoder.Encoder, o Options) (Tuner, error) {
	a := &adapted{e: e, o: o.Adapter, dim: e.Config().EmbedDim}
	switch {
	case !(a.o.Ratio > 0 && a.o.Ratio <= 1):
		return nil, fmt.Errorf("method %s: ratio %g is not in (0, 1]", m.Name, a.o.Ratio)
	case a.o.Reduction < 1 || a.o.Reduction > a.dim:
		return nil, fmt.Errorf("method %s: reduction %d of features of width %d", m.Name, a.o.Reduction, a.dim)
	}
	a.hidden = a.dim / a.o.Reduction
	for i, name := range adapterNames {
		if a.o.ImagesOnly && i >= 2 {
			break
		}
		rows, columns := a.hidden, a.dim
		if i%2 == 1 {
			rows, columns = columns, rows
		}
		path := fmt.Sprintf("/adapter.w%d/%s", a.hidden, name)
		v := e.Store().GetVariable(path)
		if v == nil {
			v = e.Store().VariableWithValue(path, tensors.FromFlatDataAndDimensions(make([]float32, rows*columns), rows, columns))
		}
		a.vars = append(a.vars, v)
	}
	return newDescent(m, e, o, a)
}

func (a *adapted) variables() []*model.Variable { return a.vars }

func (a *adapted) name(v *model.Variable) string { return strings.SplitN(v.Path()[1:], "/", 2)[1] }

// begin draws the layers as PyTorch draws linear ones: uniform within 1/√inputs.
func (a *adapted) begin(seed int) error {
	random := rand.New(rand.NewPCG(uint64(seed), 0xada))
	start := make([][]float32, len(a.vars))
	for i, v := range a.vars {
		bound := 1 / math.Sqrt(float64(v.Shape().Dim(1)))
		start[i] = make([]float32, v.Shape().Size())
		for k := range start[i] {
			start[i][k] = float32((2*random.Float64() - 1) * bound)
		}
	}
	return setValues(a.vars, start)
}

func (a *adapted) images(d Data) ([]float32, []int, error) {
	x := d.Features
	if x == nil {
		var err error
		if x, err = a.e.ImageFeatures(d.Pixels); err != nil {
			return nil, nil, err
		}
	}
	return x, []int{a.dim}, nil
}

func (a *adapted) captions(tokens []int32) (*tensors.Tensor, error) {
	x, err := a.e.TextFeatures(tokens)
	if err != nil {
		return nil, err
	}
	return tensors.FromFlatDataAndDimensions(x, len(x)/a.dim, a.dim), nil
}

func (a *adapted) features(images, captions *graph.Node) (x, texts *graph.Node) {
	x = a.mix(images, a.vars[:2])
	if a.o.ImagesOnly {
		return x, captions
	}
	return x, a.mix(captions, a.vars[2:])
}

func (a *adapted) mix(x *graph.Node, layers []*model.Variable) *graph.Node {
	y := x
	for _, v := range layers {
		y = graph.MaxScalar(graph.DotGeneral(y, []int{1}, nil, v.NodeValue(x.Graph()), []int{1}, nil), 0)
	}
	return graph.Add(graph.MulScalar(x, 1-a.o.Ratio), graph.MulScalar(y, a.o.Ratio))
}

func (a *adapted) embed(images []float32, tokens []int32) (x, texts []float32, err error) {
	now, err := a.now()
	if err != nil {
		return nil, nil, err
	}
	if texts, err = a.e.TextFeatures(tokens); err != nil {
		return nil, nil, err
	}
	return now.Images(images, 1), now.Texts(texts, 1), nil
}

func (a *adapted) now() (*Adapter, error) {
	all, err := values(a.vars)
	if err != nil {
		return nil, err
	}
	n := &Adapter{Dim: a.dim, Hidden: a.hidden, Ratio: a.o.Ratio, Image: all[:2]}
	if !a.o.ImagesOnly {
		n.Text = all[2:]
	}
	return n, nil
}

func (a *adapted) end(tuned *Tuned) (err error) {
	tuned.Adapter, err = a.now()
	return err
}
