package bench

import (
	"context"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/core/similarity"
)

// kernel is something worth timing.
type kernel struct {
	name      string
	onBackend bool
	noRows    bool               // it does not work on the set's images
	flops     func(*set) float64 // nil: not worth counting
	prepare   func(ctx context.Context, s *set, b compute.Backend) (run func() error, done func() error, err error)
}

func (k kernel) times(backends int) int {
	if k.onBackend {
		return backends
	}
	return 1
}

// Kernels returns the names of what Run times.
func Kernels() []string {
	var names []string
	for _, k := range kernels {
		names = append(names, k.name)
	}
	return names
}

var kernels = []kernel{
	{name: "matmul 1024x1024x1024", onBackend: true, noRows: true, flops: func(*set) float64 { return 2 << 30 }, prepare: matmul},
	{name: "measure accumulate", prepare: accumulate(false)},
	{name: "measure accumulate, fused with captions", prepare: accumulate(true)},
	{
		name: "similarity image-text", onBackend: true,
		flops: func(s *set) float64 { return 2 * float64(s.n) * float64(s.classes) * float64(s.d) },
		prepare: onTensors(func(ctx context.Context, t *similarity.Tensors) error {
			return t.ImageText(ctx, func(int, []float32) error { return nil })
		}),
	},
	{
		name: "similarity image-image", onBackend: true,
		flops: func(s *set) float64 { return float64(s.n) * float64(s.n+1) * float64(s.d) },
		prepare: onTensors(func(ctx context.Context, t *similarity.Tensors) error {
			return t.ImageImage(ctx, func(similarity.Tile) error { return nil })
		}),
	},
	{
		name: "similarity class means", onBackend: true,
		prepare: onTensors(func(ctx context.Context, t *similarity.Tensors) error {
			_, err := t.ClassMeans(ctx)
			return err
		}),
	},
	{
		name: "similarity histograms", onBackend: true,
		prepare: onTensors(func(ctx context.Context, t *similarity.Tensors) error {
			_, err := t.Histograms(ctx, 100)
			return err
		}),
	},
}

// accumulate is what iimm measure does once the file is read.
func accumulate(fused bool) func(context.Context, *set, compute.Backend) (func() error, func() error, error) {
	return func(_ context.Context, s *set, _ compute.Backend) (func() error, func() error, error) {
		texts, err := measure.NewTexts(s.texts, s.d)
		run := func() error {
			a, err := measure.New(s.classes, s.d)
			if err != nil {
				return err
			}
			if fused {
				a = measure.NewFused(texts)
			}
			if err := a.AddBatch(s.images, s.labels); err != nil {
				return err
			}
			_, err = a.Result(texts)
			return err
		}
		return run, nothing, err
	}
}

func onTensors(f func(context.Context, *similarity.Tensors) error) func(context.Context, *set, compute.Backend) (func() error, func() error, error) {
	return func(ctx context.Context, s *set, b compute.Backend) (func() error, func() error, error) {
		t, err := similarity.New(b, s.images, s.labels, s.texts, s.d)
		if err != nil {
			return nil, nil, err
		}
		return func() error { return f(ctx, t) }, t.Close, nil
	}
}

// matmul tells what a backend can do at best.
func matmul(_ context.Context, _ *set, b compute.Backend) (func() error, func() error, error) {
	const n = 1024
	var exec *graph.Exec
	var x *tensors.Tensor
	err := backend.Guard(func() (err error) {
		exec, err = graph.NewExec(b, func(x *graph.Node) *graph.Node { return graph.MatMul(x, x) })
		ones := make([]float32, n*n)
		for i := range ones {
			ones[i] = 1
		}
		x = tensors.FromFlatDataAndDimensions(ones, n, n)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	run := func() error {
		return backend.Guard(func() error {
			y, err := exec.Call1(x)
			if err != nil {
				return err
			}
			defer y.FinalizeAll()
			// XLA computes in the background: reading waits for it.
			return y.ConstFlatData(func(any) {})
		})
	}
	done := func() error {
		exec.Finalize()
		return x.FinalizeAll()
	}
	return run, done, nil
}

func nothing() error { return nil }
