package experiment

import (
	"context"
	"fmt"
	"runtime"

	"github.com/gomlx/compute"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

// source opens what specs name.
type source interface {
	encoder(spec Spec) (*encoder.Encoder, error)
	tasks(ctx context.Context, spec Spec, p Protocol, report progress.Reporter) ([]*datasets.Task, error)
}

// named opens by name. Backends are opened and tasks loaded once; of encoders
// the last stays.
type named struct {
	loaded   map[string][]*datasets.Task
	backends map[string]compute.Backend
	last     *encoder.Encoder
	lastKey  [2]string
}

func (n *named) encoder(spec Spec) (*encoder.Encoder, error) {
	key := [2]string{spec.Backend, spec.Model}
	if n.last != nil && n.lastKey == key {
		return n.last, nil
	}
	if n.last != nil {
		n.last = nil
		runtime.GC() // frees its weights: two models need not be in memory
	}
	b, ok := n.backends[spec.Backend]
	if !ok {
		var err error
		if b, err = backend.Open(spec.Backend); err != nil {
			return nil, err
		}
		if n.backends == nil {
			n.backends = map[string]compute.Backend{}
		}
		n.backends[spec.Backend] = b
	}
	e, err := encoder.Open(b, spec.Model)
	if err != nil {
		return nil, err
	}
	n.last, n.lastKey = e, key
	return e, nil
}

func (n *named) tasks(ctx context.Context, spec Spec, p Protocol, report progress.Reporter) ([]*datasets.Task, error) {
	key := content([]any{spec.RealDir, spec.load(), p.NTrain, p.NTest, p.DataSeed})
	if tasks, ok := n.loaded[key]; ok {
		return tasks, nil
	}
	bar := report.Start("load tasks", len(spec.load()))
	defer bar.Done()
	var tasks []*datasets.Task
	for _, name := range spec.load() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		bar.Note(name)
		t, err := datasets.Load(name, datasets.LoadOptions{RealDir: spec.RealDir, NTrain: p.NTrain, NTest: p.NTest, Seed: p.DataSeed})
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, t)
		bar.Add(1)
	}
	if n.loaded == nil {
		n.loaded = map[string][]*datasets.Task{}
	}
	n.loaded[key] = tasks
	return tasks, nil
}

// open opens the spec's model on its backend and loads its tasks.
func open(ctx context.Context, spec Spec, p Protocol, report progress.Reporter) (*encoder.Encoder, []*datasets.Task, error) {
	var n named
	e, err := n.encoder(spec)
	if err != nil {
		return nil, nil, err
	}
	tasks, err := n.tasks(ctx, spec, p, report)
	return e, tasks, err
}

// given holds what is opened already, by the names of the models.
type given map[string]opened

type opened struct {
	e    *encoder.Encoder
	list []*datasets.Task
}

func (g given) encoder(spec Spec) (*encoder.Encoder, error) {
	o, ok := g[spec.Model]
	if !ok {
		return nil, fmt.Errorf("no model %q is opened", spec.Model)
	}
	return o.e, nil
}

func (g given) tasks(_ context.Context, spec Spec, _ Protocol, _ progress.Reporter) ([]*datasets.Task, error) {
	return g[spec.Model].list, nil
}
