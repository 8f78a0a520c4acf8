package embedding

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

func TestTablesAreReadFromNPYAndCSV(t *testing.T) {
	dir := t.TempDir()
	npy, csv := filepath.Join(dir, "p.npy"), filepath.Join(dir, "p.csv")
	want := []float64{.25, .75, 1, 0, .5, .5}
	if err := tensorfile.WriteNPY(npy, tensorfile.FromFloat64("", []int{3, 2}, want)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(csv, []byte(".25,.75\n1,0\n.5,.5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{npy, csv} {
		m, err := ReadTable(path)
		if err != nil || m.Rows != 3 || m.Cols != 2 || !slices.Equal(m.Float64s(), want) {
			t.Errorf("%s: %+v %v", path, m, err)
		}
	}
	flat := filepath.Join(dir, "flat.npy")
	if err := tensorfile.WriteNPY(flat, tensorfile.FromFloat64("", []int{6}, want)); err != nil {
		t.Fatal(err)
	}
	for path, c := range map[string]string{flat: "want [rows, width]", filepath.Join(dir, "absent.npy"): "no such file", "x.pt": "a table is"} {
		_, err := ReadTable(path)
		if err == nil || !strings.Contains(err.Error(), c) || errors.Is(err, ErrFormat) != (path == "x.pt") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
