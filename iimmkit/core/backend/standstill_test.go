package backend

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/pprof"
	"sync"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Many independent batched products at once, the shape of attention in a
// training step, with an operation beside them that uses the pool in the other
// way, bring the Go backend's default options to a standstill within a few
// executions. Ours must not, however many cores and however many graphs at once.
func TestGoFinishesManyProductsSideBySide(t *testing.T) {
	for _, name := range []string{"go", "go:ops_parallel", "go:parallelism=2"} {
		for _, cores := range []int{1, 2, 4} {
			for _, graphs := range []int{1, 3} {
				t.Run(fmt.Sprintf("%s/cores=%d/graphs=%d", name, cores, graphs), func(t *testing.T) {
					defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
					finishes(t, openFor(t, name), graphs)
				})
			}
		}
	}
}

func finishes(t *testing.T, b compute.Backend, graphs int) {
	t.Helper()
	exec, err := graph.NewExec(b, manyProducts)
	if err != nil {
		t.Fatal(err)
	}
	errs := make([]error, graphs)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			// Its own: a tensor must not be taken to the backend by two at once.
			x := tensors.FromShape(shapes.Make(dtypes.Float32, 32, 17, 24))
			for range 6 {
				if _, errs[i] = exec.Call1(x); errs[i] != nil {
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		var stacks bytes.Buffer
		_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
		t.Fatalf("no end after a minute: the backend's workers wait for each other\n%s", stacks.Bytes())
	}
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}

func manyProducts(x *graph.Node) *graph.Node {
	var sum *graph.Node
	for i := range 32 {
		y := graph.Erf(graph.AddScalar(x, float64(i)))
		y = graph.ReduceAllSum(graph.DotGeneral(y, []int{2}, []int{0}, x, []int{2}, []int{0}))
		if sum == nil {
			sum = y
		} else {
			sum = graph.Add(sum, y)
		}
	}
	return sum
}

func TestGoOptions(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "parallelism=-1",
		"ops_parallel":               "ops_parallel,parallelism=-1",
		"creation_order":             "creation_order,parallelism=-1",
		"parallelism=-1":             "parallelism=-1",
		"ops_sequential":             "ops_sequential",
		"parallelism=2":              "parallelism=2,ops_sequential",
		"parallelism=2,ops_parallel": "parallelism=2,ops_parallel",
	} {
		if got := goOptions(in); got != want {
			t.Errorf("goOptions(%q) = %q, want %q", in, got, want)
		}
	}
}
