package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

func value(x float64) *float64 { return &x }

func runs() []experiment.Run {
	return []experiment.Run{
		{Schema: 1, RunID: "a", Model: "m", Method: "full", Task: "tâche", Seed: 3, Settings: map[string]any{"learning_rate": 3e-4, "optimizer": "adamw", "fixed_text": true},
			Accuracy: 1. / 3, Gain: 25. / 3, Forgetting: value(-2.5), OffTarget: map[string][2]float64{"world/u": {.5, .525}}, PeakMemory: 1 << 33},
		{Schema: 1, RunID: "b", Model: "m", Method: "probe", Task: "t", Accuracy: 1, Gain: 75},
		{Schema: 1, RunID: "c", Model: "m", Method: "full", Task: "t", Error: "step 3: loss is NaN"},
	}
}

// Every value of the table is in the file, under its name and of its type.
// pyarrow 26.0.1 was seen to read the file that is left at $IIMM_PARQUET_OUT as
// the same columns, of types string, int64, double and bool, and values.
func TestParquetHoldsTheTable(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, runs()); err != nil {
		t.Fatal(err)
	}
	if path := os.Getenv("IIMM_PARQUET_OUT"); path != "" {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in, err := file.NewParquetReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	table := experiment.Table(runs())
	if in.NumRows() != 3 || in.MetaData().Schema.NumColumns() != len(table) {
		t.Fatalf("%d rows of %d columns", in.NumRows(), in.MetaData().Schema.NumColumns())
	}
	group := in.RowGroup(0)
	for k, c := range table {
		if name := in.MetaData().Schema.Column(k).Path(); name != c.Name {
			t.Errorf("column %d is %s, want %s", k, name, c.Name)
		}
		col, err := group.Column(k)
		if err != nil {
			t.Fatal(err)
		}
		got, err := read(col, 3)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		for row, want := range c.Values {
			if got[row] != want {
				t.Errorf("%s of row %d is %v (%T), want %v (%T)", c.Name, row, got[row], got[row], want, want)
			}
		}
	}
}

// read returns a column's values, nil where null.
func read(col file.ColumnChunkReader, rows int64) ([]any, error) {
	levels := make([]int16, rows)
	var dense []any
	var err error
	switch col := col.(type) {
	case *file.Int64ColumnChunkReader:
		v := make([]int64, rows)
		_, n, e := col.ReadBatch(rows, v, levels, nil)
		dense, err = anys(v[:n]), e
	case *file.Float64ColumnChunkReader:
		v := make([]float64, rows)
		_, n, e := col.ReadBatch(rows, v, levels, nil)
		dense, err = anys(v[:n]), e
	case *file.BooleanColumnChunkReader:
		v := make([]bool, rows)
		_, n, e := col.ReadBatch(rows, v, levels, nil)
		dense, err = anys(v[:n]), e
	case *file.ByteArrayColumnChunkReader:
		v := make([]parquet.ByteArray, rows)
		_, n, e := col.ReadBatch(rows, v, levels, nil)
		for _, s := range v[:n] {
			dense = append(dense, string(s))
		}
		err = e
	default:
		err = fmt.Errorf("type %T", col)
	}
	out := make([]any, rows)
	for row, there := range levels {
		if there == 1 && len(dense) > 0 {
			out[row], dense = dense[0], dense[1:]
		}
	}
	return out, err
}

func anys[T any](v []T) (out []any) {
	for _, x := range v {
		out = append(out, x)
	}
	return out
}

func TestNoRunsAreAnEmptyFile(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, nil); err != nil {
		t.Fatal(err)
	}
	in, err := file.NewParquetReader(bytes.NewReader(b.Bytes()))
	if err != nil || in.NumRows() != 0 {
		t.Errorf("%v", err)
	}
}

type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errors.New("no space left")
	}
	return len(p), nil
}

func TestFullDiskIsAnError(t *testing.T) {
	for _, room := range []int{0, 10, 1000} {
		if err := Write(&full{room}, runs()); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
	if err := Write(&full{math.MaxInt32}, runs()); err != nil {
		t.Error(err)
	}
}
