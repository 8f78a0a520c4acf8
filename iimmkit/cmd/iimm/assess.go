package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/show/report/assessment"
	"github.com/iimmkit/iimm/iimmkit/study/assess"
	"github.com/iimmkit/iimm/iimmkit/study/forecast"
)

func init() { verbs = append(verbs, newAssess) }

type assessOptions struct {
	assess.Options
	calibration, templateFile, exif string
	limit                           float64
	lang, out                       string
	json                            bool
}

func newAssess(s *streams) *cobra.Command {
	o := &assessOptions{Options: assess.Options{Policy: forecast.DefaultPolicy()}}
	c := &cobra.Command{
		Use:   "assess DATA --out FOLDER",
		Short: "Say of a folder of images whether tuning is worth it, by which method, and how many images to label",
		Long: `Assess looks for what is wrong with the images (unusable files, copies, test images
among the training images, class names that look exchanged), measures what the
untuned model knows of them, and forecasts, from what came of tuning other tasks,
what each method would gain and forget, with intervals. It says what to do next.
Nothing is trained but linear probes, and no request leaves the machine.

DATA is a path in any of the forms of iimm embed, or the name of a task. FOLDER
then holds assessment.html, a page that needs no network, in English and Japanese,
for people who decide, and assessment.json.`,
		Example: `  iimm assess parts/ --model micro --out out/assessment
  iimm assess parts.zip --retain world/shape,world/digit --max-forgetting 3 --cost-per-label 0.2 --value-per-point 50 --lang ja --out out/a`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("max-forgetting") {
				o.Policy.MaxForgetting = &o.limit
			}
			return o.run(c.Context(), s, args[0])
		},
	}
	f := c.Flags()
	f.StringVar(&o.Model, "model", "micro", "name of a model or folder of a checkpoint")
	f.StringVar(&o.Backend, "backend", "", "go, xla:cpu, xla:cuda or auto (default auto)")
	f.StringVar(&o.calibration, "calibration", "", "file of iimm calibrate (default the one that ships for the model)")
	f.StringArrayVar(&o.Templates, "template", nil, "caption of a class; several make an ensemble")
	f.StringVar(&o.templateFile, "templates", "", "file with one template a line")
	f.StringVar(&o.exif, "exif", "apply", "apply or ignore the orientation that cameras record")
	f.StringVar(&o.Load.RealDir, "real", "", "folder of the real data sets, for their tasks")
	f.Uint64Var(&o.Load.Seed, "seed", 0, "of the split into training and test images")
	f.StringSliceVar(&o.Retain, "retain", nil, "tasks of the calibration that shall not be forgotten")
	f.Float64Var(&o.Policy.MinGain, "min-gain", o.Policy.MinGain, "points of gain from which tuning is worth it")
	f.Float64Var(&o.Policy.Margin, "margin", o.Policy.Margin, "points that a smaller method may gain less")
	f.Float64Var(&o.limit, "max-forgetting", 0, "points of forgetting that are borne (default any)")
	f.Float64Var(&o.CostPerLabel, "cost-per-label", 0, "cost of labelling one image")
	f.Float64Var(&o.ValuePerPoint, "value-per-point", 0, "value of a point of accuracy, in the same money")
	f.StringVar(&o.lang, "lang", "en", "en or ja: language of the summary, and that in which the page opens")
	f.StringVar(&o.out, "out", "", "folder of the page and the JSON")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func (o *assessOptions) run(ctx context.Context, s *streams, data string) error {
	switch {
	case o.out == "":
		return usagef("--out is required: the folder of the page and the JSON")
	case o.lang != assessment.English && o.lang != assessment.Japanese:
		return usagef("--lang %q is neither en nor ja", o.lang)
	case o.templateFile != "" && o.Templates != nil:
		return usagef("--template and --templates: give one of them")
	}
	for _, t := range o.Templates {
		if err := datasets.CheckTemplate(t); err != nil {
			return usageError{err}
		}
	}
	var err error
	if o.Load.Folder.AsStored, err = ignoreExif(o.exif); err != nil {
		return err
	}
	if o.templateFile != "" {
		if o.Templates, err = datasets.ReadTemplates(o.templateFile); err != nil {
			return err
		}
	}
	if o.calibration != "" {
		if o.Calibration, err = forecast.Read(o.calibration); err != nil {
			return err
		}
	}
	if _, err := os.Stat(data); err == nil && !strings.HasPrefix(data, "folder:") {
		data = "folder:" + data
	}
	a, err := assess.Do(ctx, data, o.Options, s.progress())
	if err != nil {
		return err
	}
	page, file := filepath.Join(o.out, "assessment.html"), filepath.Join(o.out, "assessment.json")
	var html bytes.Buffer
	if err := assessment.Render(&html, a, o.lang, programName()); err != nil {
		return err
	}
	if err := store.WriteFile(page, html.Bytes()); err != nil {
		return err
	}
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	if err := store.WriteFile(file, append(text, '\n')); err != nil {
		return err
	}
	if o.json {
		return s.json(a)
	}
	headline, points := assessment.Summary(a, o.lang)
	fmt.Fprintln(s.out, headline)
	for _, p := range points {
		fmt.Fprintln(s.out, "  "+p)
	}
	if d := a.Data; d.Unusable+d.Copies+d.Leaks > 0 {
		s.warnf("%d unusable files, %d copies, %d test images among the training images: see %s", d.Unusable, d.Copies, d.Leaks, page)
	}
	_, err = fmt.Fprintln(s.out, page)
	return err
}
