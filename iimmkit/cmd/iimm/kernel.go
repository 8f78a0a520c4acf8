package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/show/chart/png"
	"github.com/iimmkit/iimm/iimmkit/show/notebook"
	"github.com/iimmkit/iimm/kernels"
)

func init() { verbs = append(verbs, newKernel) }

func newKernel(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "kernel",
		Short: "Install the Go kernels for Jupyter, and see whether they work",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Example: `  iimm kernel install
  iimm kernel doctor`,
	}
	c.AddCommand(newKernelInstall(s), newKernelDoctor(s))
	return c
}

type kernelInstallOptions struct {
	backends   []string
	prefix     string
	sysPrefix  bool
	completion bool
	json       bool
}

func newKernelInstall(s *streams) *cobra.Command {
	o := &kernelInstallOptions{}
	c := &cobra.Command{
		Use:   "install",
		Short: "Build the pinned GoNB and install its kernelspecs for Jupyter",
		Long: `Builds gonb and goimports from pinned and checksummed sources into the cache,
compiles the library once with the flags of the cells, and writes a kernelspec
per backend for Jupyter to find: iimm-go, iimm-go-xla-cpu, iimm-go-xla-cuda.
Run it in a clone of iimm: notebooks that lie outside of any clone will use it.`,
		Example: `  iimm kernel install
  iimm kernel install --backend go --backend xla:cpu
  iimm kernel install --sys-prefix      # into the active Python environment`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), s) },
	}
	f := c.Flags()
	f.StringSliceVar(&o.backends, "backend", []string{kernels.Go}, "backends to install a kernel for: go, xla:cpu, xla:cuda")
	f.StringVar(&o.prefix, "prefix", "", "install into `DIR`/share/jupyter instead of for the user")
	f.BoolVar(&o.sysPrefix, "sys-prefix", false, "install into the active Python environment")
	f.BoolVar(&o.completion, "completion", false, "also build gopls, with which Tab completes names in cells")
	f.BoolVar(&o.json, "json", false, "print JSON")
	c.MarkFlagsMutuallyExclusive("prefix", "sys-prefix")
	return c
}

func (o *kernelInstallOptions) run(ctx context.Context, s *streams) error {
	for _, b := range o.backends {
		if _, err := kernels.Name(b); err != nil {
			return usageError{err}
		}
	}
	prefix := o.prefix
	if o.sysPrefix {
		var err error
		if prefix, err = kernels.SysPrefix(); err != nil {
			return err
		}
	}
	specs, err := kernels.Install(ctx, kernels.Options{
		Backends: o.backends, Prefix: prefix, Completion: o.completion, Version: buildVersion().Version, Progress: s.progress(),
		Warn: func(text string) { s.warnf("%s", text) },
	})
	if err != nil {
		return err
	}
	if o.json {
		type installed struct {
			Name        string `json:"name"`
			DisplayName string `json:"display_name"`
			Dir         string `json:"dir"`
			Backend     string `json:"backend"`
			Module      string `json:"module"`
		}
		out := struct {
			Schema  int               `json:"schema"`
			Kernels []installed       `json:"kernels"`
			Tools   map[string]string `json:"tools"`
		}{Schema: 1, Tools: kernels.ToolVersions()}
		for _, k := range specs {
			out.Kernels = append(out.Kernels, installed{k.Name, k.DisplayName, k.Dir, k.Env["IIMM_BACKEND"], k.Env["IIMM_INSTALLED_MODULE"]})
		}
		return s.json(out)
	}
	for _, k := range specs {
		fmt.Fprintf(s.out, "installed %s (%s) in %s\n", k.Name, k.DisplayName, k.Dir)
	}
	fmt.Fprintf(s.out, "cells import %s from the clone around the notebook, elsewhere from %s\n", kernels.Module, specs[0].Env["IIMM_INSTALLED_MODULE"])
	return nil
}

type kernelDoctorOptions struct {
	json, quick bool
}

