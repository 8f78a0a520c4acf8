//go:build cgo && !noxla && linux && (amd64 || arm64)

package backend

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// Gaps between buffers are given back, when they make up enough of the memory.
func TestTrim(t *testing.T) {
	b, err := Open(XLACPU)
	if errors.Is(err, ErrUnavailable) && !strings.Contains(os.Getenv("IIMM_REQUIRE"), "xla") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	above, kept := trimAbove, trimmed.kept
	defer func() { trimAbove, trimmed.kept = above, kept }()

	// Of 300 MB in small buffers, which lie one after the other, each second is freed.
	const size, count = 60 << 10, 5000
	flat := make([]float32, size/4)
	for i := range flat {
		flat[i] = float32(i)
	}
	shape := shapes.Make(dtypes.Float32, len(flat))
	var buffers []compute.Buffer
	for range count {
		x, err := b.BufferFromFlatData(0, flat, shape)
		if err != nil {
			t.Fatal(err)
		}
		buffers = append(buffers, x)
	}
	for i, x := range buffers {
		if i%2 == 0 {
			if err := x.Finalize(); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := resident()
	if before < size*count {
		t.Fatalf("the process holds %d bytes, less than its buffers", before)
	}

	trimmed.kept = before * 3 / 4
	if Trim(); resident() < before-size*count/4 {
		t.Errorf("memory was given back though the process did not hold half as much again: %d, then %d", before, resident())
	}
	trimAbove, trimmed.kept = 0, before/2
	Trim()
	if after := resident(); after > before-size*count/4 {
		t.Errorf("the process holds %d bytes, then %d", before, after)
	} else if trimmed.kept < after/2 || trimmed.kept > before {
		t.Errorf("what is kept is %d, not about %d", trimmed.kept, after)
	}
	for i, x := range buffers {
		if i%2 == 1 {
			if err := x.Finalize(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
