// Package parquet writes the runs of a ledger as a Parquet file. It is a package
// of its own because Arrow's library is heavy to link.
package parquet

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

// Write writes experiment.Columns of runs: one row a run, columns that may be
// null of strings, int64, double and boolean.
func Write(w io.Writer, runs []experiment.Run, names ...string) (err error) {
	defer func() { // the library panics where it cannot write
		if p := recover(); p != nil && err == nil {
			err = fmt.Errorf("parquet: %v", p)
		}
	}()
	columns, err := experiment.Columns(runs, names...)
	if err != nil {
		return err
	}
	var fields schema.FieldList
	for _, c := range columns {
		node, err := field(c)
		if err != nil {
			return fmt.Errorf("parquet: column %s: %w", c.Name, err)
		}
		fields = append(fields, node)
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, fields, -1)
	if err != nil {
		return fmt.Errorf("parquet: %w", err)
	}
	to := &sink{w: w}
	defer func() {
		if to.err != nil {
			err = fmt.Errorf("parquet: %w", to.err)
		}
	}()
	out := file.NewParquetWriter(to, root,
		file.WithWriterProps(parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Snappy), parquet.WithCreatedBy("iimm"))))
	if len(runs) > 0 {
		group, err := out.AppendRowGroupChecked()
		if err != nil {
			return fmt.Errorf("parquet: %w", err)
		}
		for _, c := range columns {
			if err := writeColumn(group, c); err != nil {
				return fmt.Errorf("parquet: column %s: %w", c.Name, err)
			}
		}
		if err := group.Close(); err != nil {
			return fmt.Errorf("parquet: %w", err)
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("parquet: %w", err)
	}
	return nil
}

// sink keeps the error of the writer, which the library replaces by its own.
// It has no Close, with which the library would close what is the caller's.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if s.err == nil {
		s.err = err
	}
	return n, err
}

func field(c experiment.Column) (schema.Node, error) {
	optional := parquet.Repetitions.Optional
	switch c.Kind {
	case experiment.Integer:
		return schema.NewPrimitiveNode(c.Name, optional, parquet.Types.Int64, -1, -1)
	case experiment.Number:
		return schema.NewPrimitiveNode(c.Name, optional, parquet.Types.Double, -1, -1)
	case experiment.Truth:
		return schema.NewPrimitiveNode(c.Name, optional, parquet.Types.Boolean, -1, -1)
	}
	return schema.NewPrimitiveNodeLogical(c.Name, optional, schema.StringLogicalType{}, parquet.Types.ByteArray, -1, -1)
}

func writeColumn(group file.SerialRowGroupWriter, c experiment.Column) error {
	out, err := group.NextColumn()
	if err != nil {
		return err
	}
	switch out := out.(type) {
	case *file.Int64ColumnChunkWriter:
		values, there := present[int64](c)
		_, err = out.WriteBatch(values, there, nil)
	case *file.Float64ColumnChunkWriter:
		values, there := present[float64](c)
		_, err = out.WriteBatch(values, there, nil)
	case *file.BooleanColumnChunkWriter:
		values, there := present[bool](c)
		_, err = out.WriteBatch(values, there, nil)
	case *file.ByteArrayColumnChunkWriter:
		texts, there := present[string](c)
		values := make([]parquet.ByteArray, len(texts))
		for i, s := range texts {
			values[i] = parquet.ByteArray(s)
		}
		_, err = out.WriteBatch(values, there, nil)
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}

// present returns the values that are not null, and 1 for each row that has one.
func present[T any](c experiment.Column) (values []T, there []int16) {
	there = make([]int16, len(c.Values))
	for i, v := range c.Values {
		if v != nil {
			values = append(values, v.(T))
			there[i] = 1
		}
	}
	return values, there
}
