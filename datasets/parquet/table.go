package parquet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// table is one parquet file: what is known of its rows, and where their
// pictures are.
type table struct {
	labels, paths []string // of each row; an empty label is none
	groups        []string // nil when not asked for
	names         []string // of the classes, when the file has them; labels are then numbers
	identity      string   // hash of the file's footer, which has sizes and checks of all its parts

	mu     sync.Mutex // one reader at a time: they share buffers
	file   *file.Reader
	image  int     // column of the encoded pictures
	starts []int64 // first row of each row group, and the number of rows
}

// open reads all of a file but its pictures.
func open(path, groupColumn string) (t *table, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if t, err = newTable(f, filepath.Base(path), groupColumn); err != nil {
		f.Close()
	}
	return t, err
}

func newTable(r parquet.ReaderAtSeeker, name, groupColumn string) (t *table, err error) {
	defer recovered(&err)
	t, c, err := newOutline(r, name, groupColumn)
	if err != nil {
		return nil, err
	}
	rows := t.starts[len(t.starts)-1]
	if t.labels, err = t.texts(c.label, rows); err != nil {
		return nil, err
	}
	t.paths = make([]string, rows)
	if c.path >= 0 {
		if t.paths, err = t.texts(c.path, rows); err != nil {
			return nil, err
		}
	}
	if c.group >= 0 {
		t.groups, err = t.texts(c.group, rows)
	}
	return t, err
}

// newOutline reads a file's footer only: no labels, paths and groups.
func newOutline(r parquet.ReaderAtSeeker, name, groupColumn string) (t *table, c columns, err error) {
	properties := parquet.NewReaderProperties(nil)
	properties.BufferedStreamEnabled = true // else a whole column of a row group comes into memory
	p, err := file.NewParquetReader(r, file.WithReadProps(properties))
	if err != nil {
		return nil, c, fmt.Errorf("not a parquet file, or cut off: %w", oneLine(err))
	}
	t = &table{file: p, image: -1}
	if t.identity, err = footerHash(r); err != nil {
		return nil, c, err
	}
	var rows int64
	for g := range p.NumRowGroups() {
		t.starts = append(t.starts, rows)
		n := p.RowGroup(g).NumRows()
		if n < 0 || n > 1<<31-1-rows {
			return nil, c, fmt.Errorf("%s: %d rows in row group %d", name, n, g)
		}
		rows += n
	}
	t.starts = append(t.starts, rows)
	if c, err = findColumns(p, groupColumn); err != nil {
		return nil, c, err
	}
	t.image, t.names = c.image, c.names
	return t, c, nil
}

// recovered turns a panic of the library, which damaged files cause, into an error.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("a damaged parquet file: %.200s", oneLine(fmt.Errorf("%v", r)))
	}
}

