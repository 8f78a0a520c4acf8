package experiment

import (
	"maps"
	"slices"
)

// derive computes gain and forgetting from the accuracies of the run.
func (r *Run) derive() {
	r.Gain = 100 * (r.Accuracy - r.ZeroShotAccuracy)
	r.ScaledGain, r.Forgetting, r.RelativeForgetting = nil, nil, nil
	if r.ZeroShotAccuracy < 1 {
		g := (r.Accuracy - r.ZeroShotAccuracy) / (1 - r.ZeroShotAccuracy)
		r.ScaledGain = &g
	}
	// In the order of the names: the sum's last bits must not depend on a map's order.
	var points, relative []float64
	for _, name := range slices.Sorted(maps.Keys(r.OffTarget)) {
		was, is := r.OffTarget[name][0], r.OffTarget[name][1]
		points = append(points, 100*(was-is))
		if was > 0 {
			relative = append(relative, (was-is)/was)
		}
	}
	r.Forgetting, r.RelativeForgetting = mean(points), mean(relative)
}

// mean returns nil of nothing.
func mean(x []float64) *float64 {
	if len(x) == 0 {
		return nil
	}
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	m := sum / float64(len(x))
	return &m
}
