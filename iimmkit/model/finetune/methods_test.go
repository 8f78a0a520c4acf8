package finetune

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/encodertest"
	"github.com/iimmkit/iimm/iimmkit/model/train"
)

func TestLoRAUpdatesQueriesAndValuesOnly(t *testing.T) {
	e := tiny(t)
	training, test := coloured(t, e, 60, 1), coloured(t, e, 60, 2)
	start, before := weights(t, e), accuracy(t, e, test)
	for _, c := range []struct{ mlp, fixedText bool }{{false, false}, {true, false}, {false, true}} {
		o := quick()
		o.Rate, o.Steps, o.LoRA.MLP, o.FixedText = 3e-2, 60, c.mlp, c.fixedText
		o.LoRA.Rank, o.LoRA.Alpha = 2, 4
		tuned := run(t, open(t, e, "lora", o), training, 0)
		if after := accuracy(t, e, test); !(after > before+.3) {
			t.Errorf("%+v: accuracy %.2f before, %.2f after", c, before, after)
		}
		for name, w := range weights(t, e) {
			third := len(w) / 3
			inProj, mlp := strings.HasSuffix(name, "in_proj_weight"), c.mlp && strings.Contains(name, ".mlp.c_") && strings.HasSuffix(name, ".weight")
			moves := (inProj || mlp) && (!c.fixedText || inImageTower(name))
			if moved := !slices.Equal(w, start[name]); moved != moves {
				t.Errorf("%+v: weight %s moved: %v", c, name, moved)
			}
			if inProj && !slices.Equal(w[third:2*third], start[name][third:2*third]) {
				t.Errorf("%+v: the keys of %s moved", c, name)
			}
		}
		// Taken back and added again, the update gives the same encoder.
		tunedWeights := weights(t, e)
		restore(t, e, start)
		if err := tuned.LoRA.AddTo(e, 1); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(tunedWeights, weights(t, e)) {
			t.Errorf("%+v: the update added to the start is not the tuned encoder", c)
		}
		if n := len(tuned.Moved); n != 0 {
			t.Errorf("%+v: %d weights are said to have moved by themselves", c, n)
		}
		restore(t, e, start)
	}
	other, err := encodertest.TinyOf(e.Backend(), "eva02", testCaptions...)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&LoRA{Rank: 1, Pairs: []LoRAPair{{Name: "x", Weight: "absent"}}}).AddTo(other, 1); err == nil {
		t.Error("an update of an absent weight was added")
	}
}

// The graph that trains and the encoder that has the update give the same, as
// often as they are asked: nothing accumulates.
func TestLoRADoesNotAccumulate(t *testing.T) {
	e := tiny(t)
	d, start := coloured(t, e, 20, 1), weights(t, e)
	o := quick()
	o.Rate = 3e-2
	tuner := open(t, e, "lora", o).(*descent)
	run(t, tuner, d, 0)
	tunedX, err := e.ImageFeatures(d.Pixels)
	if err != nil {
		t.Fatal(err)
	}
	restore(t, e, start) // the pairs keep their values
	for range 2 {
		x, _, err := tuner.l.embed(d.Pixels, d.Tokens)
		if err != nil {
			t.Fatal(err)
		}
		for i := range x {
			if math.Abs(float64(x[i]-tunedX[i])) > 1e-5 {
				t.Fatalf("feature %d is %v while training, %v in the encoder", i, x[i], tunedX[i])
			}
		}
	}
	if !reflect.DeepEqual(start, weights(t, e)) {
		t.Error("embedding moved the weights")
	}
}

