package encoder_test

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/encodertest"
)

var tinyCaptions = []string{"a red circle", "a small blue square", "two green stars on the left"}

func tiny(t *testing.T, family string) *encoder.Encoder {
	t.Helper()
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	e, err := encodertest.TinyOf(b, family, tinyCaptions...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// tinyPictures are n pictures of noise, wider than high.
func tinyPictures(n int) []*picture.RGB {
	rng := rand.New(rand.NewPCG(3, 0))
	list := make([]*picture.RGB, n)
	for i := range list {
		list[i] = &picture.RGB{Width: 24, Height: 20, Pix: make([]uint8, 3*24*20)}
		for j := range list[i].Pix {
			list[i].Pix[j] = uint8(rng.Uint32())
		}
	}
	return list
}

func TestEveryFamilyIsSavedWithItsTokenizer(t *testing.T) {
	for _, family := range encoder.Families() {
		t.Run(family, func(t *testing.T) {
			e, dir := tiny(t, family), t.TempDir()
			if err := e.Save(dir, encoder.SaveOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(dir, "tokenizer.json")); err != nil {
				t.Error(err)
			}
			again, err := encoder.Open(e.Backend(), dir)
			if err != nil {
				t.Fatal(err)
			}
			if again.Config() != e.Config() || again.Config().Family != family {
				t.Errorf("configuration %+v became %+v", e.Config(), again.Config())
			}
			for name, encode := range map[string]func(*encoder.Encoder) ([]float32, error){
				"images":   func(e *encoder.Encoder) ([]float32, error) { return e.EncodeImages(tinyPictures(3)) },
				"captions": func(e *encoder.Encoder) ([]float32, error) { return e.EncodeTexts(tinyCaptions) },
			} {
				before, err1 := encode(e)
				after, err2 := encode(again)
				if err1 != nil || err2 != nil || len(before) != 3*e.Config().EmbedDim || !slices.Equal(before, after) {
					t.Errorf("%s are not embedded as before (%v, %v)", name, err1, err2)
				}
			}
		})
	}
}

func TestOnlySigLIPHasALogitBias(t *testing.T) {
	for _, family := range encoder.Families() {
		e := tiny(t, family)
		scale, err1 := e.LogitScale()
		bias, err2 := e.LogitBias()
		wantScale, wantBias := 1/.07, 0.
		if family == "siglip" {
			wantScale, wantBias = 10, -10
		}
		if err1 != nil || err2 != nil || math.Abs(scale-wantScale) > 1e-5 || bias != wantBias {
			t.Errorf("%s: scale %g, bias %g, want %g, %g (%v, %v)", family, scale, bias, wantScale, wantBias, err1, err2)
		}
	}
}

// The gradient of a loss that depends on everything, times a random direction,
// is the loss's slope in that direction, measured by two more values of it. A
// weight that the networks do not use would have a gradient of 0.
func TestGradientsOfEveryFamily(t *testing.T) {
	for _, family := range encoder.Families() {
		t.Run(family, func(t *testing.T) {
			e := tiny(t, family)
			ids, err := e.Tokenize(tinyCaptions)
			if err != nil {
				t.Fatal(err)
			}
			size, n := e.Config().ImageSize, len(tinyCaptions)
			pixels := tensors.FromFlatDataAndDimensions(e.Preprocess(tinyPictures(n)), n, 3, size, size)
			tokens := tensors.FromFlatDataAndDimensions(ids, n, e.Config().ContextLength)
			names := e.WeightNames()
			loss := func(g *Graph, in []*Node) *Node {
				net := e.Network()
				cos := DotGeneral(L2Normalize(net.ImageFeatures(g, in[0]), -1), []int{1}, nil, L2Normalize(net.TextFeatures(g, in[1]), -1), []int{1}, nil)
				logits := Add(Mul(cos, MulScalar(net.LogitScale(g), .1)), MulScalar(net.LogitBias(g), .1))
				return ReduceAllSum(Sin(logits)) // of other slope for every pair
			}
			value, err := model.NewExec(e.Backend(), e.Store(), func(_ *model.Scope, in []*Node) *Node { return loss(in[0].Graph(), in) })
			if err != nil {
				t.Fatal(err)
			}
			gradient, err := model.NewExec(e.Backend(), e.Store(), func(_ *model.Scope, in []*Node) []*Node {
				g := in[0].Graph()
				nodes := make([]*Node, len(names))
				for i, name := range names {
					nodes[i] = e.Weight(name).NodeValue(g)
				}
				return Gradient(loss(g, in), nodes...)
			})
			if err != nil {
				t.Fatal(err)
			}
			grads, err := gradient.Call(pixels, tokens)
			if err != nil {
				t.Fatal(err)
			}
			start, err := e.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(5, 0))
			direction := encoder.Weights{}
			var slope float64
			for i, name := range names {
				values, err := tensors.CopyFlatData[float32](grads[i])
				if err != nil {
					t.Fatal(err)
				}
				direction[name] = make([]float32, len(values))
				var norm float64
				for j, v := range values {
					direction[name][j] = float32(rng.NormFloat64())
					slope += float64(v) * float64(direction[name][j])
					norm += float64(v) * float64(v)
				}
				if !(norm > 0) || math.IsInf(norm, 0) {
					t.Errorf("the gradient of %s has the squared length %g", name, norm)
				}
			}
			at := func(step float64) float64 {
				moved := encoder.Weights{}
				for name, values := range start {
					moved[name] = slices.Clone(values)
					for j := range values {
						moved[name][j] += float32(step) * direction[name][j]
					}
				}
				if err := e.Restore(moved); err != nil {
					t.Fatal(err)
				}
				out, err := value.Call1(pixels, tokens)
				if err != nil {
					t.Fatal(err)
				}
				return float64(tensors.ToScalar[float32](out))
			}
			const step = 1e-4
			if measured := (at(step) - at(-step)) / (2 * step); math.Abs(measured-slope) > .01*math.Abs(slope) {
				t.Errorf("slope %.5g, the gradient says %.5g", measured, slope)
			}
		})
	}
}
