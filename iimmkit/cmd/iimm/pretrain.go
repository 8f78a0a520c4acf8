package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
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
	o := &pretrainOptions{recipe: train.DefaultRecipe()}
	c := &cobra.Command{
		Use:   "pretrain --out DIR",
		Short: "Train the small dual encoder on the synthetic world",
		Long: `Trains micro-clip, the model that the program carries, from random weights with
the symmetric contrastive loss on drawn pictures and their captions. The default
recipe takes about 15 minutes with XLA CPU on two cores.`,
		Example: "  iimm pretrain --out /tmp/micro --backend xla:cpu\n  iimm pretrain --out /tmp/tiny --pairs 2000 --steps 100",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return o.run(c.Context(), s) },
	}
	f, r := c.Flags(), &o.recipe
	f.StringVar(&o.out, "out", "", "folder for the checkpoint")
	f.StringVar(&o.backend, "backend", "", "go, xla:cpu, xla:cuda or auto (default auto)")
	f.Uint64Var(&r.Seed, "seed", r.Seed, "of weights, pictures and order")
	f.IntVar(&r.Pairs, "pairs", r.Pairs, "pictures to draw, each with three captions")
	f.IntVar(&r.Steps, "steps", r.Steps, "training steps")
	f.IntVar(&r.Batch, "batch", r.Batch, "pairs a step")
	f.Float64Var(&r.Rate, "lr", r.Rate, "peak learning rate")
	f.BoolVar(&o.json, "json", false, "print JSON")
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
	card, err := p.SaveWithCard(ctx, o.out, "micro-clip", o.recipe, backend.Name(b), s.progress())
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
