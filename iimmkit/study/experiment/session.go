package experiment

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
)

// session holds what the runs of one model on one set of tasks share.
type session struct {
	e         *encoder.Encoder
	start     encoder.Weights // the model's before tuning
	modelHash string
	backend   string
	protocol  Protocol
	tasks     []*taskData
	tuners    map[string]finetune.Tuner // by method, for the protocol

	// testPixels of all tasks in a row, so that they take few large calls; nil
	// when they would take more memory than pixelBudget.
	testPixels []float32
	training   *taskData // the task whose training pixels are held
	resumeDir  string    // of the files from which interrupted runs go on; "": there are none
	// frozenTests are features before tuning, of methods that do not move the towers.
	frozenTests *testFeatures
}

// taskData is a task in the form in which the model reads it.
type taskData struct {
	*datasets.Task
	first                   int // place of its first test image among the session's
	trainLabels, testLabels []int
	tokens                  []int32
	frozen                  []float32 // unnormalised features of the training images, before tuning
	pixels                  []float32 // of the training images, while they are tuned on
	before                  *before
}

// pixelBudget bounds the pixels that are held of all test images: 512 MB.
const pixelBudget = 512 << 20 / 4

func newSession(e *encoder.Encoder, p Protocol, tasks []*datasets.Task) (*session, error) {
	s := &session{e: e, protocol: p, backend: backend.Name(e.Backend()), tuners: map[string]finetune.Tuner{}}
	var err error
	if s.modelHash, err = e.Hash(); err != nil {
		return nil, err
	}
	for _, t := range tasks {
		switch {
		case t.Train == nil || t.Train.Len() == 0:
			return nil, fmt.Errorf("task %s has no training images", t.Name)
		case t.Test == nil || t.Test.Len() == 0:
			return nil, fmt.Errorf("task %s has no test images", t.Name)
		case len(t.Captions) < 2:
			return nil, fmt.Errorf("task %s has %d class: at least 2 are needed", t.Name, len(t.Captions))
		}
		s.tasks = append(s.tasks, &taskData{Task: t, trainLabels: labels(t.Train), testLabels: labels(t.Test)})
	}
	return s, nil
}

func labels(images datasets.Images) []int {
	list := make([]int, images.Len())
	for i := range list {
		list[i] = images.Label(i)
	}
	return list
}

// open reads what all runs need.
func (s *session) open(ctx context.Context, report progress.Reporter) error {
	var err error
	if s.start, err = s.e.Snapshot(); err != nil {
		return err
	}
	values, images := 0, 0
	size := s.e.Config().ImageSize
	for _, t := range s.tasks {
		if t.tokens, err = s.e.Tokenize(t.Captions); err != nil {
			return fmt.Errorf("task %s: %w", t.Name, err)
		}
		t.first = images
		images += t.Test.Len()
	}
	if values = images * 3 * size * size; values > pixelBudget {
		return nil
	}
	bar := report.Start("read test images", images)
	defer bar.Done()
	s.testPixels = make([]float32, 0, values)
	for _, t := range s.tasks {
		if err := ctx.Err(); err != nil {
			return err
		}
		bar.Note(t.Name)
		pixels, err := s.e.PixelsOf(t.Test, 0, t.Test.Len())
		if err != nil {
			return fmt.Errorf("task %s: %w", t.Name, err)
		}
		s.testPixels = append(s.testPixels, pixels...)
		bar.Add(t.Test.Len())
	}
	return nil
}

// frozenFeatures returns the training images' unnormalised features before tuning.
// It must be called while the encoder has the weights of the start.
func (s *session) frozenFeatures(ctx context.Context, t *taskData) ([]float32, error) {
	if t.frozen != nil {
		return t.frozen, nil
	}
	var err error
	if t == s.training {
		t.frozen, err = s.e.ImageFeatures(t.pixels)
	} else {
		t.frozen, err = s.e.FeaturesOf(ctx, t.Train, t.Name, progress.Discard)
	}
	return t.frozen, err
}

// trainingPixels returns the task's training pixels. Those of one task at a
// time are held: runs come task by task.
func (s *session) trainingPixels(t *taskData) ([]float32, error) {
	if s.training != t {
		if s.training != nil {
			s.training.pixels = nil
		}
		s.training = nil
		pixels, err := s.e.PixelsOf(t.Train, 0, t.Train.Len())
		if err != nil {
			return nil, err
		}
		s.training, t.pixels = t, pixels
	}
	return t.pixels, nil
}

