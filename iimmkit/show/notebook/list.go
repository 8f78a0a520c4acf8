package notebook

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Entry is what a list of notebooks tells of one.
type Entry struct {
	Path       string   `json:"path"`
	Title      string   `json:"title"`
	Kernel     string   `json:"kernel"`
	Cells      int      `json:"cells"`
	CodeCells  int      `json:"code_cells"` // that are not empty
	Executed   int      `json:"executed"`   // code cells with a number of execution
	Parameters []string `json:"parameters"`
	Error      string   `json:"error,omitempty"` // why it cannot be read
}

// List tells of the notebooks at paths: files, or folders with all below them
// but hidden folders (Jupyter's checkpoints among them). A notebook that cannot
// be read is listed with its error.
func List(paths ...string) ([]Entry, error) {
	found := []Entry{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			found = append(found, entry(path))
			continue
		}
		err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && p != path && strings.HasPrefix(d.Name(), "."):
				return fs.SkipDir
			case !d.IsDir() && filepath.Ext(p) == ".ipynb":
				found = append(found, entry(p))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func entry(path string) Entry {
	e := Entry{Path: path, Parameters: []string{}}
	n, err := Read(path)
	if err != nil {
		e.Error = strings.TrimPrefix(err.Error(), path+": ")
		return e
	}
	e.Title, e.Kernel, e.Cells = n.Title(), n.Kernel(), len(n.Cells)
	e.Parameters = slices.Concat(e.Parameters, n.Parameters())
	for _, c := range n.executable() {
		e.CodeCells++
		if c.ExecutionCount != nil {
			e.Executed++
		}
	}
	return e
}
