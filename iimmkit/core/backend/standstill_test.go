package backend

import (
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Many independent batched products at once, the shape of attention in a
// training step, bring the Go backend's default order of operations to a
// standstill.
func TestGoFinishesManyProductsSideBySide(t *testing.T) {
	b, err := Open(Go)
	if err != nil {
		t.Fatal(err)
	}
	exec, err := graph.NewExec(b, func(x *graph.Node) *graph.Node {
		var sum *graph.Node
		for i := range 32 {
			y := graph.AddScalar(x, float64(i))
			y = graph.ReduceAllSum(graph.DotGeneral(y, []int{2}, []int{0}, x, []int{2}, []int{0}))
			if sum == nil {
				sum = y
			} else {
				sum = graph.Add(sum, y)
			}
		}
		return sum
	})
	if err != nil {
		t.Fatal(err)
	}
	x := tensors.FromShape(shapes.Make(dtypes.Float32, 128, 17, 24))
	done := make(chan error, 1)
	go func() {
		var err error
		for range 15 {
			if _, err = exec.Exec1(x); err != nil {
				break
			}
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("no progress for a minute: the backend's workers wait for each other")
	}
}

func TestGoOptions(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "ops_sequential",
		"parallelism=2":              "parallelism=2,ops_sequential",
		"ops_parallel":               "ops_parallel",
		"parallelism=2,ops_parallel": "parallelism=2,ops_parallel",
		"ops_sequential":             "ops_sequential",
	} {
		if got := goOptions(in); got != want {
			t.Errorf("goOptions(%q) = %q, want %q", in, got, want)
		}
	}
}
