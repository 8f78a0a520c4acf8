package finetune

import (
	"strings"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

// logitScale is the weight that only Options.TrainLogitScale moves.
const logitScale = "logit_scale"

var full = Method{
	Name:        "full",
	About:       "all weights of both towers",
	MovesTowers: true,
	open: func(m Method, e *encoder.Encoder, o Options) (Tuner, error) {
		return openTowers(m, e, o, func(string) bool { return true })
	},
}

func inImageTower(weight string) bool { return strings.HasPrefix(weight, "visual.") }
