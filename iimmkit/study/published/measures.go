package published

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"

	"github.com/iimmkit/iimm/iimmkit/file/table"
)

// Measures is what was measured of a task's embeddings by one of the models
// before tuning, to be compared with its FineTune.
type Measures struct {
	Model, Task string
	// Values by their names in JSON; iimm is always there.
	Values map[string]float64
}

// measureNames are the columns that ReadMeasures reads, each with its range.
var measureNames = map[string][2]float64{
	"iimm": {-1, 1}, "inter": {-1, 1}, "intra": {-1, 1}, "alignment": {-1, 1}, "inter_by_class": {-1, 1}, "intra_text": {-1, 1},
	"modality_gap": {0, 2}, "probe_cv_accuracy": {0, 1},
}

// ReadMeasures reads a CSV file with a header: columns model and task, by the
// names of Models and Tasks, iimm, and any of inter, intra, alignment,
// inter_by_class, intra_text, modality_gap and probe_cv_accuracy, an empty cell
// being unknown. Other columns are not read. No line may come twice; lines may
// be missing.
func ReadMeasures(path string) ([]Measures, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, err := parseMeasures(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

func parseMeasures(data []byte) ([]Measures, error) {
	var header []string
	var model, task int
	var list []Measures
	err := table.Parse(data, func(names []string) error {
		header = names
		model, task = slices.Index(names, "model"), slices.Index(names, "task")
		if model < 0 || task < 0 || !slices.Contains(names, "iimm") {
			return fmt.Errorf("the header is %q: columns model, task and iimm are needed", names)
		}
		return nil
	}, func(row []string) error {
		m := Measures{Model: row[model], Task: row[task], Values: map[string]float64{}}
		if !slices.Contains(Models(), m.Model) {
			return fmt.Errorf("no model %q: there are %q", m.Model, Models())
		}
		if !slices.Contains(Tasks(), m.Task) {
			return fmt.Errorf("no task %q: there are %q", m.Task, Tasks())
		}
		if slices.ContainsFunc(list, func(other Measures) bool { return other.Model == m.Model && other.Task == m.Task }) {
			return fmt.Errorf("%s on %s comes twice", m.Model, m.Task)
		}
		for i, name := range header {
			bounds, known := measureNames[name]
			if !known || row[i] == "" {
				continue
			}
			v, err := strconv.ParseFloat(row[i], 64)
			if err != nil || math.IsNaN(v) || v < bounds[0] || v > bounds[1] {
				return fmt.Errorf("%s is %q: must be a number in %g..%g", name, row[i], bounds[0], bounds[1])
			}
			m.Values[name] = v
		}
		if _, ok := m.Values["iimm"]; !ok {
			return errors.New("iimm is missing")
		}
		list = append(list, m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
