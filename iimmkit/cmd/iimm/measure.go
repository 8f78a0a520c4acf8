package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	_ "github.com/iimmkit/iimm/iimmkit/core/embedding/parquet" // so that sets in parquet files are read, too
	"github.com/iimmkit/iimm/iimmkit/core/measure"
)

func init() { verbs = append(verbs, newMeasure) }

type measureOptions struct {
	setFlags
	json      bool
	bootstrap int
	seed      uint64
}

// setFlags say which set of embeddings a command reads, and how.
type setFlags struct {
	set, texts        string
	normalize, strict bool
}

func (o *setFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.texts, "texts", "", "file of the captions, for a SET that is a table (default NAME.texts.csv beside NAME.csv)")
	f.BoolVar(&o.normalize, "normalize", false, "divide every row by its norm first")
	f.BoolVar(&o.strict, "strict", false, "refuse a set that has warnings, too")
}

// open opens and examines the set. The caller closes it.
func (o *setFlags) open(s *streams) (*embedding.Set, []embedding.Finding, error) {
	var open []embedding.Option
	if o.texts != "" {
		open = append(open, embedding.Texts(o.texts))
	}
	set, err := embedding.Open(o.set, open...)
	if errors.Is(err, embedding.ErrFormat) {
		return nil, nil, usageError{err}
	}
	if err != nil {
		return nil, nil, err
	}
	var check []embedding.CheckOption
	if o.normalize {
		check = append(check, embedding.WillNormalize())
	}
	found := set.Check(check...)
	if err := judge(s, o.set, found, o.strict); err != nil {
		set.Close()
		return nil, nil, err
	}
	if found == nil {
		found = []embedding.Finding{} // as JSON has it
	}
	return set, found, nil
}

func newMeasure(s *streams) *cobra.Command {
	o := &measureOptions{}
	c := &cobra.Command{
		Use:   "measure SET",
		Short: "Measure IIMM and its parts of a set of embeddings",
		Long: `Measure the Inter-Intra Modal Measure (IIMM), its parts, the alignment and the
modality gap of image and caption embeddings.

SET is a .safetensors file written by iimm embed, an .npz or torch's .pt file with
the arrays images [N,d], labels [N] and texts [C,d], a folder of .npy or .pt
files, or a pair of tables: .parquet (lists of numbers, a column label) or .csv
(a header that names label, or as published the label last) with the captions in
--texts.
The set is examined first: what makes its numbers meaningless is refused, what
a reader must know is a warning.`,
		Example: `  iimm measure steel.safetensors
  iimm measure features.npz --bootstrap 1000 --json
  iimm measure images.csv --texts captions.csv`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.set = args[0]
			if c.Flags().Changed("bootstrap") && o.bootstrap < 2 {
				return usagef("--bootstrap %d: want at least 2 resamples (1000 is usual)", o.bootstrap)
			}
			return o.run(c.Context(), s)
		},
	}
	o.add(c)
	f := c.Flags()
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.IntVar(&o.bootstrap, "bootstrap", 0, "add 95 % confidence intervals from this many resamples of the images within their classes")
	f.Uint64Var(&o.seed, "seed", 0, "seed of the resamples")
	return c
}

// measured is the JSON of iimm measure.
type measured struct {
	Schema int    `json:"schema"`
	Set    string `json:"set"`
	measure.Result
	CI95       *measure.Intervals   `json:"ci95,omitempty"`
	Bootstrap  *bootstrapped        `json:"bootstrap,omitempty"`
	Normalized bool                 `json:"normalized"` // by this command
	Provenance embedding.Provenance `json:"provenance"`
	Findings   []embedding.Finding  `json:"findings"`
}

type bootstrapped struct {
	Resamples int    `json:"resamples"`
	Seed      uint64 `json:"seed"`
}

