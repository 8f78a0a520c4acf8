package forecast

import (
	"fmt"
	"slices"
	"strings"
)

// Query is a task, as it is known before tuning, to be forecast.
type Query struct {
	Model   string
	Methods []string // nil: all of the calibration
	Inputs
	// Retain are tasks whose forgetting is asked for one by one.
	Retain []Retain
}

// Retain is a task that shall not be forgotten. What a model knew of a task that
// it has in the calibration need not be given.
type Retain struct {
	Task             string
	ZeroShotAccuracy *float64
	Classes          int // 0: not known, or the calibration's
}

// Forecast is what a calibration says of a task.
type Forecast struct {
	Schema      int            `json:"schema"`
	Calibration CalibrationRef `json:"calibration"`
	Model       string         `json:"model"`
	Inputs      Inputs         `json:"inputs"`
	Methods     []Method       `json:"methods"`
}

// CalibrationRef names a calibration without its observations.
type CalibrationRef struct {
	Name      string   `json:"name"`
	Source    string   `json:"source"`
	Models    []string `json:"models"`
	Protocols []string `json:"protocols"`
	Backends  []string `json:"backends"`
	Tasks     int      `json:"tasks"`
	N         int      `json:"n"`
	Hash      string   `json:"hash"`
	Options
}

// Method is what is forecast of tuning by one method. What is refused or not
// defined is nil.
type Method struct {
	Method string `json:"method"`
	// Accuracy and ScaledGain are in [0,1], Gain and Forgetting in points. Gain and
	// ScaledGain follow from Accuracy.
	Accuracy   *Quantity `json:"accuracy"`
	Gain       *Quantity `json:"gain"`
	ScaledGain *Quantity `json:"scaled_gain"`
	Basis      *Basis    `json:"accuracy_basis"`
	// Forgetting is the mean over the calibration's retained tasks.
	Forgetting      *Quantity `json:"forgetting"`
	ForgettingBasis *Basis    `json:"forgetting_basis"`
	// Harmless methods leave the encoders as they are: nothing is forgotten.
	Harmless bool                 `json:"harmless"`
	Retained []RetainedForgetting `json:"retained"`
	Notes    []string             `json:"notes"`
}

// Basis says what a forecast rests on.
type Basis struct {
	// Predictor is the one of the candidates that forecast left-out tasks best.
	Predictor string `json:"predictor"`
	// N observations of Folds tasks, or domains, it was learned from.
	N             int           `json:"n"`
	Folds         int           `json:"folds"`
	Extrapolation Extrapolation `json:"extrapolation"`
}

// RetainedForgetting is the forgetting of one retained task, in points.
type RetainedForgetting struct {
	Task string `json:"task"`
	// Calibrated tells whether the calibration has the task among those retained.
	Calibrated bool      `json:"calibrated"`
	Predictor  string    `json:"predictor"`
	Forgetting *Quantity `json:"forgetting"`
}

// Ref returns what names the calibration.
func (c *Calibration) Ref() CalibrationRef {
	return CalibrationRef{c.Name, c.Source, c.Models, c.Protocols, c.Backends, len(c.Tasks), c.N, c.Hash, c.Options}
}

// Forecast forecasts gain and forgetting of a task, per method. Tasks too far
// from the calibration are refused, method by method, with a note.
func (c *Calibration) Forecast(q Query) (*Forecast, error) {
	if !slices.Contains(c.Models, q.Model) {
		return nil, fmt.Errorf("calibration %s is not of model %q: it is of %s", c.Name, q.Model, strings.Join(c.Models, ", "))
	}
	if err := q.Inputs.check(); err != nil {
		return nil, err
	}
	if q.Methods == nil {
		q.Methods = c.methods(q.Model)
	}
	for i, r := range q.Retain {
		k, err := c.known(q.Model, r)
		if err != nil {
			return nil, err
		}
		if err := (Inputs{ZeroShotAccuracy: k.ZeroShotAccuracy, Classes: k.Classes}).check(); err != nil {
			return nil, fmt.Errorf("retained task %s: %w", r.Task, err)
		}
		if slices.ContainsFunc(q.Retain[:i], func(other Retain) bool { return other.Task == r.Task }) {
			return nil, fmt.Errorf("retained task %s is given twice", r.Task)
		}
	}
	f := &Forecast{Schema: Schema, Calibration: c.Ref(), Model: q.Model, Inputs: q.Inputs}
	for _, method := range q.Methods {
		if !slices.Contains(c.Methods, method) {
			return nil, fmt.Errorf("calibration %s is not of method %q: it is of %s", c.Name, method, strings.Join(c.Methods, ", "))
		}
		m, err := c.method(q, method)
		if err != nil {
			return nil, err
		}
		f.Methods = append(f.Methods, m)
	}
	return f, nil
}

// methods of the model's own observations, or of all when pooled.
func (c *Calibration) methods(model string) []string {
	return slices.DeleteFunc(slices.Clone(c.Methods), func(method string) bool {
		return !slices.ContainsFunc(c.Observations, func(o Observation) bool { return o.Method == method && (c.Pooled || o.Model == model) })
	})
}

