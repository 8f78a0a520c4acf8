package datasets

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// DataDir is the folder in the cache that data sets are fetched into. It need not
// exist.
func DataDir() (string, error) {
	dir, err := store.CacheDir()
	return filepath.Join(dir, "data"), err
}

// HubFolder is where below LoadOptions.RealDir the parquet files of a set of the
// paper lie, when they are what is to be read.
func HubFolder(name string) string { return filepath.Join("hub", name) }

// ReceiptPath is the file below a data folder that package download writes last
// when it fetches a set.
func ReceiptPath(dir, name string) string { return filepath.Join(dir, "fetched", name+".json") }

// readHub reads the table that stands for the makers' files. Its splits must be
// the official ones, which is for who chose the table to see to.
func (p PaperSet) readHub(dir string, _ bool) (*Source, error) {
	folder := filepath.Join(dir, HubFolder(p.Name))
	problems := new(Problems)
	s, err := read(folder, FolderOptions{}, problems)
	if err == nil {
		err = problems.refusal(folder)
	}
	switch {
	case err != nil:
		return nil, err
	case p.Classes == 0:
		return nil, fmt.Errorf("%s: this set is not read from a table of the hub", displayName(folder))
	case len(s.Names) != p.Classes:
		return nil, fmt.Errorf("%s names %d classes, the set has %d", displayName(folder), len(s.Names), p.Classes)
	}
	switch p.Name {
	case "mnist", "svhn":
		if !slices.Equal(s.Names, numerals) {
			return nil, fmt.Errorf("%s: classes %s are not the ten digits", displayName(folder), displayName(strings.Join(s.Names, ", ")))
		}
	case "cars": // "Ram C/V Cargo Van Minivan 2012" is spelt like that
	default:
		for i, n := range s.Names {
			s.Names[i] = strings.NewReplacer("_", " ", "/", " ").Replace(n)
		}
	}
	for _, split := range []string{"train", "test"} {
		if !slices.ContainsFunc(s.Records, func(r Record) bool { return r.Split == split }) {
			return nil, fmt.Errorf("%s holds no %s files", displayName(folder), split)
		}
	}
	return s, nil
}
