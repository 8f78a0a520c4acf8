package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/study/drift"
)

func init() { verbs = append(verbs, newWatch) }

// exitAlarm is the exit code of iimm watch when the batch differs.
const exitAlarm = 3

// errAlarm ends a watch that was run as it should and found a difference.
var errAlarm = errors.New("the batch differs from the reference")

type watchOptions struct {
	drift.Options
	ref, batch, texts, state, prom string
	json, strict                   bool
}

func newWatch(s *streams) *cobra.Command {
	o := &watchOptions{}
	c := &cobra.Command{
		Use:   "watch REF NEW",
		Short: "Compare a new batch of embeddings with a reference, without labels",
		Long: fmt.Sprintf(`Watch tells whether the images of NEW are still like those of REF, on which a model
was tuned and measured. Labels are not used. REF is a set of embeddings with its
captions, as iimm measure takes it; NEW is a set of the same model, of which only
the images are looked at, or an .npy file of image embeddings [n,d]. REF should be
images that the model was not tuned on: to those it was tuned on, fresh ones differ.

Five tests are made: of the distance of the means (centroid), of the distributions
(mmd, the maximum mean discrepancy with a Gaussian kernel of median bandwidth), of
the mean cosine of pairs (intra), of the cosine with the most similar caption
(matched) and of the zero-shot confidence, if it fell (confidence). Their p values
are ranked together among random exchanges of images: false alarms, of all tests
together, are at most --level of all batches that are as the reference. The rate is
also measured, on batches drawn from the reference. It holds for images that are
drawn independently: not for all frames of a video, which are like each other.

IIMM of all images so far is kept in --state and updated with each batch; a batch
that comes again is not counted twice. Re-assess means: what was forecast from REF
should be forecast anew, for an alarm or because IIMM moved by more than --tolerance.

Exit code: 0 no difference was found, %d alarm, 1 the comparison failed, 2 wrong call.`, exitAlarm),
		Example: `  iimm watch reference.safetensors today.npz
  iimm watch reference.safetensors today.npy --state line4.stats --prom /var/lib/node_exporter/iimm.prom
  iimm watch reference.safetensors today.safetensors --json --level 0.05`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			o.ref, o.batch = args[0], args[1]
			for name, zero := range map[string]bool{
				"level": o.Level == 0, "permutations": o.Permutations == 0, "max-rows": o.MaxRows == 0, "tolerance": o.Tolerance == 0,
				"logit-scale": o.LogitScale == 0,
			} {
				if zero && c.Flags().Changed(name) {
					return usagef("--%s 0: must be more", name)
				}
			}
			return o.run(c.Context(), s)
		},
	}
	f := c.Flags()
	f.StringVar(&o.texts, "texts", "", "file of the captions, for a REF that is a table")
	f.Float64Var(&o.Level, "level", drift.DefaultLevel, "probability of a false alarm, of all tests together")
	f.IntVar(&o.Permutations, "permutations", drift.DefaultPermutations, "random exchanges of images")
	f.IntVar(&o.Resamples, "resamples", drift.DefaultResamples, "batches of the reference on which false alarms are counted; 0: none")
	f.IntVar(&o.MaxRows, "max-rows", drift.DefaultMaxRows, "images of each set that enter the tests at most, drawn at random; the measures are of all")
	f.Float64Var(&o.Tolerance, "tolerance", drift.DefaultTolerance, "how far IIMM may move before a forecast should be made anew")
	f.Float64Var(&o.LogitScale, "logit-scale", 0, fmt.Sprintf("factor on cosines for the confidence (default that of REF, else %d)", drift.DefaultLogitScale))
	f.Uint64Var(&o.Seed, "seed", 0, "of the exchanges and draws")
	f.BoolVar(&o.Normalize, "normalize", false, "divide every row by its norm first")
	f.BoolVar(&o.strict, "strict", false, "refuse a reference that has warnings, too")
	f.StringVar(&o.state, "state", "", "file that keeps the statistics of all images so far; begun when absent")
	f.StringVar(&o.prom, "prom", "", "also write a text file for Prometheus (the node exporter reads names that end in .prom)")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

// watched is the JSON of iimm watch.
type watched struct {
	Schema        int    `json:"schema"`
	ReferencePath string `json:"reference_set"`
	BatchPath     string `json:"batch_set"`
	*drift.Comparison
	Provenance embedding.Provenance `json:"provenance"` // of the reference
	Findings   []embedding.Finding  `json:"findings"`   // about the reference
}