// known is what the model knew of a retained task.
func (c *Calibration) known(model string, r Retain) (Known, error) {
	k, ok := c.Retained[model][r.Task]
	if r.ZeroShotAccuracy != nil {
		k.ZeroShotAccuracy = *r.ZeroShotAccuracy
	} else if !ok {
		return k, fmt.Errorf("retained task %q is not one of calibration %s: its zero-shot accuracy must be given", r.Task, c.Name)
	}
	if r.Classes != 0 {
		k.Classes = r.Classes
	}
	return k, nil
}

func (q Query) inputs() []input {
	var known []input
	for i := range input(len(inputNames)) {
		if q.has(i) {
			known = append(known, i)
		}
	}
	return known
}

// dropped notes the inputs that a sample does without.
func dropped(what string, asked, used []input) []string {
	var notes []string
	for _, i := range asked {
		if !slices.Contains(used, i) {
			notes = append(notes, fmt.Sprintf("%s is forecast without %s: too few observations of the calibration have it", what, inputNames[i]))
		}
	}
	return notes
}

func (c *Calibration) method(q Query, method string) (Method, error) {
	m := Method{Method: method, Retained: []RetainedForgetting{}, Notes: []string{}}
	asked := q.inputs()
	s, err := c.sample(q.Model, method, asked, always)
	if err != nil {
		return m, err
	}
	m.Notes = append(m.Notes, dropped("accuracy", asked, s.inputs)...)
	p := s.accuracy()
	m.Basis = p.basis(s, q.Inputs)
	if e := m.Basis.Extrapolation; e.Status == Outside {
		m.Notes = append(m.Notes, "no forecast of accuracy: "+e.Reason)
	} else {
		accuracy := p.interval(q.Inputs, nothing(), e.Widened)
		m.Accuracy = &accuracy
		gain := accuracy.through(func(a float64) float64 { return 100 * (a - q.ZeroShotAccuracy) })
		m.Gain = &gain
		if q.ZeroShotAccuracy < 1 {
			scaled := accuracy.through(func(a float64) float64 { return (a - q.ZeroShotAccuracy) / (1 - q.ZeroShotAccuracy) })
			m.ScaledGain = &scaled
		}
		if e.Status == Near {
			m.Notes = append(m.Notes, fmt.Sprintf("intervals of accuracy are widened by %.2g: %s", e.Widened, e.Reason))
		}
	}
	err = c.forgetting(q, &m)
	return m, err
}

// forgetting fills in what is forecast of forgetting.
func (c *Calibration) forgetting(q Query, m *Method) error {
	if m.Harmless = m.Method == "probe"; m.Harmless {
		m.Notes = append(m.Notes, "forgetting is not defined: a probe leaves the encoders as they are")
		return nil
	}
	if !slices.ContainsFunc(c.Observations, func(o Observation) bool { return o.Method == m.Method && hasForgetting(o) }) {
		m.Notes = append(m.Notes, "no forecast of forgetting: the calibration does not have it")
		return nil
	}
	asked := q.inputs()
	s, err := c.sample(q.Model, m.Method, asked, hasForgetting)
	if err != nil {
		m.Notes = append(m.Notes, "no forecast of forgetting: "+err.Error())
		return nil
	}
	m.Notes = append(m.Notes, dropped("forgetting", asked, s.inputs)...)
	p := s.forgetting()
	m.ForgettingBasis = p.basis(s, q.Inputs)
	e := m.ForgettingBasis.Extrapolation
	if e.Status == Outside {
		m.Notes = append(m.Notes, "no forecast of forgetting: "+e.Reason)
		return nil
	}
	if e.Status == Near {
		m.Notes = append(m.Notes, fmt.Sprintf("intervals of forgetting are widened by %.2g: %s", e.Widened, e.Reason))
	}
	forgetting := p.interval(q.Inputs, nothing(), e.Widened)
	m.Forgetting = &forgetting
	if len(q.Retain) == 0 {
		return nil
	}
	calibrated := s.pairs(p, c.Retained)
	if calibrated == nil {
		m.Notes = append(m.Notes, "no forecast for single retained tasks: the calibration has only the mean")
		return nil
	}
	strange := s.pairs(p, c.Retained)
	strange.strange = true
	residuals := map[*pairs][]foldResiduals{}
	for _, r := range q.Retain {
		k, err := c.known(q.Model, r)
		if err != nil {
			return err
		}
		with, id := calibrated, slices.Index(calibrated.names, r.Task)
		if id < 0 {
			with = strange
		}
		if residuals[with] == nil {
			residuals[with] = with.residuals(nothing())
		}
		forgetting := with.interval(residuals[with], q.Inputs, id, k.aboveChance(), nothing(), e.Widened)
		m.Retained = append(m.Retained, RetainedForgetting{r.Task, id >= 0, pairNames[with.choose(nothing())], &forgetting})
	}
	return nil
}

func (p *problem) basis(s sample, in Inputs) *Basis {
	c := p.choose(nothing())
	return &Basis{Predictor: p.candidates[c].name, N: len(s.rows), Folds: s.folds, Extrapolation: p.extrapolation(c, in)}
}
