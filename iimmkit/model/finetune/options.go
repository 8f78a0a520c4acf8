package finetune

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/model/train"
)

// Options are the hyper-parameters of the methods that take gradient steps.
// The probe, which is fitted to convergence, has none.
type Options struct {
	Optimizer   string  `json:"optimizer"`     // adamw, or sgd with momentum .9
	Rate        float64 `json:"learning_rate"` // at the peak of the schedule; 0: Method.Rate
	WeightDecay float64 `json:"weight_decay"`
	// Steps are the training steps. Epochs, when not 0, stand in their place: as
	// many steps as show every image so often.
	Steps    int     `json:"steps"`
	Batch    int     `json:"batch"`
	Warmup   int     `json:"warmup_steps"` // of a linear rise, before Schedule
	ClipNorm float64 `json:"clip_norm"`    // greatest length of the gradient; 0: any
	// Captions is the step in which the number of captions is rounded up, by
	// filling in captions that cannot be chosen: tasks of different numbers of
	// classes then share one compiled graph.
	Captions int `json:"caption_padding"`
	// FixedText leaves the text tower alone: captions are encoded once.
	FixedText bool `json:"fixed_text"`
	// TrainLogitScale lets the factor on cosines move too, up to 100, and with the
	// sigmoid objective their offset.
	TrainLogitScale bool `json:"train_logit_scale"`

	Epochs int `json:"epochs,omitempty"`
	// Rates, when there are any, are tried in turn, and the one whose outcome is
	// best on the validation images is kept.
	Rates []float64 `json:"learning_rates,omitempty"`
	// Schedule is that of the learning rate: cosine, half a cosine down to 0, or
	// constant. "": cosine.
	Schedule string `json:"schedule,omitempty"`
	// DecayAll lets biases, norms, embeddings and scalars decay as well, as the
	// plain form of weight decay does.
	DecayAll bool `json:"decay_all,omitempty"`
	// Objective is softmax, the paper's, or sigmoid, that of SigLIP's pretraining:
	// each caption a yes-or-no question of its own. "": softmax.
	Objective string `json:"objective,omitempty"`
	// Validation is the share of the training images that is held out to look at
	// during training, at most 5000; the best outcome is kept. 0: none.
	Validation float64 `json:"validation,omitempty"`
	// CheckEvery is the number of steps between looks; 0: one epoch's.
	CheckEvery int `json:"check_every,omitempty"`
	// Patience is the number of looks without improvement after which training
	// stops; 0: it never stops early.
	Patience int `json:"patience,omitempty"`
	// KeepLast keeps the weights of the last step instead of the best.
	KeepLast bool `json:"keep_last,omitempty"`
	// Augment shows images otherwise in every epoch: shift moves them by up to an
	// eighth of a side, shift+flip mirrors half of them as well. Methods that train
	// on features do not. "": as they are.
	Augment string `json:"augment,omitempty"`

	LoRA    LoRAOptions    `json:"lora,omitzero"`
	Adapter AdapterOptions `json:"adapter,omitzero"`
}

// Defaults returns the recipe for the shipped models: AdamW for 60 steps of 32
// images, at the method's learning rate.
func Defaults() Options {
	return Options{
		Optimizer: "adamw", WeightDecay: 1e-4, Steps: 60, Batch: 32, Warmup: 10, ClipNorm: 1, Captions: 16,
		LoRA: LoRAOptions{Rank: 8, Alpha: 16}, Adapter: AdapterOptions{Ratio: .2, Reduction: 4},
	}
}

// Recipe is a named set of options.
type Recipe struct {
	Name    string
	About   string
	Options Options
}

// Recipes returns the named options.
func Recipes() []Recipe {
	paper := Options{
		Optimizer: "sgd", Rates: []float64{1e-2, 1e-3, 1e-4, 1e-5}, WeightDecay: 1e-4, DecayAll: true,
		Epochs: 30, Batch: 128, Schedule: "constant", Captions: 1, Validation: .1,
		LoRA: LoRAOptions{Rank: 4, Scale: .2}, Adapter: AdapterOptions{Ratio: .2, Reduction: 4},
	}
	modern := Options{
		Optimizer: "adamw", Rate: 1e-5, WeightDecay: .1, Epochs: 10, Batch: 128, Warmup: 100, ClipNorm: 1, Captions: 1, Validation: .1,
		LoRA: LoRAOptions{Rank: 8, Alpha: 16}, Adapter: AdapterOptions{Ratio: .2, Reduction: 4},
	}
	return []Recipe{
		{"micro", "AdamW, cosine, 60 steps of 32 images, for the shipped models", Defaults()},
		{"paper", "SGD with momentum at the best of four constant learning rates, 30 epochs of batches of 128, best epoch on validation", paper},
		{"modern", "AdamW at 1e-5, cosine with warm-up, gradient clip 1, 10 epochs of batches of 128, best epoch on validation", modern},
	}
}

