package train

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
)

// Step is a compiled training step: one batch in, the weights moved once.
type Step struct {
	exec  *model.Exec
	opt   Optimizer
	vars  []*model.Variable
	state []*model.Variable // slots of vars[0], of vars[1], …
	zeros []*tensors.Tensor // what Reset gave the state
	t     int
	clip  float64
}

// Options of a training step.
type Options struct {
	Optimizer Optimizer
	// ClipNorm scales the gradients down when their joint length exceeds it; 0: never.
	ClipNorm float64
	// After, when not nil, gets each new weight and returns what is kept of it.
	After func(name string, value *Node) *Node
}

// NewStep prepares the step that moves vars, weights of store, along the
// gradient of loss. loss gets the inputs of each call of Run and returns a
// scalar. The graph is compiled at the first call and again for every new
// combination of input shapes.
func NewStep(b compute.Backend, store *model.Store, vars []*model.Variable, o Options, loss func(g *Graph, inputs []*Node) *Node) (*Step, error) {
	if len(vars) == 0 {
		return nil, fmt.Errorf("no weight to train")
	}
	s := &Step{opt: o.Optimizer, vars: vars, clip: o.ClipNorm}
	for _, v := range vars {
		for k := range o.Optimizer.slots() {
			path := fmt.Sprintf("/optimizer/%d%s", k, v.Path())
			state, zeros := store.GetVariable(path), (*tensors.Tensor)(nil)
			if state == nil {
				zeros = tensors.FromShape(v.Shape())
				state = store.VariableWithValue(path, zeros)
			}
			s.state, s.zeros = append(s.state, state.SetTrainable(false)), append(s.zeros, zeros)
		}
	}
	if err := s.Reset(); err != nil {
		return nil, err
	}
	count := len(o.Optimizer.scalars(0, 0))
	exec, err := model.NewExec(b, store, func(_ *model.Scope, inputs []*Node) []*Node {
		g := inputs[0].Graph()
		scalars := make([]*Node, count)
		for i := range scalars {
			scalars[i] = Reshape(Slice(inputs[0], AxisElem(i)))
		}
		objective := loss(g, inputs[1:])
		values := make([]*Node, len(vars))
		for i, v := range vars {
			values[i] = v.NodeValue(g)
		}
		grads := Gradient(objective, values...)
		norm := ScalarZero(g, dtypes.Float32)
		for _, d := range grads {
			norm = Add(norm, ReduceAllSum(Square(d)))
		}
		norm = Sqrt(norm)
		if o.ClipNorm > 0 {
			factor := Min(ScalarOne(g, dtypes.Float32), Div(Scalar(g, dtypes.Float32, o.ClipNorm), AddScalar(norm, 1e-6)))
			for i := range grads {
				grads[i] = Mul(grads[i], factor)
			}
		}
		slots := o.Optimizer.slots()
		for i, v := range vars {
			state := make([]*Node, slots)
			for k := range state {
				state[k] = s.state[i*slots+k].NodeValue(g)
			}
			name := v.Path()[1:]
			value, next := o.Optimizer.update(name, values[i], grads[i], state, scalars)
			if o.After != nil {
				value = o.After(name, value)
			}
			v.SetNodeValue(value)
			for k := range next {
				s.state[i*slots+k].SetNodeValue(next[k])
			}
		}
		return []*Node{objective, norm}
	})
	if err != nil {
		return nil, err
	}
	s.exec = exec
	return s, nil
}

// ErrDiverged is the error of a step whose loss or gradient is not finite.
var ErrDiverged = errors.New("training diverged")

// Run does one step at the given learning rate and returns the loss before it.
// A loss or gradient that is not finite is an error; the weights are then of
// no use.
func (s *Step) Run(rate float64, inputs ...any) (loss float64, err error) {
	args := append([]any{s.opt.scalars(s.t, rate)}, inputs...)
	var values [2]float32
	fault := exceptions.TryCatch[error](func() {
		var out []*tensors.Tensor
		if out, err = s.exec.Call(args...); err != nil {
			return
		}
		for i := range values {
			values[i] = tensors.ToScalar[float32](out[i])
			if e := out[i].FinalizeAll(); err == nil {
				err = e
			}
		}
	})
	if fault != nil {
		err = fault
	}
	if err != nil {
		return 0, err
	}
	loss = float64(values[0])
	if math.IsNaN(loss) || math.IsInf(loss, 0) || math.IsNaN(float64(values[1])) || math.IsInf(float64(values[1]), 0) {
		return loss, fmt.Errorf("%w at step %d, learning rate %g: loss %g, gradient norm %g", ErrDiverged, s.t, rate, loss, values[1])
	}
	s.t++
	backend.Trim()
	return loss, nil
}

// Steps returns the number of steps done since the last Reset.
func (s *Step) Steps() int { return s.t }

// Reset forgets momentum and step count. The weights stay.
func (s *Step) Reset() error {
	s.t = 0
	for i, v := range s.state {
		if value, err := v.Value(); err == nil && value == s.zeros[i] {
			continue // no step was taken since: each gives the variable another tensor
		}
		s.zeros[i] = tensors.FromShape(v.Shape())
		if err := v.SetValue(s.zeros[i]); err != nil {
			return fmt.Errorf("optimiser state %s: %w", v.Path(), err)
		}
	}
	return nil
}
