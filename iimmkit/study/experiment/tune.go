package experiment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
)

// RunFile, in a tuned model's folder, holds the Run.
const RunFile = "run.json"

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
	// Checks are looks at the validation images, if there were any; Rate is the
	// learning rate, chosen by them where there were several.
	Checks []finetune.Check `json:"checks,omitempty"`
	Rate   float64          `json:"learning_rate,omitempty"`
}

// Tune does the one run that the spec asks for, on the first of its tasks; the
// others are those on which forgetting is measured. What finetune.Keep keeps
// goes to dir, and run.json, the last to be written. A folder that holds a tuned
// model is refused. Interrupted and called again, Tune goes on where it was.
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
	source := spec.Model
	if info, err := os.Stat(source); err == nil && info.IsDir() && !slices.Contains(encoder.Registered(), source) {
		if source, err = filepath.Abs(source); err != nil {
			return nil, err
		}
	} else if source == "" {
		source = e.Name
	}
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
	if kept, err := finetune.Open(dir); err == nil {
		return nil, fmt.Errorf("%s holds a model already (of method %s): choose another folder", dir, kept.Method)
	}
	s, err := newSession(e, p, tasks)
	if err != nil {
		return nil, err
	}
	runs, err := plan(spec, p, s.modelHash, s.backend, tasks, []int{0})
	if err != nil {
		return nil, err
	}
	s.resumeDir = dir
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
		if tuned.Losses != nil {
			out.Losses = tuned.Losses
		}
		out.Checks, out.Rate = tuned.Checks, tuned.Rate
		return finetune.Keep(dir, e, finetune.Base{Model: source, Hash: s.modelHash}, spec.Methods[0], tuned)
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

// ReadRun reads the Run in a tuned model's folder.
func ReadRun(dir string) (Run, error) {
	var run Run
	path := filepath.Join(dir, RunFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return run, err
	}
	if err := json.Unmarshal(data, &run); err != nil {
		return run, fmt.Errorf("%s: %w", path, err)
	}
	return run, nil
}
