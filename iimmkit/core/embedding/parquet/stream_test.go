package parquet

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
)

type local struct{ *bytes.Reader }

func (local) Close() error { return nil }

func openLocal(_ context.Context, path string) (embedding.Source, error) {
	b, err := os.ReadFile(path)
	return local{bytes.NewReader(b)}, err
}

// What comes by blocks is what comes as a whole, in every type of parquet.
func TestStreamGivesTheRowsOfTheWholeFile(t *testing.T) {
	for _, name := range []string{"mid", "single", "half", "many"} {
		path := "testdata/" + name + ".parquet"
		whole, err := readImages(path)
		if err != nil {
			t.Fatal(err)
		}
		var images []float64
		var labels []int
		blocks := 0
		err = embedding.Stream(t.Context(), path, openLocal, func(m embedding.Matrix, y []int) error {
			if m.Rows != len(y) || m.Cols != whole.Images.Cols || (m.F64 != nil) != (whole.Images.F64 != nil) {
				t.Fatalf("%s: %d x %d, %d labels", name, m.Rows, m.Cols, len(y))
			}
			images, labels = append(images, m.Float64s()...), append(labels, y...)
			blocks++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(images, whole.Images.Float64s()) || !slices.Equal(labels, whole.Labels) {
			t.Errorf("%s: rows differ", name)
		}
		if several := name == "many"; (blocks > 1) != several {
			t.Errorf("%s came in %d blocks", name, blocks)
		}
	}
}

func TestStreamRefusesWhatOpenRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"gap": "row 1 has no vector, or a gap in it", "null": "row 1 has no vector", "none": "row 1 has no vector",
		"ragged": "row 2 has 3 numbers, row 0 has 2", "unlabelled": "no column of labels", "unknown": "row 1 has no value",
		"words": "labels are whole numbers", "several": "several columns of vectors", "flat": "no column of lists", "empty": "no rows",
	} {
		err := embedding.Stream(t.Context(), "testdata/"+name+".parquet", openLocal, func(embedding.Matrix, []int) error { return nil })
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	stop := errors.New("enough")
	err := embedding.Stream(t.Context(), "testdata/mid.parquet", openLocal, func(embedding.Matrix, []int) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}
