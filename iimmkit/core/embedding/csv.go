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

// textsPath is where the captions of a table of images are when nothing is said.
func textsPath(images string) string {
	ext := filepath.Ext(images)
	return strings.TrimSuffix(images, ext) + ".texts" + ext
}

// captionsOf returns the file of captions: that which was named, else the one
// beside the images if it is there.
func captionsOf(path, texts string) (string, error) {
	if texts != "" {
		return texts, nil
	}
	texts = textsPath(path)
	if _, err := os.Stat(texts); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(path); err != nil {
			return "", err
		}
		return "", formatError{fmt.Sprintf("%s: captions come in a file of their own: name it with --texts (there is no %s)", path, texts)}
	}
	return texts, nil
}

// readCSV reads the published pair of files.
func readCSV(path, texts string) (*Set, error) {
	texts, err := captionsOf(path, texts)
	if err != nil {
		return nil, err
	}
	images, err := parseCSVFile(path)
	if err != nil {
		return nil, err
	}
	if images.headed && !images.labelled {
		return nil, fmt.Errorf("%s: its header names no column \"label\"", path)
	}
	d := images.Cols - 1
	if d < 1 {
		return nil, fmt.Errorf("%s: one column; an image is its numbers and the label last", path)
	}
	s := &Set{Labels: make([]int, images.Rows), IDs: oneEach(images.ids, images.Rows)}
	// The label is taken out of each row in place.
	for i := range images.Rows {
		row := images.F64[i*images.Cols : (i+1)*images.Cols]
		if s.Labels[i], err = wholeLabel(row[d]); err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", path, i, err)
		}
		copy(images.F64[i*d:], row[:d])
	}
	s.Images = Float64(images.Rows, d, images.F64[:images.Rows*d])
	return s, s.readCaptions(texts)
}

// readCaptionsCSV reads captions of width d, whose classes are named by a header
// or in a further column.
func readCaptionsCSV(path string, d int) (*Captions, error) {
	m, err := parseCSVFile(path)
	if err != nil {
		return nil, err
	}
	c := &Captions{Texts: m.Matrix, ClassNames: oneEach(m.classNames, m.Rows), Prompts: oneEach(m.prompts, m.Rows)}
	if !m.labelled && (m.headed || m.Cols != d+1) {
		return c, nil
	}
	if m.Cols < 2 {
		return nil, fmt.Errorf("%s: one column; a caption is its numbers and its class", path)
	}
	classes := make([]int, m.Rows)
	c.Texts = Float64(m.Rows, m.Cols-1, make([]float64, 0, m.Rows*(m.Cols-1)))
	for i := range classes {
		row := m.F64[i*m.Cols : (i+1)*m.Cols]
		if classes[i], err = wholeLabel(row[m.Cols-1]); err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", path, i, err)
		}
		c.Texts.F64 = append(c.Texts.F64, row[:m.Cols-1]...)
	}
	if err := c.InOrder(classes); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func wholeLabel(v float64) (int, error) {
	if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
		return 0, fmt.Errorf("the last column is the label, but %v is not a whole number", v)
	}
	return int(v), nil
}

func parseCSVFile(path string) (sheet, error) {
	f, err := os.Open(path)
	if err != nil {
		return sheet{}, err
	}
	defer f.Close()
	size := int64(0)
	if info, err := f.Stat(); err == nil {
		size = info.Size()
	}
	m, err := parseCSV(f, size)
	if err != nil {
		return sheet{}, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// parseCSV reads lines of comma-separated numbers, all of one length, below a
// header or without one (see roleNames). Empty lines are passed over. An error
// names line and column, counted from 1. The size of all lines, if known, saves
// growing the matrix.
func parseCSV(r io.Reader, size int64) (sheet, error) {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 1<<16), maxLine)
	var m sheet
	var columns []role
	first := true
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
		if first {
			first = false
			var err error
			if columns, m.headed, err = header(text); err != nil {
				return sheet{}, err
			}
			m.labelled = slices.Contains(columns, class)
			if m.headed {
				continue
			}
		}
		if m.headed {
			if err := m.addRow(columns, text, line); err != nil {
				return sheet{}, err
			}
			continue
		}
		cols := 0
		for rest, more := text, true; more; cols++ {
			var field []byte
			field, rest, more = bytes.Cut(rest, []byte(","))
			v, err := parseNumber(field)
			if err != nil {
				return sheet{}, notNumber(line, cols+1, field)
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
			return sheet{}, fmt.Errorf("line %d has %d columns, the first has %d", line, cols, m.Cols)
		}
		m.Rows++
	}
	if err := in.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("a line is longer than %d MB: not a CSV of embeddings", maxLine>>20)
		}
		return sheet{}, err
	}
	if m.Rows == 0 {
		return sheet{}, errors.New("no rows in it")
	}
	if m.Cols == 0 {
		return sheet{}, errors.New("no columns of numbers in it")
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
		hint = " (a header line names a column \"label\")"
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
