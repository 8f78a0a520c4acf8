// Package assess is the journey from a folder of images to a decision: what is
// wrong with the data, what a model knows of it, whether tuning is worth it, by
// which method, at the cost of what, and how many images to label; each with its
// uncertainty.
package assess

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/study/forecast"
)

// Schema is the version of Assessment's JSON form.
const Schema = 1

// Options say what is assessed and what a decision weighs.
type Options struct {
	Model   string // name of a model or folder of a checkpoint
	Backend string // "": auto
	Load    datasets.LoadOptions
	// Templates make captions of class names; nil: the data's own, or a usual one.
	Templates []string
	// Retain are tasks of the calibration that shall not be forgotten.
	Retain []string
	// Calibration is what forecasts are learned from; nil: the one that ships for
	// the model. Without either nothing is forecast, and that is said.
	Calibration *forecast.Calibration
	Policy      forecast.Policy
	// CostPerLabel and ValuePerPoint, of a point of accuracy, in the same money; 0: no balance.
	CostPerLabel, ValuePerPoint float64
	Resamples                   int // behind intervals of IIMM; 0: 200
}

// Assessment is what was found. What is not known is nil.
type Assessment struct {
	Schema  int               `json:"schema"`
	Task    string            `json:"task"`
	Title   string            `json:"title"` // the task's name, short
	Model   string            `json:"model"`
	Backend string            `json:"backend"`
	Hashes  map[string]string `json:"hashes"`
	Seed    uint64            `json:"seed"`

	Data     Data     `json:"data"`
	ZeroShot ZeroShot `json:"zero_shot"`
	// Measured is IIMM and what stands beside it, of the training images.
	Measured  measure.Result    `json:"measured"`
	Intervals measure.Intervals `json:"ci95"`
	// Probe is a linear probe on the training images' embeddings, cross-validated.
	Probe Probe `json:"probe"`
	// Standing places the task among those of the calibration.
	Standing *Standing `json:"standing"`
	// Forecast, Decision and Budget are nil without a calibration of the model.
	Forecast *forecast.Forecast `json:"forecast"`
	Decision *forecast.Decision `json:"decision"`
	Budget   *forecast.Budget   `json:"budget"`
	// ImagesForIIMM is the number of images at which IIMM's 95 % interval is ±0.01.
	ImagesForIIMM int      `json:"images_for_iimm"`
	Notes         []string `json:"notes"`

	Pictures Pictures `json:"pictures"`
}

// Data is what the doctor says of the images.
type Data struct {
	Images  int     `json:"images"` // usable ones
	Train   int     `json:"train"`
	Test    int     `json:"test"`
	Classes []Class `json:"classes"`
	// Problems are files that cannot be used, copies and leaks.
	Problems []datasets.Problem `json:"problems"`
	Unusable int                `json:"unusable"`
	Copies   int                `json:"copies"` // within a split
	Leaks    int                `json:"leaks"`  // of test images in the training part, left out of it
	// Findings are about the embeddings.
	Findings []embedding.Finding `json:"findings"`
	// Swapped are pairs of classes each of which is taken for the other.
	Swapped []Swap `json:"swapped"`
}

// Class is one class of the data.
type Class struct {
	Name     string   `json:"name"`
	Caption  string   `json:"caption"`
	Images   int      `json:"images"`
	ZeroShot *float64 `json:"zero_shot_accuracy"`
	// MistakenFor is the class that most of its unrecognised images are taken
	// for, and Share how many of all its images; empty when all are recognised.
	MistakenFor string  `json:"mistaken_for,omitempty"`
	Share       float64 `json:"mistaken_share,omitempty"`
}

// Swap is two classes whose names may be exchanged.
type Swap struct {
	A string `json:"a"`
	B string `json:"b"`
	// AsB and BAsA are the shares of their images that are taken for the other's.
	AsB  float64 `json:"a_as_b"`
	BAsA float64 `json:"b_as_a"`
}

// ZeroShot is how the untuned model does on all images.
type ZeroShot struct {
	N        int        `json:"n"`
	Accuracy float64    `json:"accuracy"`
	CI95     [2]float64 `json:"ci95"`
	Chance   float64    `json:"chance"`
	// Confidence is the model's mean confidence; ECE its expected calibration error.
	Confidence float64 `json:"confidence"`
	ECE        float64 `json:"ece"`
	// Confusion [C][C] counts images by true class (row) and the class they are
	// taken for (column), both in the order of Data.Classes.
	Confusion [][]int `json:"confusion"`
}

