package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/hub"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/micro"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/selftest"
)

type modelsCheckOptions struct {
	allMicro, json             bool
	backend, inputs, reference string
	tolerance                  float64
}

// checkedModel is a line of models check.
type checkedModel struct {
	Name    string `json:"name"`
	Status  string `json:"status"`            // passed, failed or recorded
	Against string `json:"against,omitempty"` // reference or first load
	Source  string `json:"source,omitempty"`  // what computed the stored vectors
	Vectors string `json:"vectors,omitempty"` // where they are
	Backend string `json:"backend"`
	// MaxDifference is null when nothing was compared.
	MaxDifference *selftest.Difference `json:"max_difference"`
	Error         string               `json:"error,omitempty"`
}

func newModelsCheck(s *streams) *cobra.Command {
	o := &modelsCheckOptions{}
	c := &cobra.Command{
		Use:   "check MODEL|--all-micro",
		Short: "Test a model on fixed pictures and prompts against stored embeddings",
		Long: `check embeds a fixed set of drawn pictures and prompts with a model and compares
the embeddings, of unit norm, with stored ones, component by component.

For the micro models stored vectors ship with the program. For others, a script
of this project has the reference implementation compute them:

  iimm models check MODEL --inputs inputs.json
  python iimmkit/model/encoder/selftest/reference.py inputs.json vectors.json
  iimm models check MODEL --reference vectors.json

From then on check compares with these. A model without reference vectors is
compared with its first load: that load is recorded, and says nothing about
whether it was right. The exit code is 1 when a model fails.`,
		Example: "  iimm models check --all-micro\n  iimm models check clip-b-32 --json",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return o.run(s, args) },
	}
	f := c.Flags()
	f.BoolVar(&o.allMicro, "all-micro", false, "check every micro model the program carries")
	f.StringVar(&o.backend, "backend", "", "go, xla:cpu, xla:cuda or auto (default auto)")
	f.StringVar(&o.inputs, "inputs", "", "only write what reference.py needs to this file")
	f.StringVar(&o.reference, "reference", "", "compare with this file of reference.py, and keep it for later checks when it agrees")
	f.Float64Var(&o.tolerance, "tolerance", selftest.Tolerance, "largest difference of a component that passes")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func (o *modelsCheckOptions) run(s *streams, args []string) error {
	switch {
	case o.allMicro == (len(args) == 1):
		return usagef("give a model or --all-micro")
	case o.allMicro && (o.inputs != "" || o.reference != ""):
		return usagef("--inputs and --reference are for one model")
	case o.inputs != "" && o.reference != "":
		return usagef("--inputs or --reference, not both")
	case !(o.tolerance > 0):
		return usagef("--tolerance %g is not positive", o.tolerance)
	}
	names := args
	if o.allMicro {
		for _, name := range encoder.Registered() {
			if strings.HasPrefix(name, "micro-") {
				names = append(names, name)
			}
		}
	}
	if o.inputs != "" {
		return o.writeInputs(s, names[0])
	}
	b, err := backend.Open(o.backend)
	if err != nil {
		return err
	}
	var list []checkedModel
	var failed []string
	for _, name := range names {
		m, err := o.check(b, name)
		if err != nil {
			if !o.allMicro {
				return hubError(err)
			}
			m.Status, m.Error = "failed", err.Error()
		}
		if m.Status == "failed" {
			failed = append(failed, name)
		}
		list = append(list, m)
	}
	if err := o.print(s, list); err != nil {
		return err
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d models failed the self-test: %s", len(failed), len(list), strings.Join(failed, ", "))
	}
	return nil
}

// modelFolder returns the files of a model, and their folder when they are on
// the disk.
func modelFolder(name string) (files fs.FS, dir string, err error) {
	if files, ok := micro.Files(name); ok {
		return files, "", nil
	}
	dir, ok, err := hub.Find(name)
	if err != nil {
		return nil, "", err
	}
	if !ok {
		dir = name
	}
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return nil, "", fmt.Errorf("no model %q: neither a name of iimm models list nor a folder with a checkpoint", name)
	}
	dir, err = filepath.Abs(dir)
	return os.DirFS(dir), dir, err
}

