package experiment

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
)

func do(t *testing.T, e *encoder.Encoder, tasks []*datasets.Task, spec Spec, dir string) Summary {
	t.Helper()
	sum, err := DoOn(t.Context(), e, tasks, spec, dir, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// untimed returns the runs without what differs from one time to the next.
func untimed(runs []Run) []Run {
	out := make([]Run, len(runs))
	for i, r := range runs {
		r.Seconds, r.PhaseSeconds, r.PeakMemory = 0, nil, 0
		out[i] = r
	}
	return out
}

func find(t *testing.T, runs []Run, method, task string, seed int) Run {
	t.Helper()
	for _, r := range runs {
		if r.Method == method && r.Task == task && r.Seed == seed {
			return r
		}
	}
	t.Fatalf("no run of %s on %s with seed %d", method, task, seed)
	return Run{}
}

// The runs against the same numbers had step by step from the packages below.
func TestRunsHoldWhatTheirPartsGive(t *testing.T) {
	e, tasks := tinyEncoder(t), tinyTasks()
	spec := tinySpec()
	dir := t.TempDir()
	start, err := e.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	sum := do(t, e, tasks, spec, dir)
	if after, err := e.Snapshot(); err != nil || !reflect.DeepEqual(start, after) {
		t.Error("the encoder is not as it was")
	}
	if sum.Planned != 12 || sum.Reused != 0 || sum.Failed != 0 || len(sum.Runs) != 12 || sum.Model != "tiny" || sum.Backend != "go" ||
		sum.Protocol != "quick:learning_rate=0.003,steps=8,batch=8" {
		t.Errorf("summary %+v", sum)
	}
	runs, err := ReadLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(runs, sum.Runs) {
		t.Error("the ledger's runs are not the summary's")
	}

	d := e.Config().EmbedDim
	zeroShot := func(task *datasets.Task) float64 {
		x, err := e.FeaturesOf(t.Context(), task.Test, "", progress.Discard)
		if err != nil {
			t.Fatal(err)
		}
		texts, err := e.EncodeTexts(task.Captions)
		if err != nil {
			t.Fatal(err)
		}
		a, err := evaluate.ZeroShot(x, texts, d, labels(task.Test))
		if err != nil {
			t.Fatal(err)
		}
		return a.Top1
	}
	before := map[string]float64{}
	for _, task := range tasks {
		before[task.Name] = zeroShot(task)
	}
	// Before: the measures of the training part.
	task := tasks[0]
	set, err := e.Embed(t.Context(), task, "train", progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want, err := measure.Compute(set.Images.F32, set.Labels, set.Texts.F32, d)
	if err != nil {
		t.Fatal(err)
	}
	cv, err := evaluate.CrossValidate(set.Images.F32, d, set.Labels, 3, 5, 0)
	if err != nil {
		t.Fatal(err)
	}
	full := find(t, runs, "full", "colour", 1)
	for name, pair := range map[string][2]float64{
		"iimm": {full.IIMM, want.IIMM}, "inter": {full.Inter, want.Inter}, "intra": {full.Intra, want.Intra},
		"alignment": {full.Alignment, want.Alignment}, "inter_by_class": {*full.InterByClass, *want.InterByClass},
		"intra_text": {full.IntraText, want.IntraText}, "modality_gap": {full.ModalityGap, want.ModalityGap},
		"probe_cv_accuracy": {full.ProbeCVAccuracy, cv}, "zero_shot_accuracy": {full.ZeroShotAccuracy, before["colour"]},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-12 {
			t.Errorf("%s is %v, want %v", name, pair[0], pair[1])
		}
	}
	// After full tuning: accuracy here and elsewhere.
	p, _ := ProtocolNamed("quick")
	tuner, err := finetune.New(e, "full", p.With(spec.Changes).Tuning)
	if err != nil {
		t.Fatal(err)
	}
	data := finetune.Data{Labels: labels(task.Train)}
	if data.Pixels, err = e.PixelsOf(task.Train, 0, task.Train.Len()); err != nil {
		t.Fatal(err)
	}
	if data.Tokens, err = e.Tokenize(task.Captions); err != nil {
		t.Fatal(err)
	}
	if _, err := tuner.Run(t.Context(), data, finetune.Job{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	after := map[string]float64{}
	for _, task := range tasks {
		after[task.Name] = zeroShot(task)
	}
	if err := e.Restore(start); err != nil {
		t.Fatal(err)
	}
	off := map[string][2]float64{"side": {before["side"], after["side"]}, "stripes": {before["stripes"], after["stripes"]}}
	if full.Accuracy != after["colour"] || !reflect.DeepEqual(full.OffTarget, off) {
		t.Errorf("accuracy %v, off-target %v; want %v, %v", full.Accuracy, full.OffTarget, after["colour"], off)
	}
	forgotten := 50 * (before["side"] - after["side"] + before["stripes"] - after["stripes"])
	if gain := 100 * (after["colour"] - before["colour"]); full.Gain != gain || gain == 0 || math.Abs(*full.Forgetting-forgotten) > 1e-12 {
		t.Errorf("gain %v, forgetting %v; want %v, %v", full.Gain, *full.Forgetting, gain, forgotten)
	}
	// A probe.
	probe := find(t, runs, "probe", "colour", 0)
	if probe.Forgetting != nil || probe.RelativeForgetting != nil || len(probe.OffTarget) != 0 || probe.Accuracy < .8 {
		t.Errorf("probe %+v", probe)
	}
	for _, r := range runs {
		for _, phase := range []string{"embed", "measure", "zero_shot", "probe_cv", "read", "tune", "evaluate"} {
			if r.PhaseSeconds[phase] <= 0 {
				t.Errorf("%s took %v s", phase, r.PhaseSeconds[phase])
			}
		}
		if runtime.GOOS == "linux" && r.PeakMemory < 1<<20 {
			t.Errorf("peak memory %d", r.PeakMemory)
		}
		if r.Method == "full" && (r.Settings["learning_rate"] != 3e-3 || r.Settings["steps"] != 8.) || r.Method == "probe" && r.Settings["learning_rate"] != nil {
			t.Errorf("settings of %s: %v", r.Method, r.Settings)
		}
		if r.Seconds <= 0 || r.PhaseSeconds["tune"] <= 0 || r.Hashes["model"] == "" || r.NTrain != 40 || r.NTest != 30 {
			t.Errorf("run %+v", r)
		}
	}
}

func TestLedgerLinesHaveTheirKeys(t *testing.T) {
	dir := t.TempDir()
	do(t, tinyEncoder(t), tinyTasks(), tinySpec(), dir)
	data, err := os.ReadFile(filepath.Join(dir, LedgerFile))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 12 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		for _, key := range strings.Split("schema run_id protocol model method task group domain seed n_train n_test classes zero_shot_accuracy accuracy gain scaled_gain "+
			"forgetting relative_forgetting off_target iimm inter intra alignment inter_by_class intra_text modality_gap probe_cv_accuracy seconds backend hashes", " ") {
			if _, ok := m[key]; !ok {
				t.Errorf("no key %s", key)
			}
		}
		if probe := m["method"] == "probe"; (m["forgetting"] == nil) != probe || (len(m["off_target"].(map[string]any)) == 0) != probe {
			t.Errorf("method %v has forgetting %v", m["method"], m["forgetting"])
		}
	}
}

func TestSameSpecSameNumbers(t *testing.T) {
	tasks := tinyTasks()
	one := do(t, tinyEncoder(t), tasks, tinySpec(), t.TempDir())
	spec := tinySpec()
	spec.Methods, spec.Seeds = []string{"probe", "full"}, []int{1, 0}
	other := do(t, tinyEncoder(t), []*datasets.Task{tasks[2], tasks[0], tasks[1]}, spec, t.TempDir())
	if !reflect.DeepEqual(untimed(one.Runs), untimed(other.Runs)) {
		t.Error("the order in which tasks, methods and seeds are named makes a difference")
	}
}

func TestStoppedAndStartedAgainIsAsNeverStopped(t *testing.T) {
	e, tasks, spec := tinyEncoder(t), tinyTasks(), tinySpec()
	want := do(t, e, tasks, spec, t.TempDir())
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	seen := 0
	_, err := DoOn(ctx, e, tasks, spec, dir, watcher(func(note string) {
		if strings.Contains(note, "stripes full seed 1: step 3") {
			seen++
			stop()
		}
	}))
	if !errors.Is(err, context.Canceled) || seen == 0 {
		t.Fatalf("stopped with %v, seen %d", err, seen)
	}
	half, err := ReadLedger(dir)
	if err != nil || len(half) != 9 { // task by task: 4 + 4, then full with seed 0
		t.Fatalf("%d runs, %v", len(half), err)
	}
	sum := do(t, e, tasks, spec, dir)
	if sum.Reused != 9 || !reflect.DeepEqual(untimed(sum.Runs), untimed(want.Runs)) {
		t.Errorf("%d of 9 runs reused, or numbers differ", sum.Reused)
	}
	// A third time there is nothing to do, and nothing changes.
	ledger, _ := os.ReadFile(filepath.Join(dir, LedgerFile))
	sum = do(t, e, failing(tasks), spec, dir)
	again, _ := os.ReadFile(filepath.Join(dir, LedgerFile))
	if sum.Reused != 12 || string(ledger) != string(again) {
		t.Errorf("%d of 12 runs reused, or the ledger changed", sum.Reused)
	}
	// Without the ledger its lines come back from the runs' files, without these from the ledger.
	os.Remove(filepath.Join(dir, LedgerFile))
	do(t, e, failing(tasks), spec, dir)
	os.RemoveAll(filepath.Join(dir, runsFolder))
	if sum = do(t, e, failing(tasks), spec, dir); sum.Reused != 12 {
		t.Errorf("%d of 12 runs read from the ledger", sum.Reused)
	}
	if again, _ := os.ReadFile(filepath.Join(dir, LedgerFile)); string(ledger) != string(again) {
		t.Error("the ledger changed")
	}
}

// failing returns the tasks with images that cannot be read.
func failing(tasks []*datasets.Task) []*datasets.Task {
	var out []*datasets.Task
	for _, t := range tasks {
		c := *t
		c.Train, c.Test = broken{t.Train}, broken{t.Test}
		out = append(out, &c)
	}
	return out
}

type broken struct{ datasets.Images }

func (b broken) Image(int) (*picture.RGB, error) {
	return nil, errors.New("image read although nothing is to be done")
}

// watcher is a progress reporter that looks at the notes.
type watcher func(note string)

func (w watcher) Start(string, int) progress.Bar { return w }
func (w watcher) Add(int)                        {}
func (w watcher) Note(text string)               { w(text) }
func (w watcher) Done()                          {}

func TestUnreadableImageNamesTheTask(t *testing.T) {
	tasks := tinyTasks()
	tasks[1] = failing(tasks)[1]
	_, err := DoOn(t.Context(), tinyEncoder(t), tasks, tinySpec(), t.TempDir(), progress.Discard)
	if err == nil || !strings.Contains(err.Error(), "side") {
		t.Errorf("error %v", err)
	}
}

func TestMoreTasksSupersedeFewer(t *testing.T) {
	e, tasks, spec := tinyEncoder(t), tinyTasks(), tinySpec()
	dir := t.TempDir()
	few := do(t, e, tasks[:2], spec, dir)
	all := do(t, e, tasks, spec, dir)
	if few.Planned != 8 || all.Planned != 12 || all.Reused != 4 { // the probes: they retain nothing
		t.Errorf("planned %d and %d, reused %d", few.Planned, all.Planned, all.Reused)
	}
	runs, err := ReadLedger(filepath.Join(dir, LedgerFile))
	if err != nil || !reflect.DeepEqual(runs, all.Runs) {
		t.Errorf("%d runs in the ledger, want the 12 of the larger spec: %v", len(runs), err)
	}
	// The smaller spec's runs are still there.
	if again := do(t, e, failing(tasks[:2]), spec, dir); again.Reused != 8 || !reflect.DeepEqual(again.Runs, few.Runs) {
		t.Errorf("%d of 8 runs reused", again.Reused)
	}
}

// What is tuned but not retained is a run beside those of an experiment on the
// retained tasks alone, which stay the same runs.
func TestForgettingIsMeasuredOnRetainedTasks(t *testing.T) {
	e, tasks := tinyEncoder(t), tinyTasks()
	spec := tinySpec()
	spec.Methods, spec.Seeds = []string{"full"}, []int{0}
	retained := []*datasets.Task{tasks[0], tasks[2]}
	spec.Retain = []string{tasks[0].Name, tasks[2].Name}
	with := do(t, e, tasks, spec, t.TempDir()).Runs
	spec.Retain = nil
	alone := do(t, e, retained, spec, t.TempDir()).Runs
	for _, want := range alone {
		if got := find(t, with, "full", want.Task, 0); !reflect.DeepEqual(untimed([]Run{got}), untimed([]Run{want})) {
			t.Errorf("%s: %+v, without the other task %+v", want.Task, got, want)
		}
	}
	other := find(t, with, "full", tasks[1].Name, 0)
	if got := slices.Sorted(maps.Keys(other.OffTarget)); !slices.Equal(got, slices.Sorted(slices.Values([]string{tasks[0].Name, tasks[2].Name}))) {
		t.Errorf("forgetting by tuning on the other task was measured on %v", got)
	}
}

func TestFailedRunsAreKeptAndRetriedOnDemand(t *testing.T) {
	e, tasks, spec := tinyEncoder(t), tinyTasks()[:2], tinySpec()
	spec.Seeds = []int{0}
	spec.Changes.Rate, spec.Changes.Optimizer = value(1e30), "sgd"
	dir := t.TempDir()
	sum := do(t, e, tasks, spec, dir)
	if sum.Planned != 4 || sum.Failed != 2 || len(sum.Failures()) != 2 {
		t.Fatalf("summary %+v", sum)
	}
	for _, r := range sum.Failures() {
		if r.Method != "full" || !strings.Contains(r.Error, "learning rate") || !strings.Contains(r.Error, "step") {
			t.Errorf("failure %q of %s", r.Error, r.Method)
		}
	}
	if probe := find(t, sum.Runs, "probe", "side", 0); probe.Error != "" || probe.Accuracy == 0 {
		t.Errorf("the run after a failed one: %+v", probe)
	}
	if again := do(t, e, failing(tasks), spec, dir); again.Reused != 4 || again.Failed != 2 {
		t.Errorf("failed runs were done again unasked: %+v", again)
	}
	spec.RetryFailed = true
	if again := do(t, e, tasks, spec, dir); again.Reused != 2 || again.Failed != 2 {
		t.Errorf("retried: %+v", again)
	}
	status, err := StatusOf(dir)
	if err != nil || status.Done != 2 || status.Failed != 2 || status.Missing != 0 || len(status.Failures) != 2 || status.Running {
		t.Errorf("status %+v, %v", status, err)
	}
}

func TestStatusCountsWhatIsMissing(t *testing.T) {
	e, tasks, spec := tinyEncoder(t), tinyTasks(), tinySpec()
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	DoOn(ctx, e, tasks, spec, dir, watcher(func(note string) {
		if strings.HasPrefix(note, "side full seed 0") {
			if s, err := StatusOf(dir); err != nil || !s.Running {
				t.Errorf("status while running: %+v, %v", s, err)
			}
			stop()
		}
	}))
	s, err := StatusOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []MethodDone{{"full", 6, 2, 0}, {"probe", 6, 2, 0}}
	if s.Planned != 12 || s.Done != 4 || s.Missing != 8 || s.Ledger != 4 || s.Running || !reflect.DeepEqual(s.Methods, want) {
		t.Errorf("status %+v", s)
	}
	if _, err := StatusOf(t.TempDir()); err == nil || !strings.Contains(err.Error(), "holds no experiment") {
		t.Errorf("error %v", err)
	}
}

func TestDamagedRunFileIsNamedAndDoneAgain(t *testing.T) {
	e, tasks, spec := tinyEncoder(t), tinyTasks()[:2], tinySpec()
	dir := t.TempDir()
	sum := do(t, e, tasks, spec, dir)
	path := filepath.Join(dir, runsFolder, sum.Runs[0].RunID+".json")
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLedger(dir); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove the file") {
		t.Errorf("error %v", err)
	}
	if status, err := StatusOf(dir); err != nil || status.Missing != 1 || len(status.Damaged) != 1 || !strings.Contains(status.Damaged[0], path) {
		t.Errorf("status %+v, %v", status, err)
	}
	again := do(t, e, tasks, spec, dir)
	if again.Reused != 7 || len(again.Damaged) != 1 || !strings.Contains(again.Damaged[0], path) || !reflect.DeepEqual(untimed(again.Runs), untimed(sum.Runs)) {
		t.Errorf("%d of 7 runs reused, or other numbers; damaged: %v", again.Reused, again.Damaged)
	}
	if runs, err := ReadLedger(dir); err != nil || len(runs) != 8 {
		t.Errorf("%d runs, %v", len(runs), err)
	}
	os.Remove(path)
	os.Remove(filepath.Join(dir, LedgerFile))
	if again := do(t, e, tasks, spec, dir); again.Reused != 7 || !reflect.DeepEqual(untimed(again.Runs), untimed(sum.Runs)) {
		t.Errorf("%d of 7 reused", again.Reused)
	}
	// A damaged measurement before tuning is made again.
	entries, err := os.ReadDir(filepath.Join(dir, beforeFolder))
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d measurements kept, %v", len(entries), err)
	}
	os.WriteFile(filepath.Join(dir, beforeFolder, entries[0].Name()), []byte("{}"), 0o644)
	os.RemoveAll(filepath.Join(dir, runsFolder))
	os.Remove(filepath.Join(dir, LedgerFile))
	if again := do(t, e, tasks, spec, dir); !reflect.DeepEqual(untimed(again.Runs), untimed(sum.Runs)) {
		t.Error("other numbers after a damaged measurement")
	}
}

func TestWrongSpecsAreRefused(t *testing.T) {
	e, tasks := tinyEncoder(t), tinyTasks()
	for want, spoil := range map[string]func(*Spec, *[]*datasets.Task){
		"no tuning method":      func(s *Spec, _ *[]*datasets.Task) { s.Methods = []string{"fall"} },
		"no method given":       func(s *Spec, _ *[]*datasets.Task) { s.Methods = nil },
		"no task given":         func(_ *Spec, t *[]*datasets.Task) { *t = nil },
		"task side is given":    func(_ *Spec, t *[]*datasets.Task) { *t = []*datasets.Task{tasks[1], tasks[1]} },
		"method full is given":  func(s *Spec, _ *[]*datasets.Task) { s.Methods = []string{"full", "full"} },
		"seed 3 is given twice": func(s *Spec, _ *[]*datasets.Task) { s.Seeds = []int{3, 3} },
		"seed -1 is negative":   func(s *Spec, _ *[]*datasets.Task) { s.Seeds = []int{-1} },
		"no seed given":         func(s *Spec, _ *[]*datasets.Task) { s.Seeds = []int{} },
		"no protocol":           func(s *Spec, _ *[]*datasets.Task) { s.Protocol = "slow" },
		"0 steps":               func(s *Spec, _ *[]*datasets.Task) { s.Changes.Steps = value(0) },
		"has no test images": func(_ *Spec, t *[]*datasets.Task) {
			c := *tasks[0]
			c.Test = nil
			*t = []*datasets.Task{&c}
		},
	} {
		spec, list, dir := tinySpec(), tasks, filepath.Join(t.TempDir(), "new")
		spoil(&spec, &list)
		if _, err := DoOn(t.Context(), e, list, spec, dir, progress.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if _, err := os.Stat(filepath.Join(dir, LedgerFile)); err == nil {
			t.Errorf("%s: a ledger was written", want)
		}
	}
}
