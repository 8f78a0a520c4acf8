package forecast

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// Schema is the version of the JSON forms of this package.
const Schema = 1

// Calibration is what forecasts are learned from. It holds the observations
// themselves: a forecast can be retraced to them, and a fit is done when asked for.
type Calibration struct {
	Schema int    `json:"schema"`
	Name   string `json:"name"`
	Source string `json:"source"` // where the observations come from, in words
	// Models, Methods, Tasks, Protocols and Backends are those of Observations.
	Models    []string `json:"models"`
	Methods   []string `json:"methods"`
	Tasks     []string `json:"tasks"`
	Protocols []string `json:"protocols"`
	Backends  []string `json:"backends"`
	N         int      `json:"n"`    // number of observations
	Hash      string   `json:"hash"` // SHA-256 of Retained and Observations
	Options
	// Retained is what each model knew, before tuning, of the tasks that are retained.
	Retained     map[string]map[string]Known `json:"retained,omitempty"`
	Observations []Observation               `json:"observations"`
}

// Options say how forecasts are learned from observations.
type Options struct {
	// Pooled learns from all models of the calibration for each of them. The models
	// of a task are then left out together.
	Pooled bool `json:"pooled"`
	// ByDomain leaves out all tasks that share images, not one task at a time: the
	// intervals are then those of a task with images of a kind never seen.
	ByDomain bool `json:"by_domain"`
}

// New makes a calibration of observations, which must differ in model, method
// and task. They are put in order.
func New(name, source string, observations []Observation, retained map[string]map[string]Known, o Options) (*Calibration, error) {
	c := &Calibration{Schema: Schema, Name: name, Source: source, Options: o, Retained: retained, Observations: slices.Clone(observations)}
	if len(retained) == 0 {
		c.Retained = nil // as it is read again
	}
	slices.SortStableFunc(c.Observations, func(a, b Observation) int {
		return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Task, b.Task))
	})
	if err := c.checkObservations(); err != nil {
		return nil, fmt.Errorf("calibration: %w", err)
	}
	c.count()
	return c, nil
}

// Without returns the calibration without what came of tuning some tasks: that of
// a task must not be known to a forecast of it. Where it has none of them it is
// returned as it is. That they are retained by other tasks' tuning stays.
func (c *Calibration) Without(tasks ...string) (*Calibration, error) {
	others := slices.DeleteFunc(slices.Clone(c.Observations), func(o Observation) bool { return slices.Contains(tasks, o.Task) })
	if len(others) == len(c.Observations) {
		return c, nil
	}
	return New(c.Name, c.Source, others, c.Retained, c.Options)
}

func (c *Calibration) checkObservations() error {
	if c.Name == "" {
		return errors.New("it has no name")
	}
	if len(c.Observations) == 0 {
		return errors.New("no observations")
	}
	for i, o := range c.Observations {
		if err := o.check(); err != nil {
			return err
		}
		if i > 0 && o.name() == c.Observations[i-1].name() {
			return fmt.Errorf("%s comes twice", o.name())
		}
		for task := range o.Retained {
			if _, ok := c.Retained[o.Model][task]; !ok {
				return fmt.Errorf("%s: what %s knew of the retained task %s is missing", o.name(), o.Model, task)
			}
		}
	}
	for model, tasks := range c.Retained {
		for task, k := range tasks {
			if err := (Inputs{ZeroShotAccuracy: k.ZeroShotAccuracy, Classes: k.Classes}).check(); err != nil {
				return fmt.Errorf("%s on retained %s: %w", model, task, err)
			}
		}
	}
	return nil
}

// count fills in what is said of the observations.
func (c *Calibration) count() {
	each := func(of func(Observation) string) []string {
		set := map[string]bool{}
		for _, o := range c.Observations {
			if v := of(o); v != "" {
				set[v] = true
			}
		}
		return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(set))))
	}
	c.Models = each(func(o Observation) string { return o.Model })
	c.Methods = each(func(o Observation) string { return o.Method })
	c.Tasks = each(func(o Observation) string { return o.Task })
	c.Protocols = each(func(o Observation) string { return o.Protocol })
	c.Backends = each(func(o Observation) string { return o.Backend })
	c.N = len(c.Observations)
	c.Hash = c.hash()
}