// testFeatures returns the unnormalised features of a task's test images by the
// encoder as it is now.
func (s *session) testFeatures(ctx context.Context, t *taskData) ([]float32, error) {
	if s.testPixels == nil {
		return s.e.FeaturesOf(ctx, t.Test, t.Name, progress.Discard)
	}
	return s.e.ImageFeatures(s.pixelsOf(t, t))
}

// pixelsOf returns the held pixels of the test images of neighbouring tasks.
func (s *session) pixelsOf(from, to *taskData) []float32 {
	size := s.e.Config().ImageSize
	width := 3 * size * size
	return s.testPixels[from.first*width : (to.first+to.Test.Len())*width]
}

// texts returns the unit embeddings of a task's captions by the encoder as it is now.
func (s *session) texts(t *taskData) ([]float32, error) {
	x, err := s.e.TextFeatures(t.tokens)
	if err != nil {
		return nil, err
	}
	return x, encoder.Normalize(x, s.e.Config().EmbedDim)
}

// testFeatures are unnormalised features of test images and of captions, of one
// task after the other.
type testFeatures struct {
	tasks         []int // in ascending order
	images, texts []float32
}

// all lists the session's tasks.
func (s *session) all() []int {
	list := make([]int, len(s.tasks))
	for k := range list {
		list[k] = k
	}
	return list
}

// features returns the features of tasks, in ascending order, by the encoder as it is now.
func (s *session) features(ctx context.Context, tasks []int) (testFeatures, error) {
	f := testFeatures{tasks: tasks}
	var tokens []int32
	for _, k := range tasks {
		tokens = append(tokens, s.tasks[k].tokens...)
	}
	var err error
	if f.texts, err = s.e.TextFeatures(tokens); err != nil {
		return f, err
	}
	for i := 0; i < len(tasks); {
		end := i + 1
		var x []float32
		if s.testPixels == nil {
			x, err = s.testFeatures(ctx, s.tasks[tasks[i]])
		} else {
			for end < len(tasks) && tasks[end] == tasks[end-1]+1 { // neighbours take one call
				end++
			}
			x, err = s.e.ImageFeatures(s.pixelsOf(s.tasks[tasks[i]], s.tasks[tasks[end-1]]))
		}
		if err != nil {
			return f, err
		}
		f.images = append(f.images, x...)
		i = end
	}
	return f, nil
}

// adapted returns the features of all tasks before tuning as an adapter changes them, with
// part times its share. The encoder must have the weights of the start.
func (s *session) adapted(ctx context.Context, a *finetune.Adapter, part float64) (testFeatures, error) {
	if s.frozenTests == nil {
		f, err := s.features(ctx, s.all())
		if err != nil {
			return f, err
		}
		s.frozenTests = &f
	}
	return testFeatures{s.frozenTests.tasks, a.Images(s.frozenTests.images, part), a.Texts(s.frozenTests.texts, part)}, nil
}

// classify tests features on their tasks. Of others the outcome is nil.
func (s *session) classify(f testFeatures) ([]*evaluate.Accuracy, error) {
	d := s.e.Config().EmbedDim
	if err := encoder.Normalize(f.texts, d); err != nil {
		return nil, fmt.Errorf("tuned captions: %w", err)
	}
	out := make([]*evaluate.Accuracy, len(s.tasks))
	image, text := 0, 0
	for _, k := range f.tasks {
		t := s.tasks[k]
		var err error
		out[k], err = evaluate.ZeroShot(f.images[image*d:(image+t.Test.Len())*d], f.texts[text*d:(text+len(t.Captions))*d], d, t.testLabels)
		if err != nil {
			return nil, fmt.Errorf("task %s after tuning: %w", t.Name, err)
		}
		image += t.Test.Len()
		text += len(t.Captions)
	}
	return out, nil
}

// use turns to another protocol on the same data. Tuners of the one before are
// let go: their graphs and optimisers take memory.
func (s *session) use(p Protocol) {
	if p.Name != s.protocol.Name {
		clear(s.tuners)
	}
	s.protocol = p
}

func (s *session) tuner(method string) (finetune.Tuner, error) {
	if t, ok := s.tuners[method]; ok {
		return t, nil
	}
	t, err := finetune.New(s.e, method, s.protocol.Tuning)
	if err == nil {
		s.tuners[method] = t
	}
	return t, err
}

