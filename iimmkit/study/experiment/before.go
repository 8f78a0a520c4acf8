package experiment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

// beforeFolder caches measurements before tuning, which all runs on a task share.
const beforeFolder = "before"

// before is what is measured of a task before any tuning: IIMM and its parts and
// the cross-validated probe on the training part, zero-shot accuracy on the test part.
type before struct {
	Key              string             `json:"key"`
	Model            string             `json:"model"`
	Task             string             `json:"task"`
	ZeroShotAccuracy float64            `json:"zero_shot_accuracy"`
	Measured         measure.Result     `json:"measured"`
	ProbeCVAccuracy  float64            `json:"probe_cv_accuracy"`
	Seconds          map[string]float64 `json:"seconds"`
}

// measureBefore fills in the before of every task, from the folder's cache
// where it has them. Several processes divide the tasks.
func (s *session) measureBefore(ctx context.Context, dir string, leases *store.Leases, report progress.Reporter) error {
	var missing []*taskData
	for _, t := range s.tasks {
		if t.before == nil {
			missing = append(missing, t)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	bar := report.Start("measure before tuning", len(missing))
	defer bar.Done()
	for {
		var others []*taskData
		for _, t := range missing {
			if err := ctx.Err(); err != nil {
				return err
			}
			bar.Note(t.Name)
			err := s.measureOnce(ctx, t, dir, leases)
			switch {
			case err == nil:
				bar.Add(1)
			case ctx.Err() == nil && (errors.Is(err, store.ErrLocked) || errors.Is(err, store.ErrLost)):
				others = append(others, t)
			default:
				return fmt.Errorf("task %s: %w", t.Name, err)
			}
		}
		if len(others) == 0 {
			return nil
		}
		if len(others) == len(missing) {
			bar.Note("waiting for another process")
			if err := wait(ctx); err != nil {
				return err
			}
		}
		missing = others
	}
}

// beforeKey is the name of the file of what is measured of a task.
func (s *session) beforeKey(t *taskData) string {
	return content([]any{edition, s.modelHash, s.backend, identify(t.Task), s.protocol.Folds, s.protocol.FoldSeed})
}

func beforePath(dir, key string) string { return filepath.Join(dir, beforeFolder, key+".json") }

// measureOnce reads or measures the before of a task. The error wraps
// store.ErrLocked while another process measures it.
func (s *session) measureOnce(ctx context.Context, t *taskData, dir string, leases *store.Leases) error {
	key := s.beforeKey(t)
	path := beforePath(dir, key)
	var err error
	if t.before, err = readBefore(path, key); err != nil || t.before != nil {
		return err
	}
	lease, err := leases.Claim(ctx, "before-"+key)
	if err != nil {
		return err
	}
	defer lease.Release()
	if t.before, err = readBefore(path, key); err == nil && t.before == nil {
		t.before, err = s.measureTask(lease.Context(), t)
		if err != nil {
			if cause := context.Cause(lease.Context()); errors.Is(cause, store.ErrLost) {
				err = cause
			}
			t.before = nil
			return err
		}
		t.before.Key = key
		data, err := json.MarshalIndent(t.before, "", "  ")
		if err != nil {
			return err
		}
		if err := store.WriteFile(path, append(data, '\n')); err != nil {
			return err
		}
	}
	if err == nil {
		lease.Finish()
	}
	return err
}

// readBefore returns nil when there is nothing of use: what is missing or
// damaged is measured again.
func readBefore(path, key string) (*before, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var b before
	if json.Unmarshal(data, &b) != nil || b.Key != key {
		return nil, nil
	}
	return &b, nil
}

func (s *session) measureTask(ctx context.Context, t *taskData) (*before, error) {
	b := &before{Model: s.e.Name, Task: t.Name, Seconds: map[string]float64{}}
	clock := stopwatch(b.Seconds)
	d := s.e.Config().EmbedDim
	x, err := s.frozenFeatures(ctx, t)
	if err != nil {
		return nil, err
	}
	images := slices.Clone(x)
	if err := encoder.Normalize(images, d); err != nil {
		return nil, err
	}
	test, err := s.testFeatures(ctx, t)
	if err != nil {
		return nil, err
	}
	texts, err := s.texts(t)
	if err != nil {
		return nil, err
	}
	clock("embed")
	if b.Measured, err = measure.Compute(images, t.trainLabels, texts, d); err != nil {
		return nil, err
	}
	clock("measure")
	zeroShot, err := evaluate.ZeroShot(test, texts, d, t.testLabels)
	if err != nil {
		return nil, err
	}
	b.ZeroShotAccuracy = zeroShot.Top1
	clock("zero_shot")
	b.ProbeCVAccuracy, err = evaluate.CrossValidate(images, d, t.trainLabels, len(t.Captions), s.protocol.Folds, s.protocol.FoldSeed)
	clock("probe_cv")
	return b, err
}

// stopwatch returns a function that adds the seconds since its last call to a phase.
func stopwatch(seconds map[string]float64) func(phase string) {
	last := time.Now()
	return func(phase string) {
		now := time.Now()
		seconds[phase] += now.Sub(last).Seconds()
		last = now
	}
}
