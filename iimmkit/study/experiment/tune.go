package experiment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
)

// Files of a tuned model's folder beside the checkpoint's own.
const (
	RunFile   = "run.json"          // the Run
	ProbeFile = "probe.safetensors" // of method probe, instead of a checkpoint
)

// Tuned is one tuned model.
type Tuned struct {
	Schema int    `json:"schema"`
	Dir    string `json:"dir"` // where it is kept
	Run    Run    `json:"run"`
	// Parameters are the tensors that moved, ParameterCount their values.
	Parameters     []finetune.Parameter `json:"parameters"`
	ParameterCount int                  `json:"parameter_count"`
	// Losses are the batches' losses before each step; empty for a probe.
	Losses []float64 `json:"losses"`
}

// Tune does the one run that the spec asks for, on the first of its tasks; the
// others are those on which forgetting is measured. The tuned model goes to
// dir: a checkpoint that encoder.Open reads or, for a probe, its weights, and
// run.json, the last to be written. A folder that holds a model is refused.
func Tune(ctx context.Context, spec Spec, dir string, report progress.Reporter) (*Tuned, error) {
	p, err := spec.resolve()
	if err != nil {
		return nil, err
	}
	e, tasks, err := open(ctx, spec, p, report)
	if err != nil {
		return nil, err
	}
	return TuneOn(ctx, e, tasks, spec, dir, report)
}

// TuneOn is Tune on an encoder and tasks that are opened already.
func TuneOn(ctx context.Context, e *encoder.Encoder, tasks []*datasets.Task, spec Spec, dir string, report progress.Reporter) (*Tuned, error) {
	spec.Model, spec.Tasks = e.Name, nil
	for _, t := range tasks {
		spec.Tasks = append(spec.Tasks, t.Name)
	}
	p, err := spec.resolve()
	if err != nil {
		return nil, err
	}
	if len(spec.Methods) != 1 || len(spec.Seeds) != 1 {
		return nil, fmt.Errorf("%d methods and %d seeds: one model comes of one of each", len(spec.Methods), len(spec.Seeds))
	}
	for _, name := range []string{"model.safetensors", "open_clip_model.safetensors", ProbeFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s holds a model already (%s): choose another folder", dir, name)
		}
	}
	s, err := newSession(e, p, tasks)
	if err != nil {
		return nil, err
	}
	runs, err := plan(spec, p, s.modelHash, s.backend, tasks, []int{0})
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx, report); err != nil {
		return nil, err
	}
	for _, t := range s.tasks {
		if t.before, err = s.measureTask(ctx, t); err != nil {
			return nil, fmt.Errorf("task %s: %w", t.Name, err)
		}
	}
	out := &Tuned{Schema: Schema, Dir: dir, Losses: []float64{}}
	var bar progress.Bar
	out.Run, err = s.do(ctx, runs[0], func(done, steps int, loss float64) {
		if bar == nil {
			bar = report.Start("tune", steps)
		}
		bar.Note(fmt.Sprintf("loss %.3f", loss))
		bar.Add(1)
		if done == steps {
			bar.Done()
		}
	}, func(tuned *finetune.Tuned) error {
		if tuned.Probe != nil {
			return saveProbe(filepath.Join(dir, ProbeFile), tuned.Probe, s)
		}
		out.Losses = tuned.Losses
		return e.Save(dir, encoder.SaveOptions{})
	})
	if err != nil {
		return nil, err
	}
	if out.Run.Error != "" {
		return nil, errors.New(out.Run.Error)
	}
	out.Parameters = s.tuners[out.Run.Method].Parameters(out.Run.Classes)
	out.ParameterCount = finetune.Count(out.Parameters)
	data, err := json.MarshalIndent(out.Run, "", "  ")
	if err != nil {
		return nil, err
	}
	return out, store.WriteFile(filepath.Join(dir, RunFile), append(data, '\n'))
}

// saveProbe writes the probe in the form score = weight·(x-mean)/scale + bias;
// a class that had no training image has bias -Inf.
func saveProbe(path string, p *evaluate.Probe, s *session) error {
	weight := make([]float64, p.Classes*p.D)
	bias := slices.Repeat([]float64{math.Inf(-1)}, p.Classes)
	for k, c := range p.Present {
		copy(weight[c*p.D:], p.Weight[k*p.D:(k+1)*p.D])
		bias[c] = p.Bias[k]
	}
	return tensorfile.WriteSafetensors(path, []tensorfile.Tensor{
		tensorfile.FromFloat64("bias", []int{p.Classes}, bias),
		tensorfile.FromFloat64("mean", []int{p.D}, p.Mean),
		tensorfile.FromFloat64("scale", []int{p.D}, p.Scale),
		tensorfile.FromFloat64("weight", []int{p.Classes, p.D}, weight),
	}, map[string]string{
		"format": "iimm probe 1", "model": s.e.Name, "model_hash": s.modelHash, "l2": fmt.Sprint(p.L2),
		"features": "unnormalised image features",
	})
}
