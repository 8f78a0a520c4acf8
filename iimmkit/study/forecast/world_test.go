package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// world makes tasks whose tuned accuracy, on the logit scale, is the probe's plus
// lift plus noise, and whose forgetting is severity, of zero-shot error and the
// number of classes, times a share of each retained task. What it does not tell
// is IIMM.
type world struct {
	random      *rand.Rand
	lift, noise float64
	share       map[string]float64
	known       map[string]Known
}

func newWorld(seed uint64) *world {
	w := &world{random: rand.New(rand.NewPCG(seed, 1)), lift: .5, noise: .4, share: map[string]float64{}, known: map[string]Known{}}
	for j := range 6 {
		name := fmt.Sprintf("kept/%d", j)
		w.share[name] = []float64{.8, 2, .2, 1.6, .4, 1}[j]
		w.known[name] = Known{ZeroShotAccuracy: .3 + .1*float64(j), Classes: 10}
	}
	return w
}

func (w *world) retained() map[string]map[string]Known {
	return map[string]map[string]Known{"m": w.known}
}

func (w *world) task(name string) Observation {
	z := .05 + .9*w.random.Float64()
	p := expit(logit(z) + 1 + w.random.NormFloat64())
	i := .2 + .5*w.random.Float64()
	classes := 2 + w.random.IntN(30)
	o := Observation{Model: "m", Method: "full", Protocol: "p", Backend: "go", Task: name, Seeds: 1,
		Inputs: Inputs{ZeroShotAccuracy: z, ProbeCVAccuracy: &p, IIMM: &i, Classes: classes}, Retained: map[string]float64{}}
	o.Accuracy = expit(logit(p) + w.lift + w.noise*w.random.NormFloat64())
	severity := unsquash(1.5 + 3*(1-z) - .6*math.Log(float64(classes)) + .2*w.random.NormFloat64())
	mean := 0.0
	for j := range len(w.share) {
		task := fmt.Sprintf("kept/%d", j)
		o.Retained[task] = min(100, severity*w.share[task]+.3*w.random.NormFloat64())
		mean += o.Retained[task] / float64(len(w.share))
	}
	o.Forgetting = &mean
	return o
}

func (w *world) tasks(n int) []Observation {
	list := make([]Observation, n)
	for k := range list {
		list[k] = w.task(fmt.Sprintf("task/%02d", k))
		list[k].Domain = fmt.Sprint(k / 2)
	}
	return list
}

func ptr(v float64) *float64 { return &v }
