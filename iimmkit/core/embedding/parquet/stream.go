package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
)

// streamValues numbers of images are given to yield at once, about.
const streamValues = 1 << 20

// stream reads images and labels by blocks, whatever the size of row groups.
func stream(r io.ReaderAt, size int64, yield func(embedding.Matrix, []int) error) error {
	return inTable(io.NewSectionReader(r, 0, size), size, func(t *table) error {
		column, err := t.vectorColumn(imageNames)
		if err != nil {
			return err
		}
		label := t.column(labelNames)
		if label < 0 {
			return fmt.Errorf("no column of labels (label) among %s", t.columns())
		}
		s := &streamer{table: t, yield: yield}
		s.name, s.complete = t.root(column), t.schema().Column(column).MaxDefinitionLevel()
		for g := range t.NumRowGroups() {
			if err := s.group(g, column, label); err != nil {
				return err
			}
		}
		return s.finish()
	})
}

// streamer collects the vectors of some rows, in one of two precisions, and the
// labels of the row groups begun.
type streamer struct {
	*table
	vectorReader
	yield  func(embedding.Matrix, []int) error
	single []float32
	double []float64
	labels []int
	given  int // rows
}

func (s *streamer) group(g, column, label int) error {
	reader, err := s.RowGroup(g).Column(label)
	if err != nil {
		return fmt.Errorf("column %s: %w", s.root(label), err)
	}
	before := len(s.labels)
	s.labels, err = readIntegers(reader, s.labels)
	if err == nil {
		err = reader.Err()
	}
	if n := s.RowGroup(g).NumRows(); err == nil && int64(len(s.labels)-before) != n {
		err = fmt.Errorf("%d values for %d rows", len(s.labels)-before, n)
	}
	if err != nil {
		return fmt.Errorf("column %s: row group %d: %w", s.root(label), g, err)
	}
	if reader, err = s.RowGroup(g).Column(column); err != nil {
		return fmt.Errorf("column %s: %w", s.name, err)
	}
	const room = streamValues + batch
	switch r := reader.(type) {
	case *file.Float32ColumnChunkReader:
		s.single, err = readVectors(&s.vectorReader, r, reader, s.single, room, func(out, values []float32) ([]float32, error) {
			return give(s, append(out, values...), streamValues, embedding.Float32)
		})
	case *file.Float64ColumnChunkReader:
		s.double, err = readVectors(&s.vectorReader, r, reader, s.double, room, func(out, values []float64) ([]float64, error) {
			return give(s, append(out, values...), streamValues, embedding.Float64)
		})
	case *file.FixedLenByteArrayColumnChunkReader:
		s.single, err = readVectors(&s.vectorReader, r, reader, s.single, room, func(out []float32, values []parquet.FixedLenByteArray) ([]float32, error) {
			out, err := appendHalves(out, values)
			if err != nil {
				return out, err
			}
			return give(s, out, streamValues, embedding.Float32)
		})
	default:
		err = errors.New("not of floating-point numbers")
	}
	if err == nil {
		err = reader.Err()
	}
	if err != nil {
		return fmt.Errorf("column %s: %w", s.name, err)
	}
	return nil
}

// give hands over the whole rows of x once there are so many values, and returns
// what is left.
func give[F any](s *streamer, x []F, enough int, matrix func(rows, cols int, data []F) embedding.Matrix) ([]F, error) {
	if len(x) < enough || s.width == 0 || len(x) < s.width {
		return x, nil
	}
	rows := len(x) / s.width
	if rows > len(s.labels) {
		return x, fmt.Errorf("more rows than the %d labels", s.given+len(s.labels))
	}
	if err := s.yield(matrix(rows, s.width, x[:rows*s.width]), s.labels[:rows]); err != nil {
		return x, err
	}
	s.labels, s.given = s.labels[rows:], s.given+rows
	return x[:copy(x, x[rows*s.width:])], nil
}

// finish gives the rows that are left.
func (s *streamer) finish() error {
	err := s.end()
	if err == nil {
		s.single, err = give(s, s.single, 1, embedding.Float32)
	}
	if err == nil {
		s.double, err = give(s, s.double, 1, embedding.Float64)
	}
	if err == nil && (len(s.single)+len(s.double)+len(s.labels) > 0 || int64(s.given) != s.NumRows()) {
		err = fmt.Errorf("%d rows of vectors, the file has %d", s.given, s.NumRows())
	}
	if err != nil {
		return fmt.Errorf("column %s: %w", s.name, err)
	}
	return nil
}