// Probe is the accuracy of a linear probe.
type Probe struct {
	Accuracy float64    `json:"accuracy"`
	CI95     [2]float64 `json:"ci95"`
	// Curve is its accuracy by images per class.
	Curve []forecast.CurvePoint `json:"curve"`
}

// Standing is the share of the calibration's tasks, for this model, below the task.
type Standing struct {
	Tasks    int     `json:"tasks"`
	IIMM     float64 `json:"iimm"`
	ZeroShot float64 `json:"zero_shot_accuracy"`
	Probe    float64 `json:"probe_cv_accuracy"`
}

// interval is the 95 % interval of an accuracy on n images.
func interval(accuracy float64, n int) [2]float64 {
	return evaluate.ExactInterval(int(math.Round(accuracy*float64(n))), n)
}

// folds of the cross-validated probe, those of an experiment's protocols.
const folds = 5

// Do assesses data: a path, or the name of a task.
func Do(ctx context.Context, data string, o Options, report progress.Reporter) (*Assessment, error) {
	b, err := backend.Open(o.Backend)
	if err != nil {
		return nil, err
	}
	e, err := encoder.Open(b, o.Model)
	if err != nil {
		return nil, err
	}
	return DoOn(ctx, e, data, o, report)
}

// DoOn is Do on an encoder that is opened already.
func DoOn(ctx context.Context, e *encoder.Encoder, data string, o Options, report progress.Reporter) (*Assessment, error) {
	a := &Assessment{Schema: Schema, Model: e.Name, Backend: backend.Name(e.Backend()), Seed: o.Load.Seed, Notes: []string{}}
	o.Load.Folder.OnError, o.Load.Folder.Duplicates = datasets.Skip, true
	o.Load.Folder.Context, o.Load.Folder.Progress = ctx, report
	o.Load.Problems = func(p datasets.Problem) { a.Data.Problems = append(a.Data.Problems, p) }
	a.Data.Problems = []datasets.Problem{}
	task, err := datasets.Load(data, o.Load)
	if err != nil {
		return nil, err
	}
	if o.Templates != nil {
		if task, err = task.WithTemplates(o.Templates); err != nil {
			return nil, err
		}
	}
	a.Task, a.Title = task.Name, shortName(task.Name)
	sets, err := embed(ctx, e, task, report)
	if err != nil {
		return nil, err
	}
	train := sets[0].set
	a.Hashes = train.Provenance.Hashes
	a.Data.Findings = train.Check()
	if refused := embedding.Refused(a.Data.Findings); len(refused) > 0 {
		return nil, fmt.Errorf("%s: %s", task.Name, refused[0].Message)
	}
	if err := a.zeroShot(e, task, sets); err != nil {
		return nil, fmt.Errorf("%s: %w", task.Name, err)
	}
	a.doctor()
	if a.Measured, err = train.Measure(embedding.MeasureOptions{}); err != nil {
		return nil, fmt.Errorf("%s: %w", task.Name, err)
	}
	resamples := o.Resamples
	if resamples == 0 {
		resamples = 200
	}
	if a.Intervals, err = train.Bootstrap(ctx, measure.BootstrapOptions{Resamples: resamples, Seed: o.Load.Seed}); err != nil {
		return nil, fmt.Errorf("%s: %w", task.Name, err)
	}
	half := (a.Intervals.IIMM[1] - a.Intervals.IIMM[0]) / 2
	if a.ImagesForIIMM, err = forecast.ImagesForIIMM(train.Images.Rows, half, .01); err != nil {
		return nil, err
	}
	if err := a.probe(ctx, train, report); err != nil {
		return nil, fmt.Errorf("%s: probe: %w", task.Name, err)
	}
	if err := a.forecast(o); err != nil {
		return nil, err
	}
	a.Pictures, err = pictures(task, sets, a)
	return a, err
}

// part is a split with its embeddings.
type part struct {
	images datasets.Images
	set    *embedding.Set
	scores []float64 // cosines with the captions
	best   []int     // predicted classes
}

