package embedding

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// maxLine bounds a line of a CSV file; a width of a million needs less.
const maxLine = 32 << 20

// textsPath is where the captions of an image CSV are when nothing is said.
func textsPath(images string) string {
	return strings.TrimSuffix(images, filepath.Ext(images)) + ".texts.csv"
}

// readCSV reads the published pair of files.
func readCSV(path, texts string) (*Set, error) {
	if texts == "" {
		texts = textsPath(path)
		if _, err := os.Stat(texts); errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Stat(path); err != nil {
				return nil, err
			}
			return nil, formatError{fmt.Sprintf("%s: captions come in a CSV of their own: name it with --texts (there is no %s)", path, texts)}
		}
	}
	images, err := parseCSVFile(path)
	if err != nil {
		return nil, err
	}
	d := images.Cols - 1
	if d < 1 {
		return nil, fmt.Errorf("%s: one column; an image is its numbers and the label last", path)
	}
	s := &Set{Labels: make([]int, images.Rows)}
	// The label is taken out of each row in place.
	for i := range images.Rows {
		row := images.F64[i*images.Cols : (i+1)*images.Cols]
		if s.Labels[i], err = wholeLabel(row[d]); err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", path, i, err)
		}
		copy(images.F64[i*d:], row[:d])
	}
	s.Images = Float64(images.Rows, d, images.F64[:images.Rows*d])
	s.Texts, err = parseCSVFile(texts)
	if err != nil {
		return nil, err
	}
	if s.Texts.Cols == d+1 {
		if s.Texts, err = labelledTexts(s.Texts); err != nil {
			return nil, fmt.Errorf("%s: %w", texts, err)
		}
	}
	if s.Texts.Cols != d {
		return nil, fmt.Errorf("%s: rows of %d numbers, want the %d of %s", texts, s.Texts.Cols, d, path)
	}
	return s, nil
}

// labelledTexts takes captions whose last column is their class, and puts
// them in class order.
func labelledTexts(m Matrix) (Matrix, error) {
	d := m.Cols - 1
	out := Float64(m.Rows, d, make([]float64, m.Rows*d))
	seen := make([]bool, m.Rows)
	for c := range m.Rows {
		row := m.F64[c*m.Cols : (c+1)*m.Cols]
		y, err := wholeLabel(row[d])
		if err != nil {
			return Matrix{}, fmt.Errorf("row %d: %w", c, err)
		}
		if y < 0 || y >= m.Rows || seen[y] {
			return Matrix{}, fmt.Errorf("row %d: the last column, its class, is %d; %d captions are of the classes 0..%d, each once", c, y, m.Rows, m.Rows-1)
		}
		seen[y] = true
		copy(out.F64[y*d:], row[:d])
	}
	return out, nil
}

func wholeLabel(v float64) (int, error) {
	if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
		return 0, fmt.Errorf("the last column is the label, but %v is not a whole number", v)
	}
	return int(v), nil
}

func parseCSVFile(path string) (Matrix, error) {
	f, err := os.Open(path)
	if err != nil {
		return Matrix{}, err
	}
	defer f.Close()
	size := int64(0)
	if info, err := f.Stat(); err == nil {
		size = info.Size()
	}
	m, err := parseCSV(f, size)
	if err != nil {
		return Matrix{}, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// parseCSV reads lines of comma-separated numbers, all of one length. Empty
// lines are passed over. An error names line and column, counted from 1. The
// size of all lines, if known, saves growing the matrix.
func parseCSV(r io.Reader, size int64) (Matrix, error) {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 1<<16), maxLine)
	var m Matrix
	m.F64 = []float64{}
	for line := 1; in.Scan(); line++ {
		text := in.Bytes()
		if line == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		text = bytes.TrimSpace(text)
		if len(text) == 0 {
			continue
		}
		cols := 0
		for rest, more := text, true; more; cols++ {
			var field []byte
			field, rest, more = bytes.Cut(rest, []byte(","))
			v, err := parseNumber(field)
			if err != nil {
				return Matrix{}, notNumber(line, cols+1, field)
			}
			m.F64 = append(m.F64, v)
		}
		if m.Rows == 0 {
			m.Cols = cols
			// A tenth more, for lines shorter than the first: growing later would
			// hold the matrix twice.
			if lines := size / int64(len(in.Bytes())+1); lines > 1 {
				m.F64 = slices.Grow(m.F64, int(lines+lines/10)*cols)
			}
		}
		if cols != m.Cols {
			return Matrix{}, fmt.Errorf("line %d has %d columns, the first has %d", line, cols, m.Cols)
		}
		m.Rows++
	}
	if err := in.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("a line is longer than %d MB: not a CSV of embeddings", maxLine>>20)
		}
		return Matrix{}, err
	}
	if m.Rows == 0 {
		return Matrix{}, errors.New("no rows in it")
	}
	return m, nil
}

func notNumber(line, column int, field []byte) error {
	if !utf8.Valid(field[:min(len(field), 256)]) || bytes.ContainsFunc(field, unicode.IsControl) {
		return fmt.Errorf("line %d, column %d: not text, so not a CSV file", line, column)
	}
	shown := string(field)
	if len(shown) > 30 {
		shown = shown[:30] + "..."
	}
	hint := ""
	switch {
	case line == 1 && strings.ContainsAny(shown, "; \t") && column == 1:
		hint = " (columns are separated by commas)"
	case line == 1:
		hint = " (the file has no header line)"
	}
	return fmt.Errorf("line %d, column %d: %q is not a number%s", line, column, shown, hint)
}

// parseNumber is strconv.ParseFloat, quicker for plain decimals: with up to 15
// digits, whole number and power of ten are exact and their quotient is
// rounded once, so the result is the same.
func parseNumber(b []byte) (float64, error) {
	b = bytes.TrimSpace(b)
	s := b
	negative := len(s) > 0 && s[0] == '-'
	if negative {
		s = s[1:]
	}
	mantissa, digits, decimals, point := uint64(0), 0, 0, false
	for _, c := range s {
		switch {
		case '0' <= c && c <= '9':
			mantissa = mantissa*10 + uint64(c-'0')
			digits++
			if point {
				decimals++
			}
		case c == '.' && !point:
			point = true
		default:
			return strconv.ParseFloat(string(b), 64)
		}
		if digits > 15 {
			return strconv.ParseFloat(string(b), 64)
		}
	}
	if digits == 0 {
		return strconv.ParseFloat(string(b), 64)
	}
	v := float64(mantissa) / powersOfTen[decimals]
	if negative {
		v = -v
	}
	return v, nil
}

var powersOfTen = [16]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// writeCSV writes the published pair: numbers as %1.8f, the label last, no
// header; the captions without label in NAME.texts.csv. Files that were there
// are replaced, never appended to.
func writeCSV(path string, s *Set) error {
	if err := writeRows(textsPath(path), s.Texts, nil); err != nil {
		return err
	}
	return writeRows(path, s.Images, s.Labels)
}

func writeRows(path string, m Matrix, labels []int) error {
	f, err := store.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	out := bufio.NewWriter(f)
	var line []byte
	for i := range m.Rows {
		line = line[:0]
		for j := range m.Cols {
			if j > 0 {
				line = append(line, ',')
			}
			v := 0.0
			if m.F64 != nil {
				v = m.F64[i*m.Cols+j]
			} else {
				v = float64(m.F32[i*m.Cols+j])
			}
			line = strconv.AppendFloat(line, v, 'f', 8, 64)
		}
		if labels != nil {
			line = append(line, ',')
			line = strconv.AppendFloat(line, float64(labels[i]), 'f', 8, 64)
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return f.Commit()
}
