package parquet

import (
	"container/list"
	"errors"
	"fmt"
	"sort"
	"sync"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// A parquet file is not made for picking single rows, so that pictures are read
// some at a time, and the last ones kept.
const (
	maxCached = 256 << 20 // bytes of encoded pictures that are kept
	maxBlock  = 32 << 20  // about the bytes that are read at once
)

// blockKey is a run of rows of one row group.
type blockKey struct {
	table *table
	first int // row of the file
}

type block struct {
	key      blockKey
	pictures [][]byte // nil where the row has none
	bytes    int
}

// blocks keeps what was read last.
type blocks struct {
	mu     sync.Mutex
	limit  int
	bytes  int
	recent *list.List // of *block, the newest in front
	at     map[blockKey]*list.Element
}

func newBlocks(limit int) *blocks {
	return &blocks{limit: limit, recent: list.New(), at: map[blockKey]*list.Element{}}
}

// read returns the encoded picture of a row, nil when it has none. It must not
// be written to.
func (b *blocks) read(t *table, row int) ([]byte, error) {
	group := sort.Search(len(t.starts)-1, func(g int) bool { return t.starts[g+1] > int64(row) })
	if group == len(t.starts)-1 {
		return nil, fmt.Errorf("there is no row %d", row)
	}
	start := int(t.starts[group])
	n := t.blockRows(group)
	key := blockKey{t, start + (row-start)/n*n}
	t.mu.Lock()
	defer t.mu.Unlock()
	if p, ok := b.get(key); ok {
		return p[row-key.first], nil
	}
	pictures, err := t.readPictures(group, key.first-start, min(n, int(t.starts[group+1])-key.first))
	if err != nil {
		return nil, err
	}
	b.put(key, pictures)
	return pictures[row-key.first], nil
}

func (b *blocks) get(key blockKey) ([][]byte, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.at[key]
	if !ok {
		return nil, false
	}
	b.recent.MoveToFront(e)
	return e.Value.(*block).pictures, true
}

func (b *blocks) put(key blockKey, pictures [][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := &block{key: key, pictures: pictures}
	for _, p := range pictures {
		v.bytes += len(p)
	}
	b.at[key] = b.recent.PushFront(v)
	b.bytes += v.bytes
	for b.bytes > b.limit && b.recent.Len() > 1 {
		last := b.recent.Back()
		old := b.recent.Remove(last).(*block)
		delete(b.at, old.key)
		b.bytes -= old.bytes
	}
}

// blockRows is how many rows of a row group are read at once.
func (t *table) blockRows(group int) int {
	rows := int(t.starts[group+1] - t.starts[group])
	size := int64(0)
	if c, err := t.file.MetaData().RowGroup(group).ColumnChunk(t.image); err == nil {
		size = c.TotalUncompressedSize()
	}
	if size <= maxBlock {
		return max(rows, 1)
	}
	return max(int(int64(rows)*maxBlock/size), 1)
}

// readPictures reads n pictures of a row group.
func (t *table) readPictures(group, first, n int) (pictures [][]byte, err error) {
	defer recovered(&err)
	column, err := t.file.RowGroup(group).Column(t.image)
	if err != nil {
		return nil, oneLine(err)
	}
	reader, ok := column.(*file.ByteArrayColumnChunkReader)
	if !ok {
		return nil, errors.New("the column holds no encoded pictures")
	}
	if first > 0 {
		if _, err := reader.Skip(int64(first)); err != nil {
			return nil, fmt.Errorf("row group %d is damaged: %w", group, oneLine(err))
		}
	}
	present := reader.Descriptor().MaxDefinitionLevel()
	for len(pictures) < n {
		left := n - len(pictures)
		values, levels := make([]parquet.ByteArray, left), make([]int16, left)
		total, have, err := reader.ReadBatch(int64(left), values, levels, nil)
		if err == nil && total == 0 {
			err = reader.Err()
		}
		if err != nil || total == 0 {
			return nil, fmt.Errorf("row group %d is damaged or cut off at row %d: %v", group, first+len(pictures), err)
		}
		for _, v := range spread(values[:have], levels[:total], present) {
			pictures = append(pictures, v)
		}
	}
	return pictures, nil
}
