package finetune

import (
	"strings"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

const (
	// logitScale is the weight that only Options.TrainLogitScale moves.
	logitScale = "logit_scale"
	// logitBias, of SigLIP, never moves: adding a number to all logits leaves the
	// cross-entropy as it is.
	logitBias = "logit_bias"
)

var full = Method{
	Name:        "full",
	About:       "all weights of both towers",
	MovesTowers: true,
	open: func(m Method, e *encoder.Encoder, o Options) (Tuner, error) {
		return openTowers(m, e, o, func(weight string) bool { return weight != logitBias })
	},
}

func inImageTower(weight string) bool { return strings.HasPrefix(weight, "visual.") }
