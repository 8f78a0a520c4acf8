// Package reproduce is the journey from nothing to a measured correlation: a
// model, tasks, runs of fine-tuning, and what the measurements before tuning
// tell of gain and forgetting.
package reproduce

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
	"github.com/iimmkit/iimm/iimmkit/study/correlation"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

// CorrelationFile is the name of the analysis in the output folder.
const CorrelationFile = "correlation.json"

// Result is what a reproduction found.
type Result struct {
	Experiment  experiment.Summary
	Correlation *correlation.Report
}

// fullProtocol is the one whose reproduction has all models and methods, as the
// paper has them.
const fullProtocol = "full"

// Methods returns the tuning methods of a protocol unless others are asked for.
func Methods(protocol string) []string {
	if protocol == fullProtocol {
		return finetune.Methods()
	}
	return []string{"full", "probe"}
}

// Models returns the models of a protocol unless another is asked for.
func Models(protocol string) []string {
	if protocol == fullProtocol {
		return []string{"micro-clip", "micro-siglip", "micro-coca", "micro-eva02"}
	}
	return []string{"micro"}
}

// Tasks returns the fixed task list of a protocol: the quick ones, or all drawn
// ones, and with a folder of the real data sets those too. The full protocol
// measures forgetting on the quick and the real ones (see Complete).
func Tasks(protocol, realDir string) []string {
	var names []string
	quick := protocol == "" || protocol == "quick" || protocol == fullProtocol
	for _, e := range datasets.Catalogue() {
		switch {
		case e.Real != "" && realDir == "":
		case e.Real == "" && quick && !e.Quick:
		default:
			names = append(names, e.Name)
		}
	}
	return names
}

// Complete returns the spec with Methods and Tasks where it names none, for
// each of the protocol's models unless it names one. With the full protocol a
// second spec tunes on the remaining drawn tasks, and measures forgetting on the
// same ones as the first.
func Complete(spec experiment.Spec) []experiment.Spec {
	if len(spec.Methods) == 0 {
		spec.Methods = Methods(spec.Protocol)
	}
	models := []string{spec.Model}
	if spec.Model == "" {
		models = Models(spec.Protocol)
	}
	var further []string
	if len(spec.Tasks) == 0 {
		spec.Tasks = Tasks(spec.Protocol, spec.RealDir)
		if spec.Protocol == fullProtocol {
			further = slices.DeleteFunc(Tasks("standard", ""), func(name string) bool { return slices.Contains(spec.Tasks, name) })
		}
	}
	var all []experiment.Spec
	for _, model := range models {
		spec.Model = model
		all = append(all, spec)
		if further != nil {
			more := spec
			more.Tasks, more.Retain = further, spec.Tasks
			all = append(all, more)
		}
	}
	return all
}

// Run does the runs that spec, completed, asks for and dir does not hold yet
// (see experiment.DoAll), analyses them and writes correlation.json to dir.
func Run(ctx context.Context, spec experiment.Spec, dir string, report progress.Reporter) (*Result, error) {
	sum, err := experiment.DoAll(ctx, Complete(spec), dir, report)
	if err != nil {
		return nil, err
	}
	if sum.Failed == len(sum.Runs) {
		return nil, fmt.Errorf("all %d runs failed, the first because: %s", sum.Failed, firstError(sum.Runs))
	}
	c, err := correlation.Analyse(sum.Runs, correlation.Options{})
	if err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return nil, err
	}
	if err := store.WriteFile(filepath.Join(dir, CorrelationFile), append(data, '\n')); err != nil {
		return nil, err
	}
	return &Result{Experiment: sum, Correlation: c}, nil
}

func firstError(runs []experiment.Run) string {
	for _, r := range runs {
		if r.Error != "" {
			return r.Error
		}
	}
	return "there are none"
}
