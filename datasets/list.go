package datasets

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// isList reports whether a file's name is that of a list.
func isList(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv", ".tsv", ".jsonl", ".ndjson":
		return true
	}
	return false
}

// listRow is one line of a list.
type listRow struct {
	line                      int
	path, label, split, group string
}

// Column names that a list's header may use, in lower case.
var (
	pathColumns  = []string{"path", "file", "filename", "filepath", "file_name", "image", "image_path"}
	labelColumns = []string{"label", "class", "class_name", "classname", "category", "classid"}
	splitColumns = []string{"split", "subset", "partition"}
)

// readList reads a CSV file with the columns path and label and, if there, split
// (train, val or test), or JSON lines with the same keys. Paths are relative to
// the list's folder. Without a header the columns are path,label[,split].
// Commas, semicolons or tabs separate. Classes are numbered in the byte order
// of their labels.
func readList(path string, opt FolderOptions, problems *Problems) (*Source, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	rows, err := parseList(path, data, opt.GroupColumn, problems)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", displayName(path), err)
	}
	var paths []string
	s := &Source{Path: path, Picture: func(i int, options ...picture.Option) (*picture.RGB, error) { return openPicture(paths[i], options) }}
	seen := map[string]int{}
	for _, r := range rows {
		s.Classes = append(s.Classes, r.label)
		full := filepath.FromSlash(r.path)
		if !filepath.IsAbs(full) {
			full = filepath.Join(filepath.Dir(path), full)
		}
		if first, ok := seen[full]; ok {
			problems.Add(DuplicateFile, r.path, fmt.Sprintf("is in line %d and again in line %d", first, r.line))
			continue
		}
		seen[full] = r.line
		info, err := os.Stat(full)
		if err != nil {
			problems.Add(Unreadable, r.path, fmt.Sprintf("line %d: %s", r.line, reason(err)))
			continue
		}
		paths = append(paths, full)
		s.Records = append(s.Records, Record{ID: r.path, Class: r.label, Split: r.split, Group: r.group, Size: info.Size()})
	}
	slices.Sort(s.Classes)
	s.Classes = slices.Compact(s.Classes)
	return s, nil
}

// parseList reads the rows of a list. Rows that cannot be used are added to
// problems; an error means that the file is no list at all.
func parseList(name string, data []byte, groupColumn string, problems *Problems) ([]listRow, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, errors.New("is not text")
	}
	parse := parseTable
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jsonl", ".ndjson":
		parse = parseJSONLines
	}
	rows, err := parse(data, groupColumn, problems)
	if err == nil && len(rows) == 0 && problems.Len() == 0 {
		err = errors.New("the list is empty")
	}
	return rows, err
}

// parseTable reads comma, semicolon or tab separated rows.
func parseTable(data []byte, groupColumn string, problems *Problems) ([]listRow, error) {
	first, _, _ := bytes.Cut(data, []byte("\n"))
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = -1
	r.LazyQuotes = true
	r.TrimLeadingSpace = true
	if bytes.IndexByte(first, ',') < 0 {
		for _, c := range "\t;" {
			if bytes.ContainsRune(first, c) {
				r.Comma = c
				r.TrimLeadingSpace = c != '\t' // else an empty field swallows the tab after it
				break
			}
		}
	}
	// Columns without a header.
	pathAt, labelAt, splitAt, groupAt := 0, 1, -1, -1
	var rows []listRow
	for begun := false; ; begun = true {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("not a list: %w", err)
		}
		line, _ := r.FieldPos(0)
		if !begun {
			p, l, s := column(record, pathColumns), column(record, labelColumns), column(record, splitColumns)
			if groupColumn != "" {
				groupAt = column(record, []string{strings.ToLower(groupColumn)})
			}
			switch {
			case groupColumn != "" && groupAt < 0:
				return nil, fmt.Errorf("there is no column %q to group by", groupColumn)
			case p >= 0 && l >= 0:
				pathAt, labelAt, splitAt = p, l, s
				continue
			case len(record) < 2 || p >= 0 || l >= 0:
				return nil, fmt.Errorf("the first line %q names no columns path and label", displayName(strings.Join(record, string(r.Comma))))
			case len(record) == 3:
				splitAt = 2
			}
		}
		row := listRow{line: line}
		if len(record) > max(pathAt, labelAt, splitAt, groupAt) {
			row.path, row.label = strings.TrimSpace(record[pathAt]), strings.TrimSpace(record[labelAt])
			if splitAt >= 0 {
				row.split = strings.TrimSpace(record[splitAt])
			}
			if groupAt >= 0 {
				row.group = strings.TrimSpace(record[groupAt])
			}
		}
		if row.check(splitAt >= 0, problems) {
			rows = append(rows, row)
		}
	}
}

// parseJSONLines reads one object a line, with the keys of a list's header.
// Labels may be numbers.
func parseJSONLines(data []byte, groupColumn string, problems *Problems) ([]listRow, error) {
	var rows []listRow
	for number, text := range bytes.Split(data, []byte("\n")) {
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		row := listRow{line: number + 1}
		var fields map[string]any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&fields); err != nil {
			if len(rows) == 0 && problems.Len() == 0 {
				return nil, fmt.Errorf("not a list: line %d is no JSON object", row.line)
			}
			problems.Add(BadRow, fmt.Sprintf("line %d", row.line), "is no JSON object")
			continue
		}
		lower := make(map[string]string, len(fields))
		for k, v := range fields {
			switch v := v.(type) {
			case string:
				lower[strings.ToLower(k)] = strings.TrimSpace(v)
			case json.Number:
				lower[strings.ToLower(k)] = v.String()
			}
		}
		field := func(names []string) (value string, ok bool) {
			for _, n := range names {
				if v, ok := lower[n]; ok {
					return v, true
				}
			}
			return "", false
		}
		row.path, _ = field(pathColumns)
		row.label, _ = field(labelColumns)
		var hasSplit bool
		row.split, hasSplit = field(splitColumns)
		if groupColumn != "" {
			var ok bool
			if row.group, ok = field([]string{strings.ToLower(groupColumn)}); !ok {
				problems.Add(BadRow, fmt.Sprintf("line %d", row.line), fmt.Sprintf("lacks %q to group by", groupColumn))
				continue
			}
		}
		if row.check(hasSplit, problems) {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// check reports whether a row can be used, tells when it cannot, and brings its
// split into its usual name.
func (r *listRow) check(hasSplit bool, problems *Problems) bool {
	line := fmt.Sprintf("line %d", r.line)
	if r.path == "" || r.label == "" {
		problems.Add(BadRow, line, "lacks a path or a label")
		return false
	}
	if !hasSplit {
		return true
	}
	split := splitName(r.split)
	if split == "" {
		problems.Add(BadRow, line, fmt.Sprintf("split %q is none of train, val, test", displayName(r.split)))
		return false
	}
	r.split = split
	return true
}

func column(header, names []string) int {
	return slices.IndexFunc(header, func(h string) bool { return slices.Contains(names, strings.ToLower(strings.TrimSpace(h))) })
}

// splitName brings the usual names of splits to train, val and test; empty for
// other names.
func splitName(s string) string {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "train", "training":
		return "train"
	case "val", "valid", "validation", "dev":
		return "val"
	case "test", "testing":
		return "test"
	}
	return ""
}
