package drift_test

import (
	"testing"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/datasets/corrupt"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	_ "github.com/iimmkit/iimm/iimmkit/model/encoder/micro"
	"github.com/iimmkit/iimm/iimmkit/study/drift"
)

// some are images of another collection.
type some struct {
	datasets.Images
	at []int
}

func (s some) Len() int                          { return len(s.at) }
func (s some) Label(i int) int                   { return s.Images.Label(s.at[i]) }
func (s some) ID(i int) string                   { return s.Images.ID(s.at[i]) }
func (s some) Image(i int) (*picture.RGB, error) { return s.Images.Image(s.at[i]) }

// Drawn pictures, embedded by the micro model: a batch of the same kind is quiet;
// blurred, darkened, and of classes that the reference does not hold, it alarms.
func TestSpoiledPicturesAlarmAndFreshOnesDoNot(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	e, err := encoder.Open(b, "micro")
	if err != nil {
		t.Fatal(err)
	}
	task, err := datasets.Load("world/shape", datasets.LoadOptions{NTrain: 400, NTest: 160})
	if err != nil {
		t.Fatal(err)
	}
	embed := func(train, test datasets.Images, split string) *embedding.Set {
		now := *task
		now.Train, now.Test = train, test
		set, err := e.Embed(t.Context(), &now, split, progress.Discard)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	ofClasses := func(images datasets.Images, wanted func(class int) bool) datasets.Images {
		s := some{Images: images}
		for i := range images.Len() {
			if wanted(images.Label(i)) {
				s.at = append(s.at, i)
			}
		}
		return s
	}
	spoiled := func(kind corrupt.Kind) datasets.Images {
		images, err := datasets.Corrupted(task.Test, kind, 3, 1)
		if err != nil {
			t.Fatal(err)
		}
		return images
	}
	half := len(task.ClassNames) / 2
	all := embed(task.Train, task.Test, "train")
	first := embed(ofClasses(task.Train, func(c int) bool { return c < half }), task.Test, "train")
	for name, c := range map[string]struct {
		ref   *embedding.Set
		batch datasets.Images
		alarm bool
	}{
		"fresh":         {all, task.Test, false},
		"blurred":       {all, spoiled(corrupt.GaussianBlur), true},
		"darkened":      {all, spoiled(corrupt.Darkness), true},
		"other classes": {first, ofClasses(task.Test, func(c int) bool { return c >= half }), true},
	} {
		batch := embed(task.Train, c.batch, "test")
		got, _, err := drift.Compare(t.Context(), c.ref, batch.Images, nil, drift.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Alarm != c.alarm || got.Reassess != c.alarm {
			t.Errorf("%s: alarm %v, p %v: %+v %q", name, got.Alarm, got.P, got.Tests, got.Why)
		}
		if f := got.FalseAlarms; f == nil || f.Rate > .05 {
			t.Errorf("%s: false alarms %+v", name, f)
		}
	}
}
