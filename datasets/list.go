package datasets

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// isList reports whether a file's name is that of a list.
func isList(path string) bool {
	ext := strings.ToLower(filepath.Ext(path))
	return ext == ".csv" || ext == ".tsv"
}

// listRow is one line of a list.
type listRow struct {
	line               int
	path, label, split string
}

// Column names that a list's header may use, in lower case.
var (
	pathColumns  = []string{"path", "file", "filename", "filepath", "file_name", "image", "image_path"}
	labelColumns = []string{"label", "class", "class_name", "classname", "category", "classid"}
	splitColumns = []string{"split", "subset", "partition"}
)

// OpenList reads a CSV file with the columns path and label and, if there,
// split (train or test; val and validation count as test). Paths are relative
// to the list's folder. Without a header the columns are path,label[,split].
// Commas, semicolons or tabs separate. Classes are numbered in the byte order
// of their labels. See OpenFolder for options and problems.
func OpenList(path string, opt FolderOptions) (*Task, *Problems, error) {
	problems := new(Problems)
	if err := opt.check(); err != nil {
		return nil, problems, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, problems, err
	}
	rows, err := parseList(data, problems)
	if err != nil {
		return nil, problems, fmt.Errorf("%s: %w", displayName(path), err)
	}
	var classes []string
	for _, r := range rows {
		classes = append(classes, r.label)
	}
	slices.Sort(classes)
	classes = slices.Compact(classes)
	folder := filepath.Dir(path)
	var train, test []imageFile
	seen := map[string]int{}
	hasSplit := len(rows) > 0 && rows[0].split != ""
	for _, r := range rows {
		full := filepath.FromSlash(r.path)
		if !filepath.IsAbs(full) {
			full = filepath.Join(folder, full)
		}
		if first, ok := seen[full]; ok {
			problems.add(DuplicateFile, r.path, fmt.Sprintf("is in line %d and again in line %d", first, r.line))
			continue
		}
		seen[full] = r.line
		info, err := os.Stat(full)
		if err != nil {
			problems.add(Unreadable, r.path, fmt.Sprintf("line %d: %s", r.line, reason(err)))
			continue
		}
		label, _ := slices.BinarySearch(classes, r.label)
		f := imageFile{path: full, id: r.path, size: info.Size(), label: label}
		if r.split == "test" {
			test = append(test, f)
		} else {
			train = append(train, f)
		}
	}
	if train, err = usable(train, opt, problems); err != nil {
		return nil, problems, err
	}
	if test, err = usable(test, opt, problems); err != nil {
		return nil, problems, err
	}
	return assemble("folder:"+path, path, classes, train, test, hasSplit && len(test) > 0, opt, problems)
}

// parseList reads the rows of a list. Rows that cannot be used are added to
// problems; an error means that the file is no list at all.
func parseList(data []byte, problems *Problems) ([]listRow, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, errors.New("is not text")
	}
	first, _, _ := bytes.Cut(data, []byte("\n"))
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = -1
	r.LazyQuotes = true
	r.TrimLeadingSpace = true
	if bytes.IndexByte(first, ',') < 0 {
		for _, c := range "\t;" {
			if bytes.ContainsRune(first, c) {
				r.Comma = c
				break
			}
		}
	}
	// Columns without a header.
	pathAt, labelAt, splitAt := 0, 1, -1
	var rows []listRow
	for begun := false; ; begun = true {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := r.FieldPos(0)
		if err != nil {
			return nil, fmt.Errorf("not a list: %w", err)
		}
		if !begun {
			p, l, s := column(record, pathColumns), column(record, labelColumns), column(record, splitColumns)
			switch {
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
		if len(record) > max(pathAt, labelAt, splitAt) {
			row.path, row.label = strings.TrimSpace(record[pathAt]), strings.TrimSpace(record[labelAt])
			if splitAt >= 0 {
				row.split = splitName(record[splitAt])
			}
		}
		switch {
		case row.path == "" || row.label == "":
			problems.add(BadRow, fmt.Sprintf("line %d", line), "lacks a path or a label")
		case splitAt >= 0 && row.split == "":
			problems.add(BadRow, fmt.Sprintf("line %d", line), fmt.Sprintf("split %q is none of train, val, test", displayName(record[splitAt])))
		default:
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 && problems.Len() == 0 {
		return nil, errors.New("the list is empty")
	}
	return rows, nil
}

func column(header, names []string) int {
	return slices.IndexFunc(header, func(h string) bool { return slices.Contains(names, strings.ToLower(strings.TrimSpace(h))) })
}

func splitName(s string) string {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "train", "training":
		return "train"
	case "test", "testing", "val", "valid", "validation":
		return "test"
	}
	return ""
}
