package embedding

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
)

func TestParseNumberEqualsStrconv(t *testing.T) {
	for _, s := range []string{
		"0", "-0", "1", "-0.03370000", "0.12345678", "-1.00000000", "123456789012345", "1234567890123456", ".5", "5.", "0.1",
		"0.000000000000001", "1e-3", "-2.5E+10", "inf", "-Inf", "nan", " 7 ", "+3", "0.30000000000000004", "99999999.99999999",
		"", "-", ".", "-.", "1.2.3", "--1", "1,", "0x1p-2", "1_000", "cat",
	} {
		want, wantErr := strconv.ParseFloat(string(bytes.TrimSpace([]byte(s))), 64)
		got, err := parseNumber([]byte(s))
		if (err == nil) != (wantErr == nil) || err == nil && math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%q: %v %v, strconv %v %v", s, got, err, want, wantErr)
		}
	}
}

func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"0.12345678", "-1.5", "1e5", "nan", ".", "-0"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want, wantErr := strconv.ParseFloat(string(bytes.TrimSpace(b)), 64)
		got, err := parseNumber(b)
		if (err == nil) != (wantErr == nil) || err == nil && math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%q: %v %v, strconv %v %v", b, got, err, want, wantErr)
		}
	})
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"1,2,0\n3,4,1\n", "\ufeff1\r\n\r\n2", "a,b\n", "1,,2\n", "1,2\n3\n", "nan,inf", "id,a,b,label\n\"x, y\",1,2,0\n", ",0,1,label\n0,.5,.5,1\n", "a,class\n\"1\"\"\",2\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseCSV(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		if err := m.valid("rows"); err != nil || m.Rows == 0 {
			t.Fatal(m.Rows, err)
		}
	})
}

// The golden set as tables of other programs: pandas with its index, and with
// names of files that hold commas and quotes; captions with names, not in order.
func TestCSVWithAHeader(t *testing.T) {
	g := golden.Mid()
	texts := golden.Texts()
	dir := t.TempDir()
	write := func(name string, text *strings.Builder) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var pandas, named, captions strings.Builder
	numbers := func(to *strings.Builder, row []float64) {
		for _, v := range row {
			fmt.Fprintf(to, ",%.17g", v)
		}
	}
	named.WriteString("\ufeffLabel,\"path\"")
	captions.WriteString("class_name,prompt,class")
	for j := range golden.D {
		fmt.Fprintf(&pandas, ",%d", j)
		fmt.Fprintf(&named, ",\"f%d\"", j)
		fmt.Fprintf(&captions, ",f%d", j)
	}
	pandas.WriteString(",label\r\n")
	named.WriteString("\n")
	captions.WriteString("\n")
	id := func(i int) string { return fmt.Sprintf(`a "good", %d.png`, i) }
	for i, y := range g.Labels {
		fmt.Fprintf(&pandas, "%d", i)
		numbers(&pandas, g.Images[i*golden.D:(i+1)*golden.D])
		fmt.Fprintf(&pandas, ",%d\r\n", y)
		fmt.Fprintf(&named, `%d,"a ""good"", %d.png"`, y, i)
		numbers(&named, g.Images[i*golden.D:(i+1)*golden.D])
		named.WriteString("\n")
	}
	for c := golden.C - 1; c >= 0; c-- {
		fmt.Fprintf(&captions, "wave %d,\"a photo, of %d\",%d", c, c, c)
		numbers(&captions, texts[c*golden.D:(c+1)*golden.D])
		captions.WriteString("\n")
	}
	of := write("captions.csv", &captions)
	for _, path := range []string{write("pandas.csv", &pandas), write("named.csv", &named)} {
		s, err := Open(path, Texts(of))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.Images.F64, g.Images) || !slices.Equal(s.Labels, g.Labels) || !slices.Equal(s.Texts.F64, texts) {
			t.Errorf("%s: not the numbers that were written", path)
		}
		for c := range golden.C {
			if s.ClassNames[c] != fmt.Sprintf("wave %d", c) || s.Prompts[c] != fmt.Sprintf("a photo, of %d", c) {
				t.Errorf("class %d: %q %q", c, s.ClassNames[c], s.Prompts[c])
			}
		}
		if strings.HasSuffix(path, "named.csv") && (len(s.IDs) != golden.N || s.IDs[7] != id(7)) {
			t.Errorf("%s: ids %.50q", path, s.IDs)
		}
		if found := s.Check(); len(found) != 0 {
			t.Errorf("%s: %v", path, found)
		}
	}
}
