package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/core/transferability"
)

func init() { verbs = append(verbs, newScore) }

type scoreOptions struct {
	setFlags
	metrics         []string
	source          string
	labelEmbeddings []string
	json            bool
}

func newScore(s *streams) *cobra.Command {
	o := &scoreOptions{}
	c := &cobra.Command{
		Use:   "score SET",
		Short: "Compute transferability scores of a set of embeddings",
		Long: `Compute the scores that are said to tell, before any tuning, how well a model will
do on a task: the baselines beside IIMM. Each comes with its convention (the
forms in use differ, and values of different forms cannot be compared), with the
time and memory it took, and with a warning where its number cannot be trusted.

SET is read as by iimm measure. LEEP and NCE need the probabilities that a source
model gives its own classes for each image, in the order of the images
(--source); EMMS needs embeddings of the class names by language models, a row
per class (--label-embeddings). Both are .npy or .csv files.

The scores are:
` + listScores(transferability.Scores) + `
and, by their names or as probes, for they cost more than all others together:
` + listScores(transferability.Probes),
		Example: `  iimm score steel.safetensors
  iimm score steel.safetensors --metric logme,h_score_regularized --json
  iimm score steel.safetensors --metric all,probes
  iimm score steel.safetensors --metric leep --source resnet-probabilities.npy`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.set = args[0]
			return o.run(c.Context(), s)
		},
	}
	o.add(c)
	f := c.Flags()
	f.StringSliceVar(&o.metrics, "metric", []string{"all"}, "names of scores, all, probes")
	f.StringVar(&o.source, "source", "", "file of source probabilities [images, outcomes], for leep and nce")
	f.StringSliceVar(&o.labelEmbeddings, "label-embeddings", nil, "files of label embeddings [classes, width], for emms")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

// listScores is a line for each score, for the help.
func listScores(scores []transferability.Score) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, score := range scores {
		fmt.Fprintf(w, "  %s\t%s\n", score.Name, score.Convention)
	}
	w.Flush()
	return strings.TrimRight(b.String(), "\n")
}

// scored is the JSON of iimm score.
type scored struct {
	Schema     int                               `json:"schema"`
	Set        string                            `json:"set"`
	N          int                               `json:"n"`
	D          int                               `json:"d"`
	Classes    int                               `json:"classes"`
	Scores     map[string]transferability.Report `json:"scores"`
	Normalized bool                              `json:"normalized"` // by this command
	Provenance embedding.Provenance              `json:"provenance"`
	Findings   []embedding.Finding               `json:"findings"`
}

func (o *scoreOptions) run(ctx context.Context, s *streams) error {
	chosen, err := o.choose()
	if err != nil {
		return err
	}
	set, found, err := o.open(s)
	if err != nil {
		return err
	}
	defer set.Close()
	sample, err := o.sample(set)
	if err != nil {
		return err
	}
	out := scored{Schema: 1, Set: o.set, N: sample.N(), D: set.Images.Cols, Classes: set.Classes(), Normalized: o.normalize,
		Scores: map[string]transferability.Report{}, Provenance: set.Provenance, Findings: found}
	if out.Provenance.Hashes, err = set.Hashes(); err != nil {
		return fmt.Errorf("%s: %w", o.set, err)
	}
	bar := s.progress().Start("scores", len(chosen))
	var reasons []string
	for _, score := range chosen {
		if err := ctx.Err(); err != nil {
			return err
		}
		bar.Note(score.Name)
		r := score.Run(sample)
		out.Scores[score.Name] = r
		if r.Value == nil {
			reasons = append(reasons, fmt.Sprintf("%s: %s", score.Name, r.Warning))
		}
		bar.Add(1)
	}
	bar.Done()
	if len(reasons) == len(chosen) {
		return fmt.Errorf("%s: %s", o.set, strings.Join(reasons, "; "))
	}
	if o.json {
		return s.json(out)
	}
	return out.print(s, chosen)
}

// choose returns the scores that are asked for, one by one or as a group.
func (o *scoreOptions) choose() ([]transferability.Score, error) {
	var chosen []transferability.Score
	seen := map[string]bool{}
	for _, name := range o.metrics {
		add := transferability.Scores
		switch name {
		case "all":
		case "probes":
			add = transferability.Probes
		default:
			score, err := transferability.Find(name)
			if err != nil {
				return nil, usagef("--metric: %w", err)
			}
			switch {
			case score.Needs == transferability.Source && o.source == "":
				return nil, usagef("%s needs %s: --source FILE", name, score.Needs)
			case score.Needs == transferability.LabelEmbeddings && len(o.labelEmbeddings) == 0:
				return nil, usagef("%s needs %s: --label-embeddings FILE,...", name, score.Needs)
			}
			add = []transferability.Score{score}
		}
		for _, score := range add {
			if !seen[score.Name] {
				seen[score.Name] = true
				chosen = append(chosen, score)
			}
		}
	}
	if len(chosen) == 0 {
		return nil, usagef("--metric: name a score, or all")
	}
	return chosen, nil
}

// sample makes the set ready together with the tables beside it.
func (o *scoreOptions) sample(set *embedding.Set) (*transferability.Sample, error) {
	in := transferability.Input{
		Images: set.Images.Float64s(), D: set.Images.Cols, Labels: set.Labels, Classes: set.Classes(),
		Texts: set.Texts.Float64s(), Normalize: o.normalize,
	}
	table := func(path string, rows int, of string) (embedding.Matrix, error) {
		m, err := embedding.ReadTable(path)
		if errors.Is(err, embedding.ErrFormat) {
			return m, usageError{err}
		}
		if err == nil && m.Rows != rows {
			err = fmt.Errorf("%s: %d rows for the %d %s of %s", path, m.Rows, rows, of, o.set)
		}
		return m, err
	}
	if o.source != "" {
		m, err := table(o.source, set.Images.Rows, "images")
		if err != nil {
			return nil, err
		}
		in.Source, in.Outcomes = m.Float64s(), m.Cols
	}
	for _, path := range o.labelEmbeddings {
		m, err := table(path, set.Classes(), "classes")
		if err != nil {
			return nil, err
		}
		if in.LabelDim != 0 && in.LabelDim != m.Cols {
			return nil, fmt.Errorf("%s: width %d, but %s has width %d: emms compares embeddings of one width", path, m.Cols, o.labelEmbeddings[0], in.LabelDim)
		}
		in.LabelDim = m.Cols
		in.LabelEmbeddings = append(in.LabelEmbeddings, m.Float64s())
	}
	sample, err := transferability.New(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.set, err)
	}
	return sample, nil
}

func (r scored) print(s *streams, order []transferability.Score) error {
	fmt.Fprintf(s.out, "%s: %d images, %d classes, width %d\n\n", r.Set, r.N, r.Classes, r.D)
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "score\tvalue\tseconds\tMB\tconvention")
	for _, score := range order {
		report := r.Scores[score.Name]
		value := "-"
		if report.Value != nil {
			value = fmt.Sprintf("% .6g", *report.Value)
		}
		fmt.Fprintf(w, "%s\t%s\t%.2f\t%.0f\t%s\n", score.Name, value, report.Seconds, float64(report.Bytes)/1e6, report.Convention)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, score := range order {
		if warning := r.Scores[score.Name].Warning; warning != "" {
			s.warnf("%s: %s", score.Name, warning)
		}
	}
	return nil
}
