// Package reproduce is the journey from nothing to a measured correlation: a
// model, tasks, runs of fine-tuning, and what the measurements before tuning
// tell of gain and forgetting.
package reproduce

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
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

// Methods are the tuning methods of a reproduction unless others are asked for.
var Methods = []string{"full", "probe"}

// Tasks returns the fixed task list of a protocol: the quick ones, or all drawn
// ones, and with a folder of the real data sets those too.
func Tasks(protocol, realDir string) []string {
	var names []string
	quick := protocol == "" || protocol == "quick"
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

// Complete returns the spec with Methods and Tasks where it names none.
func Complete(spec experiment.Spec) experiment.Spec {
	if len(spec.Methods) == 0 {
		spec.Methods = Methods
	}
	if len(spec.Tasks) == 0 {
		spec.Tasks = Tasks(spec.Protocol, spec.RealDir)
	}
	return spec
}

// Run does the runs that spec, completed, asks for and dir does not hold yet
// (see experiment.Do), analyses them and writes correlation.json to dir.
func Run(ctx context.Context, spec experiment.Spec, dir string, report progress.Reporter) (*Result, error) {
	sum, err := experiment.Do(ctx, Complete(spec), dir, report)
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
