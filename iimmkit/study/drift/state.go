package drift

import (
	"slices"

	"github.com/iimmkit/iimm/iimmkit/core/measure"
)

// Shards of a state are named by what they are and by what is in them, so that
// a batch which comes twice counts once.
const (
	referenceShard = "reference "
	batchShard     = "batch "
)

func mark(a *measure.Accumulator, prefix string) error { return a.MarkShard(prefix + a.Digest()) }

// shares tells whether the shard of part is in all.
func shares(all, part *measure.Accumulator) bool {
	return slices.Contains(all.Shards(), part.Shards()[0])
}
