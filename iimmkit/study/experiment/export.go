package experiment

import (
	"encoding/csv"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Column is one column of the table of a ledger.
type Column struct {
	Name string
	Kind ColumnKind
	// Values has one value a run: string, int64, float64 or bool, after the
	// kind, or nil where the run has none.
	Values []any
}

// ColumnKind is the type of a column's values.
type ColumnKind int

// The kinds of columns.
const (
	Text ColumnKind = iota
	Integer
	Number
	Truth
)

// measuredAfter are the fields that a failed run has no values of.
var measuredAfter = []string{"accuracy", "gain", "scaled_gain", "forgetting", "relative_forgetting", "off_target"}

// Table returns the runs as columns, named as in the ledger, one row a run.
// What a run holds by names becomes one column a name, in alphabetical order:
// off_target.TASK.before and off_target.TASK.after, settings.NAME,
// phase_seconds.NAME, hashes.NAME. What is not known, or was not measured because
// a run failed, is nil; so is the error of a run that did not fail.
func Table(runs []Run) []Column {
	t := table{at: map[string]int{}, rows: len(runs)}
	// Field by field, so that the columns of one field stand together.
	for f := range reflect.TypeFor[Run]().Fields() {
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		for row, run := range runs {
			v := reflect.ValueOf(run).FieldByIndex(f.Index)
			if option == "omitempty" && v.IsZero() || run.Error != "" && slices.Contains(measuredAfter, name) {
				if f.Type.Kind() != reflect.Map {
					t.column(name, f.Type)
				}
				continue
			}
			t.set(row, name, v)
		}
		t.sortFrom(name)
	}
	return t.columns
}

type table struct {
	columns []Column
	at      map[string]int
	rows    int
}

// column returns the column of a name, made when absent.
func (t *table) column(name string, of reflect.Type) *Column {
	k, ok := t.at[name]
	if !ok {
		k = len(t.columns)
		t.at[name] = k
		t.columns = append(t.columns, Column{Name: name, Kind: kindOf(of), Values: make([]any, t.rows)})
	}
	return &t.columns[k]
}

func kindOf(t reflect.Type) ColumnKind {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		return Integer
	case reflect.Float64:
		return Number
	case reflect.Bool:
		return Truth
	}
	return Text
}

func (t *table) set(row int, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		t.set(row, name, v.Elem())
	case reflect.Pointer:
		c := t.column(name, v.Type())
		if !v.IsNil() {
			c.Values[row] = v.Elem().Float()
		}
	case reflect.Map:
		for k, x := range v.Seq2() {
			t.set(row, name+"."+k.String(), x)
		}
	case reflect.Array: // accuracy before and after
		t.set(row, name+".before", v.Index(0))
		t.set(row, name+".after", v.Index(1))
	case reflect.Slice:
		t.set(row, name, reflect.ValueOf(fmt.Sprint(v.Interface())))
	case reflect.Invalid: // null of JSON
	default:
		c := t.column(name, v.Type())
		var value any
		switch kindOf(v.Type()) {
		case Integer:
			value = v.Int()
		case Number:
			value = v.Float()
		case Truth:
			value = v.Bool()
		default:
			value = v.String()
		}
		if kindOf(v.Type()) != c.Kind { // runs disagree on what a setting is
			c.toText()
			value = write(value)
		}
		c.Values[row] = value
	}
}

func (c *Column) toText() {
	c.Kind = Text
	for i, v := range c.Values {
		if v != nil {
			c.Values[i] = write(v)
		}
	}
}

// sortFrom sorts the columns made of what one field holds by names.
func (t *table) sortFrom(field string) {
	first := slices.IndexFunc(t.columns, func(c Column) bool { return strings.HasPrefix(c.Name, field+".") })
	if first < 0 {
		return
	}
	base := func(c Column) string { // of before and after, which stay in this order
		return strings.TrimSuffix(strings.TrimSuffix(c.Name, ".after"), ".before")
	}
	slices.SortStableFunc(t.columns[first:], func(a, b Column) int { return strings.Compare(base(a), base(b)) })
	for k := range t.columns[first:] {
		t.at[t.columns[first+k].Name] = first + k
	}
}

// write is a value as CSV has it: numbers with all digits that they need.
func write(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return fmt.Sprint(v)
}

// Columns returns the columns of Table of the given names in their order, all
// of them when no name is given.
func Columns(runs []Run, names ...string) ([]Column, error) {
	all := Table(runs)
	if len(names) == 0 {
		return all, nil
	}
	var chosen []Column
	for _, name := range names {
		k := slices.IndexFunc(all, func(c Column) bool { return c.Name == name })
		if k < 0 {
			return nil, fmt.Errorf("the runs have no column %q", name)
		}
		chosen = append(chosen, all[k])
	}
	return chosen, nil
}

// WriteCSV writes Columns of runs with a line of names. What a run has no value
// of is empty.
func WriteCSV(w io.Writer, runs []Run, names ...string) error {
	columns, err := Columns(runs, names...)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	line := make([]string, len(columns))
	for k, c := range columns {
		line[k] = c.Name
	}
	if err := out.Write(line); err != nil {
		return err
	}
	for row := range runs {
		for k, c := range columns {
			line[k] = write(c.Values[row])
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