func (o *watchOptions) run(ctx context.Context, s *streams) error {
	if o.Resamples == 0 {
		o.Resamples = -1
	}
	if err := o.Check(); err != nil {
		return usageError{err}
	}
	var open []embedding.Option
	if o.texts != "" {
		open = append(open, embedding.Texts(o.texts))
	}
	ref, err := embedding.Open(o.ref, open...)
	if err == nil {
		defer ref.Close()
	}
	batch, batchErr := drift.OpenBatch(o.batch)
	if batchErr == nil {
		defer batch.Close()
	}
	if err := errors.Join(err, batchErr); errors.Is(err, embedding.ErrFormat) {
		return usageError{err}
	} else if err != nil {
		return err
	}
	var check []embedding.CheckOption
	if o.Normalize {
		check = append(check, embedding.WillNormalize())
	}
	found := ref.Check(check...)
	if err := judge(s, o.ref, found, o.strict); err != nil {
		return err
	}
	if err := drift.SameModel(ref.Provenance, batch.Provenance); err != nil {
		return err
	}
	state, err := o.read()
	if err != nil {
		return err
	}
	o.Progress = s.progress()
	c, state, err := drift.Compare(ctx, ref, batch.Images, state, o.Options)
	if err != nil {
		return err
	}
	if o.state != "" {
		if err := store.WriteFile(o.state, state); err != nil {
			return err
		}
	}
	if o.prom != "" {
		var b bytes.Buffer
		if err := c.Prometheus(&b, o.ref, o.batch, time.Now()); err != nil {
			return err
		}
		if err := store.WriteFile(o.prom, b.Bytes()); err != nil {
			return err
		}
	}
	out := watched{Schema: 1, ReferencePath: o.ref, BatchPath: o.batch, Comparison: c, Provenance: ref.Provenance, Findings: found}
	if out.Findings == nil {
		out.Findings = []embedding.Finding{}
	}
	if out.Provenance.Hashes, err = ref.Hashes(); err != nil {
		return err
	}
	if o.json {
		err = s.json(out)
	} else {
		err = out.print(s)
	}
	if err == nil && c.Alarm {
		err = errAlarm
	}
	return err
}

// read returns the state so far, nil when there is none.
func (o *watchOptions) read() ([]byte, error) {
	if o.state == "" {
		return nil, nil
	}
	return store.ReadIfThere(o.state)
}

func (r watched) print(s *streams) error {
	verdict := "no difference was found"
	if r.Alarm {
		verdict = "ALARM: the batch differs"
	}
	fmt.Fprintf(s.out, "%s (p %.3g, alarm at %g)\n", verdict, r.P, r.Level)
	fmt.Fprintf(s.out, "%d images of %s (%d tested) beside %d of %s (%d tested)\n\n", r.Batch.N, r.BatchPath, r.Batch.Used, r.Reference.N, r.ReferencePath, r.Reference.Used)
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "test\treference\tbatch\tstatistic\tadjusted p\t")
	value := func(v *float64) string {
		if v == nil {
			return ""
		}
		return fmt.Sprintf("% .4f", *v)
	}
	for _, t := range r.Tests {
		mark := ""
		if t.Alarm {
			mark = "differs"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t% .5f\t%.3g\t%s\n", t.Name, value(t.Reference), value(t.Batch), t.Statistic, t.AdjustedP, mark)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "\n%d random exchanges, seed %d; mmd with a Gaussian kernel of bandwidth %.4f; logit scale %.4g\n", r.Permutations, r.Seed, r.Kernel.Bandwidth, r.LogitScale)
	if f := r.FalseAlarms; f != nil {
		fmt.Fprintf(s.out, "false alarms: %d of %d batches of %d drawn from the reference, %.1f %% (95 %% interval %.1f to %.1f %%)\n",
			f.Alarms, f.Resamples, f.Batch, 100*f.Rate, 100*f.CI95[0], 100*f.CI95[1])
	}
	m := r.Measure
	fmt.Fprintf(s.out, "IIMM by predicted classes: reference %.4f, batch %.4f, all %d images so far %.4f (batches: %d)\n", m.Reference.IIMM, m.Batch.IIMM, m.All.N, m.All.IIMM, m.Batches)
	if !m.Counted {
		fmt.Fprintln(s.out, "this batch was in the state already and is not counted again")
	}
	if r.Reassess {
		fmt.Fprintf(s.out, "re-assess: %s\n", strings.Join(r.Why, "; "))
	}
	return nil
}
