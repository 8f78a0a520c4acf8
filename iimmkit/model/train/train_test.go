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

func TestContrastiveEqualsThePlainSum(t *testing.T) {
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
	exec, err := NewExec(b, func(x, y *Node) *Node {
		return Contrastive(x, y, Scalar(x.Graph(), x.DType(), 30.))
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(tensors.FromFlatDataAndDimensions(images, n, d), tensors.FromFlatDataAndDimensions(texts, n, d))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := pairLoss(images, texts, d, 30)
	if got := float64(tensors.ToScalar[float32](out[0])); math.Abs(got-want) > 1e-5 {
		t.Errorf("loss %g, want %g", got, want)
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
func tinyRecipe() Recipe {
	r := DefaultRecipe()
	r.Shape.EmbedDim = 8
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
	r := tinyRecipe()
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
	r := tinyRecipe()
	r.Rate, r.ClipNorm, r.Warmup = 1e30, 0, 0
	if _, err := Pretrain(context.Background(), b, r, "", progress.Discard); err == nil {
		t.Error("a learning rate of 1e30 went through")
	} else {
		t.Log(err)
	}
}
