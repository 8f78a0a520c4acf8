package finetune

import "github.com/iimmkit/iimm/iimmkit/model/encoder"

var full = Method{
	Name:        "full",
	About:       "all weights of both towers",
	MovesTowers: true,
	Forgets:     true,
	Rate:        3e-4,
	open: func(m Method, e *encoder.Encoder, o Options) (Tuner, error) {
		return openTowers(m, e, o, func(string) bool { return true })
	},
}
