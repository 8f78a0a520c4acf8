// Package calibrate makes calibrations of forecasts from the runs of an
// experiment. It is a package of its own so that who only forecasts does not
// link what tunes.
package calibrate

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/iimmkit/iimm/iimmkit/study/experiment"
	"github.com/iimmkit/iimm/iimmkit/study/forecast"
)

// FromRuns makes a calibration of the runs of a ledger, averaged over seeds.
// Failed runs are left out and counted. All runs must be of one protocol and
// each model of one set of weights.
func FromRuns(name, source string, runs []experiment.Run, o forecast.Options) (c *forecast.Calibration, failed int, err error) {
	type key struct{ model, method, task string }
	groups := map[key][]experiment.Run{}
	classes := map[string]int{}
	var first *experiment.Run
	for _, r := range runs {
		if r.Error != "" {
			failed++
			continue
		}
		if first == nil {
			first = &r
		}
		if r.Protocol != first.Protocol {
			return nil, 0, fmt.Errorf("runs of protocols %q and %q: a calibration is of one", first.Protocol, r.Protocol)
		}
		groups[key{r.Model, r.Method, r.Task}] = append(groups[key{r.Model, r.Method, r.Task}], r)
		classes[r.Task] = r.Classes
	}
	weights := map[string]string{}
	retained := map[string]map[string]forecast.Known{}
	var observations []forecast.Observation
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.model, b.model), cmp.Compare(a.method, b.method), cmp.Compare(a.task, b.task))
	})
	for _, k := range keys {
		group := groups[k]
		slices.SortFunc(group, func(a, b experiment.Run) int {
			return cmp.Or(cmp.Compare(a.Seed, b.Seed), cmp.Compare(a.RunID, b.RunID))
		})
		for i, r := range group {
			hash := r.Hashes["model"]
			if known, ok := weights[r.Model]; ok && known != hash {
				return nil, 0, fmt.Errorf("run %s: model %s has other weights (%.12s) than in runs before (%.12s)", r.RunID, r.Model, hash, known)
			}
			weights[r.Model] = hash
			if i > 0 && r.Seed == group[i-1].Seed {
				return nil, 0, fmt.Errorf("runs %s and %s are both %s %s on %s with seed %d", group[i-1].RunID, r.RunID, r.Model, r.Method, r.Task, r.Seed)
			}
			if r.Backend != group[0].Backend {
				return nil, 0, fmt.Errorf("runs %s and %s of %s are of backends %s and %s", group[0].RunID, r.RunID, r.Task, group[0].Backend, r.Backend)
			}
		}
		observation := observe(group)
		for task := range observation.Retained {
			if retained[k.model] == nil {
				retained[k.model] = map[string]forecast.Known{}
			}
			retained[k.model][task] = forecast.Known{ZeroShotAccuracy: group[0].OffTarget[task][0], Classes: classes[task]}
		}
		observations = append(observations, observation)
	}
	c, err = forecast.New(name, source, observations, retained, o)
	return c, failed, err
}

// observe averages the runs of one model, method and task over their seeds.
// Forgetting is that of the retained tasks that all of them have.
func observe(group []experiment.Run) forecast.Observation {
	r := group[0]
	o := forecast.Observation{Model: r.Model, Method: r.Method, Protocol: r.Protocol, Backend: r.Backend, Task: r.Task, Domain: r.Domain, Seeds: len(group),
		Inputs: forecast.Inputs{ZeroShotAccuracy: r.ZeroShotAccuracy, ProbeCVAccuracy: &r.ProbeCVAccuracy, IIMM: &r.IIMM, Classes: r.Classes}}
	n := float64(len(group))
	for _, run := range group {
		o.Accuracy += run.Accuracy
	}
	o.Accuracy /= n
	for _, task := range slices.Sorted(maps.Keys(r.OffTarget)) {
		points, all := 0.0, true
		for _, run := range group {
			a, ok := run.OffTarget[task]
			all = all && ok
			points += 100 * (a[0] - a[1])
		}
		if all {
			if o.Retained == nil {
				o.Retained = map[string]float64{}
			}
			o.Retained[task] = rounded(points / n)
		}
	}
	if len(o.Retained) > 0 {
		mean := 0.0
		for _, task := range slices.Sorted(maps.Keys(o.Retained)) {
			mean += o.Retained[task] / float64(len(o.Retained))
		}
		mean = rounded(mean)
		o.Forgetting = &mean
	}
	return o
}

// rounded keeps a calibration short: a thousandth of a point says nothing.
func rounded(points float64) float64 { return math.Round(1e4*points) / 1e4 }
