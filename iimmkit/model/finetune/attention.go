package finetune

import (
	"strings"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

// attention tunes the matrices that make queries, keys and values (Touvron et
// al., 2022, tune all of attention; the paper its input projections).
var attention = Method{
	Name:        "attention",
	About:       "the query, key and value matrices of all blocks of both towers",
	MovesTowers: true,
	Forgets:     true,
	Rate:        1e-3,
	open: func(m Method, e *encoder.Encoder, o Options) (Tuner, error) {
		return openTowers(m, e, o, func(weight string) bool {
			return inBlock(weight) && strings.HasSuffix(weight, ".attn.in_proj_weight")
		})
	},
}
