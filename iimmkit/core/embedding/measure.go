package embedding

import (
	"context"
	"fmt"
	"maps"

	"github.com/iimmkit/iimm/iimmkit/core/measure"
)

// MeasureOptions say how a set is measured.
type MeasureOptions struct {
	// Normalize divides image and caption rows by their norms first.
	Normalize bool
}

// Measure computes IIMM and the quantities beside it. The rows are read where
// they are, not copied. It does not Check the set, but what has no value is an
// error.
func (s *Set) Measure(opt MeasureOptions) (measure.Result, error) {
	if err := s.valid(); err != nil {
		return measure.Result{}, err
	}
	texts, err := s.texts()
	if err != nil {
		return measure.Result{}, err
	}
	if opt.Normalize {
		texts = texts.Normalized()
	}
	a, err := measure.New(s.Classes(), s.Images.Cols)
	if err != nil {
		return measure.Result{}, err
	}
	if err := a.SetNormalize(opt.Normalize); err != nil {
		return measure.Result{}, err
	}
	if s.Images.F64 != nil {
		err = a.AddBatchFloat64(s.Images.F64, s.Labels)
	} else {
		err = a.AddBatch(s.Images.F32, s.Labels)
	}
	if err != nil {
		return measure.Result{}, fmt.Errorf("images: %w", err)
	}
	return a.Result(texts)
}

// Bootstrap computes intervals of what Measure gives; see measure.Bootstrap.
func (s *Set) Bootstrap(ctx context.Context, opt measure.BootstrapOptions) (measure.Intervals, error) {
	if err := s.valid(); err != nil {
		return measure.Intervals{}, err
	}
	texts := s.Texts.Float64s()
	if s.Images.F64 != nil {
		return measure.Bootstrap(ctx, s.Images.F64, s.Labels, texts, s.Images.Cols, opt)
	}
	return measure.Bootstrap(ctx, s.Images.F32, s.Labels, texts, s.Images.Cols, opt)
}

// Hashes returns what identifies the set's numbers, for artefacts made of it:
// the recorded hashes, "texts" of the caption embeddings as they are, and
// "captions" of class names and prompts where there are any.
func (s *Set) Hashes() (map[string]string, error) {
	texts, err := s.texts()
	if err != nil {
		return nil, err
	}
	h := map[string]string{}
	maps.Copy(h, s.Provenance.Hashes)
	h["texts"] = texts.Hash()
	if len(s.ClassNames)+len(s.Prompts) > 0 {
		h["captions"] = CaptionHash(s.ClassNames, s.Prompts)
	}
	return h, nil
}

func (s *Set) texts() (*measure.Texts, error) {
	if s.Texts.F64 != nil {
		return measure.NewTexts(s.Texts.F64, s.Texts.Cols)
	}
	return measure.NewTexts(s.Texts.F32, s.Texts.Cols)
}
