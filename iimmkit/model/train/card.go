package train

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

// Card is the record kept beside a micro checkpoint: how it was made and what
// it can do before any tuning.
type Card struct {
	Schema     int            `json:"schema"`
	Name       string         `json:"name"`
	Hash       string         `json:"hash"` // of the stored, float16 weights
	Parameters int            `json:"parameters"`
	Backend    string         `json:"backend"` // on which it was trained
	Seconds    float64        `json:"seconds"`
	Recipe     Recipe         `json:"recipe"`
	Curve      []CurvePoint   `json:"curve"`
	ZeroShot   []TaskAccuracy `json:"zero_shot"` // every drawn task of the catalogue
}

// TaskAccuracy is the zero-shot accuracy on the test split of a task.
type TaskAccuracy struct {
	Task     string  `json:"task"`
	Group    string  `json:"group"`
	Classes  int     `json:"classes"`
	N        int     `json:"n"`
	Accuracy float64 `json:"accuracy"`
}

// cardFile is the card's name in the checkpoint's folder; a Markdown form for
// people lies beside it.
const cardFile = "model_card.json"

// SaveWithCard writes the pretrained model in float16 to dir, measures the
// stored model on every drawn task and writes its card.
func (p *Pretrained) SaveWithCard(ctx context.Context, dir, name string, r Recipe, backendName string, report progress.Reporter) (*Card, error) {
	if err := p.Encoder.Save(dir, encoder.SaveOptions{Half: true}); err != nil {
		return nil, err
	}
	card := &Card{Schema: 1, Name: name, Backend: backendName, Seconds: p.Seconds, Recipe: r, Curve: p.Curve}
	return card, card.measure(ctx, p.Encoder.Backend(), dir, report)
}

// RenewCard measures the model in dir again and rewrites its card.
func RenewCard(ctx context.Context, b compute.Backend, dir string, report progress.Reporter) (*Card, error) {
	data, err := os.ReadFile(filepath.Join(dir, cardFile))
	if err != nil {
		return nil, err
	}
	card := &Card{}
	if err := json.Unmarshal(data, card); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, cardFile), err)
	}
	return card, card.measure(ctx, b, dir, report)
}

func (c *Card) measure(ctx context.Context, b compute.Backend, dir string, report progress.Reporter) error {
	e, err := encoder.Open(b, dir)
	if err != nil {
		return err
	}
	if c.Hash, err = e.Hash(); err != nil {
		return err
	}
	c.Parameters = 0
	for _, name := range e.WeightNames() {
		c.Parameters += e.Weight(name).Shape().Size()
	}
	c.ZeroShot = nil
	var tasks []datasets.Entry
	for _, entry := range datasets.Catalogue() {
		if entry.Real == "" {
			tasks = append(tasks, entry)
		}
	}
	bar := report.Start("zero-shot accuracy", len(tasks))
	defer bar.Done()
	for _, entry := range tasks {
		bar.Note(entry.Name)
		task, err := datasets.Load(entry.Name, datasets.LoadOptions{NTrain: 1})
		if err != nil {
			return err
		}
		a, err := ZeroShot(ctx, e, task)
		if err != nil {
			return fmt.Errorf("%s: %w", entry.Name, err)
		}
		c.ZeroShot = append(c.ZeroShot, TaskAccuracy{Task: entry.Name, Group: entry.Group, Classes: len(task.ClassNames), N: a.N, Accuracy: a.Top1})
		bar.Add(1)
	}
	data, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err
	}
	if err := store.WriteFile(filepath.Join(dir, "MODEL_CARD.md"), []byte(c.Markdown())); err != nil {
		return err
	}
	return store.WriteFile(filepath.Join(dir, cardFile), append(data, '\n'))
}

// ZeroShot is the accuracy of an encoder's captions as classifiers of a task's
// test split.
func ZeroShot(ctx context.Context, e *encoder.Encoder, task *datasets.Task) (*evaluate.Accuracy, error) {
	images, err := e.FeaturesOf(ctx, task.Test, task.Name, progress.Discard)
	if err != nil {
		return nil, err
	}
	texts, err := e.EncodeTexts(task.Captions)
	if err != nil {
		return nil, err
	}
	labels := make([]int, task.Test.Len())
	for i := range labels {
		labels[i] = task.Test.Label(i)
	}
	return evaluate.ZeroShot(images, texts, e.Config().EmbedDim, labels)
}

// Markdown is the card for people.
func (c *Card) Markdown() string {
	var s strings.Builder
	r := c.Recipe
	f := microFamilies[r.Family]
	fmt.Fprintf(&s, `# %s

A dual encoder in the style of %s for pictures of %d x %d pixels, trained from random weights on the synthetic world
of package `+"`datasets/world`"+` and on nothing else. It exists so that learning and forgetting can be measured
anywhere in minutes; it knows nothing of photographs. Licence: Apache-2.0.

| | |
|---|---|
| parameters | %d |
| image tower | patch %d, width %d, %d layers, %d heads |
| text tower | width %d, %d layers, %d heads, context %d, own WordPiece vocabulary |
| embedding | %d dimensions |
| pictures | %d drawn with seed %d, 3 captions each |
| training | %d steps of %d, %s loss, AdamW, peak learning rate %g, weight decay %g, cosine with %d warm-up steps |
| backend, time | %s, %.0f s |
| stored as | float16, hash %s |

Tensors are in the layout of %s. All numbers are also in `+"`model_card.json`"+`.

## Loss

| step | training loss | held-out loss | recall@1 of %d |
|---|---|---|---|
`, c.Name, f.style, r.Shape.ImageSize, r.Shape.ImageSize, c.Parameters, r.Shape.PatchSize, r.Shape.Vision.Width, r.Shape.Vision.Layers,
		r.Shape.Vision.Heads, r.Shape.Text.Width, r.Shape.Text.Layers, r.Shape.Text.Heads, r.Shape.ContextLength, r.Shape.EmbedDim,
		r.Pairs, r.Seed, r.Steps, r.Batch, f.objective.name, r.Rate, r.WeightDecay, r.Warmup, c.Backend, c.Seconds, c.Hash, f.Saves, validationBatch)
	for _, p := range c.Curve {
		fmt.Fprintf(&s, "| %d | %.3f | %.3f | %.3f |\n", p.Step, p.Loss, p.ValidationLoss, p.Recall1)
	}
	s.WriteString("\n## Zero-shot accuracy\n\nOn the test split of every drawn task. Groups tell the distance from the training captions.\n\n| task | group | classes | chance | accuracy | n |\n|---|---|---|---|---|---|\n")
	for _, z := range c.ZeroShot {
		fmt.Fprintf(&s, "| %s | %s | %d | %.1f %% | %.1f %% | %d |\n", z.Task, z.Group, z.Classes, 100/float64(z.Classes), 100*z.Accuracy, z.N)
	}
	return s.String()
}
