package finetune

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

func TestSplitHoldsOutAShareOfEveryClass(t *testing.T) {
	labels := make([]int, 300)
	for i := range labels {
		labels[i] = i % 3
	}
	training, validation, err := split(labels, 3, .1, 4)
	if err != nil || len(training) != 270 || len(validation) != 30 {
		t.Fatal(len(training), len(validation), err)
	}
	var count [3]int
	for _, i := range validation {
		count[labels[i]]++
	}
	if count != [3]int{10, 10, 10} {
		t.Errorf("validation images a class: %v", count)
	}
	all := append(slices.Clone(training), validation...)
	slices.Sort(all)
	for i, v := range all {
		if i != v {
			t.Fatalf("image %d is in both parts or in none", i)
		}
	}
	if _, other, _ := split(labels, 3, .1, 5); slices.Equal(validation, other) {
		t.Error("another seed holds out the same images")
	}
	if _, none, err := split(labels, 3, 0, 4); none != nil || err != nil {
		t.Error(none, err)
	}
	if _, many, err := split(make([]int, 100_000), 1, .1, 4); err != nil || len(many) != mostValidated {
		t.Errorf("%d validation images (%v)", len(many), err)
	}
	if _, _, err := split([]int{0}, 1, .5, 0); err == nil {
		t.Error("one image was split")
	}
}

func validated() Options {
	o := quick()
	o.Validation, o.CheckEvery, o.Rate = .25, 5, 3e-3
	return o
}

func TestTheBestLookIsKept(t *testing.T) {
	e := tiny(t)
	d, start := coloured(t, e, 80, 1), weights(t, e)
	o := validated()
	o.Rate, o.Schedule, o.Warmup = .1, "constant", 0 // wild, so that the last is not the best
	tuned := run(t, open(t, e, "full", o), d, 0)
	if len(tuned.Checks) != o.Steps/5 {
		t.Fatalf("%d looks", len(tuned.Checks))
	}
	best := Check{Accuracy: -1}
	for _, c := range tuned.Checks {
		if c.better(best) {
			best = c
		}
	}
	if tuned.Best != best.Step {
		t.Errorf("kept step %d of %+v", tuned.Best, tuned.Checks)
	}
	kept := weights(t, e)
	// The same steps up to there, and no more, give the same weights.
	restore(t, e, start)
	o.Steps = best.Step
	run(t, open(t, e, "full", o), d, 0)
	if !reflect.DeepEqual(kept, weights(t, e)) {
		t.Error("the weights kept are not those of the best look")
	}
	restore(t, e, start)
	o.Steps, o.KeepLast = 30, true
	if last := run(t, open(t, e, "full", o), d, 0); last.Best != 30 {
		t.Errorf("last kept: step %d", last.Best)
	}
	restore(t, e, start)
	o.Steps, o.KeepLast, o.Patience = 300, false, 2
	early := run(t, open(t, e, "full", o), d, 0)
	if n := len(early.Checks); n >= o.Steps/5 || early.Best != early.Checks[n-3].Step {
		t.Errorf("patience of 2: kept step %d of %+v", early.Best, early.Checks)
	}
}

func TestValidationImagesAreNotTrainedOn(t *testing.T) {
	e := tiny(t)
	d, start := coloured(t, e, 40, 1), weights(t, e)
	o := validated()
	o.KeepLast = true
	run(t, open(t, e, "full", o), d, 0)
	want := weights(t, e)
	restore(t, e, start)
	_, validation, err := split(d.Labels, 3, o.Validation, 0)
	if err != nil {
		t.Fatal(err)
	}
	width := len(d.Pixels) / len(d.Labels)
	d.Pixels = slices.Clone(d.Pixels)
	for _, i := range validation {
		for k := range width {
			d.Pixels[i*width+k] = 1
		}
	}
	run(t, open(t, e, "full", o), d, 0)
	if !reflect.DeepEqual(want, weights(t, e)) {
		t.Error("other validation images give other weights")
	}
}

