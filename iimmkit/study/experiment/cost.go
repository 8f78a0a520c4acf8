package experiment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
)

// Estimate is how long the missing runs of an experiment will take.
type Estimate struct {
	Missing int `json:"missing"`
	// Unknown of the missing runs are of a kind of which nothing is known yet.
	Unknown int `json:"unknown"`
	// Seconds is what the others take, nil when there are none.
	Seconds *float64 `json:"seconds"`
	// Processes divide the runs.
	Processes int `json:"processes"`
}

// String is what Seconds says, in words: about 3 h 20 min.
func (e Estimate) String() string { return e.on("") }

// on is String with the backend on which it will take so long.
func (e Estimate) on(backend string) string {
	if backend != "" {
		backend = " on " + backend
	}
	switch {
	case e.Missing == 0:
		return "nothing is missing"
	case e.Seconds == nil:
		return fmt.Sprintf("unknown for %d runs%s", e.Missing, backend)
	}
	text := "about " + progress.FormatDuration(time.Duration(*e.Seconds*float64(time.Second))) + backend
	if e.Unknown > 0 {
		text += fmt.Sprintf(" for %d runs, unknown for %d", e.Missing-e.Unknown, e.Unknown)
	}
	if e.Processes > 1 {
		text += fmt.Sprintf(", shared by %d processes", e.Processes)
	}
	return text
}

// kind is what runs that take equally long have in common.
type kind struct{ model, backend, method, protocol string }

func (r planned) kind() kind { return kind{r.Model, r.Backend, r.MethodName, r.Protocol} }

// steps returns the number of steps of settings, 0 where a method has none.
func steps(settings map[string]any) float64 {
	n, _ := settings["steps"].(float64)
	return n
}

// costs is what is known of the seconds that runs take.
type costs struct {
	finished map[kind][]float64
	steps    map[kind]float64 // of the finished ones
	// calibrated holds what a few steps told, until runs tell better.
	calibrated map[kind]float64
	// before is what measuring before tuning takes, as calibrated.
	before map[*unit]float64
}

func costsOf(runs map[string]Run) *costs {
	c := &costs{map[kind][]float64{}, map[kind]float64{}, map[kind]float64{}, map[*unit]float64{}}
	for _, r := range runs {
		c.add(r)
	}
	return c
}

func (c *costs) add(r Run) {
	if r.Error == "" {
		k := kind{r.Model, r.Backend, r.Method, r.Protocol}
		c.finished[k], c.steps[k] = append(c.finished[k], r.Seconds), steps(r.Settings)
	}
}

