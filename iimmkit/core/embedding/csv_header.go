package embedding

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// role is what a column of a CSV file with a header is.
type role int

const (
	number role = iota // of the embedding, in the order of the file
	class
	identifier
	className
	prompt
	skipped
)

// roleNames are the names of columns that are no numbers of an embedding, in
// lower case. A column without a name, as pandas writes its index, is passed over.
var roleNames = map[string]role{
	"label": class, "labels": class, "class": class, "target": class,
	"id": identifier, "ids": identifier, "path": identifier, "file": identifier, "filename": identifier, "file_name": identifier,
	"class_name": className, "classname": className, "name": className,
	"prompt": prompt, "caption": prompt, "text": prompt,
	"": skipped, "unnamed: 0": skipped,
}

// sheet is a parsed CSV file. Rows of numbers hold the label last, where there
// is one. The lists are empty without a header that names such columns.
type sheet struct {
	Matrix
	labelled                 bool // told by a header
	headed                   bool
	ids, classNames, prompts []string
}

// header reads the first line of a file as names of columns, if it is that: it
// names the label, or none of several fields is a number.
func header(line []byte) (columns []role, found bool, err error) {
	words := true
	for rest, more := line, true; more; {
		var field []byte
		if field, rest, more, err = cutField(rest); err != nil {
			return nil, false, nil // no header then; the error is found again where the line is read
		}
		name := strings.ToLower(string(bytes.TrimSpace(field)))
		r, known := roleNames[name]
		_, notNumber := parseNumber(field)
		words = words && notNumber != nil
		found = found || r == class && known
		if r == class && slices.Contains(columns, class) {
			return nil, false, fmt.Errorf("line 1 names several columns of labels")
		}
		columns = append(columns, r)
	}
	if !found && !(words && len(columns) > 1 && bytes.ContainsFunc(line, isLetter)) {
		return nil, false, nil
	}
	return columns, true, nil
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// addRow reads a line of a file with a header.
func (s *sheet) addRow(columns []role, text []byte, line int) error {
	label, at, start := 0.0, 0, len(s.F64)
	for rest, more := text, true; more; at++ {
		var field []byte
		var err error
		if field, rest, more, err = cutField(rest); err != nil {
			return fmt.Errorf("line %d, column %d: %w", line, at+1, err)
		}
		if at >= len(columns) {
			continue // counted, and refused below
		}
		switch columns[at] {
		case number, class:
			v, err := parseNumber(field)
			if err != nil {
				return notNumber(line, at+1, field)
			}
			if columns[at] == class {
				label = v
			} else {
				s.F64 = append(s.F64, v)
			}
		case identifier:
			s.ids = append(s.ids, string(field))
		case className:
			s.classNames = append(s.classNames, string(field))
		case prompt:
			s.prompts = append(s.prompts, string(field))
		}
	}
	if at != len(columns) {
		return fmt.Errorf("line %d has %d columns, the header has %d", line, at, len(columns))
	}
	if s.labelled {
		s.F64 = append(s.F64, label)
	}
	s.Cols = len(s.F64) - start
	s.Rows++
	return nil
}

// cutField returns the first field of a line, without its quotes, and the rest.
func cutField(line []byte) (field, rest []byte, more bool, err error) {
	if len(line) == 0 || line[0] != '"' {
		field, rest, more = bytes.Cut(line, []byte(","))
		return field, rest, more, nil
	}
	for i := 1; i < len(line); i++ {
		if line[i] != '"' {
			field = append(field, line[i])
			continue
		}
		if i+1 < len(line) && line[i+1] == '"' {
			field = append(field, '"')
			i++
			continue
		}
		if i+1 == len(line) {
			return field, nil, false, nil
		}
		if line[i+1] != ',' {
			return nil, nil, false, fmt.Errorf("%s after a quoted field", strconv.Quote(string(line[i+1:i+2])))
		}
		return field, line[i+2:], true, nil
	}
	return nil, nil, false, errors.New("a quoted field does not end on its line")
}

// oneEach returns list, or nothing unless there is one for each of n rows; two
// columns of one role would make more.
func oneEach(list []string, n int) []string {
	if len(list) != n {
		return nil
	}
	return list
}