func (c *Calibration) hash() string {
	data, err := json.Marshal(struct {
		Retained     map[string]map[string]Known
		Observations []Observation
	}{c.Retained, c.Observations})
	if err != nil {
		panic(err) // plain data of finite numbers, which New and Parse check
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Write writes the calibration as JSON, one observation a line.
func (c *Calibration) Write(w io.Writer) error {
	head := *c
	head.Observations, head.Retained = nil, nil
	data, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.Write(bytes.TrimSuffix(data, []byte("\"observations\": null\n}")))
	if len(c.Retained) > 0 {
		line, err := json.Marshal(c.Retained)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\"retained\": %s,\n  ", line)
	}
	b.WriteString("\"observations\": [\n")
	for i, o := range c.Observations {
		line, err := json.Marshal(o)
		if err != nil {
			return err
		}
		b.WriteString("    " + string(line))
		if i < len(c.Observations)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("  ]\n}\n")
	_, err = w.Write(b.Bytes())
	return err
}

// WriteFile is Write to a file, which is whole or not there.
func (c *Calibration) WriteFile(path string) error {
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		return err
	}
	return store.WriteFile(path, b.Bytes())
}

// Parse reads a calibration and checks it, its hash included.
func Parse(data []byte) (*Calibration, error) {
	var c Calibration
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("not a calibration: %w", err)
	}
	if c.Schema != Schema {
		return nil, fmt.Errorf("not a calibration of schema %d: it says schema %d", Schema, c.Schema)
	}
	made, err := New(c.Name, c.Source, c.Observations, c.Retained, c.Options)
	if err != nil {
		return nil, err
	}
	if made.Hash != c.Hash {
		return nil, fmt.Errorf("calibration %s: the observations hash to %.12s…, not to the %.12s… that it says: they were changed", c.Name, made.Hash, c.Hash)
	}
	return made, nil
}

// Read reads a calibration's file.
func Read(path string) (*Calibration, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("calibration: %w", err)
	}
	c, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// minFolds is the number of tasks, or of domains, below which nothing is forecast.
const minFolds = 5

// sample are the observations that one forecast is learned from.
type sample struct {
	rows  []Observation
	fold  []int
	folds int
	// inputs are those that all rows have and that may be used.
	inputs []input
}

// sample returns the observations of a model and method for which keep holds and
// that have all of inputs; where these are too few, inputs are dropped whose
// absence leaves the most observations.
func (c *Calibration) sample(model, method string, inputs []input, keep func(Observation) bool) (sample, error) {
	for {
		s := sample{inputs: inputs}
		folds := map[string]int{}
		for _, o := range c.Observations {
			if o.Method != method || !c.Pooled && o.Model != model || !keep(o) || !o.hasAll(inputs) {
				continue
			}
			name := o.Task
			if c.ByDomain {
				name = o.domain()
			}
			if _, ok := folds[name]; !ok {
				folds[name] = len(folds)
			}
			s.rows = append(s.rows, o)
			s.fold = append(s.fold, folds[name])
		}
		if s.folds = len(folds); s.folds >= minFolds {
			return s, nil
		}
		if len(inputs) <= 1 {
			what := "tasks"
			if c.ByDomain {
				what = "domains"
			}
			return s, fmt.Errorf("calibration %s has %d %s of %s %s: at least %d are needed", c.Name, s.folds, what, model, method, minFolds)
		}
		inputs = c.drop(model, method, inputs, keep)
	}
}

// drop returns inputs without the one, never zero-shot accuracy, that the fewest
// observations have; of equal ones the last.
func (c *Calibration) drop(model, method string, inputs []input, keep func(Observation) bool) []input {
	worst, least := 0, len(c.Observations)+1
	for i, in := range inputs {
		if in == zeroShot {
			continue
		}
		n := 0
		for _, o := range c.Observations {
			if o.Method == method && (c.Pooled || o.Model == model) && keep(o) && o.has(in) {
				n++
			}
		}
		if n <= least {
			worst, least = i, n
		}
	}
	return slices.Delete(slices.Clone(inputs), worst, worst+1)
}

// problem is a target of the sample's rows, with the candidates that the
// sample's inputs allow.
func (s sample) problem(candidates []candidate, y func(Observation) float64, to, from func(float64) float64) *problem {
	var allowed []candidate
	for _, c := range candidates {
		if !slices.ContainsFunc(c.needs(), func(i input) bool { return !slices.Contains(s.inputs, i) }) && !(c.bends && len(s.rows) > gaussianRows) {
			allowed = append(allowed, c)
		}
	}
	in := make([]Inputs, len(s.rows))
	values := make([]float64, len(s.rows))
	for i, o := range s.rows {
		in[i], values[i] = o.Inputs, y(o)
	}
	return newProblem(in, values, s.fold, allowed, to, from)
}

func (s sample) accuracy() *problem {
	return s.problem(accuracyCandidates, func(o Observation) float64 { return o.Accuracy }, logit, expit)
}

func (s sample) forgetting() *problem {
	return s.problem(forgettingCandidates, func(o Observation) float64 { return *o.Forgetting }, squash, unsquash)
}

// pairs returns the sample's pairs, nil where there are none.
func (s sample) pairs(severity *problem, retained map[string]map[string]Known) *pairs {
	p := newPairs(severity)
	ids := map[string]int{}
	for k, o := range s.rows {
		for _, task := range slices.Sorted(maps.Keys(o.Retained)) {
			id, ok := ids[task]
			if !ok {
				id = len(p.names)
				ids[task] = id
				p.names = append(p.names, task)
			}
			p.tuned = append(p.tuned, k)
			p.retained = append(p.retained, id)
			p.known = append(p.known, retained[o.Model][task].aboveChance())
			p.y = append(p.y, o.Retained[task])
		}
	}
	if len(p.names) < 2 {
		return nil
	}
	return p
}

func always(Observation) bool          { return true }
func hasForgetting(o Observation) bool { return o.Forgetting != nil }
