package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
)

// Files that pyarrow wrote; see testdata/make.py.
func TestGoldenSetInTheTypesOfParquet(t *testing.T) {
	g := golden.Mid()
	for name, c := range map[string]struct {
		tolerance float64
		double    bool
	}{"mid": {1e-12, true}, "single": {1e-7, false}, "half": {2e-4, false}} {
		s, err := embedding.Open("testdata/" + name + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.Labels, g.Labels) || (s.Images.F64 != nil) != c.double || (s.Texts.F64 != nil) != c.double {
			t.Errorf("%s: labels or precision changed", name)
		}
		r, err := s.Measure(embedding.MeasureOptions{Normalize: name == "half"})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range g.Differences(r, c.tolerance) {
			t.Errorf("%s: %s", name, d)
		}
		if name == "mid" {
			if len(s.IDs) != golden.N || s.IDs[119] != "waves/119.png" {
				t.Errorf("ids %.60q", s.IDs)
			}
			for k := range golden.C {
				if s.ClassNames[k] != fmt.Sprintf("wave %d", k) || s.Prompts[k] != fmt.Sprintf("a photo of wave %d", k) {
					t.Errorf("class %d: %q %q", k, s.ClassNames[k], s.Prompts[k])
				}
			}
			if found := s.Check(); len(found) != 0 {
				t.Errorf("%v", found)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Class names of Hugging Face's metadata stay where the captions have none.
func TestClassNamesAndCaptionsOfOtherFormats(t *testing.T) {
	s, err := embedding.Open("testdata/mid.parquet", embedding.Texts("testdata/single.texts.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.ClassNames) != golden.C || s.ClassNames[2] != "wave 2" || s.Prompts != nil {
		t.Errorf("%q %q", s.ClassNames, s.Prompts)
	}
	csv := filepath.Join(t.TempDir(), "captions.csv")
	var text strings.Builder
	for c := range golden.C {
		for j := range golden.D {
			fmt.Fprintf(&text, "%.17g,", golden.Texts()[c*golden.D+j])
		}
		fmt.Fprintln(&text, c)
	}
	if err := os.WriteFile(csv, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = embedding.Open("testdata/mid.parquet", embedding.Texts(csv)); err != nil || !slices.Equal(s.Texts.F64, golden.Texts()) {
		t.Errorf("captions in CSV: %v", err)
	}
}

func TestParquetFilesThatAreNoSetAreOneClearLine(t *testing.T) {
	dir := t.TempDir()
	b, err := os.ReadFile("testdata/single.parquet")
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	damaged := slices.Clone(b)
	for i := 2000; i < 20_000; i += 7 {
		damaged[i] ^= 0x55
	}
	texts := "testdata/two.texts.parquet"
	for _, c := range []struct{ path, texts, want string }{
		{"testdata/gap.parquet", texts, "column x: row 1 has no vector, or a gap in it"},
		{"testdata/null.parquet", texts, "row 1 has no vector"},
		{"testdata/none.parquet", texts, "row 1 has no vector"},
		{"testdata/ragged.parquet", texts, "column x: row 2 has 3 numbers, row 0 has 2"},
		{"testdata/unlabelled.parquet", texts, "no column of labels (label) among x"},
		{"testdata/unknown.parquet", texts, "column label: row 1 has no value"},
		{"testdata/words.parquet", texts, "column label: labels are whole numbers"},
		{"testdata/several.parquet", texts, `several columns of vectors (x, y): name the one to read "images"`},
		{"testdata/flat.parquet", texts, "no column of lists of floating-point numbers among x, label"},
		{"testdata/empty.parquet", texts, "no rows"},
		{"testdata/mid.parquet", texts, "rows of 2 numbers, want the 80 of the images"},
		{"testdata/mid.parquet", "testdata/twice.texts.parquet", "row 2: its class is 1; 3 captions are of the classes 0..2, each once"},
		{"testdata/several.parquet", "", "name it with --texts (there is no testdata/several.texts.parquet)"},
		{filepath.Join(dir, "absent.parquet"), texts, "no such file"},
		{"testdata/mid.parquet", filepath.Join(dir, "absent.parquet"), "no such file"},
		{file("cut.parquet", b[:30_000]), texts, "not a parquet file, or cut off"},
		{file("text.parquet", []byte("0.1,0.2,0\n")), texts, "not a parquet file, or cut off"},
		{file("nothing.parquet", nil), texts, "not a parquet file, or cut off"},
		{file("damaged.parquet", damaged), texts, "damaged.parquet: "},
	} {
		var options []embedding.Option
		if c.texts != "" {
			options = append(options, embedding.Texts(c.texts))
		}
		s, err := embedding.Open(c.path, options...)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s with %s: %v %v, want %q", c.path, c.texts, s, err, c.want)
			continue
		}
		if errors.Is(err, embedding.ErrFormat) != (c.texts == "") {
			t.Errorf("%s: wrong call %v", c.path, errors.Is(err, embedding.ErrFormat))
		}
	}
}

func FuzzParquet(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.parquet")
	if err != nil || len(paths) == 0 {
		f.Fatal(paths, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) < 8192 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := inTable(bytes.NewReader(b), int64(len(b)), func(p *table) error {
			column, err := p.vectorColumn(imageNames)
			if err != nil {
				return err
			}
			m, err := p.vectors(column)
			if err != nil {
				return err
			}
			if len(m.F32)+len(m.F64) != m.Rows*m.Cols || m.Rows == 0 || m.Cols == 0 {
				t.Fatalf("[%d,%d] of %d numbers", m.Rows, m.Cols, len(m.F32)+len(m.F64))
			}
			if label := p.column(labelNames); label >= 0 {
				if y, err := p.integers(label); err == nil && len(y) != m.Rows {
					t.Fatalf("%d labels for %d rows", len(y), m.Rows)
				}
			}
			return nil
		})
		if err != nil && strings.ContainsFunc(err.Error(), isControl) {
			t.Fatalf("not a line: %q", err)
		}
	})
}