// embed embeds the training images and, where there are any, the test images.
func embed(ctx context.Context, e *encoder.Encoder, task *datasets.Task, report progress.Reporter) ([]part, error) {
	var parts []part
	for _, split := range []string{"train", "test"} {
		images, err := task.Split(split)
		if err != nil {
			if split == "test" {
				continue
			}
			return nil, err
		}
		set, err := e.Embed(ctx, task, split, report, encoder.Cached)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{images: images, set: set})
	}
	return parts, nil
}

// zeroShot classifies all images by the captions.
func (a *Assessment) zeroShot(e *encoder.Encoder, task *datasets.Task, parts []part) error {
	classes := len(task.ClassNames)
	var all []float64
	var labels []int
	for i := range parts {
		p := &parts[i]
		var err error
		if p.scores, err = evaluate.Cosines(p.set.Images.Float32s(), p.set.Texts.Float32s(), p.set.Images.Cols); err != nil {
			return err
		}
		accuracy, err := evaluate.FromScores(p.scores, p.set.Labels, classes)
		if err != nil {
			return err
		}
		p.best = accuracy.Predictions
		all, labels = append(all, p.scores...), append(labels, p.set.Labels...)
	}
	accuracy, err := evaluate.FromScores(all, labels, classes)
	if err != nil {
		return err
	}
	scale, err := e.LogitScale()
	if err != nil {
		return err
	}
	calibration, err := evaluate.Calibrate(all, labels, classes, scale)
	if err != nil {
		return err
	}
	n := len(labels)
	a.ZeroShot = ZeroShot{
		N: n, Accuracy: accuracy.Top1, CI95: interval(accuracy.Top1, n), Chance: 1 / float64(classes),
		Confidence: calibration.Confidence, ECE: calibration.ECE, Confusion: accuracy.Confusion,
	}
	a.Data.Images, a.Data.Train = n, parts[0].set.Images.Rows
	a.Data.Test = n - a.Data.Train
	a.Data.Swapped = []Swap{}
	share := func(i, j int) float64 {
		total := 0
		for _, k := range accuracy.Confusion[i] {
			total += k
		}
		return float64(accuracy.Confusion[i][j]) / math.Max(float64(total), 1)
	}
	for i, name := range task.ClassNames {
		c := Class{Name: name, Caption: task.Captions[i], ZeroShot: accuracy.PerClass[i]}
		most := 0
		for j, k := range accuracy.Confusion[i] {
			c.Images += k
			if j != i && k > most {
				most, c.MistakenFor = k, task.ClassNames[j]
				c.Share = share(i, j)
			}
		}
		a.Data.Classes = append(a.Data.Classes, c)
		for j := range i {
			// Not only confused: each is mostly taken for the other, and hardly for itself.
			if share(i, j) >= .5 && share(j, i) >= .5 {
				a.Data.Swapped = append(a.Data.Swapped, Swap{task.ClassNames[j], name, share(j, i), share(i, j)})
			}
		}
	}
	return nil
}

// doctor counts the problems.
func (a *Assessment) doctor() {
	for _, p := range a.Data.Problems {
		switch p.Kind {
		case datasets.Leak:
			a.Data.Leaks++
		case datasets.Duplicate:
			a.Data.Copies++
		default:
			a.Data.Unusable++
		}
	}
	few := slices.DeleteFunc(slices.Clone(a.Data.Classes), func(c Class) bool { return c.Images >= 10 })
	if len(few) > 0 {
		a.Notes = append(a.Notes, fmt.Sprintf("%d of %d classes have fewer than 10 images, such as %s with %d", len(few), len(a.Data.Classes), few[0].Name, few[0].Images))
	}
}

// shots are the numbers of images per class at which the probe's learning curve
// is measured.
var shots = []int{1, 2, 4, 8, 16, 32, 64, 128}

