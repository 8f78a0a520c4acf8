package forecast

import (
	"math"
	"slices"
)

// input names one of Inputs.
type input int

const (
	zeroShot input = iota
	probe
	probe10
	iimm
	classes
)

var inputNames = [...]string{"zero-shot accuracy", "probe accuracy", "accuracy of the probe at 10 images a class", "IIMM", "number of classes"}

// has tells whether an input is known.
func (in Inputs) has(i input) bool {
	switch i {
	case probe:
		return in.ProbeCVAccuracy != nil
	case probe10:
		return in.Probe10Accuracy != nil
	case iimm:
		return in.IIMM != nil
	case classes:
		return in.Classes != 0
	}
	return true
}

func (in Inputs) hasAll(needs []input) bool {
	return !slices.ContainsFunc(needs, func(i input) bool { return !in.has(i) })
}

// column is an input, or several, on the scale on which it enters a fit.
type column struct {
	needs []input
	of    func(Inputs) float64
}

var (
	errorColumn    = column{[]input{zeroShot}, func(in Inputs) float64 { return 1 - in.ZeroShotAccuracy }}
	zeroShotColumn = column{[]input{zeroShot}, func(in Inputs) float64 { return logit(in.ZeroShotAccuracy) }}
	probeColumn    = column{[]input{probe}, func(in Inputs) float64 { return logit(*in.ProbeCVAccuracy) }}
	probe10Column  = column{[]input{probe10}, func(in Inputs) float64 { return logit(*in.Probe10Accuracy) }}
	iimmColumn     = column{[]input{iimm}, func(in Inputs) float64 { return *in.IIMM }}
	classesColumn  = column{[]input{classes}, func(in Inputs) float64 { return math.Log(float64(in.Classes)) }}
	// probeGainColumn is what the probe is better than zero-shot.
	probeGainColumn = column{[]input{zeroShot, probe}, func(in Inputs) float64 { return *in.ProbeCVAccuracy - in.ZeroShotAccuracy }}
)

// scale is one on which a target is fitted: forward and back are each other's
// inverse, but that back stays in the target's range.
type scale struct {
	needs   []input
	forward func(y float64, in Inputs) float64
	back    func(v float64, in Inputs) float64
}

var (
	// accuracyScale keeps accuracies in [0,1].
	accuracyScale = scale{nil, func(y float64, _ Inputs) float64 { return logit(y) }, func(v float64, _ Inputs) float64 { return expit(v) }}
	// overProbeScale is that of the accuracy beyond the probe's.
	overProbeScale = scale{[]input{probe},
		func(y float64, in Inputs) float64 { return logit(y) - logit(*in.ProbeCVAccuracy) },
		func(v float64, in Inputs) float64 { return expit(v + logit(*in.ProbeCVAccuracy)) }}
	gainScale = scale{[]input{zeroShot},
		func(y float64, in Inputs) float64 { return y - in.ZeroShotAccuracy },
		func(v float64, in Inputs) float64 { return min(1, max(0, in.ZeroShotAccuracy+v)) }}
	forgettingScale = scale{nil, func(y float64, _ Inputs) float64 { return squash(y) }, func(v float64, _ Inputs) float64 { return unsquash(v) }}
)

// logit takes an accuracy as if it were a share of 200 images, with half an
// image added on both sides (Jeffreys' prior): 0 and 1 stay finite.
func logit(p float64) float64 { return math.Log((200*p + .5) / (200*(1-p) + .5)) }

// expit is the inverse of logit, kept in [0,1].
func expit(v float64) float64 {
	p := 1 / (1 + math.Exp(-v))
	return min(1, max(0, (201*p-.5)/200))
}

// squash is linear for forgetting of a fraction of a point and a root beyond: as
// of all counts, the larger forgetting is, the further forecasts of it are off.
// Negative forgetting has its place.
func squash(points float64) float64 {
	return math.Copysign(math.Sqrt(math.Abs(points)+1)-1, points)
}

// unsquash is the inverse of squash, kept in [-100,100].
func unsquash(v float64) float64 {
	return math.Copysign(min(100, (math.Abs(v)+1)*(math.Abs(v)+1)-1), v)
}

// candidate is one way to forecast a target from inputs: a Bayesian ridge fit of
// the target, on a scale, to columns, or a Gaussian process. Without columns it is
// the mean.
type candidate struct {
	name    string
	columns []column
	scale   scale
	bends   bool // a Gaussian process
}

func (c candidate) fit(x [][]float64, y []float64) regression {
	if c.bends {
		return fitGaussian(x, y)
	}
	return fitRidge(x, y)
}

func (c candidate) needs() []input {
	needs := slices.Clone(c.scale.needs)
	for _, col := range c.columns {
		needs = append(needs, col.needs...)
	}
	return needs
}

func (c candidate) x(in Inputs) []float64 {
	x := make([]float64, len(c.columns))
	for k, col := range c.columns {
		x[k] = col.of(in)
	}
	return x
}

// accuracyCandidates are those for final accuracy, of which gain and scaled gain
// follow, the simplest first. The list was fixed on other data than those on
// which forecasts are judged.
var accuracyCandidates = []candidate{
	{"mean", nil, gainScale, false},
	{"iimm", []column{iimmColumn}, gainScale, false},
	{"zero_shot", []column{zeroShotColumn}, accuracyScale, false},
	{"zero_shot+iimm", []column{zeroShotColumn, iimmColumn}, accuracyScale, false},
	{"over_probe", nil, overProbeScale, false},
	{"probe", []column{probeColumn}, accuracyScale, false},
	{"probe+zero_shot", []column{probeColumn, zeroShotColumn}, accuracyScale, false},
	{"probe+zero_shot+iimm", []column{probeColumn, zeroShotColumn, iimmColumn}, accuracyScale, false},
	{"probe_10+zero_shot", []column{probe10Column, zeroShotColumn}, accuracyScale, false},
	{"gp:probe+zero_shot", []column{probeColumn, zeroShotColumn}, accuracyScale, true},
}

// forgettingCandidates are those for mean forgetting.
var forgettingCandidates = []candidate{
	{"mean", nil, forgettingScale, false},
	{"iimm", []column{iimmColumn}, forgettingScale, false},
	{"zero_shot", []column{errorColumn}, forgettingScale, false},
	{"zero_shot+iimm", []column{errorColumn, iimmColumn}, forgettingScale, false},
	{"probe_gain", []column{probeGainColumn}, forgettingScale, false},
	{"probe_gain+zero_shot", []column{probeGainColumn, errorColumn}, forgettingScale, false},
	{"zero_shot+classes", []column{errorColumn, classesColumn}, forgettingScale, false},
	{"zero_shot+classes+iimm", []column{errorColumn, classesColumn, iimmColumn}, forgettingScale, false},
	{"probe_gain+zero_shot+classes", []column{probeGainColumn, errorColumn, classesColumn}, forgettingScale, false},
	{"gp:zero_shot+classes+iimm", []column{errorColumn, classesColumn, iimmColumn}, forgettingScale, true},
}
