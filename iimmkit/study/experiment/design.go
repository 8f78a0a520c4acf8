package experiment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/iimmkit/iimm/iimmkit/model/finetune"
)

// DesignSchema is the version of a spec file's form.
const DesignSchema = 1

// Design is a factorial experiment, as a spec file states it: every model tuned
// by every method on every task with every seed, at every combination of the
// grid's hyper-parameters.
type Design struct {
	Schema   int      `yaml:"schema" json:"schema"`
	Models   []string `yaml:"models" json:"models"` // names of models or folders of checkpoints
	Methods  []string `yaml:"methods" json:"methods"`
	Tasks    []string `yaml:"tasks" json:"tasks"`                       // or quick, or all: see TaskNames
	Retain   []string `yaml:"retain,omitempty" json:"retain,omitempty"` // where forgetting is measured; none: on Tasks
	Seeds    []int    `yaml:"seeds,omitempty" json:"seeds,omitempty"`   // nil: the protocol's
	Protocol string   `yaml:"protocol,omitempty" json:"protocol,omitempty"`
	Backend  string   `yaml:"backend,omitempty" json:"backend,omitempty"`
	Real     string   `yaml:"real,omitempty" json:"real,omitempty"` // folder of the real data sets
	// Grid holds the values of hyper-parameters by their names in Overrides.
	Grid map[string]Values `yaml:"grid,omitempty" json:"grid,omitempty"`
}

// Values are those that a hyper-parameter takes in turn: numbers, strings or
// true and false.
type Values []any

// UnmarshalYAML reads a list, or a value alone.
func (v *Values) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.SequenceNode {
		return node.Load((*[]any)(v))
	}
	var one any
	if err := node.Load(&one); err != nil {
		return err
	}
	*v = Values{one}
	return nil
}

// ReadDesign reads a spec file, in YAML or in JSON.
func ReadDesign(path string) (Design, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Design{}, fmt.Errorf("spec: %w", err)
	}
	d, err := ParseDesign(data)
	if err != nil {
		return d, fmt.Errorf("spec %s: %w", path, err)
	}
	return d, nil
}

// ParseDesign reads a design from YAML, of which JSON is a part, and checks it.
// Names that a design does not have are errors, which name the line.
func ParseDesign(data []byte) (Design, error) {
	var d Design
	if err := yaml.Load(data, &d, yaml.WithKnownFields(), yaml.WithUniqueKeys()); err != nil {
		return d, errors.New(strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " "))
	}
	if d.Schema != DesignSchema {
		return d, fmt.Errorf("schema %d: this iimm reads schema: %d", d.Schema, DesignSchema)
	}
	_, err := d.Specs()
	return d, err
}

