package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/core/embedding"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

func init() { verbs = append(verbs, newEmbed) }

// embedFlags say what is embedded, and how.
type embedFlags struct {
	overlapFlags
	model, backend, split, templateFile, onError, real, exif string
	templates                                                []string
	seed                                                     uint64
	noCache, ensemble                                        bool
}

func (o *embedFlags) add(c *cobra.Command) {
	o.overlapFlags.add(c)
	f := c.Flags()
	f.StringVar(&o.model, "model", "micro", "name of a model or folder of a checkpoint")
	f.StringVar(&o.backend, "backend", "", "go, xla:cpu, xla:cuda or auto (default auto)")
	f.StringVar(&o.split, "split", "train", "train, val or test; all images of a source without splits are train")
	f.StringArrayVar(&o.templates, "template", nil, `caption of a class; several, each with its own flag, make an ensemble (default the task's, of a folder "`+datasets.DefaultTemplate+`")`)
	f.BoolVar(&o.ensemble, "ensemble", false, "the usual ensemble of captions of a data set of the paper")
	f.StringVar(&o.templateFile, "templates", "", "file with one template a line")
	f.StringVar(&o.onError, "on-error", string(datasets.Fail), "fail or skip: what to do about files that are no images")
	exifFlag(c, &o.exif)
	f.StringVar(&o.real, "real", "", realUsage)
	f.Uint64Var(&o.seed, "seed", 0, "of drawn pictures and of splits")
	f.BoolVar(&o.noCache, "no-cache", false, "neither keep image features nor take those kept before")
}

func (o *embedFlags) check() error {
	if !slices.Contains([]string{"train", "val", "test"}, o.split) {
		return usagef("--split %q is none of train, val, test", o.split)
	}
	if _, err := ignoreExif(o.exif); err != nil {
		return err
	}
	if _, err := datasets.ParseOnError(o.onError); err != nil {
		return usageError{err}
	}
	if o.ensemble && (o.templateFile != "" || o.templates != nil) {
		return usagef("--ensemble and captions of one's own: give one of them")
	}
	if o.templateFile != "" && o.templates != nil {
		return usagef("--template and --templates: give one of them")
	}
	for _, t := range o.templates {
		if err := datasets.CheckTemplate(t); err != nil {
			return usageError{err}
		}
	}
	return nil
}

// exifFlag adds --exif to a command that reads folders of pictures.
func exifFlag(c *cobra.Command, value *string) {
	c.Flags().StringVar(value, "exif", "apply", "apply or ignore the orientation that cameras record")
}

// ignoreExif reads the value of --exif.
func ignoreExif(value string) (bool, error) {
	if value != "apply" && value != "ignore" {
		return false, usagef("--exif %q is neither apply nor ignore", value)
	}
	return value == "ignore", nil
}

// embed embeds data, a path or the name of a task.
func (o *embedFlags) embed(ctx context.Context, s *streams, data string) (*embedding.Set, error) {
	b, err := backend.Open(o.backend)
	if err != nil {
		return nil, err
	}
	e, err := encoder.Open(b, o.model)
	if err != nil {
		return nil, err
	}
	task, err := o.load(ctx, s, data)
	if err != nil {
		return nil, err
	}
	var options []encoder.EmbedOption
	if !o.noCache {
		options = append(options, encoder.Cached)
	}
	set, err := e.Embed(ctx, task, o.split, s.progress(), options...)
	if err != nil {
		return nil, err
	}
	set.Provenance.Seed = &o.seed
	return set, nil
}

// load reads a path in whatever form, anything else as the name of a task.
func (o *embedFlags) load(ctx context.Context, s *streams, data string) (*datasets.Task, error) {
	templates := o.templates
	if o.templateFile != "" {
		var err error
		if templates, err = datasets.ReadTemplates(o.templateFile); err != nil {
			return nil, err
		}
	}
	task, err := o.loadData(ctx, s, data)
	if err == nil && templates != nil {
		task, err = task.WithTemplates(templates)
	}
	return task, err
}

func (o *embedFlags) loadData(ctx context.Context, s *streams, data string) (*datasets.Task, error) {
	path, named := strings.CutPrefix(data, "folder:")
	if _, err := os.Stat(path); err != nil && !named {
		return datasets.Load(data, datasets.LoadOptions{RealDir: o.real, Seed: o.seed, Ensemble: o.ensemble})
	}
	asStored, err := ignoreExif(o.exif)
	if err != nil {
		return nil, err
	}
	folder := datasets.FolderOptions{OnError: datasets.OnError(o.onError), Seed: o.seed, AsStored: asStored, Progress: s.progress(), Context: ctx}
	if err := o.fill(&folder); err != nil {
		return nil, err
	}
	task, problems, err := datasets.Open(path, folder)
	for _, p := range problems.List() {
		s.warnf("%s", p)
	}
	return task, err
}

type embedOptions struct {
	embedFlags
	out  string
	json bool
}

func newEmbed(s *streams) *cobra.Command {
	o := &embedOptions{}
	c := &cobra.Command{
		Use:   "embed DATA --out FILE",
		Short: "Embed labelled images and their class captions with a model",
		Long: `DATA is a folder with one folder of images per class, a zip or tar file of it, a
list (CSV, TSV or JSON lines with path and label), a webdataset, parquet files as
Hugging Face has them, or the name of a task (see iimm datasets list). The result holds image embeddings,
labels, caption embeddings, names and hashes; iimm measure and iimm zeroshot read
it. With several templates the embedding of a class is the mean of its captions'.

Image features are kept in the cache every few batches: stopped and started
again, the command goes on where it was.`,
		Example: `  iimm embed parts/ --model micro --template "a metal surface with {class}" --out parts.safetensors
  iimm embed world/shape --model micro --out shape.npz`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args[0]) },
	}
	o.add(c)
	c.Flags().StringVar(&o.out, "out", "", "file to write: .safetensors, .npz or .csv")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func (o *embedOptions) run(ctx context.Context, s *streams, data string) error {
	if o.out == "" {
		return usagef("--out is required: the file to write")
	}
	if err := o.check(); err != nil {
		return err
	}
	if ext := filepath.Ext(o.out); !slices.Contains([]string{".safetensors", ".npz", ".csv"}, ext) {
		return usagef("--out %s: the name must end in .safetensors, .npz or .csv", o.out)
	}
	start := time.Now()
	set, err := o.embed(ctx, s, data)
	if err != nil {
		return err
	}
	if err := embedding.Write(o.out, set); err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	p := set.Provenance
	if o.json {
		return s.json(map[string]any{"schema": 1, "out": o.out, "n": set.Images.Rows, "d": set.Images.Cols, "classes": set.Texts.Rows,
			"seconds": seconds, "provenance": p})
	}
	_, err = fmt.Fprintf(s.out, "%s: %d images of %d classes, width %d, %s on %s, %s in all\n", o.out, set.Images.Rows, set.Texts.Rows,
		set.Images.Cols, p.Model, p.Backend, progress.FormatDuration(time.Since(start)))
	return err
}
