package experiment

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

func tune(t *testing.T, method, dir string) (*Tuned, error) {
	t.Helper()
	spec := tinySpec()
	spec.Methods, spec.Seeds = []string{method}, []int{1}
	return TuneOn(t.Context(), tinyEncoder(t), tinyTasks(), spec, dir, progress.Discard)
}

// The kept model, opened again, has the accuracies that the run says.
func TestKeptCheckpointIsTheTunedModel(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tuned")
	tuned, err := tune(t, "full", dir)
	if err != nil {
		t.Fatal(err)
	}
	tasks := tinyTasks()
	run := find(t, do(t, tinyEncoder(t), tasks, tinySpec(), t.TempDir()).Runs, "full", "colour", 1)
	if !reflect.DeepEqual(untimed([]Run{run}), untimed([]Run{tuned.Run})) {
		t.Errorf("the run is %+v, in an experiment %+v", tuned.Run, run)
	}
	if len(tuned.Losses) != 8 || tuned.ParameterCount == 0 || len(tuned.Parameters) == 0 {
		t.Errorf("%d losses, %d parameters", len(tuned.Losses), tuned.ParameterCount)
	}
	kept, err := encoder.Open(tinyEncoder(t).Backend(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		x, err := kept.FeaturesOf(t.Context(), task.Test, "", progress.Discard)
		if err != nil {
			t.Fatal(err)
		}
		texts, err := kept.EncodeTexts(task.Captions)
		if err != nil {
			t.Fatal(err)
		}
		a, err := evaluate.ZeroShot(x, texts, kept.Config().EmbedDim, labels(task.Test))
		if err != nil {
			t.Fatal(err)
		}
		want := run.Accuracy
		if task.Name != "colour" {
			want = run.OffTarget[task.Name][1]
		}
		if a.Top1 != want {
			t.Errorf("%s: accuracy %v, the run says %v", task.Name, a.Top1, want)
		}
	}
	var written Run
	data, err := os.ReadFile(filepath.Join(dir, RunFile))
	if err != nil || json.Unmarshal(data, &written) != nil || !reflect.DeepEqual(written, tuned.Run) {
		t.Errorf("%s: %v", RunFile, err)
	}
	// A model is never replaced unasked.
	if _, err := tune(t, "probe", dir); err == nil || !strings.Contains(err.Error(), "holds a model already") {
		t.Errorf("error %v", err)
	}
}

func TestKeptProbeClassifiesAsTheRunSays(t *testing.T) {
	dir := t.TempDir()
	tuned, err := tune(t, "probe", dir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := tensorfile.OpenSafetensors(filepath.Join(dir, "probe.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	values := map[string][]float64{}
	for _, name := range []string{"weight", "bias", "mean", "scale"} {
		x, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		if values[name], err = x.Float64s(); err != nil {
			t.Fatal(err)
		}
	}
	e, task := tinyEncoder(t), tinyTasks()[0]
	x, err := e.FeaturesOf(t.Context(), task.Test, "", progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	d, right := e.Config().EmbedDim, 0
	for i := range task.Test.Len() {
		best, at := math.Inf(-1), 0
		for c, s := range values["bias"] {
			for j := range d {
				s += values["weight"][c*d+j] * (float64(x[i*d+j]) - values["mean"][j]) / values["scale"][j]
			}
			if s > best {
				best, at = s, c
			}
		}
		if at == task.Test.Label(i) {
			right++
		}
	}
	if got := float64(right) / float64(task.Test.Len()); got != tuned.Run.Accuracy {
		t.Errorf("accuracy %v, the run says %v", got, tuned.Run.Accuracy)
	}
	if len(tuned.Losses) != 0 || tuned.ParameterCount != 3*d+3 {
		t.Errorf("%d losses, %d parameters", len(tuned.Losses), tuned.ParameterCount)
	}
}
