package experiment

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
)

// Protocol is how a model is measured and tuned. Protocols are the same on every
// backend, so that results compare.
type Protocol struct {
	Name   string           `json:"name"`
	About  string           `json:"about"`
	Tuning finetune.Options `json:"tuning"`
	// NTrain and NTest bound the images of a task; 0: all, of drawn tasks the
	// standard numbers of package datasets.
	NTrain int `json:"n_train"`
	NTest  int `json:"n_test"`
	// Seeds are those of the tuning runs when none are asked for.
	Seeds []int `json:"seeds"`
	// DataSeed draws and splits the tasks. It is not the runs' seed: all runs on
	// a task see the same images.
	DataSeed uint64 `json:"data_seed"`
	// Folds and FoldSeed are those of the cross-validated probe.
	Folds    int    `json:"folds"`
	FoldSeed uint64 `json:"fold_seed"`
}

func protocol(name, about string, steps, batch, train, test int, seeds ...int) Protocol {
	p := Protocol{Name: name, About: about, Tuning: finetune.Defaults(), NTrain: train, NTest: test, Seeds: seeds, Folds: 5}
	p.Tuning.Steps, p.Tuning.Batch = steps, batch
	return p
}

// Protocols returns all protocols, the shortest first.
func Protocols() []Protocol {
	return []Protocol{
		protocol("quick", "60 steps of 32 images, 200 test images a task, one seed", 60, 32, 800, 200, 0),
		protocol("standard", "150 steps of 64 images, 500 test images a task, two seeds", 150, 64, 800, 500, 0, 1),
		protocol("full", "quick's tuning, three seeds; iimm reproduce does it with four models and six methods", 60, 32, 800, 200, 0, 1, 2),
		protocol("long", "300 steps of 64 images, all images, three seeds", 300, 64, 0, 0, 0, 1, 2),
	}
}