// oneLine keeps an error of the library to a line.
func oneLine(err error) error {
	text := err.Error()
	if !strings.ContainsAny(text, "\n\r\x00") {
		return err
	}
	return errors.New(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' }), " "))
}

// footerHash hashes the metadata at a file's end.
func footerHash(r parquet.ReaderAtSeeker) (string, error) {
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	var tail [8]byte
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return "", err
	}
	n := int64(tail[0]) | int64(tail[1])<<8 | int64(tail[2])<<16 | int64(tail[3])<<24
	h := sha256.New()
	fmt.Fprintln(h, size)
	if _, err := io.Copy(h, io.NewSectionReader(r, max(size-8-n, 0), n)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// columns are the indices of the columns that are read, -1 for none.
type columns struct {
	image, path, label, group int
	names                     []string
}

// Names that columns have where the file's metadata does not tell what they are.
var (
	imageNames = []string{"image", "img", "picture", "photo", "jpg", "png", "webp"}
	labelNames = []string{"label", "fine_label", "labels", "class", "class_name", "classname", "category", "target"}
)

// findColumns looks for the columns of pictures and labels: by the features in
// Hugging Face's metadata, else by their names and types.
func findColumns(p *file.Reader, groupColumn string) (columns, error) {
	schema := p.MetaData().Schema
	at := map[string]int{}
	var all []string
	for i := range schema.NumColumns() {
		at[strings.ToLower(schema.Column(i).Path())] = i
		all = append(all, schema.Column(i).Path())
	}
	has := func(name string) int {
		if i, ok := at[strings.ToLower(name)]; ok && schema.Column(i).MaxRepetitionLevel() == 0 {
			return i
		}
		return -1
	}
	features := huggingFace(p)
	var images, labels []string
	for name, f := range features {
		switch f.Type {
		case "Image":
			images = append(images, name)
		case "ClassLabel":
			labels = append(labels, name)
		}
	}
	slices.Sort(images)
	slices.Sort(labels)
	c := columns{-1, -1, -1, -1, nil}
	for _, name := range slices.Concat(images, imageNames) {
		if i := has(name + ".bytes"); i >= 0 {
			c.image, c.path = i, has(name+".path")
			break
		}
		if i := has(name); i >= 0 && schema.Column(i).PhysicalType() == parquet.Types.ByteArray {
			c.image = i
			break
		}
	}
	// Of several label columns, the usual name wins: CIFAR-100 has coarse_label, too.
	for _, name := range slices.Concat(labelNames, labels) {
		i := has(name)
		if i < 0 || len(labels) > 0 && !slices.Contains(labels, name) {
			continue
		}
		c.label = i
		c.names = features[name].Names
		break
	}
	if groupColumn != "" {
		if c.group = has(groupColumn); c.group < 0 {
			return c, fmt.Errorf("there is no column %q to group by; there are %s", groupColumn, strings.Join(all, ", "))
		}
	}
	switch {
	case c.image < 0:
		return c, fmt.Errorf("no column of pictures (image.bytes) among %s", strings.Join(all, ", "))
	case schema.Column(c.image).PhysicalType() != parquet.Types.ByteArray:
		return c, fmt.Errorf("column %s holds no encoded pictures", schema.Column(c.image).Path())
	case c.label < 0:
		return c, fmt.Errorf("no column of labels (label) among %s", strings.Join(all, ", "))
	}
	return c, nil
}

// feature is an entry of Hugging Face's description of a table.
type feature struct {
	Type  string   `json:"_type"`
	Names []string `json:"names"`
}

// huggingFace returns the features that the file's metadata describes, nil
// without such metadata.
func huggingFace(p *file.Reader) map[string]feature {
	text := p.MetaData().KeyValueMetadata().FindValue("huggingface")
	if text == nil {
		return nil
	}
	var v struct {
		Info struct {
			Features map[string]json.RawMessage `json:"features"`
		} `json:"info"`
	}
	if json.Unmarshal([]byte(*text), &v) != nil {
		return nil
	}
	features := map[string]feature{}
	for name, raw := range v.Info.Features {
		var f feature
		if json.Unmarshal(raw, &f) == nil { // lists of features are of no use here
			features[name] = f
		}
	}
	return features
}

// texts reads a column of strings or integers; a missing value is empty.
func (t *table) texts(column int, rows int64) ([]string, error) {
	out := make([]string, 0, min(rows, 1<<20))
	for g := range t.file.NumRowGroups() {
		values, err := t.textsOf(g, column)
		if err != nil {
			return nil, err
		}
		out = append(out, values...)
	}
	return out, nil
}

// textsOf reads a column of one row group.
func (t *table) textsOf(group, column int) (out []string, err error) {
	reader, err := t.file.RowGroup(group).Column(column)
	if err != nil {
		return nil, oneLine(err)
	}
	n := t.starts[group+1] - t.starts[group]
	present := reader.Descriptor().MaxDefinitionLevel()
	levels := make([]int16, min(n, batch))
	for n > 0 {
		var values []string
		var total int64
		switch r := reader.(type) {
		case *file.ByteArrayColumnChunkReader:
			values, total, err = readValues(r.ReadBatch, min(n, batch), levels, func(v parquet.ByteArray) string { return strings.Clone(string(v)) })
		case *file.Int64ColumnChunkReader:
			values, total, err = readValues(r.ReadBatch, min(n, batch), levels, func(v int64) string { return strconv.FormatInt(v, 10) })
		case *file.Int32ColumnChunkReader:
			values, total, err = readValues(r.ReadBatch, min(n, batch), levels, func(v int32) string { return strconv.Itoa(int(v)) })
		default:
			return nil, fmt.Errorf("column %s holds neither text nor integers", reader.Descriptor().Path())
		}
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", reader.Descriptor().Path(), oneLine(err))
		}
		if total == 0 {
			return nil, fmt.Errorf("column %s is cut off in row %d of row group %d", reader.Descriptor().Path(), len(out), group)
		}
		out = append(out, spread(values, levels[:total], present)...)
		n -= total
	}
	return out, nil
}

// batch is how many values are read at a time.
const batch = 1 << 14

// readValues reads up to n rows of a column: their values, without those that
// are missing, and the number of rows.
func readValues[T any](read func(int64, []T, []int16, []int16) (int64, int, error), n int64, levels []int16, convert func(T) string) ([]string, int64, error) {
	buffer := make([]T, n)
	total, present, err := read(n, buffer, levels, nil)
	if err != nil {
		return nil, 0, err
	}
	out := make([]string, present)
	for i, v := range buffer[:present] {
		out[i] = convert(v)
	}
	return out, total, nil
}

// spread puts values into the rows that have one: those of the highest level.
func spread[T any](values []T, levels []int16, present int16) []T {
	if present == 0 {
		return values
	}
	out := make([]T, len(levels))
	for i, l := range levels {
		if l == present && len(values) > 0 {
			out[i], values = values[0], values[1:]
		}
	}
	return out
}
