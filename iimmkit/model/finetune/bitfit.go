package finetune

import (
	"strings"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

// bitfit is BitFit (Ben Zaken et al., 2022) as the paper has it: the biases of
// the blocks' norms, projections and MLPs. Norms outside the blocks stay.
var bitfit = Method{
	Name:        "bitfit",
	About:       "the biases of all blocks of both towers",
	MovesTowers: true,
	Forgets:     true,
	Rate:        1e-2,
	open: func(m Method, e *encoder.Encoder, o Options) (Tuner, error) {
		return openTowers(m, e, o, func(weight string) bool {
			return inBlock(weight) && (strings.HasSuffix(weight, ".bias") || strings.HasSuffix(weight, ".in_proj_bias"))
		})
	},
}
