// Package iimmkit is the front door for notebooks: the calls they begin with.
// The library behind it is a house of floors, and a package imports only
// from floors below its own:
//
//	file   reading and writing: store, fetch, huggingface, progress, picture, table, tensorfile
//	core   what IIMM is: measure, embedding, evaluate, transferability, shard, pushdown, backend, similarity, projection
//	model  the networks: encoder, train, finetune
//	study  from runs to decisions: experiment, correlation, forecast, drift, robustness, published, reproduce, assess
//	show   what people see: chart, report, nb (in notebook cells), notebook (runs them)
//
// Command iimm is in cmd/iimm, benchmarks in bench. Two modules of their own, so that
// nothing here links what they do, sum embeddings in object stores (objectstore) and
// as an Apache Beam job (beam).
package iimmkit

import (
	"context"
	"os"

	"github.com/gomlx/compute"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/similarity"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	_ "github.com/iimmkit/iimm/iimmkit/model/encoder/micro" // the models that come with the program
	"github.com/iimmkit/iimm/iimmkit/study/assess"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
	"github.com/iimmkit/iimm/iimmkit/study/reproduce"
)

// Open opens a model, "micro" or a folder with a checkpoint, on the backend
// that the notebook's kernel stands for (IIMM_BACKEND, as for backend.Open;
// auto when it is not set).
//
// It is called where it is needed, not kept in a package variable: each cell is
// a program of its own and would open it again.
func Open(model string) (*encoder.Encoder, error) {
	b, err := kernelBackend()
	if err != nil {
		return nil, err
	}
	return encoder.Open(b, model)
}

// Tensors prepares the similarity tensors of a set, whose rows have unit norm,
// on the same backend.
func Tensors(s *embedding.Set) (*similarity.Tensors, error) {
	b, err := kernelBackend()
	if err != nil {
		return nil, err
	}
	return similarity.New(b, s.Images.Float32s(), s.Labels, s.Texts.Float32s(), s.Images.Cols)
}

// Assess goes from data, a path or the name of a task, to a decision, on the same
// backend unless the options name one; see assess.Do.
func Assess(ctx context.Context, data string, o assess.Options, report progress.Reporter) (*assess.Assessment, error) {
	if o.Backend == "" {
		o.Backend = os.Getenv("IIMM_BACKEND")
	}
	return assess.Do(ctx, data, o, report)
}

// Reproduce does the runs of a spec that dir does not hold yet, on the same
// backend unless the spec names one, and analyses them; see reproduce.Run.
func Reproduce(ctx context.Context, spec experiment.Spec, dir string, report progress.Reporter) (*reproduce.Result, error) {
	return reproduce.Run(ctx, onKernelBackend(spec), dir, report)
}

// Tune tunes a model on a task and keeps it in dir, on the same backend; see
// experiment.Tune.
func Tune(ctx context.Context, spec experiment.Spec, dir string, report progress.Reporter) (*experiment.Tuned, error) {
	return experiment.Tune(ctx, onKernelBackend(spec), dir, report)
}

// Sweep measures the models between an untuned and a tuned one, on the same
// backend; see experiment.Sweep.
func Sweep(ctx context.Context, spec experiment.FrontierSpec, report progress.Reporter) (*experiment.Frontier, error) {
	spec.Spec = onKernelBackend(spec.Spec)
	return experiment.Sweep(ctx, spec, report)
}

func onKernelBackend(spec experiment.Spec) experiment.Spec {
	if spec.Backend == "" {
		spec.Backend = os.Getenv("IIMM_BACKEND")
	}
	return spec
}

func kernelBackend() (compute.Backend, error) { return backend.Open(os.Getenv("IIMM_BACKEND")) }
