package calibrate

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/study/experiment"
	"github.com/iimmkit/iimm/iimmkit/study/forecast"
)

func runs() []experiment.Run {
	var list []experiment.Run
	for k := range 6 {
		for seed := range 2 {
			z := .1 * float64(k+1)
			r := experiment.Run{Schema: 1, Protocol: "quick", Model: "m", Method: "lora", Task: fmt.Sprint("t", k), Domain: fmt.Sprint(k / 2), Seed: seed, Classes: 5 + k, Backend: "go",
				RunID: fmt.Sprint(k, "-", seed), ZeroShotAccuracy: z, Accuracy: z + .2 + .02*float64(seed), IIMM: .4, ProbeCVAccuracy: z + .1, Hashes: map[string]string{"model": "w"},
				OffTarget: map[string][2]float64{"kept": {.9, .8 - .02*float64(seed)}}}
			if other := (k + 1) % 6; true {
				r.OffTarget[fmt.Sprint("t", other)] = [2]float64{.1 * float64(other+1), .1*float64(other+1) - .05}
			}
			list = append(list, r)
		}
	}
	return list
}

func TestFromRunsAveragesSeeds(t *testing.T) {
	list := append([]experiment.Run{{Schema: 1, RunID: "x", Model: "m", Method: "lora", Task: "t0", Seed: 2, Error: "no memory"}}, runs()...)
	c, failed, err := FromRuns("mine", "a test", list, forecast.Options{ByDomain: true})
	if err != nil {
		t.Fatal(err)
	}
	if failed != 1 || c.N != 6 || len(c.Tasks) != 6 || !c.ByDomain || c.Protocols[0] != "quick" || c.Backends[0] != "go" {
		t.Errorf("%d failed, %+v", failed, c.Ref())
	}
	o := c.Observations[2]
	if o.Task != "t2" || o.Domain != "1" || o.Seeds != 2 || o.Classes != 7 || math.Abs(o.Accuracy-.51) > 1e-12 || math.Abs(*o.ProbeCVAccuracy-.4) > 1e-12 {
		t.Errorf("%+v", o)
	}
	if math.Abs(o.Retained["kept"]-11) > 1e-9 || math.Abs(o.Retained["t3"]-5) > 1e-9 || math.Abs(*o.Forgetting-8) > 1e-9 {
		t.Errorf("forgetting %v, %v", *o.Forgetting, o.Retained)
	}
	// What was known of a retained task: the number of classes only of a task that was tuned too.
	if k := c.Retained["m"]["t3"]; math.Abs(k.ZeroShotAccuracy-.4) > 1e-12 || k.Classes != 8 {
		t.Errorf("%+v", k)
	}
	if k := c.Retained["m"]["kept"]; k.ZeroShotAccuracy != .9 || k.Classes != 0 {
		t.Errorf("%+v", k)
	}
}

func TestRunsThatDoNotBelongTogetherAreRefused(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*experiment.Run)
	}{
		{"a calibration is of one", func(r *experiment.Run) { r.Protocol = "long" }},
		{"has other weights", func(r *experiment.Run) { r.Hashes = map[string]string{"model": "v"} }},
		{"are both m lora on t1 with seed 0", func(r *experiment.Run) { r.Seed = 0 }},
		{"are of backends go and xla:cpu", func(r *experiment.Run) { r.Backend = "xla:cpu" }},
		{"accuracy is 1.79", func(r *experiment.Run) { r.Accuracy = 3.18 }},
	} {
		list := runs()
		c.change(&list[3])
		if _, _, err := FromRuns("x", "y", list, forecast.Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	if _, _, err := FromRuns("x", "y", nil, forecast.Options{}); err == nil || !strings.Contains(err.Error(), "no observations") {
		t.Error(err)
	}
}