// Specs returns the specs that the design is made of: one for each model and
// combination, without methods that have nothing of the combination's
// differences. A linear probe, which has no learning rate, is thus tuned once
// in a grid of learning rates.
func (d Design) Specs() ([]Spec, error) {
	switch {
	case len(d.Models) == 0:
		return nil, errors.New("no model given (see iimm models list)")
	case len(d.Methods) == 0:
		return nil, fmt.Errorf("no method given: there are %s", strings.Join(finetune.Methods(), ", "))
	}
	if err := twice("model", d.Models); err != nil {
		return nil, err
	}
	if err := twice("method", d.Methods); err != nil {
		return nil, err
	}
	base, err := ProtocolNamed(d.Protocol)
	if err != nil {
		return nil, err
	}
	combinations, err := d.combinations()
	if err != nil {
		return nil, err
	}
	// The specs of one model, by their changes.
	var specs []Spec
	at := map[string]int{}
	for _, c := range combinations {
		for _, name := range d.Methods {
			m, err := finetune.Describe(name)
			if err != nil {
				return nil, err
			}
			changes, err := d.felt(m, base, c)
			if err != nil {
				return nil, err
			}
			key := base.With(changes).Name
			k, ok := at[key]
			if !ok {
				k = len(specs)
				at[key] = k
				specs = append(specs, Spec{
					Tasks: TaskNames(d.Tasks, d.Real), Retain: TaskNames(d.Retain, d.Real), Seeds: d.Seeds, Protocol: d.Protocol, Backend: d.Backend, RealDir: d.Real, Changes: changes,
				})
			}
			if !slices.Contains(specs[k].Methods, name) {
				specs[k].Methods = append(specs[k].Methods, name)
			}
		}
	}
	var all []Spec
	for _, model := range d.Models {
		for _, s := range specs {
			s.Model = model
			if err := s.Check(); err != nil {
				return nil, err
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// maxCombinations bounds a grid: what is larger is a mistake.
const maxCombinations = 10000

// combinations returns every choice of one value of each hyper-parameter, the
// last in alphabetical order changing fastest.
func (d Design) combinations() ([]map[string]any, error) {
	all := []map[string]any{{}}
	for _, name := range slices.Sorted(maps.Keys(d.Grid)) {
		values := d.Grid[name]
		if len(values) == 0 {
			return nil, fmt.Errorf("grid: %s has no values", name)
		}
		if len(all)*len(values) > maxCombinations {
			return nil, fmt.Errorf("grid: more than %d combinations", maxCombinations)
		}
		var longer []map[string]any
		seen := map[string]bool{}
		for _, v := range values {
			o, err := overrides(map[string]any{name: v})
			if err != nil {
				return nil, err
			}
			if key := content(o); seen[key] {
				return nil, fmt.Errorf("grid: %s is given %v twice", name, v)
			} else {
				seen[key] = true
			}
		}
		for _, c := range all {
			for _, v := range values {
				next := maps.Clone(c)
				next[name] = v
				longer = append(longer, next)
			}
		}
		all = longer
	}
	return all, nil
}

// felt returns the changes of a combination but those by hyper-parameters of
// several values none of which makes a difference to the method.
func (d Design) felt(m finetune.Method, base Protocol, combination map[string]any) (Overrides, error) {
	says := func(o Overrides) string {
		p := base.With(o)
		settings := m.Settings(p.Tuning)
		p.Name, p.Tuning = "", finetune.Options{}
		return content([]any{settings, p})
	}
	combination = maps.Clone(combination)
	for name, values := range d.Grid {
		differs := len(values) < 2
		for _, v := range values {
			o, err := overrides(map[string]any{name: v})
			if err != nil {
				return Overrides{}, err
			}
			differs = differs || says(o) != says(Overrides{})
		}
		if !differs {
			delete(combination, name)
		}
	}
	return overrides(combination)
}

// overrides makes changes of named hyper-parameters.
func overrides(named map[string]any) (o Overrides, err error) {
	data, err := json.Marshal(named)
	if err != nil {
		return o, fmt.Errorf("grid: %w", err)
	}
	in := json.NewDecoder(bytes.NewReader(data))
	in.DisallowUnknownFields()
	err = in.Decode(&o)
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if !slices.Contains(HyperParameters(), name) {
			return o, fmt.Errorf("grid: no hyper-parameter %q: there are %s", name, strings.Join(HyperParameters(), ", "))
		}
		var wrong *json.UnmarshalTypeError
		if named[name] == nil {
			return o, fmt.Errorf("grid: %s has an empty value", name)
		}
		if errors.As(err, &wrong) && wrong.Field == name {
			return o, fmt.Errorf("grid: %s cannot be the %s %v", name, wrong.Value, named[name])
		}
	}
	if err != nil {
		err = fmt.Errorf("grid: %w", err)
	}
	return o, err
}

// ParseGrid reads a grid from texts such as learning_rate=3e-4,1e-3 and from the
// changes that are the same for all runs.
func ParseGrid(texts []string, all Overrides) (map[string]Values, error) {
	grid := map[string]Values{}
	data, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	var fixed map[string]json.RawMessage // whose digits all stay
	if err := json.Unmarshal(data, &fixed); err != nil {
		return nil, err
	}
	for name, v := range fixed {
		grid[name] = Values{v}
	}
	for _, text := range texts {
		name, list, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not NAME=VALUE,VALUE", text)
		}
		if _, ok := grid[name]; ok {
			return nil, fmt.Errorf("%s is given twice", name)
		}
		var values Values
		if err := yaml.Load([]byte("["+list+"]"), &values); err != nil {
			return nil, fmt.Errorf("%s: %q is no list of values", name, list)
		}
		grid[name] = values
	}
	return grid, nil
}

// ParseChanges reads changes from texts such as lora_rank=4, beside those given.
func ParseChanges(texts []string, beside Overrides) (Overrides, error) {
	grid, err := ParseGrid(texts, beside)
	if err != nil {
		return beside, err
	}
	named := map[string]any{}
	for name, values := range grid {
		if len(values) != 1 {
			return beside, fmt.Errorf("%s has %d values instead of one", name, len(values))
		}
		named[name] = values[0]
	}
	return overrides(named)
}

// HyperParameters returns the names of all that a grid can vary.
func HyperParameters() []string {
	var names []string
	for f := range reflect.TypeFor[Overrides]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// Template returns a spec file to begin with: a small experiment, and what else
// could be asked for.
func Template() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# An experiment of iimm: every model is tuned by every method on every task with
# every seed, at every combination of the grid. Run it with
#
#   iimm experiment run --spec FILE --out FOLDER
#
# Paths are relative to the folder in which that is run.
schema: %d

models: [micro]               # see iimm models list; or folders of checkpoints
tasks: [quick]                # see iimm datasets list; or quick, or all, or folder:PATH
# retain: [world/shape]       # where forgetting is measured; left out: on all tasks
seeds: [0, 1]                 # left out: the protocol's
# backend: xla:cpu            # go, xla:cpu, xla:cuda or auto
# real: data/images           # folder of the real data sets, for their tasks

methods:
`, DesignSchema)
	for _, name := range finetune.Methods() {
		m, _ := finetune.Describe(name)
		comment := "# "
		if name == "full" || name == "probe" {
			comment = ""
		}
		fmt.Fprintf(&b, "%-30s# %s\n", "  "+comment+"- "+name, m.About)
	}
	b.WriteString("\nprotocol: quick\n")
	for _, p := range Protocols() {
		fmt.Fprintf(&b, "#   %-12s%s\n", p.Name, p.About)
	}
	b.WriteString(`
# Hyper-parameters in place of the protocol's. Of those with several values every
# combination is a run of its own, named after what it changes, such as
# quick:learning_rate=0.001; a method that has none of them is run once. There are
`)
	for names := range slices.Chunk(HyperParameters(), 6) {
		fmt.Fprintf(&b, "#   %s\n", strings.Join(names, ", "))
	}
	b.WriteString("grid:\n  learning_rate: [3e-4, 1e-3]\n")
	return b.String()
}
