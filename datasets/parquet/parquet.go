// Package parquet lets package datasets read parquet files of labelled pictures,
// as Hugging Face's datasets library writes them. Linking it is enough:
//
//	import _ "github.com/iimmkit/iimm/datasets/parquet"
//
// It is a package of its own because it links Apache Arrow.
package parquet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

func init() {
	datasets.Register(datasets.Format{Name: "parquet", Read: read, Is: func(path string, folder bool) bool {
		if folder {
			return len(files(path)) > 0
		}
		return isParquet(path)
	}})
}

func isParquet(path string) bool { return strings.EqualFold(filepath.Ext(path), ".parquet") }

// files are the parquet files of a data set's folder, below it: in itself, in
// data/, and in the folders of its splits, as the hub has them.
func files(folder string) []string {
	var found []string
	var list func(inner string, depth int)
	list = func(inner string, depth int) {
		entries, _ := os.ReadDir(filepath.Join(folder, inner))
		for _, e := range entries {
			name := filepath.Join(inner, e.Name())
			switch {
			case strings.HasPrefix(e.Name(), "."):
			case e.IsDir():
				if depth < 2 && (e.Name() == "data" || e.Name() == "default" || datasets.SplitOf(name+string(filepath.Separator)) != "") {
					list(name, depth+1)
				}
			case isParquet(name):
				found = append(found, name)
			}
		}
	}
	list("", 0)
	slices.Sort(found)
	return found
}

// read lists the rows of a parquet file, or of all in a folder. The pictures
// stay in the files, which stay open as long as the pictures are used.
func read(path string, opt datasets.FolderOptions, problems *datasets.Problems) (*datasets.Source, error) {
	names := []string{""} // below path
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.IsDir() {
		names = files(path)
	}
	splits := make([]string, len(names))
	for i, name := range names {
		splits[i] = datasets.SplitOf(name)
	}
	if slices.Contains(splits, "") { // what belongs to no split belongs to all
		splits = make([]string, len(names))
	}
	s := &datasets.Source{Path: path}
	identity := sha256.New()
	var tables []*table
	type place struct{ table, row int32 }
	var places []place
	for i, name := range names {
		id := filepath.ToSlash(name)
		t, err := open(filepath.Join(path, name), opt.GroupColumn)
		if err != nil {
			if len(names) == 1 {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			problems.Add(datasets.Truncated, id, err.Error())
			continue
		}
		if s.Names != nil && !slices.Equal(s.Names, t.names) || s.Names == nil && t.names != nil && len(tables) > 0 {
			return nil, fmt.Errorf("%s: the class names of %s are not those of the files before it", path, id)
		}
		s.Names = t.names
		fmt.Fprintln(identity, id, t.identity)
		tables = append(tables, t)
		for row := range t.labels {
			r := datasets.Record{ID: strconv.Itoa(row), Class: t.labels[row], Split: splits[i]}
			if t.paths[row] != "" {
				r.ID = t.paths[row]
			}
			if id != "" {
				r.ID = id + "/" + r.ID
			}
			if t.groups != nil {
				r.Group = t.groups[row]
			}
			switch number, err := strconv.Atoi(r.Class); {
			case r.Class == "" || t.names != nil && number == -1: // what the hub writes into test splits without labels
				problems.Add(datasets.BadRow, r.ID, "has no label")
			case t.names != nil && (err != nil || number < 0 || number >= len(t.names)):
				problems.Add(datasets.BadRow, r.ID, fmt.Sprintf("class %s, but the file names %d classes", r.Class, len(t.names)))
			default:
				s.Records = append(s.Records, r)
				places = append(places, place{int32(len(tables) - 1), int32(row)})
			}
		}
	}
	if len(tables) == 0 {
		return nil, fmt.Errorf("%s: none of the %d parquet files can be read", path, len(names))
	}
	for k := range s.Names {
		s.Classes = append(s.Classes, strconv.Itoa(k))
	}
	s.Identity = hex.EncodeToString(identity.Sum(nil))
	blocks := newBlocks(maxCached)
	s.Picture = func(i int, options ...picture.Option) (*picture.RGB, error) {
		at := places[i]
		data, err := blocks.read(tables[at.table], int(at.row))
		if err != nil {
			return nil, err
		}
		if data == nil {
			return nil, fmt.Errorf("%w: the row has no image", picture.ErrEmpty)
		}
		return picture.Decode(bytes.NewReader(data), options...)
	}
	return s, nil
}
