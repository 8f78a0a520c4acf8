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
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

func init() { verbs = append(verbs, newEmbed) }

type embedOptions struct {
	model, out, backend, split, template, onError, real string
	exif                                                string
	seed                                                uint64
	json                                                bool
}

func newEmbed(s *streams) *cobra.Command {
	o := &embedOptions{}
	c := &cobra.Command{
		Use:   "embed DATA --out FILE",
		Short: "Embed labelled images and their class captions with a model",
		Long: `DATA is a folder with one folder of images per class, a CSV list (path,label), or
the name of a task (see iimm datasets list). The result holds image embeddings,
labels, caption embeddings, names and hashes; iimm measure reads it.`,
		Example: `  iimm embed parts/ --model micro --template "a metal surface with {class}" --out parts.safetensors
  iimm embed world/shape --model micro --out shape.npz`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&o.model, "model", "micro", "name of a model or folder of a checkpoint")
	f.StringVar(&o.out, "out", "", "file to write: .safetensors, .npz or .csv")
	f.StringVar(&o.backend, "backend", "", "go, xla:cpu, xla:cuda or auto (default auto)")
	f.StringVar(&o.split, "split", "train", "train or test; all images of a folder without splits are train")
	f.StringVar(&o.template, "template", datasets.DefaultTemplate, "caption of a class of a folder or list")
	f.StringVar(&o.onError, "on-error", string(datasets.Fail), "fail or skip: what to do about files that are no images")
	f.StringVar(&o.exif, "exif", "apply", "apply or ignore the orientation that cameras record")
	f.StringVar(&o.real, "real", "", "folder of the real data sets, for their tasks")
	f.Uint64Var(&o.seed, "seed", 0, "of drawn pictures and of splits")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func (o *embedOptions) run(ctx context.Context, s *streams, data string) error {
	if o.out == "" {
		return usagef("--out is required: the file to write")
	}
	if o.split != "train" && o.split != "test" {
		return usagef("--split %q is neither train nor test", o.split)
	}
	if o.exif != "apply" && o.exif != "ignore" {
		return usagef("--exif %q is neither apply nor ignore", o.exif)
	}
	onError, err := datasets.ParseOnError(o.onError)
	if err != nil {
		return usageError{err}
	}
	if ext := filepath.Ext(o.out); !slices.Contains([]string{".safetensors", ".npz", ".csv"}, ext) {
		return usagef("--out %s: the name must end in .safetensors, .npz or .csv", o.out)
	}
	b, err := backend.Open(o.backend)
	if err != nil {
		return err
	}
	e, err := encoder.Open(b, o.model)
	if err != nil {
		return err
	}
	task, err := o.load(ctx, s, data, onError)
	if err != nil {
		return err
	}
	start := time.Now()
	set, err := e.Embed(ctx, task, o.split, s.progress())
	if err != nil {
		return err
	}
	set.Provenance.Seed = &o.seed
	if err := embedding.Write(o.out, set); err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	if o.json {
		return s.json(map[string]any{"schema": 1, "out": o.out, "n": set.Images.Rows, "d": set.Images.Cols, "classes": set.Texts.Rows,
			"seconds": seconds, "provenance": set.Provenance})
	}
	_, err = fmt.Fprintf(s.out, "%s: %d images of %d classes, width %d, %s on %s, %.0f images/s\n", o.out, set.Images.Rows, set.Texts.Rows,
		set.Images.Cols, e.Name, backend.Name(b), float64(set.Images.Rows)/seconds)
	return err
}

// load reads a path as a folder or list, anything else as the name of a task.
func (o *embedOptions) load(ctx context.Context, s *streams, data string, onError datasets.OnError) (*datasets.Task, error) {
	folder := datasets.FolderOptions{OnError: onError, Template: o.template, Seed: o.seed, AsStored: o.exif == "ignore", Progress: s.progress(), Context: ctx}
	path, named := strings.CutPrefix(data, "folder:")
	if _, err := os.Stat(path); err != nil && !named {
		return datasets.Load(data, datasets.LoadOptions{RealDir: o.real, Seed: o.seed})
	}
	open := datasets.OpenFolder
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		open = datasets.OpenList
	}
	task, problems, err := open(path, folder)
	for _, p := range problems.List() {
		s.warnf("%s", p)
	}
	return task, err
}
