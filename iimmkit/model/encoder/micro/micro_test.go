package micro_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	_ "github.com/iimmkit/iimm/iimmkit/model/encoder/micro"
	"github.com/iimmkit/iimm/iimmkit/model/train"
)

// eachModel runs f for every shipped model, with its card and its folder here.
func eachModel(t *testing.T, f func(t *testing.T, name, folder string, c train.Card)) {
	t.Helper()
	cards, err := filepath.Glob("*/model_card.json")
	if err != nil || len(cards) == 0 {
		t.Fatalf("no model card (%v)", err)
	}
	for _, path := range cards {
		folder := filepath.Dir(path)
		t.Run(folder, func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var c train.Card
			if err := json.Unmarshal(data, &c); err != nil {
				t.Fatal(err)
			}
			f(t, "micro-"+folder, folder, c)
		})
	}
}

func TestWeightsAreTheOnesOfTheCard(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	eachModel(t, func(t *testing.T, name, folder string, c train.Card) {
		names := []string{name}
		if folder == "clip" {
			names = append(names, "micro")
		}
		for _, name := range names {
			e, err := encoder.Open(b, name)
			if err != nil {
				t.Fatal(err)
			}
			if e.Name != c.Name || e.Config().Family != folder {
				t.Errorf("%s opens %s of family %s, the card is of %s", name, e.Name, e.Config().Family, c.Name)
			}
			if hash, err := e.Hash(); err != nil || hash != c.Hash {
				t.Errorf("%s has hash %s, the card says %s (%v)", name, hash, c.Hash, err)
			}
		}
		weights, err := filepath.Glob(filepath.Join(folder, "*.safetensors"))
		if err != nil || len(weights) != 1 {
			t.Fatalf("weights %v, %v", weights, err)
		}
		if info, err := os.Stat(weights[0]); err != nil || info.Size() > 3<<20 {
			t.Errorf("the weights have %d bytes, more than 3 MB (%v)", info.Size(), err)
		}
		if got, err := train.DefaultRecipe(folder); err != nil || got != c.Recipe {
			t.Errorf("the default recipe %+v is not the card's %+v", got, c.Recipe)
		}
		if text, err := os.ReadFile(filepath.Join(folder, "MODEL_CARD.md")); err != nil || string(text) != c.Markdown() {
			t.Errorf("MODEL_CARD.md does not say what model_card.json does (%v)", err)
		}
	})
}

// The correlation has something to work on only when tasks differ.
func TestZeroShotAccuraciesSpread(t *testing.T) {
	eachModel(t, func(t *testing.T, _, _ string, c train.Card) {
		var low, middle, high int
		for _, z := range c.ZeroShot {
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
	})
}

func TestCardTellsTheZeroShotAccuracy(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	eachModel(t, func(t *testing.T, name, _ string, c train.Card) {
		e, err := encoder.Open(b, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, z := range c.ZeroShot {
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
	})
}
