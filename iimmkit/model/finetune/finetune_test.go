package finetune

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/encodertest"
)

var testCaptions = []string{"a red square", "a green square", "a blue square"}

// coloured returns n pictures of three classes that differ in one colour
// channel, under noise.
func coloured(t *testing.T, e *encoder.Encoder, n int, seed uint64) Data {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 9))
	size := e.Config().ImageSize
	var d Data
	for range n {
		y := rng.IntN(3)
		d.Labels = append(d.Labels, y)
		for ch := range 3 {
			for range size * size {
				v := rng.NormFloat64() * .5
				if ch == y {
					v++
				}
				d.Pixels = append(d.Pixels, float32(v))
			}
		}
	}
	var err error
	if d.Tokens, err = e.Tokenize(testCaptions); err != nil {
		t.Fatal(err)
	}
	return d
}

func tiny(t *testing.T) *encoder.Encoder {
	t.Helper()
	e, err := encodertest.Tiny(openGo(t), testCaptions...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func quick() Options {
	o := Defaults()
	o.Steps, o.Batch, o.Captions = 30, 8, 4
	return o
}

func run(t *testing.T, tuner Tuner, d Data, seed int) *Tuned {
	t.Helper()
	tuned, err := tuner.Run(t.Context(), d, Job{Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return tuned
}

func open(t *testing.T, e *encoder.Encoder, method string, o Options) Tuner {
	t.Helper()
	tuner, err := New(e, method, o)
	if err != nil {
		t.Fatal(err)
	}
	return tuner
}

func weights(t *testing.T, e *encoder.Encoder) encoder.Weights {
	t.Helper()
	w, err := e.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func restore(t *testing.T, e *encoder.Encoder, w encoder.Weights) {
	t.Helper()
	if err := e.Restore(w); err != nil {
		t.Fatal(err)
	}
}

func accuracy(t *testing.T, e *encoder.Encoder, d Data) float64 {
	t.Helper()
	images, err := e.ImageFeatures(d.Pixels)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := e.TextFeatures(d.Tokens)
	if err != nil {
		t.Fatal(err)
	}
	dim := e.Config().EmbedDim
	encoder.Normalize(texts, dim)
	right := 0
	for i, y := range d.Labels {
		best, at := math.Inf(-1), 0
		for c := range testCaptions {
			dot := 0.
			for k := range dim {
				dot += float64(images[i*dim+k]) * float64(texts[c*dim+k])
			}
			if dot > best {
				best, at = dot, c
			}
		}
		if at == y {
			right++
		}
	}
	return float64(right) / float64(len(d.Labels))
}

func TestTowerMethodsLearnAndOnlyTheirParametersMove(t *testing.T) {
	e := tiny(t)
	train, test := coloured(t, e, 60, 1), coloured(t, e, 60, 2)
	start := weights(t, e)
	before := accuracy(t, e, test)
	for _, c := range []struct {
		method string
		rate   float64
		steps  int
		text   bool
		moves  func(name string) bool
	}{
		{"full", 3e-3, 30, true, func(n string) bool { return n != "logit_scale" }},
		{"full", 3e-3, 30, false, func(n string) bool { return strings.HasPrefix(n, "visual.") }},
		{"bitfit", 3e-2, 120, true, func(n string) bool {
			return strings.Contains(n, "resblocks") && (strings.HasSuffix(n, ".bias") || strings.HasSuffix(n, "proj_bias"))
		}},
		{"attention", 1e-2, 60, true, func(n string) bool { return strings.HasSuffix(n, "in_proj_weight") }},
		{"attention", 1e-2, 60, false, func(n string) bool {
			return strings.HasSuffix(n, "in_proj_weight") && strings.HasPrefix(n, "visual.")
		}},
	} {
		o := quick()
		o.Rate, o.Steps, o.FixedText = c.rate, c.steps, !c.text
		tuner := open(t, e, c.method, o)
		tuned := run(t, tuner, train, 0)
		if len(tuned.Losses) != o.Steps || tuned.Probe != nil {
			t.Errorf("%s: %d losses, probe %v", c.method, len(tuned.Losses), tuned.Probe)
		}
		if after := accuracy(t, e, test); !(after > before+.3) {
			t.Errorf("%s: accuracy %.2f before, %.2f after", c.method, before, after)
		}
		var names []string
		for _, p := range tuner.Parameters(3) {
			names = append(names, p.Name)
		}
		for name, w := range weights(t, e) {
			moved := !slices.Equal(w, start[name])
			// Rows of absent words have no gradient and too little decay to see, but each tensor has rows that move.
			if want := c.moves(name); moved != want || slices.Contains(names, name) != want {
				t.Errorf("%s, text %v: weight %s moved: %v, listed: %v, want %v", c.method, c.text, name, moved, slices.Contains(names, name), want)
			}
		}
		restore(t, e, start)
	}
}

func TestSameSeedSameBitsWithAReusedTuner(t *testing.T) {
	e := tiny(t)
	d := coloured(t, e, 50, 1)
	start := weights(t, e)
	tuner := open(t, e, "full", quick())
	first := run(t, tuner, d, 3)
	one := weights(t, e)
	restore(t, e, start)
	other := run(t, tuner, coloured(t, e, 20, 5), 4)
	restore(t, e, start)
	again := run(t, tuner, d, 3)
	if !reflect.DeepEqual(first, again) || !reflect.DeepEqual(one, weights(t, e)) {
		t.Error("the second run with the same seed differs")
	}
	restore(t, e, start)
	if fresh := run(t, open(t, e, "full", quick()), d, 3); !reflect.DeepEqual(first, fresh) {
		t.Error("a new tuner gives other losses than a used one")
	}
	restore(t, e, start)
	if seed := run(t, tuner, d, 0); reflect.DeepEqual(first, seed) || reflect.DeepEqual(first, other) {
		t.Error("another seed or other data give the same losses")
	}
}

// Captions that fill up must not matter.
func TestFilledUpCaptionsHaveNoPart(t *testing.T) {
	e := tiny(t)
	d := coloured(t, e, 50, 1)
	start := weights(t, e)
	o := quick()
	var losses [][]float64
	var finals []encoder.Weights
	for _, captions := range []int{1, 16} {
		o.Captions = captions
		losses = append(losses, run(t, open(t, e, "full", o), d, 0).Losses)
		finals = append(finals, weights(t, e))
		restore(t, e, start)
	}
	for k := range losses[0] {
		if math.Abs(losses[0][k]-losses[1][k]) > 2e-4 {
			t.Fatalf("step %d: loss %v without, %v with captions filled up", k, losses[0][k], losses[1][k])
		}
	}
	for name := range start {
		if strings.HasSuffix(name, "in_proj_bias") {
			continue // Adam scales the rounding of the keys' zero gradient up
		}
		for i, v := range finals[0][name] {
			if math.Abs(float64(v-finals[1][name][i])) > 2e-4 {
				t.Fatalf("weight %s: %v without, %v with captions filled up", name, v, finals[1][name][i])
			}
		}
	}
}

func TestStreamShowsEveryImageOnceAnEpoch(t *testing.T) {
	for _, c := range []struct{ n, batch int }{{10, 3}, {4, 4}, {3, 8}, {1, 2}} {
		s := newStream(c.n, 5)
		var all []int
		for range 3 * c.n {
			b := make([]int, c.batch)
			s.next(b)
			all = append(all, b...)
		}
		for epoch := range len(all) / c.n {
			part := slices.Clone(all[epoch*c.n : (epoch+1)*c.n])
			slices.Sort(part)
			for i, v := range part {
				if v != i {
					t.Fatalf("n %d, batch %d: epoch %d shows %v", c.n, c.batch, epoch, part)
				}
			}
		}
		// The order is a function of seed and epoch, not of the batch size.
		one, want := newStream(c.n, 5), all[:2*c.n]
		got := make([]int, 2*c.n)
		for i := range got {
			one.next(got[i : i+1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("n %d: batches of %d show %v, of 1 %v", c.n, c.batch, want, got)
		}
	}
}

func TestDivergenceNamesStepAndRate(t *testing.T) {
	e := tiny(t)
	d := coloured(t, e, 20, 1)
	o := quick()
	o.Rate, o.ClipNorm, o.Optimizer, o.Warmup = 1e30, 0, "sgd", 0
	start := weights(t, e)
	tuner := open(t, e, "full", o)
	_, err := tuner.Run(t.Context(), d, Job{})
	if err == nil || !strings.Contains(err.Error(), "diverged at step ") || !strings.Contains(err.Error(), "learning rate") {
		t.Fatalf("error %v", err)
	}
	// The tuner is of use again once the weights are.
	restore(t, e, start)
	if _, err := tuner.Run(t.Context(), d, Job{}); err == nil {
		t.Error("the same rate does not diverge again")
	}
	restore(t, e, start)
	if tuned := run(t, open(t, e, "full", quick()), d, 0); math.IsNaN(tuned.Losses[0]) {
		t.Error("the optimiser's state was not reset")
	}
}

func TestRunStopsWhenTold(t *testing.T) {
	e := tiny(t)
	d := coloured(t, e, 20, 1)
	for _, method := range Methods() {
		ctx, stop := context.WithCancel(t.Context())
		seen := 0
		_, err := open(t, e, method, quick()).Run(ctx, d, Job{Watch: func(done, steps int, loss float64) {
			seen++
			if done != seen || steps < done || math.IsNaN(loss) {
				t.Errorf("%s: watched step %d of %d with loss %v after %d", method, done, steps, loss, seen)
			}
			if done == 2 {
				stop()
			}
		}})
		stop()
		if !errors.Is(err, context.Canceled) || seen != 2 {
			t.Errorf("%s: %v after %d steps", method, err, seen)
		}
	}
}

func TestProbeFitsFrozenFeatures(t *testing.T) {
	e := tiny(t)
	train, test := coloured(t, e, 100, 1), coloured(t, e, 100, 2)
	start := weights(t, e)
	tuner := open(t, e, "probe", quick())
	tuned := run(t, tuner, train, 0)
	if !reflect.DeepEqual(start, weights(t, e)) {
		t.Error("the probe moved the towers")
	}
	if tuned.Probe == nil || tuned.Losses != nil {
		t.Fatalf("tuned %+v", tuned)
	}
	if !slices.Contains(Penalties, tuned.Probe.L2) {
		t.Errorf("penalty %v", tuned.Probe.L2)
	}
	x, err := e.ImageFeatures(test.Pixels)
	if err != nil {
		t.Fatal(err)
	}
	a, err := tuned.Probe.Accuracy(x, test.Labels)
	if err != nil || a.Top1 < .9 {
		t.Errorf("accuracy %+v, %v", a, err)
	}
	if n := Count(tuner.Parameters(3)); n != 3*8+3 || tuner.Method().MovesTowers {
		t.Errorf("%d parameters, moves towers: %v", n, tuner.Method().MovesTowers)
	}
	// Features that the caller has give the same.
	frozen := Data{Labels: train.Labels, Tokens: train.Tokens}
	if frozen.Features, err = e.ImageFeatures(train.Pixels); err != nil {
		t.Fatal(err)
	}
	if again := run(t, tuner, frozen, 0); !reflect.DeepEqual(tuned, again) {
		t.Error("given features give another probe")
	}
}

func TestWrongDataAndOptionsAreRefused(t *testing.T) {
	e := tiny(t)
	good := coloured(t, e, 20, 1)
	for name, spoil := range map[string]func(*Data){
		"no training images":         func(d *Data) { *d = Data{Tokens: d.Tokens} },
		"pixel values":               func(d *Data) { d.Pixels = d.Pixels[1:] },
		"token ids are not rows":     func(d *Data) { d.Tokens = d.Tokens[1:] },
		"1 class: tuning needs":      func(d *Data) { d.Tokens = d.Tokens[:10] },
		"token id -1 of caption 1":   func(d *Data) { d.Tokens = slices.Clone(d.Tokens); d.Tokens[11] = -1 },
		"training image 3 has class": func(d *Data) { d.Labels = slices.Clone(d.Labels); d.Labels[3] = 3 },
	} {
		d := good
		spoil(&d)
		for _, method := range Methods() {
			if _, err := open(t, e, method, quick()).Run(t.Context(), d, Job{}); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: error %v, want %q", method, err, name)
			}
		}
	}
	for name, spoil := range map[string]func(*Options){
		"learning rate": func(o *Options) { o.Rate = math.NaN() },
		"weight decay":  func(o *Options) { o.WeightDecay = -1 },
		"gradient clip": func(o *Options) { o.ClipNorm = math.Inf(1) },
		"steps":         func(o *Options) { o.Steps = 0 },
		"batch":         func(o *Options) { o.Batch = 0 },
		"warm-up":       func(o *Options) { o.Warmup = -1 },
		"captions":      func(o *Options) { o.Captions = 0 },
		"optimizer":     func(o *Options) { o.Optimizer = "adam" },
	} {
		o := Defaults()
		spoil(&o)
		if _, err := New(e, "full", o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
	if _, err := New(e, "fullest", Defaults()); err == nil || !strings.Contains(err.Error(), "full, bitfit, attention, lora, adapter, probe") {
		t.Errorf("error %v", err)
	}
}