func TestAdapterMixesIntoFrozenFeatures(t *testing.T) {
	e := tiny(t)
	training, test := coloured(t, e, 60, 1), coloured(t, e, 60, 2)
	start := weights(t, e)
	o := quick()
	o.Rate, o.Steps, o.Adapter.Ratio, o.Adapter.Reduction = 3e-2, 100, .5, 2
	tuner := open(t, e, "adapter", o)
	tuned := run(t, tuner, training, 0)
	if !reflect.DeepEqual(start, weights(t, e)) {
		t.Error("the towers moved")
	}
	x, err := e.ImageFeatures(test.Pixels)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := e.TextFeatures(test.Tokens)
	if err != nil {
		t.Fatal(err)
	}
	dim := e.Config().EmbedDim
	right := func(part float64) float64 {
		return accuracyOf(t, tuned.Adapter.Images(x, part), tuned.Adapter.Texts(texts, part), dim, test.Labels)
	}
	if before, after := right(0), right(1); before != accuracy(t, e, test) || !(after > before+.2) {
		t.Errorf("accuracy %.2f without, %.2f with the adapter", before, after)
	}
	if same := tuned.Adapter.Images(x, 0); !slices.Equal(same, x) || &same[0] == &x[0] {
		t.Error("no part of the adapter is not a copy of the features")
	}
	// Host and graph agree.
	scores, err := tuner.(*descent).logits(x, test.Tokens)
	if err != nil || len(scores) != len(test.Labels)*len(testCaptions) {
		t.Fatal(len(scores), err)
	}
	exec, err := model.NewExec(e.Backend(), e.Store(), func(_ *model.Scope, in []*graph.Node) []*graph.Node {
		a, b := tuner.(*descent).l.features(in[0], in[1])
		return []*graph.Node{a, b}
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(tensors.FromFlatDataAndDimensions(x, len(x)/dim, dim), tensors.FromFlatDataAndDimensions(texts, len(texts)/dim, dim))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]float32{tuned.Adapter.Images(x, 1), tuned.Adapter.Texts(texts, 1)} {
		got, err := tensors.CopyFlatData[float32](out[i])
		if err != nil {
			t.Fatal(err)
		}
		for k := range want {
			if math.Abs(float64(got[k]-want[k])) > 1e-5 {
				t.Fatalf("output %d, value %d: %v in the graph, %v on the host", i, k, got[k], want[k])
			}
		}
	}
	if o.Adapter.ImagesOnly = true; run(t, open(t, e, "adapter", o), training, 0).Adapter.Text != nil {
		t.Error("captions are adapted although only images were to be")
	}
}

// The reference is computed in float64 from the encoder's features.
func TestSigmoidObjectiveIsSigLIPs(t *testing.T) {
	e, err := encodertest.TinyOf(openGo(t), "siglip", testCaptions...)
	if err != nil {
		t.Fatal(err)
	}
	d := coloured(t, e, 5, 1)
	o := quick()
	o.Objective, o.Captions, o.TrainLogitScale, o.Batch, o.Steps = "sigmoid", 8, true, 5, 1
	tuner := open(t, e, "full", o).(*descent)
	scores, err := tuner.logits(d.Pixels, d.Tokens)
	if err != nil {
		t.Fatal(err)
	}
	bias, err := e.LogitBias()
	if err != nil {
		t.Fatal(err)
	}
	want := 0.
	for i, y := range d.Labels {
		for c := range testCaptions {
			z := scores[i*3+c] + bias
			if c == y {
				z = -z
			}
			want += math.Log1p(math.Exp(z)) / 5
		}
	}
	tuned := run(t, tuner, d, 0)
	if math.Abs(tuned.Losses[0]-want) > 1e-5*want {
		t.Errorf("loss %v, want %v", tuned.Losses[0], want)
	}
	if now, _ := e.LogitBias(); now == bias {
		t.Error("the bias did not move")
	}
	if _, err := New(tiny(t), "full", o); err == nil || !strings.Contains(err.Error(), "logit_bias") {
		t.Errorf("sigmoid objective of a CLIP: %v", err)
	}
}

func TestLogitScaleIsKeptBelow100(t *testing.T) {
	e := tiny(t)
	d := coloured(t, e, 20, 1)
	o := quick()
	o.TrainLogitScale, o.Rate, o.Steps = true, 1, 20
	tuner := open(t, e, "full", o)
	scale := e.Weight(logitScale)
	if err := setValues([]*model.Variable{scale}, [][]float32{{float32(math.Log(99.9))}}); err != nil {
		t.Fatal(err)
	}
	run(t, tuner, d, 0)
	if s, err := e.LogitScale(); err != nil || s > 100.001 {
		t.Errorf("scale %v (%v)", s, err)
	}
	if v := variable(t, e.Store(), "/"+logitScale); v[0] == float32(math.Log(99.9)) {
		t.Error("the scale did not move")
	}
}

func TestSettingsHoldWhatTheMethodUses(t *testing.T) {
	o := Defaults()
	for _, name := range Methods() {
		m, err := Describe(name)
		if err != nil {
			t.Fatal(err)
		}
		other := o
		other.LoRA.Rank++
		if same := reflect.DeepEqual(m.Settings(o), m.Settings(other)); same != (name != "lora") {
			t.Errorf("%s: the rank of LoRA changes settings: %v", name, !same)
		}
		other = o
		other.Adapter.Ratio = .3
		if same := reflect.DeepEqual(m.Settings(o), m.Settings(other)); same != (name != "adapter") {
			t.Errorf("%s: the adapter's ratio changes settings: %v", name, !same)
		}
		other = o
		other.Rate = m.Rate
		if !reflect.DeepEqual(m.Settings(o), m.Settings(other)) {
			t.Errorf("%s: its own learning rate is not that of settings without", name)
		}
		if other.Steps++; reflect.DeepEqual(m.Settings(o), m.Settings(other)) != (name == "probe") {
			t.Errorf("%s: steps and settings", name)
		}
	}
}

func TestRecipesAreSound(t *testing.T) {
	for _, r := range Recipes() {
		if err := r.Options.Check(); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		if o, err := RecipeNamed(r.Name); err != nil || !reflect.DeepEqual(o, r.Options) {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
	if _, err := RecipeNamed("none"); err == nil || !strings.Contains(err.Error(), "micro, paper, modern") {
		t.Error(err)
	}
	paper, _ := RecipeNamed("paper")
	if r := paper.rate(.5, 7, 30); r != .5 {
		t.Errorf("the paper's rate is constant: %v", r)
	}
	if n := paper.steps(129); n != 60 {
		t.Errorf("30 epochs of 129 images in batches of 128 are %d steps", n)
	}
	o := Options{Warmup: 4, Schedule: "constant"}
	for k, want := range []float64{.25, .5, .75, 1, 1} {
		if got := o.rate(1, k, 9); got != want {
			t.Errorf("step %d: rate %v, want %v", k, got, want)
		}
	}
}

func TestAugmentMovesAndMirrors(t *testing.T) {
	const side, n = 16, 64
	image := func() []float32 {
		x := make([]float32, n*3*side*side)
		for i := range x {
			x[i] = float32(i%(side*side)/side*100 + i%side) // row and column
		}
		return x
	}
	for _, flip := range []bool{false, true} {
		x := image()
		augment(x, n, side, flip, 3, 5)
		again := image()
		augment(again, n, side, flip, 3, 5)
		other := image()
		augment(other, n, side, flip, 3, 6)
		if !slices.Equal(x, again) || slices.Equal(x, other) {
			t.Error("not a function of seed and step")
		}
		moved, mirrored := map[[2]int]bool{}, 0
		for i := range n {
			plane := x[3*i*side*side:][:side*side]
			at := func(y, c int) (int, int) { v := int(plane[y*side+c]); return v / 100, v % 100 }
			y8, x8 := at(8, 8)
			_, x9 := at(8, 9)
			dy, dx := y8-8, x8-8
			if x9 < x8 {
				mirrored++
				dx = x8 - 7
			}
			if dy < -2 || dy > 2 || dx < -2 || dx > 2 {
				t.Fatalf("image %d moved by %d, %d", i, dy, dx)
			}
			moved[[2]int{dy, dx}] = true
			if y0, _ := at(0, 0); y0 != max(0, dy) { // edges are drawn out
				t.Fatalf("image %d: row 0 shows row %d, moved by %d", i, y0, dy)
			}
			if !slices.Equal(plane, x[(3*i+2)*side*side:][:side*side]) {
				t.Fatalf("image %d: channels moved apart", i)
			}
		}
		if len(moved) < 15 || (mirrored == 0) == flip || mirrored > n*3/4 {
			t.Errorf("flip %v: %d shifts, %d of %d mirrored", flip, len(moved), mirrored, n)
		}
	}
}

// The optimisers' usual exception: biases, norms and scalars do not decay.
func TestDecaySparesBiasesUnlessAsked(t *testing.T) {
	for _, optimizer := range []string{"adamw", "sgd"} {
		o := Options{Optimizer: optimizer, WeightDecay: .1}
		plain, all := decays(o.optimizer()), decays(Options{Optimizer: optimizer, WeightDecay: .1, DecayAll: true}.optimizer())
		if plain("a.bias", 1) || !plain("a.weight", 2) || !all("a.bias", 1) || !all("a.weight", 2) {
			t.Errorf("%s: what decays is wrong", optimizer)
		}
	}
}

func decays(o train.Optimizer) func(string, int) bool {
	if sgd, ok := o.(train.SGD); ok {
		return sgd.Decays
	}
	return o.(train.AdamW).Decays
}

func accuracyOf(t *testing.T, images, texts []float32, dim int, labels []int) float64 {
	t.Helper()
	if err := encoder.Normalize(texts, dim); err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, y := range labels {
		best, at := math.Inf(-1), 0
		for c := range len(texts) / dim {
			if v := dot(images[i*dim:(i+1)*dim], texts[c*dim:(c+1)*dim]); v > best {
				best, at = v, c
			}
		}
		if at == y {
			right++
		}
	}
	return float64(right) / float64(len(labels))
}
