package backend

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Status is what is known of one backend on this machine.
type Status struct {
	Name        string `json:"name"`        // as Open takes it
	Usable      bool   `json:"usable"`      // it was opened and computed a product correctly
	Auto        bool   `json:"auto"`        // what "auto" chooses
	Why         string `json:"why"`         // why it is not usable; "" when it is
	Description string `json:"description"` // what GoMLX says of it; "" when not usable
	Path        string `json:"path"`        // of the plugin found, usable or not; "" for none and for Go
	Provenance  string `json:"provenance"`  // where Install fetched it; "" when it was not Install's
}

// Names returns the names of the backends in the order of List.
func Names() []string { return []string{Go, XLACPU, XLACUDA} }

// List tries every backend: opens it, multiplies two matrices, closes it.
func List() []Status {
	chosen, _ := choose(Auto)
	var all []Status
	for _, name := range Names() {
		s := Status{Name: name, Auto: name == chosen.name}
		if name != Go {
			if xlaMissing == "" {
				s.Path = findPlugin(strings.TrimPrefix(name, "xla:"))
			}
			if p, err := readProvenance(s.Path); err == nil && s.Path != "" {
				s.Provenance = p.String()
			}
		}
		if b, err := Open(name); err != nil {
			s.Why = strings.TrimPrefix(err.Error(), fmt.Sprintf("backend %s: %v: ", name, ErrUnavailable))
		} else {
			s.Description = b.Description()
			if err := try(b); err != nil {
				s.Why = err.Error()
			}
			b.Finalize()
		}
		s.Usable = s.Why == ""
		all = append(all, s)
	}
	return all
}

// try has a backend compile and run a small product.
func try(b compute.Backend) error {
	var sum float32
	err := Guard(func() error {
		exec, err := graph.NewExec(b, func(x *graph.Node) *graph.Node {
			return graph.ReduceAllSum(graph.MatMul(x, graph.Transpose(x, 0, 1)))
		})
		if err != nil {
			return err
		}
		defer exec.Finalize()
		x := tensors.FromFlatDataAndDimensions([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
		out, err := exec.Call1(x)
		if err != nil {
			return err
		}
		sum = tensors.ToScalar[float32](out)
		return nil
	})
	if err != nil {
		return fmt.Errorf("opened, but does not compute: %s", oneLine(err))
	}
	if sum != 5*5+7*7+9*9 {
		return fmt.Errorf("opened, but computes wrongly: %v instead of 155", sum)
	}
	return nil
}

// Guard calls f and returns the panics that GoMLX raises while graphs are
// built or run as errors.
func Guard(f func() error) (err error) {
	if caught := exceptions.Try(func() { err = f() }); caught != nil {
		if e, ok := caught.(error); ok {
			return e
		}
		return fmt.Errorf("%v", caught)
	}
	return err
}