func newKernelDoctor(s *streams) *cobra.Command {
	o := &kernelDoctorOptions{}
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check all that a Go notebook needs here, and run a cell",
		Long: `Looks at platform, Go, C compiler, cache, tools, module, installed kernelspecs,
the build cache of their cells, Jupyter, this machine's vector instructions, the
XLA plugins and a font for Japanese, then starts the kernels and runs a cell in each. Each line says ok, note or error,
and what to do. Exit code 1 when something is wrong.`,
		Example: `  iimm kernel doctor
  iimm kernel doctor --quick --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), s) },
	}
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	c.Flags().BoolVar(&o.quick, "quick", false, "do not start a kernel")
	return c
}

func (o *kernelDoctorOptions) run(ctx context.Context, s *streams) error {
	found := kernels.Doctor(ctx, ".", buildVersion().Version)
	found = append(found, simdFinding())
	found = append(found, xlaFindings()...)
	found = append(found, fontFinding())
	if !o.quick && kernels.Healthy(found) {
		found = append(found, tryKernels(ctx)...)
	}
	healthy := kernels.Healthy(found)
	if o.json {
		if err := s.json(struct {
			Schema   int               `json:"schema"`
			Healthy  bool              `json:"healthy"`
			Findings []kernels.Finding `json:"findings"`
		}{1, healthy, found}); err != nil {
			return err
		}
	} else {
		for _, f := range found {
			fmt.Fprintln(s.out, f)
		}
	}
	if !healthy {
		return errors.New("the kernel does not work here; what to do is said above")
	}
	return nil
}

// simdFinding tells how this binary computes; the cells' own setting is their
// kernelspec's.
func simdFinding() kernels.Finding {
	f := kernels.Finding{Name: "simd", Level: kernels.OK, Detail: "this iimm and the cells compute with vector instructions"}
	switch {
	case runtime.GOARCH != "amd64":
		f.Level, f.Detail = kernels.Note, "the Go backend has no vector instructions on "+runtime.GOARCH+", here and in cells"
		f.Fix = "use the backend xla:cpu for long work"
	case !builtWithSIMD:
		f.Level, f.Detail = kernels.Note, "the cells compute with vector instructions, this iimm without, some 30 times slower"
		f.Fix = "GOEXPERIMENT=simd go build ./iimmkit/cmd/iimm"
	}
	return f
}

// xlaFindings looks at the plugins of XLA, which are a choice.
func xlaFindings() []kernels.Finding {
	var found []kernels.Finding
	for _, b := range backend.List() {
		switch {
		case b.Name == kernels.Go:
		case b.Usable:
			found = append(found, kernels.Finding{Name: b.Name, Level: kernels.OK, Detail: b.Description})
		default:
			fix := "iimm backends install " + b.Name
			found = append(found, kernels.Finding{Name: b.Name, Level: kernels.Note, Detail: "not usable: " + strings.TrimSuffix(b.Why, " ("+fix+")"), Fix: fix})
		}
	}
	return found
}

func fontFinding() kernels.Finding {
	path, err := png.JapaneseFont()
	switch {
	case err != nil:
		return kernels.Finding{Name: "fonts", Level: kernels.Error, Detail: err.Error(), Fix: "set " + png.FontVariable + " to a TTF, OTF or TTC file, or unset it"}
	case path == "":
		return kernels.Finding{Name: "fonts", Level: kernels.Note, Detail: "no font for Japanese: PNG pictures cannot write it",
			Fix: "apt-get install fonts-ipafont-gothic, or set " + png.FontVariable + " to a font file"}
	}
	return kernels.Finding{Name: "fonts", Level: kernels.OK, Detail: "Japanese is written in " + path}
}

// tryKernels runs a cell in each of our kernels that Jupyter would start, or
// where none is installed in the one of iimm notebook run.
func tryKernels(ctx context.Context) []kernels.Finding {
	var found []kernels.Finding
	for _, b := range kernels.Backends() {
		name, _ := kernels.Name(b)
		if spec, err := kernels.Find(name); err == nil {
			found = append(found, tryCell(ctx, spec))
		}
	}
	if found != nil {
		return found
	}
	spec, err := kernels.Ready(ctx, kernels.Go, kernels.Options{Version: buildVersion().Version})
	if err != nil {
		return []kernels.Finding{{Name: "cell", Level: kernels.Error, Detail: err.Error(), Fix: "iimm kernel install"}}
	}
	return []kernels.Finding{tryCell(ctx, spec)}
}

// trial opens the kernel's backend and shows its description.
const trial = `import (
	"os"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/show/nb"
)

%%
nb.Markdown(nb.Must(backend.Open(os.Getenv("IIMM_BACKEND"))).Description())`

func tryCell(ctx context.Context, spec kernels.Spec) kernels.Finding {
	start := time.Now()
	cell := &notebook.Cell{Type: "code", Source: trial}
	doc := &notebook.Notebook{Format: 4, Minor: 5, Cells: []*notebook.Cell{cell}}
	err := notebook.Execute(ctx, doc, notebook.Options{Kernel: spec, Dir: ".", Timeout: 2 * time.Minute})
	what := ""
	if err == nil && len(cell.Outputs) > 0 {
		what, _ = cell.Outputs[0].Data["text/markdown"].(string)
	}
	if err == nil && what == "" {
		err = errors.New("the cell ran, but what it showed was lost")
	}
	f := kernels.Finding{Name: "cell", Level: kernels.OK}
	if err != nil {
		f.Level, f.Fix = kernels.Error, "iimm kernel install --backend "+spec.Env["IIMM_BACKEND"]
		f.Detail = spec.Name + ": " + strings.ReplaceAll(err.Error(), "\n", "; ")
		if name := spec.Env["IIMM_BACKEND"]; name != kernels.Go {
			f.Fix = "iimm backends install " + name
		}
		return f
	}
	f.Detail = fmt.Sprintf("%s ran one in %s, kernel start included, on %s", spec.Name, progress.FormatDuration(time.Since(start)), what)
	return f
}