func (o *measureOptions) run(ctx context.Context, s *streams) error {
	set, found, err := o.open(s)
	if err != nil {
		return err
	}
	defer set.Close()
	out := measured{Schema: 1, Set: o.set, Normalized: o.normalize, Provenance: set.Provenance, Findings: found}
	if out.Provenance.Hashes, err = set.Hashes(); err != nil {
		return fmt.Errorf("%s: %w", o.set, err)
	}
	if out.Result, err = set.Measure(embedding.MeasureOptions{Normalize: o.normalize}); err != nil {
		return fmt.Errorf("%s: %w", o.set, err)
	}
	if o.bootstrap > 0 {
		bar := s.progress().Start("bootstrap", o.bootstrap)
		iv, err := set.Bootstrap(ctx, measure.BootstrapOptions{Resamples: o.bootstrap, Seed: o.seed, Normalize: o.normalize, Progress: bar.Add})
		bar.Done()
		if err != nil {
			return fmt.Errorf("%s: %w", o.set, err)
		}
		out.CI95, out.Bootstrap = &iv, &bootstrapped{o.bootstrap, o.seed}
	}
	if o.json {
		return s.json(out)
	}
	return out.print(s)
}

// judge warns of findings about a set, and refuses it for what forbids numbers;
// when strict, for any.
func judge(s *streams, set string, found []embedding.Finding, strict bool) error {
	refused := embedding.Refused(found)
	if strict {
		refused = found
	}
	if len(refused) == 0 {
		for _, f := range found {
			s.warnf("%s: %s", set, f.Message)
		}
		return nil
	}
	var reasons []string
	for _, f := range refused {
		reasons = append(reasons, f.Message)
	}
	return fmt.Errorf("%s: %s", set, strings.Join(reasons, "; "))
}

func (m measured) print(s *streams) error {
	orUnknown := func(v string) string {
		if v == "" {
			return "unknown"
		}
		return v
	}
	seed := "unknown"
	if m.Provenance.Seed != nil {
		seed = fmt.Sprint(*m.Provenance.Seed)
	}
	fmt.Fprintf(s.out, "%s: %d images, %d classes, width %d\n", m.Set, m.N, m.Classes, m.D)
	fmt.Fprintf(s.out, "model %s, task %s, split %s, seed %s, backend %s, captions %.12s\n\n",
		orUnknown(m.Provenance.Model), orUnknown(m.Provenance.Task), orUnknown(m.Provenance.Split), seed,
		orUnknown(m.Provenance.Backend), orUnknown(m.Provenance.Hashes["captions"]))
	if err := printMeasures(s, m.Result, m.CI95); err != nil {
		return err
	}
	if m.CI95 != nil {
		fmt.Fprintf(s.out, "\nin brackets 95 %% intervals of %d resamples within classes, seed %d\n", m.Bootstrap.Resamples, m.Bootstrap.Seed)
	}
	return nil
}

// printMeasures is the table of measures, with intervals or without.
func printMeasures(s *streams, m measure.Result, ci95 *measure.Intervals) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	row := func(name string, v *float64, iv *measure.Interval, meaning string) {
		value, interval := "undefined", ""
		if v != nil {
			value = fmt.Sprintf("% .6f", *v)
		}
		if iv != nil {
			interval = fmt.Sprintf("[% .6f, % .6f]", iv[0], iv[1])
		}
		if ci95 == nil {
			fmt.Fprintf(w, "%s\t%s\t%s\n", name, value, meaning)
		} else {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, value, interval, meaning)
		}
	}
	var iv measure.Intervals
	of := func(i *measure.Interval) *measure.Interval {
		if ci95 == nil {
			return nil
		}
		return i
	}
	if ci95 != nil {
		iv = *ci95
	}
	row("IIMM", &m.IIMM, of(&iv.IIMM), "mean of Inter and Intra")
	row("  Inter", &m.Inter, of(&iv.Inter), "cosine of images and wrong captions")
	row("  Intra", &m.Intra, of(&iv.Intra), "cosine of pairs of images")
	row("Alignment", &m.Alignment, of(&iv.Alignment), "cosine of images and their captions")
	row("InterByClass", m.InterByClass, iv.InterByClass, "as Inter, every caption weighing the same")
	row("IntraText", &m.IntraText, nil, "cosine of pairs of captions")
	row("ModalityGap", &m.ModalityGap, of(&iv.ModalityGap), "distance of the means of images and captions")
	return w.Flush()
}
