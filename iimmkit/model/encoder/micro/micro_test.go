package micro_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	_ "github.com/iimmkit/iimm/iimmkit/model/encoder/micro"
	"github.com/iimmkit/iimm/iimmkit/model/train"
)

func card(t *testing.T) train.Card {
	t.Helper()
	data, err := os.ReadFile("clip/model_card.json")
	if err != nil {
		t.Fatal(err)
	}
	var c train.Card
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWeightsAreTheOnesOfTheCard(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	c := card(t)
	for _, name := range []string{"micro", "micro-clip"} {
		e, err := encoder.Open(b, name)
		if err != nil {
			t.Fatal(err)
		}
		if e.Name != c.Name {
			t.Errorf("%s opens %s, the card is of %s", name, e.Name, c.Name)
		}
		if hash, err := e.Hash(); err != nil || hash != c.Hash {
			t.Errorf("%s has hash %s, the card says %s (%v)", name, hash, c.Hash, err)
		}
	}
	info, err := os.Stat("clip/model.safetensors")
	if err != nil || info.Size() > 3<<20 {
		t.Errorf("the weights have %d bytes, more than 3 MB (%v)", info.Size(), err)
	}
	if got, err := train.DefaultRecipe("clip"); err != nil || got != c.Recipe {
		t.Errorf("the default recipe %+v is not the card's %+v", got, c.Recipe)
	}
}

// The correlation has something to work on only when tasks differ.
func TestZeroShotAccuraciesSpread(t *testing.T) {
	var low, middle, high int
	for _, z := range card(t).ZeroShot {
		switch chance := 1 / float64(z.Classes); {
		case z.Accuracy > .9:
			high++
		case z.Accuracy < chance+.15:
			low++
		default:
			middle++
		}
	}
	if low < 3 || middle < 5 || high < 2 {
		t.Errorf("%d tasks near chance, %d between, %d above 90 %%", low, middle, high)
	}
}

func TestCardTellsTheZeroShotAccuracy(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	e, err := encoder.Open(b, "micro")
	if err != nil {
		t.Fatal(err)
	}
	for _, z := range card(t).ZeroShot {
		if z.Task != "world/shape" && z.Task != "world/newshapes" {
			continue
		}
		task, err := datasets.Load(z.Task, datasets.LoadOptions{NTrain: 1})
		if err != nil {
			t.Fatal(err)
		}
		a, err := train.ZeroShot(t.Context(), e, task)
		if err != nil {
			t.Fatal(err)
		}
		// Backends round differently: a picture on the border may fall either way.
		if math.Abs(a.Top1-z.Accuracy) > .005 {
			t.Errorf("%s: %.3f, the card says %.3f", z.Task, a.Top1, z.Accuracy)
		}
	}
}