func (a *Assessment) probe(ctx context.Context, train *embedding.Set, report progress.Reporter) error {
	x, d, classes := train.Images.Float32s(), train.Images.Cols, train.Classes()
	counts := make([]int, classes)
	for _, y := range train.Labels {
		counts[y]++
	}
	fewest, n := slices.Min(counts), len(train.Labels)
	var at []int
	for _, k := range shots {
		if float64(k) <= .8*float64(fewest) { // a fold has four fifths of the images
			at = append(at, k)
		}
	}
	bar := report.Start("fit probes", len(at)+1)
	defer bar.Done()
	for _, k := range append(at, n) {
		if err := ctx.Err(); err != nil {
			return err
		}
		v, err := evaluate.ValidateShots(x, d, train.Labels, classes, folds, k, 0)
		if err != nil {
			return err
		}
		point := forecast.CurvePoint{PerClass: float64(k), Accuracy: v.Accuracy.Top1, Tested: n}
		if k == n { // all there are
			point.PerClass = .8 * float64(n) / float64(classes)
			a.Probe.Accuracy, a.Probe.CI95 = v.Accuracy.Top1, interval(v.Accuracy.Top1, n)
		}
		a.Probe.Curve = append(a.Probe.Curve, point)
		bar.Add(1)
	}
	return nil
}

// forecast fills in what follows from a calibration.
func (a *Assessment) forecast(o Options) error {
	c, model := o.Calibration, a.Model
	if c == nil {
		var err error
		if c, model, err = forecast.ShippedFor(o.Model); err != nil {
			a.Notes = append(a.Notes, "nothing is forecast: "+err.Error())
			return nil
		}
	}
	c, err := a.withoutItself(c)
	if err != nil {
		return err
	}
	a.Standing = a.among(c, model)
	query := forecast.Query{Model: model, Inputs: forecast.Inputs{
		ZeroShotAccuracy: a.ZeroShot.Accuracy, ProbeCVAccuracy: &a.Probe.Accuracy, IIMM: &a.Measured.IIMM, Classes: len(a.Data.Classes),
	}}
	for _, name := range o.Retain {
		query.Retain = append(query.Retain, forecast.Retain{Task: name})
	}
	f, err := c.Forecast(query)
	if err != nil {
		return err
	}
	a.Forecast = f
	decision := f.Decide(o.Policy)
	a.Decision = &decision
	if len(a.Probe.Curve) < 3 {
		a.Notes = append(a.Notes, "no label budget: the smallest class has too few images for a learning curve")
		return nil
	}
	curve, err := forecast.FitCurve(a.Probe.Curve, o.Load.Seed)
	if err != nil {
		a.Notes = append(a.Notes, "no label budget: "+err.Error())
		return nil
	}
	method := decision.Method
	if method == "" {
		method = "full"
	}
	if a.Budget, err = c.Budget(forecast.BudgetQuery{Query: query, Method: method, Curve: curve, CostPerLabel: o.CostPerLabel, ValuePerPoint: o.ValuePerPoint}); err != nil {
		a.Notes = append(a.Notes, "no label budget: "+err.Error())
	}
	return nil
}

// withoutItself leaves out the calibration's task of this name, whose outcome
// must not be known to a forecast of it.
func (a *Assessment) withoutItself(c *forecast.Calibration) (*forecast.Calibration, error) {
	name := shortName(a.Task)
	others, err := c.Without(name)
	if err == nil && others != c {
		a.Notes = append(a.Notes, fmt.Sprintf("the calibration has a task named %s: what came of tuning it is left out of this forecast", name))
	}
	return others, err
}

// shortName is a task's name, of a path its last part without extension.
func shortName(task string) string {
	path, ok := strings.CutPrefix(task, "folder:")
	if !ok {
		return task
	}
	base := filepath.Base(filepath.Clean(path))
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// among places the task among the calibration's, each counted once.
func (a *Assessment) among(c *forecast.Calibration, model string) *Standing {
	s := &Standing{}
	seen := map[string]bool{}
	for _, o := range c.Observations {
		if o.Model != model || seen[o.Task] {
			continue
		}
		seen[o.Task] = true
		s.Tasks++
		if o.ZeroShotAccuracy < a.ZeroShot.Accuracy {
			s.ZeroShot++
		}
		if o.IIMM != nil && *o.IIMM < a.Measured.IIMM {
			s.IIMM++
		}
		if o.ProbeCVAccuracy != nil && *o.ProbeCVAccuracy < a.Probe.Accuracy {
			s.Probe++
		}
	}
	if s.Tasks == 0 {
		return nil
	}
	n := float64(s.Tasks)
	s.IIMM, s.ZeroShot, s.Probe = s.IIMM/n, s.ZeroShot/n, s.Probe/n
	return s
}
