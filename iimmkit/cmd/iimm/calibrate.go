package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/study/forecast"
	"github.com/iimmkit/iimm/iimmkit/study/forecast/calibrate"
)

func init() { verbs = append(verbs, newCalibrate) }

type calibrateOptions struct {
	forecast.Options
	from, name, source, out string
	json                    bool
}

func newCalibrate(s *streams) *cobra.Command {
	o := &calibrateOptions{}
	c := &cobra.Command{
		Use:   "calibrate LEDGER",
		Short: "Make, of what tuning did to tasks, a calibration that forecasts rest on",
		Long: `Calibrate reads a ledger (its folder or its jsonl file) and writes a calibration
for iimm forecast: what was known of each task before tuning and what came of it, by
model and method, averaged over seeds. For models whose results are published
rather than tuned here, LEDGER may be a CSV file, one task a line: columns model,
task, zero_shot_accuracy and accuracy (after tuning), and method, classes,
probe_cv_accuracy, iimm and forgetting where known (accuracies in [0,1],
forgetting in points).`,
		Example: `  iimm calibrate out/reproduce --name mine --out mine.json
  iimm calibrate published.csv --name vit-h --source "table 3 of ..." --pooled --out vit-h.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.from = args[0]
			if o.out == "" {
				return usagef("--out is required: the file of the calibration")
			}
			if strings.HasSuffix(o.from, ".json") {
				return usagef("%s is a calibration already", o.from)
			}
			return o.run(s)
		},
	}
	f := c.Flags()
	f.StringVar(&o.out, "out", "", "file to write")
	f.StringVar(&o.name, "name", "mine", "name of the calibration")
	f.StringVar(&o.source, "source", "", "where the figures come from, in words (default the file's name)")
	addOptions(f, &o.Options)
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

// flags is what addOptions needs of a flag set.
type flags interface {
	BoolVar(p *bool, name string, value bool, usage string)
}

// addOptions adds the flags of how forecasts are learned.
func addOptions(f flags, o *forecast.Options) {
	f.BoolVar(&o.Pooled, "pooled", false, "learn from all models together instead of model by model")
	f.BoolVar(&o.ByDomain, "by-domain", false, "leave out tasks that share images together: wider intervals, for tasks with images of a kind never seen")
}

// calibrated is what calibrate prints as JSON.
type calibrated struct {
	Schema int    `json:"schema"`
	File   string `json:"file"`
	Failed int    `json:"failed"` // runs left out
	forecast.CalibrationRef
}

func (o *calibrateOptions) run(s *streams) error {
	c, failed, err := calibrate.Open(o.from, o.name, o.source, o.Options)
	if err != nil {
		return err
	}
	if failed > 0 {
		s.warnf("failed runs left out: %d", failed)
	}
	if err := c.WriteFile(o.out); err != nil {
		return err
	}
	if o.json {
		return s.json(calibrated{1, o.out, failed, c.Ref()})
	}
	_, err = fmt.Fprintf(s.out, "%s: %d observations (%d tasks; models %s; methods %s), hash %.12s\n", o.out, c.N, len(c.Tasks), strings.Join(c.Models, ", "), strings.Join(c.Methods, ", "), c.Hash)
	return err
}