func (o *modelsCheckOptions) writeInputs(s *streams, name string) error {
	files, dir, err := modelFolder(name)
	if err != nil {
		return hubError(err)
	}
	if dir == "" {
		return usagef("%s is in the program: --inputs needs the folder it was made from, which is in the project's source", name)
	}
	sums, err := selftest.Checksums(files)
	if err != nil {
		return err
	}
	data, err := selftest.Inputs(dir, sums)
	if err != nil {
		return err
	}
	if err := store.WriteFile(o.inputs, data); err != nil {
		return err
	}
	if o.json {
		return s.json(map[string]any{"schema": 1, "inputs": o.inputs, "dir": dir, "files": sums})
	}
	_, err = fmt.Fprintf(s.out, "%s: %d pictures and %d prompts for %s\n", o.inputs, len(selftest.Pictures()), len(selftest.Prompts()), dir)
	return err
}

func (o *modelsCheckOptions) check(b compute.Backend, name string) (checkedModel, error) {
	m := checkedModel{Name: name, Backend: backend.Name(b)}
	files, _, err := modelFolder(name)
	if err != nil {
		return m, err
	}
	sums, err := selftest.Checksums(files)
	if err != nil {
		return m, fmt.Errorf("model %s: %w", name, err)
	}
	e, err := openModel(b, name)
	if err != nil {
		return m, err
	}
	got, err := selftest.Compute(e, sums, fmt.Sprintf("first load by iimm on %s, %s", m.Backend, time.Now().UTC().Format(time.DateOnly)))
	if err != nil {
		return m, fmt.Errorf("model %s: %w", name, err)
	}
	kept, err := selftest.Kept(got)
	if err != nil {
		return m, err
	}
	var want *selftest.Vectors
	if o.reference != "" {
		m.Vectors = o.reference
		want, err = readVectors(o.reference)
	} else {
		want, m.Vectors, err = storedVectors(files, kept)
	}
	if err != nil {
		return m, err
	}
	if want == nil {
		data, err := got.Encode()
		if err == nil {
			err = store.WriteFile(kept, data)
		}
		m.Status, m.Vectors, m.Source = "recorded", kept, got.Source
		return m, err
	}
	m.Source, m.Against = want.Source, "first load"
	if want.Reference {
		m.Against = "reference"
	}
	d, err := selftest.Compare(got, want)
	if err != nil {
		return m, fmt.Errorf("model %s: %s: %w", name, m.Vectors, err)
	}
	m.MaxDifference, m.Status = &d, "failed"
	if !d.Within(o.tolerance) {
		return m, nil
	}
	m.Status = "passed"
	if o.reference != "" && o.reference != kept {
		data, err := want.Encode()
		if err != nil {
			return m, err
		}
		return m, store.WriteFile(kept, data)
	}
	return m, nil
}

// storedVectors looks beside the weights, then in the cache; nil where there
// are none.
func storedVectors(files fs.FS, kept string) (*selftest.Vectors, string, error) {
	data, err := fs.ReadFile(files, selftest.File)
	if err == nil {
		v, err := selftest.Parse(data, selftest.File)
		return v, selftest.File + " beside the weights", err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	v, err := readVectors(kept)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	return v, kept, err
}

func readVectors(path string) (*selftest.Vectors, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return selftest.Parse(data, path)
}

func (o *modelsCheckOptions) print(s *streams, list []checkedModel) error {
	if o.json {
		return s.json(map[string]any{"schema": 1, "tolerance": o.tolerance, "pictures": len(selftest.Pictures()), "prompts": len(selftest.Prompts()), "models": list})
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MODEL\tRESULT\tIMAGES\tTEXTS\tCOMPARED WITH")
	for _, m := range list {
		images, texts, against := "", "", m.Error
		if d := m.MaxDifference; d != nil {
			images, texts, against = fmt.Sprintf("%.1e", d.Images), fmt.Sprintf("%.1e", d.Texts), m.Source
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", m.Name, m.Status, images, texts, against)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(m checkedModel) bool { return m.MaxDifference != nil }) {
		fmt.Fprintf(s.out, "Largest difference of a component of unit-norm embeddings; up to %.0e passes.\n", o.tolerance)
	}
	for _, m := range list {
		switch {
		case m.Status == "recorded":
			fmt.Fprintf(s.out, "%s: no reference vectors. Those of this first load are recorded in %s; later loads are compared with them. Whether they are right is not known.\n",
				m.Name, m.Vectors)
		case m.Against == "first load":
			fmt.Fprintf(s.out, "%s: compared with its first load, not with a reference (see iimm models check --help).\n", m.Name)
		}
	}
	return nil
}
