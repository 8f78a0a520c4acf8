package published

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
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
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	}
	if err != nil {
		return nil, err
	}
	for i, name := range header {
		if slices.Contains(header[:i], name) {
			return nil, fmt.Errorf("column %q comes twice", name)
		}
	}
	model, task := slices.Index(header, "model"), slices.Index(header, "task")
	if model < 0 || task < 0 || !slices.Contains(header, "iimm") {
		return nil, fmt.Errorf("the header is %q: columns model, task and iimm are needed", header)
	}
	var list []Measures
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		m := Measures{Model: row[model], Task: row[task], Values: map[string]float64{}}
		if !slices.Contains(Models(), m.Model) {
			return nil, fmt.Errorf("line %d: no model %q: there are %q", line, m.Model, Models())
		}
		if !slices.Contains(Tasks(), m.Task) {
			return nil, fmt.Errorf("line %d: no task %q: there are %q", line, m.Task, Tasks())
		}
		if slices.ContainsFunc(list, func(other Measures) bool { return other.Model == m.Model && other.Task == m.Task }) {
			return nil, fmt.Errorf("line %d: %s on %s comes twice", line, m.Model, m.Task)
		}
		for i, name := range header {
			bounds, known := measureNames[name]
			if !known || row[i] == "" {
				continue
			}
			v, err := strconv.ParseFloat(row[i], 64)
			if err != nil || math.IsNaN(v) || v < bounds[0] || v > bounds[1] {
				return nil, fmt.Errorf("line %d: %s is %q: must be a number in %g..%g", line, name, row[i], bounds[0], bounds[1])
			}
			m.Values[name] = v
		}
		if _, ok := m.Values["iimm"]; !ok {
			return nil, fmt.Errorf("line %d: iimm is missing", line)
		}
		list = append(list, m)
	}
}