// RecipeNamed returns the options of a recipe.
func RecipeNamed(name string) (Options, error) {
	var names []string
	for _, r := range Recipes() {
		if r.Name == name {
			return r.Options, nil
		}
		names = append(names, r.Name)
	}
	return Options{}, fmt.Errorf("no recipe %q: there are %s", name, strings.Join(names, ", "))
}

// Check tells what is wrong with the options, nil when nothing is.
func (o Options) Check() error {
	for _, x := range []struct {
		name  string
		value float64
	}{{"learning rate", o.Rate}, {"weight decay", o.WeightDecay}, {"gradient clip", o.ClipNorm}} {
		if !(x.value >= 0) || math.IsInf(x.value, 0) {
			return fmt.Errorf("%s %g is not 0 or a positive number", x.name, x.value)
		}
	}
	for _, x := range []struct {
		name  string
		value int
	}{{"warm-up steps", o.Warmup}, {"epochs", o.Epochs}, {"steps between looks at the validation images", o.CheckEvery}, {"patience", o.Patience}} {
		if x.value < 0 {
			return fmt.Errorf("%s: %d is negative", x.name, x.value)
		}
	}
	for _, r := range o.Rates {
		if !(r > 0) || math.IsInf(r, 0) {
			return fmt.Errorf("learning rate %g is not a positive number", r)
		}
	}
	for _, x := range []struct {
		name, value string
		of          []string
	}{
		{"optimizer", o.Optimizer, []string{"adamw", "sgd"}},
		{"schedule", o.Schedule, []string{"", "cosine", "constant"}},
		{"objective", o.Objective, []string{"", "softmax", "sigmoid"}},
		{"augmentation", o.Augment, []string{"", "shift", "shift+flip"}},
	} {
		if !slices.Contains(x.of, x.value) {
			return fmt.Errorf("no %s %q: there are %s", x.name, x.value, strings.Join(slices.DeleteFunc(x.of, func(s string) bool { return s == "" }), ", "))
		}
	}
	switch {
	case o.Steps < 1 && o.Epochs < 1:
		return fmt.Errorf("%d steps: at least 1 is needed", o.Steps)
	case o.Batch < 1:
		return fmt.Errorf("batch of %d images: at least 1 is needed", o.Batch)
	case o.Captions < 1:
		return fmt.Errorf("captions filled up to multiples of %d: at least 1 is needed", o.Captions)
	case !(o.Validation >= 0 && o.Validation <= .5):
		return fmt.Errorf("validation share %g is not in 0..0.5", o.Validation)
	case o.Validation == 0 && (len(o.Rates) > 1 || o.Patience > 0 || o.CheckEvery > 0):
		return fmt.Errorf("several learning rates, patience and looks need a validation share")
	}
	return nil
}

func (o Options) optimizer() train.Optimizer {
	decays := train.DecaysMatrices
	if o.DecayAll {
		decays = func(string, int) bool { return true }
	}
	if o.Optimizer == "sgd" {
		return train.SGD{Momentum: .9, WeightDecay: o.WeightDecay, Decays: decays}
	}
	adam := train.NewAdamW(o.WeightDecay)
	adam.Decays = decays
	return adam
}

// steps returns the number of steps on n images.
func (o Options) steps(n int) int {
	if o.Epochs == 0 {
		return o.Steps
	}
	return o.Epochs * o.epoch(n)
}

// epoch returns the number of steps that show n images once.
func (o Options) epoch(n int) int { return (n + o.Batch - 1) / o.Batch }

// rate returns the learning rate of step t of steps.
func (o Options) rate(peak float64, t, steps int) float64 {
	if o.Schedule == "constant" {
		return train.Constant(peak, t, o.Warmup)
	}
	return train.Cosine(peak, t, steps, o.Warmup)
}
