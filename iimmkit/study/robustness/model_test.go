package robustness

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/datasets/corrupt"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

// A model of each method, opened from its folder, classifies as it does right
// after tuning, and is told apart by its hashes and in the cache.
func TestModelsOfEveryMethodAreOpened(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	task, err := datasets.Load("world/count", datasets.LoadOptions{NTrain: 32, NTest: 32})
	if err != nil {
		t.Fatal(err)
	}
	labels := func(images datasets.Images) (list []int) {
		for i := range images.Len() {
			list = append(list, images.Label(i))
		}
		return list
	}
	e := micro(t)
	d := e.Config().EmbedDim
	hash, err := e.Hash()
	if err != nil {
		t.Fatal(err)
	}
	start, err := e.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := e.Tokenize(task.Captions)
	if err != nil {
		t.Fatal(err)
	}
	pixels, err := e.PixelsOf(task.Train, 0, 32)
	if err != nil {
		t.Fatal(err)
	}
	few := Options{Kinds: []corrupt.Kind{corrupt.Contrast}, Severities: []int{4}}
	seen := map[string]string{"": ""}
	accuracies := map[float64]bool{}
	for _, method := range finetune.Methods() {
		o := finetune.Defaults()
		o.Steps, o.Batch, o.Rate, o.Warmup, o.Captions = 2, 8, 1e-2, 0, 4
		tuner, err := finetune.New(e, method, o)
		if err != nil {
			t.Fatal(err)
		}
		tuned, err := tuner.Run(t.Context(), finetune.Data{Pixels: pixels, Labels: labels(task.Train), Tokens: tokens}, finetune.Job{})
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), method)
		if err := finetune.Keep(dir, e, finetune.Base{Model: "micro", Hash: hash}, method, tuned); err != nil {
			t.Fatal(err)
		}
		x, err := e.FeaturesOf(t.Context(), task.Test, "", progress.Discard)
		if err != nil {
			t.Fatal(err)
		}
		texts, err := e.TextFeatures(tokens)
		if err != nil {
			t.Fatal(err)
		}
		var want *evaluate.Accuracy
		switch {
		case tuned.Probe != nil:
			want, err = tuned.Probe.Accuracy(x, labels(task.Test))
		default:
			if tuned.Adapter != nil {
				x, texts = tuned.Adapter.Images(x, 1), tuned.Adapter.Texts(texts, 1)
			}
			if err = encoder.Normalize(texts, d); err == nil {
				want, err = evaluate.ZeroShot(x, texts, d, labels(task.Test))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, base := range []string{"", "micro"} {
			m, err := Open(e.Backend(), dir, base)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Evaluate(t.Context(), m, task, few, progress.Discard)
			if err != nil || r.CleanAccuracy != want.Top1 || r.Model != method {
				t.Fatalf("%s: accuracy %g of %s, want %g (%v)", method, r.CleanAccuracy, r.Model, want.Top1, err)
			}
			id := r.Hashes["model"] + r.Hashes["adapter"] + r.Hashes["probe"]
			if base == "" && seen[id] != "" {
				t.Errorf("%s and %s have the same hashes", method, seen[id])
			}
			seen[id] = method
		}
		accuracies[want.Top1] = true
		if err := e.Restore(start); err != nil {
			t.Fatal(err)
		}
	}
	if len(accuracies) < 3 {
		t.Errorf("the methods came to accuracies %v only: the test says little", accuracies)
	}
}

func TestHeadsThatDoNotFitAreRefused(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	task, _ := wideTask(t, 3)
	e := micro(t)
	hash, err := e.Hash()
	if err != nil {
		t.Fatal(err)
	}
	d := e.Config().EmbedDim
	probe := func(classes, d int) *evaluate.Probe {
		p := &evaluate.Probe{D: d, Classes: classes, Mean: make([]float64, d), Scale: make([]float64, d), L2: 1}
		for c := range classes {
			p.Present, p.Bias = append(p.Present, c), append(p.Bias, 0)
			p.Weight = append(p.Weight, make([]float64, d)...)
		}
		return p
	}
	ensemble, err := task.WithTemplates([]string{"a {class}", "one {class}"})
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]struct {
		m    Model
		task *datasets.Task
	}{
		"probe of task world/count":     {Model{Encoder: e, Probe: probe(12, d), Task: "world/count"}, task},
		"probe of 2 classes":            {Model{Encoder: e, Probe: probe(2, d)}, task},
		"features of width 3":           {Model{Encoder: e, Adapter: &finetune.Adapter{Dim: 3}}, task},
		"tuned with one caption a clas": {Model{Encoder: e, Adapter: &finetune.Adapter{Dim: d}}, ensemble},
	} {
		if _, err := Evaluate(t.Context(), c.m, c.task, some, progress.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}

	dir := t.TempDir()
	keep := func(base finetune.Base) {
		t.Helper()
		if err := finetune.Keep(dir, e, base, "probe", &finetune.Tuned{Probe: probe(12, d)}); err != nil {
			t.Fatal(err)
		}
	}
	keep(finetune.Base{Model: "micro", Hash: hash})
	data, err := json.Marshal(experiment.Run{Task: "world/count"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, experiment.RunFile), data, 0o644); err != nil {
		t.Fatal(err)
	}
	b := e.Backend()
	if m, err := Open(b, dir, ""); err != nil || m.Task != "world/count" || m.Probe == nil {
		t.Errorf("%+v, %v", m, err)
	}
	keep(finetune.Base{Model: "micro", Hash: "another"})
	for want, err := range map[string]error{
		"was used on model micro with hash another": func() error { _, err := Open(b, dir, "micro"); return err }(),
		"holds no tuned model":                      func() error { _, err := Open(b, t.TempDir(), "micro"); return err }(),
		"no model \"macro\"":                        func() error { _, err := Open(b, "macro", ""); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	// A folder does not hide a model's name.
	t.Chdir(t.TempDir())
	if err := os.Mkdir("micro", 0o755); err != nil {
		t.Fatal(err)
	}
	if m, err := Open(b, "micro", ""); err != nil || m.Name != "micro-clip" || backend.Name(m.Encoder.Backend()) != backend.Go {
		t.Errorf("%+v, %v", m, err)
	}
}
