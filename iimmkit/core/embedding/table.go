package embedding

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// ReadTable reads one matrix that goes with a set, such as probabilities of a
// source model: an .npy array of floating-point numbers [rows, cols], or a .csv
// file of numbers.
func ReadTable(path string) (Matrix, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv":
		s, err := parseCSVFile(path)
		return s.Matrix, err
	case ".npy":
		t, err := tensorfile.ReadNPY(path)
		if err != nil {
			return Matrix{}, err
		}
		t.Name = filepath.Base(path)
		m, err := matrix(t)
		if err == nil {
			err = m.valid(t.Name)
		}
		if err != nil {
			return Matrix{}, fmt.Errorf("%s: %w", path, err)
		}
		return m, nil
	}
	return Matrix{}, formatError{fmt.Sprintf("%s: a table is an .npy or a .csv file", path)}
}
