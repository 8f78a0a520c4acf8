package embedding

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// Format is a way to keep a set in two tables that a package of its own can
// read, so that only programs that link it carry what it needs.
type Format struct {
	// Images reads images and labels, and what else the file tells; the set
	// lacks its captions.
	Images func(path string) (*Set, error)
	// Captions reads a caption for each class.
	Captions func(path string) (*Captions, error)
	// Stream reads images and labels of a file of size bytes by blocks, or is nil;
	// see the function of this name.
	Stream func(r io.ReaderAt, size int64, yield func(images Matrix, labels []int) error) error
}

// Captions are the caption embeddings of a set, in the order of its classes,
// and their names where the source has them.
type Captions struct {
	Texts               Matrix
	ClassNames, Prompts []string
}

var formats = map[string]Format{}

// Register makes Open read files whose names end in ext, such as ".parquet",
// with f. The captions are in the file that Texts names, else in NAME.texts.EXT.
// It is called from the init function of a package that is linked for it.
func Register(ext string, f Format) { formats[ext] = f }

// readable lists the endings of files that Open knows.
func readable() string {
	known := []string{".safetensors", ".npz", ".pt"}
	known = append(known, slices.Sorted(maps.Keys(formats))...)
	return strings.Join(append(known, ".csv"), ", ")
}

// streamable lists the registered endings of files that Stream knows.
func streamable() string {
	var known strings.Builder
	for _, ext := range slices.Sorted(maps.Keys(formats)) {
		if formats[ext].Stream != nil {
			known.WriteString(", " + ext)
		}
	}
	return known.String()
}

// OpenCaptions reads captions alone, a row per class: an .npy array or a .csv file
// of numbers [C,d], the texts of a .safetensors file, or a file of a registered
// format.
func OpenCaptions(path string) (*Captions, error) {
	ext := extension(path)
	if f, registered := formats[ext]; registered {
		return f.Captions(path)
	}
	if ext != ".safetensors" {
		m, err := ReadTable(path)
		return &Captions{Texts: m}, err
	}
	f, err := tensorfile.OpenSafetensors(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := f.Tensor(keyTexts)
	if err != nil {
		return nil, err
	}
	c := &Captions{}
	if c.Texts, err = matrix(t); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c.Texts.F32, c.Texts.F64 = slices.Clone(c.Texts.F32), slices.Clone(c.Texts.F64) // the map is closed
	return c, nil
}

// readTables reads a set of two tables.
func readTables(path, texts string, f Format) (*Set, error) {
	texts, err := captionsOf(path, texts)
	if err != nil {
		return nil, err
	}
	s, err := f.Images(path)
	if err != nil {
		return nil, err
	}
	return s, s.readCaptions(texts)
}

// readCaptions reads the captions of a set whose images are known.
func (s *Set) readCaptions(path string) error {
	ext := strings.ToLower(filepath.Ext(path))
	var c *Captions
	var err error
	switch f, registered := formats[ext]; {
	case registered:
		c, err = f.Captions(path)
	case ext == ".npy":
		c = &Captions{}
		c.Texts, err = ReadTable(path)
	default:
		c, err = readCaptionsCSV(path, s.Images.Cols)
	}
	if err != nil {
		return err
	}
	if c.Texts.Cols != s.Images.Cols {
		return fmt.Errorf("%s: rows of %d numbers, want the %d of the images", path, c.Texts.Cols, s.Images.Cols)
	}
	s.Texts, s.Prompts = c.Texts, c.Prompts
	if len(c.ClassNames) > 0 {
		s.ClassNames = c.ClassNames
	}
	return nil
}

// InOrder puts captions into the order of their classes: row i is of class
// classes[i]. Each of 0..C-1 must be there once.
func (c *Captions) InOrder(classes []int) error {
	n, d := c.Texts.Rows, c.Texts.Cols
	if len(classes) != n {
		return fmt.Errorf("%d classes for %d captions", len(classes), n)
	}
	row := make([]int, n)
	for c := range row {
		row[c] = -1
	}
	for i, y := range classes {
		if y < 0 || y >= n || row[y] >= 0 {
			return fmt.Errorf("row %d: its class is %d; %d captions are of the classes 0..%d, each once", i, y, n, n-1)
		}
		row[y] = i
	}
	c.Texts.F32, c.Texts.F64 = inOrder(c.Texts.F32, row, d), inOrder(c.Texts.F64, row, d)
	c.ClassNames, c.Prompts = inOrder(c.ClassNames, row, 1), inOrder(c.Prompts, row, 1)
	return nil
}

// inOrder returns the rows of x, d entries each, in another order; nothing stays nothing.
func inOrder[T any](x []T, row []int, d int) []T {
	if len(x) == 0 {
		return nil
	}
	out := make([]T, 0, len(x))
	for _, i := range row {
		out = append(out, x[i*d:(i+1)*d]...)
	}
	return out
}
