package parquet

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// Row is a labelled picture of a table.
type Row struct {
	Image []byte // encoded
	Path  string // what it is called
	Label string // a number where the classes have names
}

// Write writes rows as Hugging Face's datasets library does, with the columns
// image.bytes, image.path and label, and the names of the classes, when they have
// some, in its description; labels are text without.
func Write(w io.Writer, rows []Row, names []string) (err error) {
	defer recovered(&err)
	features := map[string]any{"image": map[string]any{"_type": "Image"}}
	label := parquet.Types.ByteArray
	if names != nil {
		features["label"] = map[string]any{"_type": "ClassLabel", "names": names}
		label = parquet.Types.Int64
	}
	description, err := json.Marshal(map[string]any{"info": map[string]any{"features": features}})
	if err != nil {
		return err
	}
	required := parquet.Repetitions.Required
	image := schema.FieldList{schema.NewByteArrayNode("bytes", required, -1), schema.NewByteArrayNode("path", required, -1)}
	group, err := schema.NewGroupNode("image", required, image, -1)
	if err != nil {
		return err
	}
	labels, err := schema.NewPrimitiveNode("label", required, label, -1, -1)
	if err != nil {
		return err
	}
	root, err := schema.NewGroupNode("schema", required, schema.FieldList{group, labels}, -1)
	if err != nil {
		return err
	}
	meta := metadata.NewKeyValueMetadata()
	if err := meta.Append("huggingface", string(description)); err != nil {
		return err
	}
	// Pictures are compressed already, and none is like another.
	out := file.NewParquetWriter(struct{ io.Writer }{w}, root, file.WithWriteMetadata(meta), file.WithWriterProps(parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Uncompressed), parquet.WithDictionaryDefault(false), parquet.WithCreatedBy("iimm"))))
	const rowGroup = 100 // as the library writes pictures
	for from := 0; from < len(rows); from += rowGroup {
		if err := writeGroup(out, rows[from:min(from+rowGroup, len(rows))], names != nil); err != nil {
			return fmt.Errorf("parquet: %w", err)
		}
	}
	return out.Close()
}

func writeGroup(out *file.Writer, rows []Row, numbers bool) error {
	var images, paths, texts []parquet.ByteArray
	var labels []int64
	for _, r := range rows {
		images, paths = append(images, r.Image), append(paths, parquet.ByteArray(r.Path))
		if !numbers {
			texts = append(texts, parquet.ByteArray(r.Label))
			continue
		}
		k, err := strconv.ParseInt(r.Label, 10, 64)
		if err != nil {
			return err
		}
		labels = append(labels, k)
	}
	group, err := out.AppendRowGroupChecked()
	if err != nil {
		return err
	}
	for _, values := range [][]parquet.ByteArray{images, paths, texts} {
		column, err := group.NextColumn()
		if err != nil {
			return err
		}
		switch c := column.(type) {
		case *file.ByteArrayColumnChunkWriter:
			_, err = c.WriteBatch(values, nil, nil)
		case *file.Int64ColumnChunkWriter:
			_, err = c.WriteBatch(labels, nil, nil)
		}
		if err != nil {
			return err
		}
		if err := column.Close(); err != nil {
			return err
		}
	}
	return group.Close()
}
