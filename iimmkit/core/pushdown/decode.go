package pushdown

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/iimmkit/iimm/iimmkit/core/measure"
)

// number is one of JSON, or, as some settings of the engines write them, a string.
type number string

func (n *number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil // missing, found by who asks for it
	}
	var quoted string
	if err := json.Unmarshal(b, &quoted); err == nil {
		*n = number(quoted)
		return nil
	}
	var plain json.Number
	err := json.Unmarshal(b, &plain)
	*n = number(plain)
	return err
}

func (n number) integer(name string) (int64, error) {
	v, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is %q, want a whole number", name, string(n))
	}
	return v, nil
}

func (n number) float(name string) (float64, error) {
	v, err := strconv.ParseFloat(string(n), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%s is %q, want a finite number", name, string(n))
	}
	return v, nil
}

// record is a row of the result.
type record struct {
	Label, N, Bad, Q number
	S                []number
}

// Decode reads the result of a query, JSON objects one after the other or in a
// list, as the statistics of a set of so many classes. Rows that were counted as
// bad are an error, and so is a class that comes twice, as results that were
// appended to each other have it.
func Decode(r io.Reader, classes int) (*measure.Accumulator, error) {
	if classes < 2 || classes > math.MaxInt32 {
		return nil, fmt.Errorf("IIMM needs at least 2 classes, have %d", classes)
	}
	var n []int64
	var q, sum []float64
	width := 0
	err := each(r, func(row record) error {
		if n == nil {
			// The classes' memory is taken once a first row is there, with its width.
			if width = len(row.S); width == 0 || classes > math.MaxInt/16/width {
				return fmt.Errorf("s has %d numbers for each of %d classes", width, classes)
			}
			n, q, sum = make([]int64, classes), make([]float64, classes), make([]float64, classes*width)
		}
		label, err := row.Label.integer("label")
		if err != nil {
			return err
		}
		if label < 0 || label >= int64(classes) {
			return fmt.Errorf("label is %d, want 0..%d", label, classes-1)
		}
		bad, err := row.Bad.integer("bad")
		if err != nil {
			return err
		}
		if bad != 0 {
			return fmt.Errorf("%d images of class %d have another width than was asked for, a null in them, or no finite norm", bad, label)
		}
		if n[label] != 0 {
			return fmt.Errorf("class %d comes twice", label)
		}
		if n[label], err = row.N.integer("n"); err != nil {
			return err
		}
		if n[label] < 1 {
			return fmt.Errorf("class %d has %d images", label, n[label])
		}
		if q[label], err = row.Q.float("q"); err != nil {
			return err
		}
		if len(row.S) != width {
			return fmt.Errorf("s has %d numbers, that of the first row %d", len(row.S), width)
		}
		for j, v := range row.S {
			if sum[int(label)*width+j], err = v.float("s"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if n == nil {
		return nil, errors.New("no rows: is the table empty?")
	}
	return measure.FromSums(n, q, sum, width)
}

// each gives the rows one by one; an error names the row, counted from 1.
func each(r io.Reader, yield func(record) error) error {
	d := json.NewDecoder(r)
	for row := 1; ; row++ {
		var next json.RawMessage
		err := d.Decode(&next)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("row %d: not JSON: %w", row, err)
		}
		if next[0] == '[' && row == 1 {
			var all []record
			if err := json.Unmarshal(next, &all); err != nil {
				return fmt.Errorf("not a list of rows: %w", err)
			}
			for i, v := range all {
				if err := yield(v); err != nil {
					return fmt.Errorf("row %d: %w", i+1, err)
				}
			}
			if d.More() {
				return errors.New("something follows the list of rows")
			}
			return nil
		}
		var v record
		if err := json.Unmarshal(next, &v); err != nil {
			return fmt.Errorf("row %d: %w", row, err)
		}
		if err := yield(v); err != nil {
			return fmt.Errorf("row %d: %w", row, err)
		}
	}
}
