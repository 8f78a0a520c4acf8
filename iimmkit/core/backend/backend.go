// Package backend opens the GoMLX engines that compute our graphs: Go itself
// (always there), XLA on the CPU and XLA on an NVIDIA GPU (when their plugins
// are). It never reaches for the network by itself and never falls back
// silently: what was named is opened, or an error says why not.
package backend

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
)

// The names of the backends. Auto chooses among the others.
const (
	Auto    = "auto"
	Go      = "go"
	XLACPU  = "xla:cpu"
	XLACUDA = "xla:cuda"
)

// ErrUnavailable is wrapped by Open's errors when a backend is known but
// cannot be used here: no plugin, no GPU, a binary built without XLA.
var ErrUnavailable = errors.New("backend not usable here")

// Open starts a backend.
//
//   - "" and "auto": CUDA if its plugin and a GPU are there, else XLA CPU if a
//     plugin is there, else Go. A plugin that is there but does not work is an
//     error, not a reason to compute elsewhere unasked.
//   - "go": pure Go. Options follow a colon: "go:parallelism=4" keeps to four
//     workers, one operation after another; "go:parallelism=4,ops_parallel" lets
//     operations share them and can come to a standstill.
//   - "xla:cpu", "xla:cuda": the first plugin found in the directories of
//     PJRT_PLUGIN_LIBRARY_PATH, in GoMLX's own ~/.local/lib/go-xla, in iimm's
//     cache (…/xla), in /usr/local/lib/go-xla.
//   - "xla": what auto would choose of the two.
//   - "xla:/absolute/plugin.so": that plugin.
//
// GoMLX's options may follow an XLA name after commas
// ("xla:cuda,memory_fraction=0.5"). Matrix products are done in full float32:
// TF32, GoMLX's default on CUDA, has to be asked for ("xla:cuda,tf32=true"),
// since it leaves three decimal digits.
//
// The caller owns the backend and may Finalize it.
func Open(name string) (compute.Backend, error) {
	p, err := choose(name)
	if err != nil {
		return nil, err
	}
	return p.open()
}

// Name returns the name by which Open opens this kind of backend: "go",
// "xla:cpu", "xla:cuda", or "xla" for a plugin that tells neither. Ledgers and
// reports record it; Description tells more, the plugin's path and version
// included, but differs from machine to machine.
func Name(b compute.Backend) string {
	if b == nil {
		return ""
	}
	if x, ok := b.(interface {
		IsCPU() bool
		IsCUDA() bool
		PluginName() string
	}); ok {
		// GoMLX guesses the kind from the whole path; the file name is surer.
		if kind := pluginKind(x.PluginName()); kind != "" {
			return "xla:" + kind
		}
		switch {
		case x.IsCUDA():
			return XLACUDA
		case x.IsCPU():
			return XLACPU
		}
		return "xla"
	}
	return b.String()
}

// plan is a decision of what to open, before anything is loaded.
type plan struct {
	name    string // canonical name
	path    string // of the plugin; "" for Go
	options string // after the first comma, as GoMLX takes them
}

func (p plan) open() (b compute.Backend, err error) {
	err = Guard(func() error {
		if p.path == "" {
			b, err = newGo(goOptions(p.options))
		} else {
			b, err = openXLA(p.path, p.config())
		}
		return err
	})
	if err != nil {
		what := p.name
		if p.path != "" && !strings.HasSuffix(what, p.path) {
			what += " (" + p.path + ")"
		}
		return nil, fmt.Errorf("backend %s: %w: %s", what, ErrUnavailable, oneLine(err))
	}
	return b, nil
}

func newGo(options string) (b compute.Backend, err error) {
	if !strings.Contains(options, "parallelism") {
		return gobackend.New(options)
	}
	// That one is echoed on the standard output.
	err = silently(func() error {
		b, err = gobackend.New(options)
		return err
	})
	return b, err
}