// ProtocolNamed returns the protocol of a name; "" is quick.
func ProtocolNamed(name string) (Protocol, error) {
	var names []string
	for _, p := range Protocols() {
		if p.Name == name || name == "" {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Protocol{}, fmt.Errorf("no protocol %q: there are %s", name, strings.Join(names, ", "))
}

// Overrides change a protocol. What is nil or "" stays.
type Overrides struct {
	// Recipe puts the tuning options of a recipe of finetune in place of the
	// protocol's, before the other changes.
	Recipe    string   `json:"recipe,omitempty"`
	Optimizer string   `json:"optimizer,omitempty"`
	Rate      *float64 `json:"learning_rate,omitempty"`
	Steps     *int     `json:"steps,omitempty"`
	Batch     *int     `json:"batch,omitempty"`
	NTrain    *int     `json:"n_train,omitempty"`
	NTest     *int     `json:"n_test,omitempty"`
	DataSeed  *uint64  `json:"data_seed,omitempty"`

	Epochs      *int     `json:"epochs,omitempty"`
	WeightDecay *float64 `json:"weight_decay,omitempty"`
	Schedule    *string  `json:"schedule,omitempty"`
	Objective   *string  `json:"objective,omitempty"`
	Augment     *string  `json:"augment,omitempty"`
	Validation  *float64 `json:"validation,omitempty"`
	Patience    *int     `json:"patience,omitempty"`
	FixedText   *bool    `json:"fixed_text,omitempty"`
	TrainScale  *bool    `json:"train_logit_scale,omitempty"`
	LoRARank    *int     `json:"lora_rank,omitempty"`
	LoRAScale   *float64 `json:"lora_scale,omitempty"`
	LoRAMLP     *bool    `json:"lora_mlp,omitempty"`
	Ratio       *float64 `json:"adapter_ratio,omitempty"`
	Reduction   *int     `json:"adapter_reduction,omitempty"`
}

// With returns the protocol changed by o, and named after the changes that make
// it another one: quick:learning_rate=0.001,steps=30.
func (p Protocol) With(o Overrides) Protocol {
	var changes []string
	note := func(name string, value any) {
		text, _ := json.Marshal(value)
		changes = append(changes, name+"="+strings.Trim(string(text), `"`))
	}
	if r, err := finetune.RecipeNamed(o.Recipe); err == nil && !reflect.DeepEqual(r, p.Tuning) {
		p.Tuning = r
		note("recipe", o.Recipe)
	}
	if o.Optimizer != "" {
		override(note, "optimizer", &p.Tuning.Optimizer, &o.Optimizer)
	}
	if o.Rate != nil { // one for a recipe's several
		override(note, "learning_rate", &p.Tuning.Rate, o.Rate)
		p.Tuning.Rates = nil
	}
	if o.Steps != nil { // in place of a recipe's epochs
		override(note, "steps", &p.Tuning.Steps, o.Steps)
		p.Tuning.Epochs = 0
	}
	override(note, "epochs", &p.Tuning.Epochs, o.Epochs)
	override(note, "weight_decay", &p.Tuning.WeightDecay, o.WeightDecay)
	override(note, "schedule", &p.Tuning.Schedule, o.Schedule)
	override(note, "objective", &p.Tuning.Objective, o.Objective)
	override(note, "augment", &p.Tuning.Augment, o.Augment)
	override(note, "validation", &p.Tuning.Validation, o.Validation)
	override(note, "patience", &p.Tuning.Patience, o.Patience)
	override(note, "fixed_text", &p.Tuning.FixedText, o.FixedText)
	override(note, "train_logit_scale", &p.Tuning.TrainLogitScale, o.TrainScale)
	override(note, "lora_rank", &p.Tuning.LoRA.Rank, o.LoRARank)
	override(note, "lora_scale", &p.Tuning.LoRA.Scale, o.LoRAScale)
	override(note, "lora_mlp", &p.Tuning.LoRA.MLP, o.LoRAMLP)
	override(note, "adapter_ratio", &p.Tuning.Adapter.Ratio, o.Ratio)
	override(note, "adapter_reduction", &p.Tuning.Adapter.Reduction, o.Reduction)
	override(note, "batch", &p.Tuning.Batch, o.Batch)
	override(note, "n_train", &p.NTrain, o.NTrain)
	override(note, "n_test", &p.NTest, o.NTest)
	override(note, "data_seed", &p.DataSeed, o.DataSeed)
	if changes != nil {
		p.Name += ":" + strings.Join(changes, ",")
	}
	return p
}

func override[T comparable](note func(string, any), name string, field, value *T) {
	if value != nil && *value != *field {
		*field = *value
		note(name, *value)
	}
}

// Spec asks for runs: every method on every task with every seed.
type Spec struct {
	Model   string   `json:"model"` // name of a shipped model or folder of a checkpoint
	Methods []string `json:"methods"`
	Tasks   []string `json:"tasks"`
	// Retain names the tasks on which forgetting is measured, but the tuned one;
	// none: Tasks.
	Retain   []string  `json:"retain,omitempty"`
	Seeds    []int     `json:"seeds"`             // nil: the protocol's
	Protocol string    `json:"protocol"`          // "": quick
	Backend  string    `json:"backend,omitempty"` // "": auto
	RealDir  string    `json:"real,omitempty"`    // folder of the real data sets
	Changes  Overrides `json:"changes"`
	// RetryFailed does failed runs again, which are else left as they are.
	RetryFailed bool `json:"-"`
}

// Check tells what is wrong with the spec, short of opening model and tasks.
func (s Spec) Check() error {
	_, err := s.resolve()
	return err
}

// load returns the names of all tasks that are read: those to tune on come first.
func (s Spec) load() []string {
	names := slices.Clone(s.Tasks)
	for _, name := range s.Retain {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// TaskNames replaces the names of lists by what they hold: quick, the tasks of
// the quick protocol, and all, the whole catalogue, its real tasks only when
// there is a folder of their data.
func TaskNames(names []string, realDir string) []string {
	var out []string
	for _, name := range names {
		switch name {
		case "quick":
			out = append(out, datasets.Quick()...)
		case "all":
			for _, e := range datasets.Catalogue() {
				if e.Real == "" || realDir != "" {
					out = append(out, e.Name)
				}
			}
		default:
			out = append(out, name)
		}
	}
	return out
}

// resolve checks the spec, fills in defaults and returns its protocol.
func (s *Spec) resolve() (Protocol, error) {
	p, err := ProtocolNamed(s.Protocol)
	if err != nil {
		return p, err
	}
	if s.Changes.Recipe != "" {
		if _, err := finetune.RecipeNamed(s.Changes.Recipe); err != nil {
			return p, err
		}
	}
	p = p.With(s.Changes)
	if s.Seeds == nil {
		s.Seeds = p.Seeds
	}
	switch {
	case len(s.Methods) == 0:
		return p, fmt.Errorf("no method given: there are %s", strings.Join(finetune.Methods(), ", "))
	case len(s.Tasks) == 0:
		return p, fmt.Errorf("no task given (see iimm datasets list)")
	case len(s.Seeds) == 0:
		return p, fmt.Errorf("no seed given: 0 is one")
	case p.NTrain < 0 || p.NTest < 0:
		return p, fmt.Errorf("%d training and %d test images: must not be negative", p.NTrain, p.NTest)
	}
	for _, m := range s.Methods {
		if _, err := finetune.Describe(m); err != nil {
			return p, err
		}
	}
	for _, n := range s.Seeds {
		if n < 0 {
			return p, fmt.Errorf("seed %d is negative", n)
		}
	}
	if err := twice("method", s.Methods); err != nil {
		return p, err
	}
	if err := twice("task", s.Tasks); err != nil {
		return p, err
	}
	if err := twice("retained task", s.Retain); err != nil {
		return p, err
	}
	if err := twice("seed", s.Seeds); err != nil {
		return p, err
	}
	return p, p.Tuning.Check()
}

func twice[T comparable](what string, list []T) error {
	for i, v := range list {
		if slices.Contains(list[:i], v) {
			return fmt.Errorf("%s %v is given twice", what, v)
		}
	}
	return nil
}
