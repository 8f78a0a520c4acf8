package train

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

func TestLossesEqualThePlainSums(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	const n, d = 7, 5
	rng := rand.New(rand.NewPCG(1, 2))
	rows := func() []float32 {
		x := make([]float32, n*d)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		if err := encoder.Normalize(x, d); err != nil {
			t.Fatal(err)
		}
		return x
	}
	images, texts := rows(), rows()
	for name, o := range map[string]objective{"contrastive": contrastive, "sigmoid": sigmoid} {
		for _, bias := range []float64{0, -9.5} {
			exec, err := NewExec(b, func(x, y *Node) *Node {
				return o.graph(x, y, Scalar(x.Graph(), x.DType(), 30.), Scalar(x.Graph(), x.DType(), bias))
			})
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Call(tensors.FromFlatDataAndDimensions(images, n, d), tensors.FromFlatDataAndDimensions(texts, n, d))
			if err != nil {
				t.Fatal(err)
			}
			want := o.plain(pairLogits(images, texts, d, 30, bias), n)
			if got := float64(tensors.ToScalar[float32](out[0])); math.Abs(got-want) > 3e-6*math.Max(1, want) {
				t.Errorf("%s with bias %g: loss %g, want %g", name, bias, got, want)
			}
		}
	}
}

// The values are those of NumPy in the usual formulas.
func TestPlainLossesOfALittleTable(t *testing.T) {
	logits := []float64{2, -1, .5, 0, 1, -2, -.5, .25, 3}
	if got, want := sigmoidLoss(logits, 3), 1.2987357724983781; math.Abs(got-want) > 1e-12 {
		t.Errorf("sigmoid loss %v, want %v", got, want)
	}
	if got, want := contrastiveLoss(logits, 3), 0.23948596092336527; math.Abs(got-want) > 1e-12 {
		t.Errorf("contrastive loss %v, want %v", got, want)
	}
	if got := firstPlaces(logits, 3); got != 3 {
		t.Errorf("%d images have their text first, want 3", got)
	}
}

// Every family's micro model trains, is kept, and opens to the same features.
func TestEveryFamilyPretrainsAndOpensAgain(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range encoder.Families() {
		t.Run(name, func(t *testing.T) {
			r := tinyRecipe(t, name)
			p, err := Pretrain(t.Context(), b, r, "", progress.Discard)
			if err != nil {
				t.Fatal(err)
			}
			first, last := p.Curve[0], p.Curve[len(p.Curve)-1]
			if !(last.Loss < first.Loss) {
				t.Errorf("the loss went from %g to %g", first.Loss, last.Loss)
			}
			dir := t.TempDir()
			if err := p.Encoder.Save(dir, encoder.SaveOptions{}); err != nil {
				t.Fatal(err)
			}
			again, err := encoder.Open(b, dir)
			if err != nil {
				t.Fatal(err)
			}
			if again.Config().Family != name {
				t.Errorf("family %s became %s", name, again.Config().Family)
			}
			captions := []string{"a red circle", "two dots"}
			x, err1 := p.Encoder.EncodeTexts(captions)
			y, err2 := again.EncodeTexts(captions)
			if err1 != nil || err2 != nil || !slices.Equal(x, y) {
				t.Errorf("other features after saving and opening (%v, %v)", err1, err2)
			}
		})
	}
	if _, err := DefaultRecipe("vit"); err == nil {
		t.Error("an unknown family has a recipe")
	}
}

func TestCosine(t *testing.T) {
	for _, c := range []struct {
		t    int
		want float64
	}{{0, .1}, {9, 1 * .5 * (1 + math.Cos(math.Pi*.09))}, {50, .5}, {99, .5 * (1 + math.Cos(math.Pi*.99))}} {
		if got := Cosine(1, c.t, 100, 10); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("step %d: %g, want %g", c.t, got, c.want)
		}
	}
}

// tinyRecipe trains in a second or two.
func tinyRecipe(t *testing.T, family string) Recipe {
	t.Helper()
	r, err := DefaultRecipe(family)
	if err != nil {
		t.Fatal(err)
	}
	r.Shape.EmbedDim = 8
	if family == "siglip" {
		r.Shape.EmbedDim = 16
	}
	r.Shape.Vision.Width, r.Shape.Vision.Layers, r.Shape.Vision.Heads, r.Shape.Vision.MLPWidth = 16, 1, 2, 32
	r.Shape.Text.Width, r.Shape.Text.Layers, r.Shape.Text.Heads, r.Shape.Text.MLPWidth = 16, 1, 2, 32
	r.Pairs, r.Steps, r.Batch, r.Warmup, r.MinCount = 64, 20, 16, 2, 2
	return r
}

// stopAfter cancels a context when a bar has counted so many units.
type stopAfter struct {
	progress.Bar
	cancel context.CancelFunc
	left   int
}

func (s *stopAfter) Start(title string, _ int) progress.Bar {
	if title != "pretrain" {
		return progress.Discard.Start(title, 0)
	}
	s.Bar = progress.Discard.Start(title, 0)
	return s
}

func (s *stopAfter) Add(n int) {
	if s.left -= n; s.left <= 0 {
		s.cancel()
	}
}

func TestPretrainingResumesToTheSameWeights(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	r := tinyRecipe(t, "clip")
	whole, err := Pretrain(context.Background(), b, r, "", progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "resume.safetensors")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if _, err := Pretrain(ctx, b, r, file, &stopAfter{cancel: cancel, left: 9}); !errors.Is(err, context.Canceled) {
		t.Fatalf("a stopped run returned %v", err)
	}
	counter := &stopAfter{cancel: func() {}, left: 1000}
	rest, err := Pretrain(context.Background(), b, r, file, counter)
	if err != nil {
		t.Fatal(err)
	}
	w1, err1 := whole.Encoder.Snapshot()
	w2, err2 := rest.Encoder.Snapshot()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for name := range w1 {
		if !slices.Equal(w1[name], w2[name]) {
			t.Errorf("%s differs after a resume", name)
		}
	}
	if len(whole.Curve) == 0 || len(whole.Curve) != len(rest.Curve) || whole.Curve[len(whole.Curve)-1] != rest.Curve[len(rest.Curve)-1] {
		t.Errorf("curves differ: %v and %v", whole.Curve, rest.Curve)
	}
}

func TestDivergedTrainingSaysWhere(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	r := tinyRecipe(t, "clip")
	r.Rate, r.ClipNorm, r.Warmup = 1e30, 0, 0
	if _, err := Pretrain(context.Background(), b, r, "", progress.Discard); err == nil {
		t.Error("a learning rate of 1e30 went through")
	} else {
		t.Log(err)
	}
}