// goOptions keeps the Go backend from coming to a standstill. Its default
// (compute v0.1.0) runs the operations of a graph side by side in a pool of
// 2·GOMAXPROCS workers. A matrix product, itself holding one of them, asks the
// same pool for more (workerspool.Saturate; Erf and the fused GELU by
// WaitToStart) and waits; when as many operations as there are workers do so at
// once, all wait for each other for ever. Training steps of small transformers
// get there within seconds. With no bound on the pool nobody waits for a worker:
// every product starts its own GOMAXPROCS, and only those, which wait for
// nothing, are waited for. Where options set a bound,
// one operation runs after another: then it is never a worker that waits.
func goOptions(options string) string {
	var bound, order string
	for o := range strings.SplitSeq(options, ",") {
		switch {
		case strings.HasPrefix(o, "parallelism="):
			bound = o
		case o == "ops_parallel", o == "ops_sequential":
			order = o
		}
	}
	var add string
	switch {
	case bound == "" && order != "ops_sequential":
		add = "parallelism=-1"
	case bound != "" && bound != "parallelism=-1" && order == "":
		add = "ops_sequential"
	default:
		return options
	}
	if options == "" {
		return add
	}
	return options + "," + add
}

// config is the plugin's path and options for GoMLX. What GoMLX would guess
// from the path is said outright.
func (p plan) config() string {
	options := p.options
	has := func(option string) bool {
		for o := range strings.SplitSeq(options, ",") {
			key, _, _ := strings.Cut(o, "=")
			if key == option || key == "no"+option {
				return true
			}
		}
		return false
	}
	add := func(option string) {
		if options != "" {
			options += ","
		}
		options += option
	}
	if !has("tf32") {
		add("tf32=false")
	}
	if kind := pluginKind(p.path); kind != "" && !has("shared_buffers") {
		add(fmt.Sprintf("shared_buffers=%v", kind == "cpu"))
	}
	return p.path + "," + options
}

// choose turns a name into a plan without loading anything.
func choose(name string) (plan, error) {
	base, options, _ := strings.Cut(name, ",")
	switch base {
	case "", Auto:
		return chooseAuto(options)
	case Go:
		return plan{name: Go, options: options}, nil
	case "xla", XLACPU, XLACUDA:
		if xlaMissing != "" {
			return plan{}, fmt.Errorf("backend %s: %w: %s", base, ErrUnavailable, xlaMissing)
		}
		if base == "xla" {
			p, err := chooseAuto(options)
			if err == nil && p.name == Go {
				err = missing(XLACPU)
			}
			return p, err
		}
		path := findPlugin(strings.TrimPrefix(base, "xla:"))
		if path == "" {
			return plan{}, missing(base)
		}
		if base == XLACUDA {
			if err := findGPU(); err != nil {
				return plan{}, fmt.Errorf("backend %s: %w: %w", base, ErrUnavailable, err)
			}
		}
		return plan{base, path, options}, nil
	}
	if config, ok := strings.CutPrefix(base, "go:"); ok {
		if options != "" {
			config += "," + options
		}
		return plan{name: Go, options: config}, nil
	}
	if path, ok := strings.CutPrefix(base, "xla:"); ok && isPath(path) {
		if !filepath.IsAbs(path) {
			return plan{}, fmt.Errorf("backend %s: give the plugin's absolute path", base)
		}
		if xlaMissing != "" {
			return plan{}, fmt.Errorf("backend %s: %w: %s", base, ErrUnavailable, xlaMissing)
		}
		if err := checkPluginFile(path); err != nil {
			return plan{}, fmt.Errorf("backend %s: %w: %w", base, ErrUnavailable, err)
		}
		return plan{base, path, options}, nil
	}
	return plan{}, fmt.Errorf("unknown backend %q: choose %s, %s, %s, %s or xla:/absolute/plugin%s", name, Auto, Go, XLACPU, XLACUDA, libraryExt)
}

func isPath(s string) bool {
	return filepath.IsAbs(s) || strings.ContainsAny(s, `/\`) || strings.HasSuffix(s, libraryExt)
}

func chooseAuto(options string) (plan, error) {
	if xlaMissing == "" {
		if path := findPlugin("cuda"); path != "" && findGPU() == nil {
			return plan{XLACUDA, path, options}, nil
		}
		if path := findPlugin("cpu"); path != "" {
			return plan{XLACPU, path, options}, nil
		}
	}
	return plan{name: Go, options: options}, nil
}

func missing(name string) error {
	return fmt.Errorf("backend %s: %w: no plugin pjrt_c_api_%s_plugin%s in %s (iimm backends install %s)",
		name, ErrUnavailable, strings.TrimPrefix(name, "xla:"), libraryExt, strings.Join(searchDirs(), ", "), name)
}

// oneLine drops the stack traces and line breaks of GoMLX's errors.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}