func TestTheBestRateIsKept(t *testing.T) {
	e := tiny(t)
	d, start := coloured(t, e, 80, 1), weights(t, e)
	o := validated()
	o.Rates, o.ClipNorm, o.Optimizer, o.Warmup = []float64{1e-6, 1e30, 3e-2}, 0, "sgd", 0
	tuned := run(t, open(t, e, "full", o), d, 0)
	if tuned.Rate != 3e-2 {
		t.Errorf("kept the rate %g: %+v", tuned.Rate, tuned.Checks)
	}
	kept := weights(t, e)
	restore(t, e, start)
	o.Rates, o.Rate = nil, 3e-2
	if alone := run(t, open(t, e, "full", o), d, 0); !reflect.DeepEqual(tuned, alone) || !reflect.DeepEqual(kept, weights(t, e)) {
		t.Error("the best rate alone gives another outcome")
	}
	restore(t, e, start)
	o.Rates = []float64{1e30, 1e31}
	if _, err := open(t, e, "full", o).Run(t.Context(), d, Job{}); err == nil || !strings.Contains(err.Error(), "diverged at step") {
		t.Errorf("all rates diverge: %v", err)
	}
}

func TestResumedRunsEndWithTheSameBits(t *testing.T) {
	for _, method := range []string{"full", "bitfit", "attention", "lora", "adapter"} {
		for _, looks := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", method, looks), func(t *testing.T) {
				e := tiny(t)
				d, start := coloured(t, e, 60, 1), weights(t, e)
				o := quick()
				if looks {
					o = validated()
					o.Rates, o.Patience = []float64{1e-3, 1e-2}, 3
				}
				whole := run(t, open(t, e, method, o), d, 1)
				want := weights(t, e)
				restore(t, e, start)

				job := Job{Seed: 1, Resume: filepath.Join(t.TempDir(), "resume.safetensors")}
				stops := 0
				for k := 0; ; k++ {
					ctx, stop := context.WithCancel(t.Context())
					steps := 0
					job.Watch = func(int, int, float64) {
						if steps++; steps == 7+k {
							stop()
						}
					}
					tuner := open(t, e, method, o)
					tuner.(*descent).always = true
					got, err := tuner.Run(ctx, d, job)
					stop()
					if errors.Is(err, context.Canceled) {
						stops++
						restore(t, e, start) // as a new process would find it
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					if !reflect.DeepEqual(got, whole) {
						t.Errorf("outcome %+v, uninterrupted %+v", got, whole)
					}
					break
				}
				if !reflect.DeepEqual(weights(t, e), want) || stops < 2 {
					t.Errorf("weights differ after %d interruptions", stops)
				}
				// Another run does not take the file for its own.
				restore(t, e, start)
				job.Seed, job.Watch = 2, nil
				other, err := open(t, e, method, o).Run(t.Context(), d, job)
				if err != nil || reflect.DeepEqual(other.Losses, whole.Losses) {
					t.Errorf("another seed went on with the file (%v)", err)
				}
				// A name stands for weights and data: under it the run is found finished,
				// under another it is not.
				for _, c := range []struct {
					run  string
					done bool
				}{{"a", false}, {"a", true}, {"b", false}} {
					restore(t, e, start)
					steps := 0
					job := Job{Seed: 1, Run: c.run, Resume: job.Resume, Watch: func(int, int, float64) { steps++ }}
					tuner := open(t, e, method, o)
					tuner.(*descent).always = true
					again, err := tuner.Run(t.Context(), d, job)
					if err != nil || !reflect.DeepEqual(again, whole) || (steps == 0) != c.done {
						t.Errorf("run %s took %d steps (%v)", c.run, steps, err)
					}
				}
			})
		}
	}
}

func TestAugmentedImagesChangeTheRun(t *testing.T) {
	e := tiny(t)
	d, start := coloured(t, e, 40, 1), weights(t, e)
	o := quick()
	plain := run(t, open(t, e, "full", o), d, 0)
	restore(t, e, start)
	o.Augment = "shift+flip"
	pixels := slices.Clone(d.Pixels)
	one := run(t, open(t, e, "full", o), d, 0)
	restore(t, e, start)
	two := run(t, open(t, e, "full", o), d, 0)
	if reflect.DeepEqual(plain, one) || !reflect.DeepEqual(one, two) || !slices.Equal(pixels, d.Pixels) {
		t.Error("augmentation does nothing, is not reproducible, or changes the caller's data")
	}
}

func TestHashFollowsTheWeights(t *testing.T) {
	e := tiny(t)
	hash := func(e *encoder.Encoder) string {
		h, err := e.Hash()
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	start, before := weights(t, e), hash(e)
	run(t, open(t, e, "bitfit", quick()), coloured(t, e, 20, 1), 0)
	if hash(e) == before {
		t.Error("the hash of the tuned encoder is that of the untuned one")
	}
	restore(t, e, start)
	if hash(e) != before {
		t.Error("the restored encoder has another hash")
	}
}
