package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/train"
)

func init() { verbs = append(verbs, newPretrain) }

type pretrainOptions struct {
	recipe  train.Recipe
	out     string
	backend string
	json    bool
}

func newPretrain(s *streams) *cobra.Command {
	o := &pretrainOptions{}
	c := &cobra.Command{
		Use:   "pretrain --out DIR",
		Short: "Train a small dual encoder on the synthetic world",
		Long: `Trains a micro model, such as the program carries, from random weights on drawn
pictures and their captions, with the objective of its family: CLIP's symmetric
contrastive loss, or SigLIP's sigmoid loss. The default recipe takes about
15 minutes with XLA CPU on two idle cores. Started again with the same --out
after whatever stopped it, the command goes on where it was.`,
		Example: "  iimm pretrain --family clip --out /tmp/micro --backend xla:cpu\n  iimm pretrain --family siglip --out /tmp/tiny --pairs 2000 --steps 100",
		Args:    cobra.NoArgs,
	}
	f := c.Flags()
	var changed train.Recipe
	f.StringVar(&changed.Family, "family", "clip", strings.Join(encoder.Families(), ", "))
	f.StringVar(&o.out, "out", "", "folder for the checkpoint")
	f.StringVar(&o.backend, "backend", "", "go, xla:cpu, xla:cuda or auto (default auto)")
	f.Uint64Var(&changed.Seed, "seed", 0, "of weights, pictures and order")
	f.IntVar(&changed.Pairs, "pairs", 0, "pictures to draw, each with three captions (default the family's recipe)")
	f.IntVar(&changed.Steps, "steps", 0, "training steps (default the recipe's)")
	f.IntVar(&changed.Batch, "batch", 0, "pairs a step (default the recipe's)")
	f.Float64Var(&changed.Rate, "lr", 0, "peak learning rate (default the recipe's)")
	f.BoolVar(&o.json, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		r, err := train.DefaultRecipe(changed.Family)
		if err != nil {
			return usageError{err}
		}
		for name, set := range map[string]func(){
			"seed":  func() { r.Seed = changed.Seed },
			"pairs": func() { r.Pairs = changed.Pairs },
			"steps": func() { r.Steps = changed.Steps },
			"batch": func() { r.Batch = changed.Batch },
			"lr":    func() { r.Rate = changed.Rate },
		} {
			if f.Changed(name) {
				set()
			}
		}
		o.recipe = r
		return o.run(c.Context(), s)
	}
	return c
}

func (o *pretrainOptions) run(ctx context.Context, s *streams) error {
	if o.out == "" {
		return usagef("--out is required: the folder for the checkpoint")
	}
	if r := o.recipe; r.Steps < 1 || r.Batch < 2 || r.Pairs < r.Batch {
		return usagef("--steps must be at least 1, --batch at least 2, --pairs at least --batch")
	}
	b, err := backend.Open(o.backend)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "backend: %s\n", b.Description())
	p, err := train.Pretrain(ctx, b, o.recipe, filepath.Join(o.out, ".resume.safetensors"), s.progress())
	if err != nil {
		return err
	}
	card, err := p.SaveWithCard(ctx, o.out, "micro-"+o.recipe.Family, o.recipe, backend.Name(b), s.progress())
	if err != nil {
		return err
	}
	if o.json {
		return s.json(card)
	}
	last := card.Curve[len(card.Curve)-1]
	fmt.Fprintf(s.out, "%s: validation loss %.3f, recall@1 of 256 %.2f after %d steps\n", o.out, last.ValidationLoss, last.Recall1, last.Step)
	return nil
}
