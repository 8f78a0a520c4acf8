package finetune

import (
	"context"
	"fmt"
	"math"

	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

// probe is the linear probe: multinomial logistic regression on standardised,
// unnormalised image features of the frozen encoder, fitted to convergence.
var probe = Method{
	Name:  "probe",
	About: "a linear classifier on the image tower's frozen features",
	open: func(m Method, e *encoder.Encoder, _ Options) (Tuner, error) {
		return &prober{m, e}, nil
	},
}

// Penalties are the L2 penalties from which a probe's is chosen.
var Penalties = []float64{1000, 100, 10, 1, .1}

// The validation part is one fifth of the training images, at least one of
// every class that has five.
const validationFolds = 5

type prober struct {
	method Method
	e      *encoder.Encoder
}

func (p *prober) Method() Method { return p.method }

func (p *prober) Parameters(classes int) []Parameter {
	return []Parameter{
		{"probe.weight", []int{classes, p.e.Config().EmbedDim}},
		{"probe.bias", []int{classes}},
	}
}

// Run chooses the penalty whose probe, fitted to four fifths of the training
// images, has the least cross-entropy on the rest, dealt by seed, and fits with
// it to all of them.
func (p *prober) Run(ctx context.Context, data Data, job Job) (*Tuned, error) {
	classes, err := data.classes(p.e.Config())
	if err != nil {
		return nil, err
	}
	x, d := data.Features, p.e.Config().EmbedDim
	if x == nil {
		if x, err = p.e.ImageFeatures(data.Pixels); err != nil {
			return nil, err
		}
	}
	penalty, err := choosePenalty(ctx, x, d, data.Labels, classes, job.Seed, job.Watch)
	if err != nil {
		return nil, fmt.Errorf("method %s: %w", p.method.Name, err)
	}
	fit, err := evaluate.FitProbe(x, d, data.Labels, classes, penalty)
	if err != nil {
		return nil, fmt.Errorf("method %s: %w", p.method.Name, err)
	}
	return &Tuned{Probe: fit}, nil
}

func choosePenalty(ctx context.Context, x []float32, d int, labels []int, classes, seed int, watch Watch) (float64, error) {
	var fitX, heldX []float32
	var fitY, heldY []int
	for i, f := range evaluate.Folds(labels, classes, validationFolds, uint64(seed)) {
		if f == 0 {
			heldX, heldY = append(heldX, x[i*d:(i+1)*d]...), append(heldY, labels[i])
		} else {
			fitX, fitY = append(fitX, x[i*d:(i+1)*d]...), append(fitY, labels[i])
		}
	}
	if len(fitY) == 0 || len(heldY) == 0 {
		return 0, fmt.Errorf("%d training images leave none to choose the penalty on", len(labels))
	}
	best, least := 0., math.Inf(1)
	for k, l2 := range Penalties {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		fit, err := evaluate.FitProbe(fitX, d, fitY, classes, l2)
		if err != nil {
			return 0, err
		}
		scores, err := fit.Scores(heldX)
		if err != nil {
			return 0, err
		}
		loss, err := evaluate.LogLoss(scores, heldY, classes)
		if err != nil {
			return 0, err
		}
		if loss < least {
			best, least = l2, loss
		}
		if watch != nil {
			watch(k+1, len(Penalties), loss)
		}
	}
	return best, nil
}