// of returns the seconds of a run. The first run of a process also compiles: of
// few runs, what was calibrated says more. Where there is neither, runs with
// other settings tell, by their steps.
func (c *costs) of(r planned) (float64, bool) {
	k := r.kind()
	if guess, ok := c.calibrated[k]; ok && len(c.finished[k]) < 2 {
		return guess, true
	}
	if len(c.finished[k]) > 0 {
		return median(c.finished[k]), true
	}
	var others []float64
	for other, list := range c.finished {
		factor := 1.
		if n := c.steps[other]; n > 0 && r.Steps > 0 {
			factor = r.Steps / n
		}
		if other.protocol = k.protocol; other == k {
			for _, seconds := range list {
				others = append(others, seconds*factor)
			}
		}
	}
	return median(others), len(others) > 0
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	if len(x) == 0 {
		return 0
	}
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

// estimate adds up what the missing runs take when processes divide them.
func (c *costs) estimate(missing []planned, processes int) Estimate {
	e := Estimate{Missing: len(missing), Processes: processes}
	sum := 0.0
	for _, r := range missing {
		seconds, ok := c.of(r)
		if !ok {
			e.Unknown++
		}
		sum += seconds
	}
	if e.Unknown < e.Missing {
		for _, seconds := range c.before {
			sum += seconds
		}
		sum /= float64(max(1, processes))
		e.Seconds = &sum
	}
	return e
}

// fewRuns are not worth the time of an estimate.
const fewRuns = 4

// estimate says how long all missing runs take, having calibrated what the
// ledger tells nothing of in this unit.
func (w *worker) estimate(ctx context.Context, u *unit) error {
	if u.costed {
		return nil
	}
	u.costed = true
	missing := w.missing(w.runs)
	if len(missing) < fewRuns {
		return nil
	}
	if err := w.calibrate(ctx, u); err != nil {
		return err
	}
	e := w.costs.estimate(missing, w.processes())
	delete(w.costs.before, u) // the measurements show their own progress
	if e.Seconds != nil {
		progress.Say(w.report, fmt.Sprintf("%s, %d of %d runs done", e.on(u.session.backend), len(w.runs)-len(missing), len(w.runs)))
	}
	return nil
}

// Calibration takes steps until their time is known.
const (
	calibrationSteps   = 6
	calibrationSeconds = 10
	calibrationImages  = 128
)

// calibrate times the encoder on some images, and a few steps of every method and
// size of batch of which the ledger holds no runs, on the unit's first task. The
// encoder has the same weights afterwards. What fails here will fail, and be
// told, when it is done in earnest.
func (w *worker) calibrate(ctx context.Context, u *unit) error {
	s := u.session
	type pace struct { // one for all settings that only make more or fewer steps
		method, batch string
	}
	kinds := map[pace]map[kind]planned{}
	var order []planned // the first of each pace, those of the first protocol first
	for _, r := range w.missing(u.runs) {
		if _, known := w.costs.of(r); known {
			continue
		}
		p := pace{r.MethodName, fmt.Sprint(r.settings["batch"])}
		if kinds[p] == nil {
			kinds[p] = map[kind]planned{}
			order = append(order, r)
		}
		kinds[p][r.kind()] = r
	}
	if len(order) == 0 {
		return nil
	}
	bar := w.report.Start("estimate the time", len(order))
	defer bar.Done()
	perImage, perCaption, err := s.timeEncoder(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return nil
	}
	test, captions := 0, 0
	w.costs.before[u] = 0
	for _, t := range s.tasks {
		test, captions = test+t.Test.Len(), captions+len(t.Captions)
		key := s.beforeKey(t)
		if b, err := readBefore(beforePath(w.dir, key), key); err == nil && b == nil {
			w.costs.before[u] += perImage*float64(t.Train.Len()+t.Test.Len()) + perCaption*float64(len(t.Captions))
		}
	}
	for _, r := range slices.Backward(order) { // the tuners of the first protocol stay
		bar.Note(r.MethodName)
		seconds, ok, err := s.timeTuning(ctx, r)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		bar.Add(1)
		if !ok {
			continue
		}
		evaluation := perImage * float64(s.tasks[r.Task].Test.Len())
		if r.Method.MovesTowers {
			evaluation = perImage*float64(test) + perCaption*float64(captions)
		}
		for k, other := range kinds[pace{r.MethodName, fmt.Sprint(r.settings["batch"])}] {
			factor := 1.
			if r.Steps > 0 {
				factor = other.Steps / r.Steps
			}
			w.costs.calibrated[k] = seconds*factor + evaluation
		}
	}
	return nil
}

// timeEncoder returns the seconds of an image and of a caption, reading included.
func (s *session) timeEncoder(ctx context.Context) (image, caption float64, err error) {
	t := s.tasks[0]
	n := min(t.Test.Len(), calibrationImages)
	tokens, err := s.e.Tokenize(t.Captions)
	if err != nil {
		return 0, 0, err
	}
	for range 2 { // the first time compiles
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		began := time.Now()
		pixels, err := s.e.PixelsOf(t.Test, 0, n)
		if err != nil {
			return 0, 0, err
		}
		if _, err := s.e.ImageFeatures(pixels); err != nil {
			return 0, 0, err
		}
		image = time.Since(began).Seconds() / float64(n)
		began = time.Now()
		if _, err := s.e.TextFeatures(tokens); err != nil {
			return 0, 0, err
		}
		caption = time.Since(began).Seconds() / float64(len(t.Captions))
	}
	return image, caption, nil
}

var errTimed = errors.New("enough steps were timed")

// timeTuning returns the seconds that the tuning of a run takes, to judge by its
// first steps on the session's first task; not ok when it failed. The tuner
// stays, compiled; nothing else does.
func (s *session) timeTuning(ctx context.Context, r planned) (seconds float64, ok bool, err error) {
	s.use(r.protocol)
	t := s.tasks[0]
	defer func() { s.training, t.pixels, t.frozen = nil, nil, nil }()
	tuner, err := s.tuner(r.MethodName)
	if err != nil {
		return 0, false, nil
	}
	if t.tokens, err = s.e.Tokenize(t.Captions); err != nil {
		return 0, false, nil
	}
	data, err := s.data(ctx, r.Method, t)
	if err != nil {
		return 0, false, nil
	}
	if r.Method.MovesTowers {
		start, err := s.e.Snapshot()
		if err != nil {
			return 0, false, err
		}
		defer func() {
			if rerr := s.e.Restore(start); rerr != nil {
				ok, err = false, rerr
			}
		}()
	}
	timed, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	began := time.Now()
	var first time.Time
	_, failure := tuner.Run(timed, data, finetune.Job{Watch: func(done, steps int, _ float64) {
		if done == 1 {
			first = time.Now() // it compiled
			return
		}
		passed := time.Since(first).Seconds()
		seconds = passed / float64(done-1) * float64(steps)
		if done >= calibrationSteps || passed > calibrationSeconds {
			stop(errTimed)
		}
	}})
	if failure == nil {
		return time.Since(began).Seconds(), true, nil
	}
	return seconds, context.Cause(timed) == errTimed, nil
}

// Plan is what an experiment would do.
type Plan struct {
	Schema int `json:"schema"`
	// Model, Backend and Protocol name all of the specs', joined by ", ".
	Model    string   `json:"model"`
	Backend  string   `json:"backend"`
	Protocol string   `json:"protocol"`
	Planned  int      `json:"planned"` // runs that the specs ask for
	Done     int      `json:"done"`    // of these, without error
	Failed   int      `json:"failed"`
	Missing  int      `json:"missing"` // failed ones included when they are to be done again
	Estimate Estimate `json:"estimate"`
}

// PlanOf says what DoAll would do, to judge by the runs in dir, where there are
// any, and by a short calibration. Nothing is written.
func PlanOf(ctx context.Context, specs []Spec, dir string, report progress.Reporter) (Plan, error) {
	w := &worker{from: &named{}, dir: dir, report: report}
	if err := w.plan(ctx, specs); err != nil {
		return Plan{}, err
	}
	if err := w.openBook(); err != nil {
		return Plan{}, err
	}
	return w.outlook(ctx)
}

func (w *worker) outlook(ctx context.Context) (Plan, error) {
	for _, u := range w.units {
		if len(w.missing(u.runs)) == 0 {
			continue
		}
		if err := w.enter(u); err != nil {
			return Plan{}, err
		}
		if err := w.calibrate(ctx, u); err != nil {
			return Plan{}, err
		}
	}
	missing := w.missing(w.runs)
	p := Plan{
		Schema:   Schema,
		Model:    joined(w.runs, func(r planned) string { return r.Model }),
		Backend:  joined(w.runs, func(r planned) string { return r.Backend }),
		Protocol: joined(w.runs, func(r planned) string { return r.Protocol }),
		Planned:  len(w.runs), Missing: len(missing), Estimate: w.costs.estimate(missing, w.processes()),
	}
	for _, r := range w.runs {
		if run, ok := w.book.runs[r.RunID]; ok && run.Error != "" {
			p.Failed++
		} else if ok && !w.isMissing(r.RunID) {
			p.Done++
		}
	}
	return p, nil
}
