package forecast

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/iimmkit/iimm/iimmkit/study/published"
)

//go:embed calibrations/*.json
var shippedFiles embed.FS

// shipped reads the calibrations that are part of the program.
var shipped = sync.OnceValue(func() []*Calibration {
	list := []*Calibration{ofPublishedCLIP()}
	entries, err := shippedFiles.ReadDir("calibrations")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		data, err := shippedFiles.ReadFile("calibrations/" + e.Name())
		if err != nil {
			panic(err)
		}
		c, err := Parse(bytes.TrimSpace(data))
		if err != nil {
			panic(fmt.Errorf("%s: %w", e.Name(), err)) // part of the program, and tested
		}
		list = append(list, c)
	}
	return list
})

// Shipped returns the calibrations that come with the program: clip, of OpenAI's
// CLIP in three sizes from published figures, and micro, of the shipped models
// from runs of iimm reproduce.
func Shipped() []*Calibration { return slices.Clone(shipped()) }

// ShippedFor returns the shipped calibration of a model and the model's name there.
func ShippedFor(model string) (c *Calibration, name string, err error) {
	name = ModelName(model)
	var known []string
	for _, c := range shipped() {
		if slices.Contains(c.Models, name) {
			return c, name, nil
		}
		known = append(known, c.Models...)
	}
	return nil, "", fmt.Errorf("no calibration of model %q comes with iimm, only of %s: iimm calibrate makes one", model, strings.Join(known, ", "))
}

// ModelName returns the name of a model in calibrations: that of open_clip for the
// CLIPs of iimm models (clip-b-32), micro-clip for micro, else the model's own.
func ModelName(model string) string { return cmp.Or(calibrationNames[model], model) }

var calibrationNames = map[string]string{"micro": "micro-clip", "clip": "ViT-B-32", "clip-b-32": "ViT-B-32", "clip-b-16": "ViT-B-16", "clip-l-14": "ViT-L-14"}

// publishedTasks names the tasks of published.FineTunes as published.Gains does.
var publishedTasks = map[string]string{"SUN397": "sun397", "Cars": "stanford-cars", "RESISC45": "resisc45", "EuroSAT": "eurosat",
	"SVHN": "svhn", "GTSRB": "gtsrb", "MNIST": "mnist", "DTD": "dtd"}

// ofPublishedCLIP makes the calibration of CLIP. Its models are pooled: one of
// them alone has probes on nine data sets only.
func ofPublishedCLIP() *Calibration {
	classes := map[string]int{}
	var observations []Observation
	for _, g := range published.Gains() {
		classes[g.Task] = g.Classes
		observations = append(observations, Observation{Model: g.Model, Method: "full", Protocol: "fusion_bench", Task: g.Task, Seeds: 1,
			Inputs: Inputs{ZeroShotAccuracy: g.ZeroShot, ProbeCVAccuracy: g.Probe, Probe10Accuracy: g.Probe10, Classes: g.Classes}, Accuracy: g.Accuracy})
	}
	retained := map[string]map[string]Known{}
	for _, f := range published.FineTunes() {
		i := slices.IndexFunc(observations, func(o Observation) bool { return o.Model == f.Model && o.Task == publishedTasks[f.Task] })
		o := &observations[i]
		forgetting := f.Forgetting()
		o.Forgetting = &forgetting
		o.Retained = map[string]float64{}
		if retained[f.Model] == nil {
			retained[f.Model] = map[string]Known{}
		}
		for task, a := range f.OffTarget {
			task = publishedTasks[task]
			o.Retained[task] = 100 * (a[0] - a[1])
			retained[f.Model][task] = Known{ZeroShotAccuracy: a[0], Classes: classes[task]}
		}
	}
	c, err := New("clip", "published figures of OpenAI's CLIP: zero-shot and after tuning the image tower from tanganke/fusion_bench, linear probes from LAION-AI/CLIP_benchmark", observations, retained, Options{Pooled: true})
	if err != nil {
		panic(err) // the figures are part of the program, and tested
	}
	return c
}
