package forecast

import (
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/iimmkit/iimm/iimmkit/file/table"
)

// observationColumns are those that ReadObservations reads, as they are named in
// JSON.
var observationColumns = []string{"model", "method", "task", "domain", "protocol", "backend", "seeds", "classes",
	"zero_shot_accuracy", "probe_cv_accuracy", "probe_10_accuracy", "iimm", "accuracy", "forgetting"}

// ReadObservations reads a CSV file with a header, one observation a line, for a
// calibration from figures that were not measured by an experiment. Columns
// model, task, zero_shot_accuracy and accuracy are needed, the others of an
// Observation may be there; an empty cell is not known. Without a column method
// the method is full, without seeds it is one. Other columns are errors: a misspelt name
// must not go unnoticed.
func ReadObservations(path string) ([]Observation, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, err := parseObservations(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

func parseObservations(data []byte) ([]Observation, error) {
	var header []string
	var list []Observation
	err := table.Parse(data, func(names []string) error {
		header = names
		for _, name := range names {
			if !slices.Contains(observationColumns, name) {
				return fmt.Errorf("no column %q: there are %q", name, observationColumns)
			}
		}
		for _, name := range []string{"model", "task", "zero_shot_accuracy", "accuracy"} {
			if !slices.Contains(names, name) {
				return fmt.Errorf("column %s is missing", name)
			}
		}
		return nil
	}, func(cells []string) error {
		o := Observation{Method: "full", Seeds: 1}
		for i, name := range header {
			if err := o.set(name, cells[i]); err != nil {
				return err
			}
		}
		list = append(list, o)
		return o.check()
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (o *Observation) set(column, cell string) error {
	if cell == "" {
		if column == "zero_shot_accuracy" || column == "accuracy" {
			return fmt.Errorf("%s is missing", column)
		}
		return nil
	}
	texts := map[string]*string{"model": &o.Model, "method": &o.Method, "task": &o.Task, "domain": &o.Domain, "protocol": &o.Protocol, "backend": &o.Backend}
	if p, ok := texts[column]; ok {
		*p = cell
		return nil
	}
	counts := map[string]*int{"seeds": &o.Seeds, "classes": &o.Classes}
	if p, ok := counts[column]; ok {
		v, err := strconv.Atoi(cell)
		if err != nil {
			return fmt.Errorf("%s is %q: must be a whole number", column, cell)
		}
		*p = v
		return nil
	}
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		return fmt.Errorf("%s is %q: must be a number", column, cell)
	}
	switch column {
	case "zero_shot_accuracy":
		o.ZeroShotAccuracy = v
	case "accuracy":
		o.Accuracy = v
	case "probe_cv_accuracy":
		o.ProbeCVAccuracy = &v
	case "probe_10_accuracy":
		o.Probe10Accuracy = &v
	case "iimm":
		o.IIMM = &v
	case "forgetting":
		o.Forgetting = &v
	}
	return nil
}
