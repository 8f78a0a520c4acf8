// Package parquet lets package embedding read sets from parquet files, as Hugging
// Face's datasets library, pandas, DuckDB or Spark write them. Linking it is
// enough:
//
//	import _ "github.com/iimmkit/iimm/iimmkit/core/embedding/parquet"
//
// A file has a column of lists of floating-point numbers, of one length (list or
// fixed-size list, of half, single or double precision), and a column label of
// whole numbers. Class names come from Hugging Face's metadata. The captions, a
// row per class, are a file of the same kind, with label where the rows are not
// in the order of the classes, and class_name and prompt where it has them.
//
// It is a package of its own because it links Apache Arrow.
package parquet

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
)

func init() {
	embedding.Register(".parquet", embedding.Format{Images: readImages, Captions: readCaptions, Stream: stream})
}

// Names of columns, the likeliest first. Where a file has one column of vectors,
// its name does not matter.
var (
	imageNames   = []string{"images", "image_embedding", "image_embeddings", "image_features", "embedding", "embeddings", "features"}
	captionNames = []string{"texts", "text_embedding", "text_embeddings", "text_features", "embedding", "embeddings", "features"}
	labelNames   = []string{"label", "labels", "fine_label", "class", "target"}
	idNames      = []string{"id", "ids", "path", "file_name", "filename", "file"}
	classNames   = []string{"class_name", "classname", "name"}
	promptNames  = []string{"prompt", "caption", "text"}
)

func readImages(path string) (set *embedding.Set, err error) {
	err = withTable(path, func(t *table) error {
		set = &embedding.Set{}
		vectors, err := t.vectorColumn(imageNames)
		if err != nil {
			return err
		}
		label := t.column(labelNames)
		if label < 0 {
			return fmt.Errorf("no column of labels (label) among %s", t.columns())
		}
		if set.Labels, err = t.integers(label); err != nil {
			return err
		}
		if set.ClassNames, err = t.classNames(label); err != nil {
			return err
		}
		if set.IDs, err = t.texts(t.column(idNames)); err != nil {
			return err
		}
		set.Images, err = t.vectors(vectors)
		return err
	})
	if err != nil {
		return nil, err
	}
	return set, nil
}

func readCaptions(path string) (captions *embedding.Captions, err error) {
	err = withTable(path, func(t *table) error {
		captions = &embedding.Captions{}
		vectors, err := t.vectorColumn(captionNames)
		if err != nil {
			return err
		}
		if captions.Texts, err = t.vectors(vectors); err != nil {
			return err
		}
		if captions.ClassNames, err = t.texts(t.column(classNames)); err != nil {
			return err
		}
		if captions.Prompts, err = t.texts(t.column(promptNames)); err != nil {
			return err
		}
		label := t.column(labelNames)
		if label < 0 {
			return nil
		}
		classes, err := t.integers(label)
		if err != nil {
			return err
		}
		return captions.InOrder(classes)
	})
	if err != nil {
		return nil, err
	}
	return captions, nil
}

// table is an open file.
type table struct {
	*file.Reader
	size int64 // of the file, in bytes
}

func withTable(path string, read func(*table) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := inTable(f, info.Size(), read); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// inTable calls read on a file; what the library panics with or says on several
// lines, for damaged files, becomes an error of one.
func inTable(r parquet.ReaderAtSeeker, size int64, read func(*table) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a damaged parquet file: %v", p)
		}
		if err != nil && strings.ContainsFunc(err.Error(), isControl) {
			err = errors.New(strings.Join(strings.FieldsFunc(err.Error(), isControl), " "))
		}
	}()
	properties := parquet.NewReaderProperties(nil)
	properties.BufferedStreamEnabled = true  // else a whole column of a row group comes into memory
	properties.BufferSize = min(size, 4<<20) // a request each, where the file is on a server
	p, err := file.NewParquetReader(r, file.WithReadProps(properties))
	if err != nil {
		return fmt.Errorf("not a parquet file, or cut off: %w", err)
	}
	if p.NumRows() == 0 {
		return errors.New("no rows in it")
	}
	return read(&table{p, size})
}

func isControl(r rune) bool { return r < ' ' }

func (t *table) schema() *schema.Schema { return t.MetaData().Schema }

// root is the name of the top-level column that a leaf is of.
func (t *table) root(leaf int) string {
	name, _, _ := strings.Cut(t.schema().Column(leaf).Path(), ".")
	return name
}

func (t *table) columns() string {
	var names []string
	for i := range t.schema().NumColumns() {
		if n := t.root(i); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	const most = 12
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("%d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}

// column returns the column of single values that has the first of the names, or -1.
func (t *table) column(names []string) int {
	for _, name := range names {
		for i := range t.schema().NumColumns() {
			if c := t.schema().Column(i); c.MaxRepetitionLevel() == 0 && strings.EqualFold(c.Path(), name) {
				return i
			}
		}
	}
	return -1
}

// vectorColumn returns the leaf of the column of lists of floating-point numbers
// that has the first of the names, or of the only one there is.
func (t *table) vectorColumn(names []string) (int, error) {
	var found []int
	for i := range t.schema().NumColumns() {
		c := t.schema().Column(i)
		half := c.PhysicalType() == parquet.Types.FixedLenByteArray && c.LogicalType().Equals(schema.Float16LogicalType{})
		if c.MaxRepetitionLevel() == 1 && (half || c.PhysicalType() == parquet.Types.Float || c.PhysicalType() == parquet.Types.Double) {
			found = append(found, i)
		}
	}
	for _, name := range names {
		for _, i := range found {
			if strings.EqualFold(t.root(i), name) {
				return i, nil
			}
		}
	}
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("no column of lists of floating-point numbers among %s", t.columns())
	case 1:
		return found[0], nil
	}
	var several []string
	for _, i := range found {
		several = append(several, t.root(i))
	}
	return 0, fmt.Errorf("several columns of vectors (%s): name the one to read %q", strings.Join(several, ", "), names[0])
}

// classNames returns the names that Hugging Face's metadata give the values of a
// column, nil without such metadata.
func (t *table) classNames(column int) ([]string, error) {
	text := t.MetaData().KeyValueMetadata().FindValue("huggingface")
	if text == nil {
		return nil, nil
	}
	var described struct {
		Info struct {
			Features map[string]json.RawMessage `json:"features"`
		} `json:"info"`
	}
	if err := json.Unmarshal([]byte(*text), &described); err != nil {
		return nil, fmt.Errorf("metadata \"huggingface\": %w", err)
	}
	var feature struct {
		Type  string   `json:"_type"`
		Names []string `json:"names"`
	}
	if raw, there := described.Info.Features[t.root(column)]; there {
		if err := json.Unmarshal(raw, &feature); err != nil {
			return nil, fmt.Errorf("metadata \"huggingface\" of column %s: %w", t.root(column), err)
		}
	}
	return feature.Names, nil
}
