package experiment

import (
	"math"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// Features of some tasks are theirs and no others', whether the pixels of all test
// images are held or, being too many, read anew.
func TestFeaturesAreOfTheTasksAskedFor(t *testing.T) {
	tasks, spec := tinyTasks(), tinySpec()
	for _, task := range tasks {
		spec.Tasks = append(spec.Tasks, task.Name)
	}
	p, err := spec.resolve()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSession(tinyEncoder(t), p, tasks)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.open(t.Context(), progress.Discard); err != nil {
		t.Fatal(err)
	}
	d := s.e.Config().EmbedDim
	for _, held := range []bool{true, false} {
		if !held {
			s.testPixels = nil
		}
		for _, tasks := range [][]int{{0}, {1, 2}, {0, 2}, {0, 1, 2}} {
			f, err := s.features(t.Context(), tasks)
			if err != nil {
				t.Fatal(err)
			}
			image, text := 0, 0
			for _, k := range tasks {
				task := s.tasks[k]
				x, err := s.e.FeaturesOf(t.Context(), task.Test, task.Name, progress.Discard)
				if err != nil {
					t.Fatal(err)
				}
				texts, err := s.e.TextFeatures(task.tokens)
				if err != nil {
					t.Fatal(err)
				}
				same(t, f.images[image:image+len(x)], x)
				same(t, f.texts[text:text+len(texts)], texts)
				image, text = image+len(x), text+len(texts)
			}
			if len(f.images) != image || len(f.texts) != text {
				t.Errorf("held %v, tasks %v: %d images and %d captions too many", held, tasks, (len(f.images)-image)/d, (len(f.texts)-text)/d)
			}
			outcomes, err := s.classify(f)
			if err != nil {
				t.Fatal(err)
			}
			tested := 0
			for _, a := range outcomes {
				if a != nil {
					tested++
				}
			}
			if tested != len(tasks) {
				t.Errorf("held %v, tasks %v: %d tested", held, tasks, tested)
			}
		}
	}
}

func same(t *testing.T, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-5 {
			t.Fatalf("feature %d is %g, want %g", i, got[i], want[i])
		}
	}
}