// data returns the training part of a task in the form in which a method reads it.
func (s *session) data(ctx context.Context, m finetune.Method, t *taskData) (finetune.Data, error) {
	data := finetune.Data{Labels: t.trainLabels, Tokens: t.tokens}
	var err error
	if m.MovesTowers {
		data.Pixels, err = s.trainingPixels(t)
	} else {
		data.Features, err = s.frozenFeatures(ctx, t)
	}
	return data, err
}

// do tunes and measures. The run says what failed; the error is of what hinders
// further runs too. keep, when not nil, is called while the encoder has the
// tuned weights, which are then taken back.
func (s *session) do(ctx context.Context, p planned, watch finetune.Watch, keep func(*finetune.Tuned) error) (Run, error) {
	began, peak := time.Now(), watchMemory()
	s.use(p.protocol)
	t := s.tasks[p.Task]
	b := t.before
	run := Run{
		Schema: Schema, RunID: p.RunID, Protocol: s.protocol.Name, Model: s.e.Name, Method: p.MethodName,
		Task: t.Name, Group: t.Group, Domain: t.Domain, Seed: p.Seed, Settings: p.settings,
		NTrain: t.Train.Len(), NTest: t.Test.Len(), Classes: len(t.Captions),
		ZeroShotAccuracy: b.ZeroShotAccuracy, OffTarget: map[string][2]float64{},
		IIMM: b.Measured.IIMM, Inter: b.Measured.Inter, Intra: b.Measured.Intra, Alignment: b.Measured.Alignment,
		InterByClass: b.Measured.InterByClass, IntraText: b.Measured.IntraText, ModalityGap: b.Measured.ModalityGap,
		ProbeCVAccuracy: b.ProbeCVAccuracy,
		PhaseSeconds:    map[string]float64{}, Backend: s.backend, Hashes: p.hashes,
	}
	for phase, seconds := range b.Seconds {
		run.PhaseSeconds[phase] = seconds
	}
	clock := stopwatch(run.PhaseSeconds)
	data, err := s.data(ctx, p.Method, t)
	if err != nil {
		return run, fmt.Errorf("task %s: %w", t.Name, err)
	}
	clock("read")
	failure := s.tune(ctx, p, data, &run, watch, keep)
	if p.Method.MovesTowers {
		if err := s.e.Restore(s.start); err != nil {
			return run, err
		}
	}
	run.PeakMemory = peak()
	if failure != nil {
		if err := ctx.Err(); err != nil {
			return run, err
		}
		run.Error = failure.Error()
	}
	run.Seconds = time.Since(began).Seconds()
	return run, nil
}

// tune fills in what comes after tuning. It leaves the tuned weights in the encoder.
func (s *session) tune(ctx context.Context, p planned, data finetune.Data, run *Run, watch finetune.Watch, keep func(*finetune.Tuned) error) error {
	clock := stopwatch(run.PhaseSeconds)
	tuner, err := s.tuner(p.MethodName)
	if err != nil {
		return err
	}
	job := finetune.Job{Seed: p.Seed, Watch: watch}
	if s.resumeDir != "" {
		job.Resume, job.Run = filepath.Join(s.resumeDir, ".resume-"+p.RunID), p.RunID
	}
	tuned, err := tuner.Run(ctx, data, job)
	if err != nil {
		return err
	}
	clock("tune")
	t := s.tasks[p.Task]
	if p.Method.Forgets {
		f, err := testFeatures{}, error(nil)
		if tuned.Adapter != nil {
			f, err = s.adapted(ctx, tuned.Adapter, 1)
		} else {
			f, err = s.features(ctx, p.tested())
		}
		if err != nil {
			return err
		}
		after, err := s.classify(f)
		if err != nil {
			return err
		}
		run.Accuracy = after[p.Task].Top1
		for _, j := range p.OffTarget {
			other := s.tasks[j]
			run.OffTarget[other.Name] = [2]float64{other.before.ZeroShotAccuracy, after[j].Top1}
		}
	} else {
		x, err := s.testFeatures(ctx, t)
		if err != nil {
			return err
		}
		a, err := tuned.Probe.Accuracy(x, t.testLabels)
		if err != nil {
			return err
		}
		run.Accuracy = a.Top1
	}
	run.derive()
	clock("evaluate")
	if keep != nil {
		if err := keep(tuned); err != nil {
			return err
		}
	}
	finetune.Finished(job)
	return nil
}
