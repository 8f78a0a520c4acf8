package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
)

func init() { verbs = append(verbs, newZeroShot) }

type zeroShotOptions struct {
	embedFlags
	texts string
	scale float64
	json  bool
}

func newZeroShot(s *streams) *cobra.Command {
	o := &zeroShotOptions{}
	c := &cobra.Command{
		Use:   "zeroshot SET | zeroshot DATA --model MODEL",
		Short: "Classify images by their most similar caption: accuracy, confusion, calibration",
		Long: `Zeroshot reads a set of embeddings, as iimm embed writes them (and every format of
iimm measure), or with --model embeds DATA, a folder, list or task, first. It
prints top-1 and top-5 accuracy, the mean over classes, what is taken for what,
and whether the confidence can be believed: the expected calibration error over
15 bins of softmax(scale·cosine), scale being the model's.`,
		Example: `  iimm zeroshot parts.safetensors --json
  iimm zeroshot world/shape --model micro --split test`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("logit-scale") && !(o.scale > 0 && !math.IsInf(o.scale, 0)) {
				return usagef("--logit-scale %g: must be a positive number", o.scale)
			}
			return o.run(c.Context(), s, args[0], c.Flags().Changed("model"))
		},
	}
	o.add(c)
	f := c.Flags()
	f.StringVar(&o.texts, "texts", "", "file of the captions, for a SET that is a table")
	f.Float64Var(&o.scale, "logit-scale", 0, "factor on cosines for the calibration (default the model's, where the set tells)")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

// zeroShotResult is what zeroshot prints as JSON.
type zeroShotResult struct {
	Schema     int      `json:"schema"`
	Set        string   `json:"set"`
	D          int      `json:"d"`
	Classes    int      `json:"classes"`
	ClassNames []string `json:"class_names"`
	*evaluate.Accuracy
	// LogitScale and Calibration are null where the factor is not known.
	LogitScale  *float64              `json:"logit_scale"`
	Calibration *evaluate.Calibration `json:"calibration"`
	Provenance  embedding.Provenance  `json:"provenance"`
}

func (o *zeroShotOptions) run(ctx context.Context, s *streams, data string, embed bool) error {
	if err := o.check(); err != nil {
		return err
	}
	set, err := o.open(ctx, s, data, embed)
	if errors.Is(err, embedding.ErrFormat) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	defer set.Close()
	if err := judge(s, data, set.Check(), false); err != nil {
		return err
	}
	scores, err := evaluate.Cosines(set.Images.Float32s(), set.Texts.Float32s(), set.Images.Cols)
	if err != nil {
		return err
	}
	r := zeroShotResult{Schema: 1, Set: data, D: set.Images.Cols, Classes: set.Texts.Rows, ClassNames: set.ClassNames,
		LogitScale: set.Provenance.LogitScale, Provenance: set.Provenance}
	if r.Accuracy, err = evaluate.FromScores(scores, set.Labels, r.Classes); err != nil {
		return err
	}
	if o.scale > 0 {
		r.LogitScale = &o.scale
	}
	if r.LogitScale != nil {
		if r.Calibration, err = evaluate.Calibrate(scores, set.Labels, r.Classes, *r.LogitScale); err != nil {
			return err
		}
	}
	if o.json {
		return s.json(r)
	}
	return printZeroShot(s, set, r)
}

func (o *zeroShotOptions) open(ctx context.Context, s *streams, data string, embed bool) (*embedding.Set, error) {
	if embed {
		return o.embed(ctx, s, data)
	}
	var options []embedding.Option
	if o.texts != "" {
		options = append(options, embedding.Texts(o.texts))
	}
	return embedding.Open(data, options...)
}

// mostConfused is how many pairs of classes are printed.
const mostConfused = 5

func printZeroShot(s *streams, set *embedding.Set, r zeroShotResult) error {
	fmt.Fprintf(s.out, "%s: %d images, %d classes\n", r.Set, r.N, r.Classes)
	fmt.Fprintf(s.out, "top-1 accuracy   %5.1f %%\n", 100*r.Top1)
	if r.Classes > 5 {
		fmt.Fprintf(s.out, "top-5 accuracy   %5.1f %%\n", 100*r.Top5)
	}
	fmt.Fprintf(s.out, "mean per class   %5.1f %%\n", 100*r.MeanPerClass)
	if c := r.Calibration; c != nil {
		fmt.Fprintf(s.out, "calibration      ECE %.1f points; mean confidence %.1f %%; log loss %.3f; Brier %.3f (logit scale %.4g)\n",
			100*c.ECE, 100*c.Confidence, c.LogLoss, c.Brier, *r.LogitScale)
	} else {
		fmt.Fprintln(s.out, "calibration      not computed: the set does not tell the model's logit scale (--logit-scale)")
	}
	type pair struct{ from, to, n int }
	var pairs []pair
	for y, row := range r.Confusion {
		for c, n := range row {
			if c != y && n > 0 {
				pairs = append(pairs, pair{y, c, n})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return b.n - a.n })
	for i, p := range pairs[:min(len(pairs), mostConfused)] {
		title := "most confused"
		if i > 0 {
			title = ""
		}
		fmt.Fprintf(s.out, "%-15s  %d images of %s taken for %s\n", title, p.n, set.ClassName(p.from), set.ClassName(p.to))
	}
	return nil
}
