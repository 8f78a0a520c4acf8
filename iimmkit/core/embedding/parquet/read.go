package parquet

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
)

// batch is the number of values that are read at once.
const batch = 1 << 15

// chunk reads a column of a row group value by value; the library has one type
// for each type of value.
type chunk[V any] interface {
	ReadBatch(size int64, values []V, definition, repetition []int16) (levels int64, read int, err error)
}

// vectors reads a column of lists, all of one length and without gaps.
func (t *table) vectors(column int) (embedding.Matrix, error) {
	v := &vectorReader{name: t.root(column), complete: t.schema().Column(column).MaxDefinitionLevel()}
	// A file says how many rows it has; memory is only taken for as many as its
	// size makes likely. Values do not compress much.
	likely := int(t.size)
	var single []float32
	var double []float64
	for g := range t.NumRowGroups() {
		reader, err := t.RowGroup(g).Column(column)
		if err != nil {
			return embedding.Matrix{}, err
		}
		switch r := reader.(type) {
		case *file.Float32ColumnChunkReader:
			single, err = readVectors(v, r, reader, single, likely/4, appendAll)
		case *file.Float64ColumnChunkReader:
			double, err = readVectors(v, r, reader, double, likely/8, appendAll)
		case *file.FixedLenByteArrayColumnChunkReader:
			single, err = readVectors(v, r, reader, single, likely/2, appendHalves)
		default:
			err = errors.New("not of floating-point numbers")
		}
		if err == nil {
			err = reader.Err()
		}
		if err != nil {
			return embedding.Matrix{}, fmt.Errorf("column %s: %w", v.name, err)
		}
	}
	if err := v.end(); err != nil {
		return embedding.Matrix{}, fmt.Errorf("column %s: %w", v.name, err)
	}
	if int64(v.rows) != t.NumRows() {
		return embedding.Matrix{}, fmt.Errorf("column %s: %d rows, the file has %d", v.name, v.rows, t.NumRows())
	}
	if double != nil {
		return embedding.Float64(v.rows, v.width, double), nil
	}
	return embedding.Float32(v.rows, v.width, single), nil
}

// vectorReader counts off lists in a stream of values: a repetition level of 0
// begins a list, a definition level below complete is a gap.
type vectorReader struct {
	name                   string
	complete               int16
	rows, width, inRow     int
	definition, repetition []int16
}

func readVectors[V, F any](v *vectorReader, r chunk[V], more file.ColumnChunkReader, out []F, likely int, add func([]F, []V) ([]F, error)) ([]F, error) {
	if v.definition == nil {
		v.definition, v.repetition = make([]int16, batch), make([]int16, batch)
		out = make([]F, 0, likely)
	}
	values := make([]V, batch)
	for more.HasNext() {
		levels, read, err := r.ReadBatch(batch, values, v.definition, v.repetition)
		if err != nil {
			return out, err
		}
		if levels == 0 {
			break
		}
		for i, repeated := range v.repetition[:levels] {
			if repeated == 0 {
				if err := v.end(); err != nil {
					return out, err
				}
				v.rows++
			}
			if v.definition[i] != v.complete {
				return out, fmt.Errorf("row %d has no vector, or a gap in it", v.rows-1)
			}
			v.inRow++
		}
		if int64(read) != levels || v.rows == 0 {
			return out, errors.New("values and levels do not go together: a damaged file")
		}
		if out, err = add(out, values[:read]); err != nil {
			return out, err
		}
	}
	return out, nil
}

func appendAll[F any](out, values []F) ([]F, error) { return append(out, values...), nil }

func appendHalves(out []float32, values []parquet.FixedLenByteArray) ([]float32, error) {
	for _, x := range values {
		out = append(out, float16.FromLEBytes(x).Float32())
	}
	return out, nil
}

// end ends a list, the length of which must be that of the first.
func (v *vectorReader) end() error {
	if v.rows == 1 {
		v.width = v.inRow
	}
	if v.rows > 0 && v.inRow != v.width {
		return fmt.Errorf("row %d has %d numbers, row 0 has %d", v.rows-1, v.inRow, v.width)
	}
	v.inRow = 0
	return nil
}

// integers reads a column of whole numbers.
func (t *table) integers(column int) ([]int, error) {
	var out []int
	return out, t.each(column, func(reader file.ColumnChunkReader) (err error) {
		out, err = readIntegers(reader, out)
		return err
	}, func() int { return len(out) })
}

// readIntegers adds the whole numbers of a column of one row group to out.
func readIntegers(reader file.ColumnChunkReader, out []int) ([]int, error) {
	switch r := reader.(type) {
	case *file.Int64ColumnChunkReader:
		return readValues(r, reader, out, func(v int64) int { return int(v) })
	case *file.Int32ColumnChunkReader:
		return readValues(r, reader, out, func(v int32) int { return int(v) })
	}
	return out, errors.New("labels are whole numbers, one for each class from 0")
}

// texts reads a column of strings, nothing for column -1 or one of other values.
func (t *table) texts(column int) ([]string, error) {
	if column < 0 || t.schema().Column(column).PhysicalType() != parquet.Types.ByteArray {
		return nil, nil
	}
	var out []string
	return out, t.each(column, func(reader file.ColumnChunkReader) (err error) {
		out, err = readValues(reader.(*file.ByteArrayColumnChunkReader), reader, out, func(v parquet.ByteArray) string { return string(v) })
		return err
	}, func() int { return len(out) })
}

// each reads a column row group by row group; n tells how many values there are by now.
func (t *table) each(column int, read func(file.ColumnChunkReader) error, n func() int) error {
	name := t.root(column)
	for g := range t.NumRowGroups() {
		reader, err := t.RowGroup(g).Column(column)
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		if err = read(reader); err == nil {
			err = reader.Err()
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
	}
	if int64(n()) != t.NumRows() {
		return fmt.Errorf("column %s: %d values for %d rows", name, n(), t.NumRows())
	}
	return nil
}

func readValues[V, T any](r chunk[V], more file.ColumnChunkReader, out []T, convert func(V) T) ([]T, error) {
	complete := more.Descriptor().MaxDefinitionLevel()
	values, levels := make([]V, batch), make([]int16, batch)
	for more.HasNext() {
		n, read, err := r.ReadBatch(batch, values, levels, nil)
		if err != nil {
			return out, err
		}
		if n == 0 {
			break
		}
		if int64(read) != n {
			for i, level := range levels[:n] {
				if level != complete {
					return out, fmt.Errorf("row %d has no value", len(out)+i)
				}
			}
			return out, errors.New("values and levels do not go together: a damaged file")
		}
		for _, v := range values[:read] {
			out = append(out, convert(v))
		}
	}
	return out, nil
}
